"""Invitations: a link works once, until it ends, in the role that was chosen; nothing of it is kept but its hash."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import Iterator
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiosmtpd.controller import Controller
from sqlmodel import select

from contentcaster.clock import utc_now
from contentcaster.errors import Conflict, InvalidInput, NotAllowed, NotFound
from contentcaster.models import AuditEvent, Invitation, Role, User
from contentcaster.services import invitations
from contentcaster.services.auth import Client
from contentcaster.services.invitations import InvitationUsedUp, NewInvitation
from tests.services.service_kit import Team, build_team
from tests.services_for_tests.factories import PASSWORD
from tests.services_for_tests.programs import free_port
from tests.services_for_tests.stack import Stack

PORT = free_port()


@pytest.fixture
def team(stack: Stack) -> Team:
    return build_team(stack)


def invite(team: Team, role: str = "creator", **more: Any) -> NewInvitation:
    made: NewInvitation = team.write(invitations.create_invitation, team.ada, role=role, **more)
    return made


def token_of(made: NewInvitation) -> str:
    return parse_qs(urlsplit(made.link).query)["token"][0]


def accept(team: Team, made: NewInvitation, email: str = "new@example.org", **more: Any) -> Any:
    values = {"name": "Nora New", "password": PASSWORD, "client": Client(ip="203.0.113.9")} | more
    return invitations.accept(team.stack.database, token=token_of(made), email=email, **values)


def find(team: Team, email: str) -> User | None:
    with team.stack.database.reading() as session:
        return session.exec(select(User).where(User.email == email)).first()


def test_whoever_accepts_has_the_chosen_role_is_signed_in_and_the_link_is_used_up(team: Team) -> None:
    made = invite(team, "creator", needs_approval=True)
    offer = team.read(invitations.look_at, token_of(made))
    assert (offer.role, offer.needs_approval, offer.invited_by) == ("creator", True, team.ada.email)
    started = accept(team, made, timezone="Europe/Berlin")
    assert started.principal.role is Role.CREATOR and started.token
    user = find(team, "new@example.org")
    assert user is not None and user.needs_approval and user.timezone == "Europe/Berlin"
    with pytest.raises(InvitationUsedUp):
        accept(team, made, "second@example.org")
    assert find(team, "second@example.org") is None
    with team.stack.database.reading() as session:
        acts = session.exec(select(AuditEvent.action).where(AuditEvent.subject_type == "invitation")).all()
    assert list(acts) == ["invitation.created", "invitation.accepted"]


def test_an_address_that_was_named_is_the_one_that_joins(team: Team) -> None:
    accept(team, invite(team, "viewer", email="Lena@Example.org"), "eve@example.org")
    assert find(team, "eve@example.org") is None
    joined = find(team, "lena@example.org")
    assert joined is not None and joined.role is Role.VIEWER


def test_an_expired_or_revoked_link_or_one_that_never_was_opens_nothing(team: Team) -> None:
    expired, revoked = invite(team), invite(team)
    with team.stack.database.transaction() as session:
        row = session.exec(select(Invitation).where(Invitation.id == expired.view.id)).one()
        row.expires_at = utc_now() - timedelta(seconds=1)
    team.write(invitations.revoke_invitation, team.ada, revoked.view.id)
    for made in (expired, revoked, NewInvitation("http://x/join?token=" + "a" * 43, expired.view)):
        with pytest.raises(InvitationUsedUp):
            accept(team, made)
        with pytest.raises(InvitationUsedUp):
            team.read(invitations.look_at, token_of(made))
    with pytest.raises(NotFound):
        team.write(invitations.revoke_invitation, team.ada, revoked.view.id)
    states = {view.id: view.state for view in team.read(invitations.list_invitations, team.ada)}
    assert states == {expired.view.id: "expired", revoked.view.id: "revoked"}


def test_of_two_who_accept_at_the_same_time_one_gets_in(team: Team) -> None:
    made, start, outcomes = invite(team), Barrier(2), []

    def join(number: int) -> None:
        start.wait()
        try:
            accept(team, made, f"racer{number}@example.org")
            outcomes.append("in")
        except InvitationUsedUp:
            outcomes.append("refused")

    threads = [Thread(target=join, args=(number,)) for number in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(outcomes) == ["in", "refused"]
    with team.stack.database.reading() as session:
        assert len(session.exec(select(User).where(User.email.like("racer%"))).all()) == 1  # type: ignore[attr-defined]


def test_a_mistake_names_its_field_and_leaves_the_link_good(team: Team) -> None:
    made = invite(team)
    for field, values in (
        ("email", {"email": "no address"}),
        ("password", {"password": "short"}),
        ("name", {"name": " "}),
    ):
        with pytest.raises(InvalidInput) as refused:
            accept(team, made, **values)
        assert field in refused.value.fields
    with pytest.raises(Conflict):
        accept(team, made, team.alice.email)
    accept(team, made)


def test_only_admins_invite_and_a_new_invitation_to_the_same_address_ends_the_earlier_one(team: Team) -> None:
    for who in (team.alice, team.mona, team.vic):
        with pytest.raises(NotAllowed):
            team.write(invitations.create_invitation, who, role="viewer")
        with pytest.raises(NotAllowed):
            team.read(invitations.list_invitations, who)
    first = invite(team, email="lena@example.org")
    second = invite(team, "monitor", email="lena@example.org")
    with pytest.raises(InvitationUsedUp):
        accept(team, first)
    accept(team, second)
    with pytest.raises(Conflict):
        invite(team, email="lena@example.org")
    for values in ({"role": "root"}, {"role": "viewer", "expires_in_days": 31}):
        with pytest.raises(InvalidInput):
            team.write(invitations.create_invitation, team.ada, **values)


def test_the_link_is_in_no_table(team: Team) -> None:
    made = invite(team, email="lena@example.org")
    with team.stack.database.reading() as session:
        rows = [
            *session.exec(select(Invitation)).all(),
            *session.exec(select(AuditEvent)).all(),
        ]
    assert token_of(made) not in str([row.model_dump() for row in rows])


@pytest.fixture
def mails() -> Iterator[list[Any]]:
    taken: list[Any] = []

    class Box:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            taken.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
            return "250 OK"

    controller = Controller(Box(), hostname="127.0.0.1", port=PORT)
    controller.start()
    yield taken
    controller.stop()


@pytest.mark.settings(
    smtp_url=f"smtp+plain://127.0.0.1:{PORT}",
    smtp_from="console@example.org",
    egress_allow=f"127.0.0.1:{PORT}",
    public_url="https://social.example.org",
)
def test_the_link_is_mailed_where_a_mail_server_is_set_up_and_a_dead_one_is_said(
    team: Team, mails: list[Any], request: pytest.FixtureRequest
) -> None:
    made = invite(team, email="lena@example.org")
    database = team.stack.database
    assert asyncio.run(invitations.mail_invitation(database, team.ada, made)) == ""
    assert mails[0]["To"] == "lena@example.org" and made.link in mails[0].get_content()
    assert made.link.startswith("https://social.example.org/join?token=")
    no_address = invite(team)
    assert "mail" in asyncio.run(invitations.mail_invitation(database, team.ada, no_address))
