"""The first admin: by a link that works once, by command, or from the settings."""

from __future__ import annotations

import threading
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlmodel import select

from contentcaster.clock import utc_now
from contentcaster.errors import InvalidInput
from contentcaster.models import OneTimeToken, Role, User
from contentcaster.security import passwords, sessions
from contentcaster.services import setup
from contentcaster.services.auth import BrowserSession, Client
from contentcaster.services.setup import LinkUsedUp
from contentcaster.settings import SettingsError
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Stack

GOOD = {"email": "ada@example.org", "name": "Ada", "password": "a good long password"}


def _token(stack: Stack) -> str:
    link = setup.prepare_first_admin(stack.database)
    assert link is not None
    assert link.startswith("http://127.0.0.1:8000/setup?token=")
    return parse_qs(urlsplit(link).query)["token"][0]


def _complete(stack: Stack, token: str, **changes: str) -> BrowserSession:
    return setup.complete_setup(stack.database, token=token, client=Client(), **GOOD | changes)


def test_the_link_makes_the_first_admin_and_signs_them_in(stack: Stack) -> None:
    token = _token(stack)
    started = _complete(stack, token)
    with stack.database.reading() as session:
        principal = sessions.principal_from_cookie(session, f"contentcaster={started.token}")
        stored = session.exec(select(OneTimeToken)).all()
    assert principal is not None
    assert (principal.email, principal.role) == ("ada@example.org", Role.ADMIN)
    assert stored == []
    assert setup.prepare_first_admin(stack.database) is None


def test_the_link_works_once(stack: Stack) -> None:
    token = _token(stack)
    _complete(stack, token)
    with pytest.raises(LinkUsedUp):
        _complete(stack, token, email="eve@example.org")


def test_the_link_used_twice_at_the_same_time_makes_one_admin(stack: Stack) -> None:
    token = _token(stack)
    outcomes: list[str] = []

    def use(email: str) -> None:
        try:
            _complete(stack, token, email=email)
            outcomes.append("made")
        except LinkUsedUp:
            outcomes.append("refused")

    threads = [threading.Thread(target=use, args=(f"p{number}@example.org",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", "refused", "refused"]
    with stack.database.reading() as session:
        assert len(session.exec(select(User)).all()) == 1


def test_a_mistake_in_the_form_leaves_the_link_good(stack: Stack) -> None:
    token = _token(stack)
    for field, value in {"email": "x", "name": " ", "password": "short"}.items():
        with pytest.raises(InvalidInput) as caught:
            _complete(stack, token, **{field: value})
        assert list(caught.value.fields) == [field]
    _complete(stack, token)


def test_a_new_start_makes_a_new_link_and_the_old_one_stops_working(stack: Stack) -> None:
    old, new = _token(stack), _token(stack)
    with pytest.raises(LinkUsedUp):
        _complete(stack, old)
    _complete(stack, new)


@pytest.mark.parametrize("token", ["", "x", "' OR 1=1 --", "a" * 10_000])
def test_a_made_up_link_is_refused(token: str, sqlite_stack: Stack) -> None:
    _token(sqlite_stack)
    with pytest.raises(LinkUsedUp):
        _complete(sqlite_stack, token)


def test_an_old_link_has_expired(stack: Stack) -> None:
    token = _token(stack)
    with stack.database.transaction() as session:
        session.exec(select(OneTimeToken)).one().expires_at = utc_now() - timedelta(seconds=1)
    with pytest.raises(LinkUsedUp):
        _complete(stack, token)


def test_the_link_is_stored_as_its_hash_only(sqlite_stack: Stack) -> None:
    token = _token(sqlite_stack)
    assert token.encode() not in (sqlite_stack.settings.data_dir / "contentcaster.sqlite").read_bytes()
    with sqlite_stack.database.reading() as session:
        assert session.exec(select(OneTimeToken.token_hash)).one() != token


def test_the_command_makes_an_admin_and_gives_a_locked_out_one_a_new_password(stack: Stack) -> None:
    user_id = setup.create_admin(stack.database, email="Ada@example.org", password="a good long password")
    with stack.database.transaction() as session:
        user = session.get_one(User, user_id)
        cookie = factories.browser_cookie(session, user)
        user.is_active, user.role = False, Role.VIEWER
    again = setup.create_admin(stack.database, email="ada@example.org", password="another long password")
    assert again == user_id
    with stack.database.reading() as session:
        user = session.get_one(User, user_id)
        assert (user.is_active, user.role, user.name) == (True, Role.ADMIN, "ada")
        assert passwords.verify_password("another long password", user.password_hash)
        assert sessions.principal_from_cookie(session, cookie) is None


@pytest.mark.settings(admin_email="ops@example.org", admin_password="a good long password")
def test_the_settings_make_the_first_admin_unattended_and_never_a_second_time(stack: Stack) -> None:
    assert setup.prepare_first_admin(stack.database) is None
    with stack.database.transaction() as session:
        user = session.exec(select(User)).one()
        assert (user.email, user.role) == ("ops@example.org", Role.ADMIN)
        user.password_hash = passwords.hash_password("changed by its owner")
    assert setup.prepare_first_admin(stack.database) is None
    with stack.database.reading() as session:
        assert passwords.verify_password(
            "changed by its owner", session.exec(select(User)).one().password_hash
        )


@pytest.mark.settings(admin_email="ops@example.org", admin_password="short")
def test_a_weak_password_in_the_settings_stops_the_start(sqlite_stack: Stack) -> None:
    with pytest.raises(SettingsError, match="CONTENTCASTER_ADMIN_PASSWORD: Use at least 12"):
        setup.prepare_first_admin(sqlite_stack.database)


@pytest.mark.settings(admin_email="ops@example.org")
def test_half_of_the_unattended_admin_stops_the_start(sqlite_stack: Stack) -> None:
    with pytest.raises(SettingsError, match="belong together"):
        setup.prepare_first_admin(sqlite_stack.database)
