"""People: who may do what to whom, and what always stays true."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from contentcaster.errors import Conflict, InvalidInput, NotAllowed, NotFound, TooMany
from contentcaster.models import AuditEvent, Role, User
from contentcaster.security import passwords, sessions, throttle
from contentcaster.security.permissions import Principal
from contentcaster.services import audit, users
from tests.services_for_tests import factories
from tests.services_for_tests.factories import PASSWORD
from tests.services_for_tests.programs import wait_until
from tests.services_for_tests.stack import Stack

NEW = {
    "email": "new@example.org",
    "name": "New Person",
    "role": "creator",
    "password": "a good long password",
}


def _admin(stack: Stack) -> Principal:
    with stack.database.transaction() as session:
        return factories.create_principal(session, Role.ADMIN)


def _read(stack: Stack, read: Callable[[Session], Any]) -> Any:
    with stack.database.reading() as session:
        return read(session)


def _write(stack: Stack, write: Callable[[Session], Any]) -> Any:
    with stack.database.transaction() as session:
        return write(session)


# Each call with what the person needs for it; the other person is somebody else's account.
ACTS: dict[str, tuple[Callable[[Stack, Principal, str], Any], frozenset[Role]]] = {
    "list_users": (lambda s, p, other: _read(s, lambda db: users.list_users(db, p)), frozenset({Role.ADMIN})),
    "get another": (lambda s, p, other: _read(s, lambda db: users.get_user(db, p, other)), frozenset({Role.ADMIN})),
    "get oneself": (lambda s, p, other: _read(s, lambda db: users.get_user(db, p, p.user_id)), frozenset(Role)),
    "create": (lambda s, p, other: users.create_user(s.database, p, **NEW), frozenset({Role.ADMIN})),
    "change another": (
        lambda s, p, other: _write(s, lambda db: users.update_user(db, p, other, name="X")), frozenset({Role.ADMIN}),
    ),
    "make oneself admin": (
        lambda s, p, other: _write(s, lambda db: users.update_user(db, p, p.user_id, role="admin")),
        frozenset({Role.ADMIN}),
    ),
    "reset a password": (
        lambda s, p, other: users.reset_password(s.database, p, other, password="a good long password"),
        frozenset({Role.ADMIN}),
    ),
    "audit": (lambda s, p, other: _read(s, lambda db: audit.list_events(db, p)), frozenset({Role.ADMIN})),
    "get_profile": (lambda s, p, other: _read(s, lambda db: users.get_profile(db, p)), frozenset(Role)),
    "update_profile": (
        lambda s, p, other: _write(s, lambda db: users.update_profile(db, p, name="X")),
        frozenset(Role),
    ),
    "change_password": (
        lambda s, p, other: users.change_password(
            s.database, p, current_password=PASSWORD, new_password="a good long password"
        ),
        frozenset(Role),
    ),
    "list_sessions": (lambda s, p, other: _read(s, lambda db: users.list_sessions(db, p)), frozenset(Role)),
}  # fmt: skip


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("act", ACTS)
def test_each_role_may_do_exactly_what_it_should(act: str, role: Role, sqlite_stack: Stack) -> None:
    call, allowed = ACTS[act]
    with sqlite_stack.database.transaction() as session:
        principal = factories.create_principal(session, role)
        other = factories.create_user(session, Role.CREATOR).id
        before = session.exec(select(User.version, User.name, User.role)).all()
    if role in allowed:
        call(sqlite_stack, principal, other)
        return
    with pytest.raises(NotAllowed):
        call(sqlite_stack, principal, other)
    with sqlite_stack.database.reading() as session:
        assert session.exec(select(User.version, User.name, User.role)).all() == before


def test_an_admin_adds_a_person_who_can_sign_in(stack: Stack) -> None:
    admin = _admin(stack)
    view = users.create_user(stack.database, admin, **NEW | {"email": " New@Example.org "})
    assert (view.email, view.role, view.is_active, view.is_self) == (
        "new@example.org",
        "creator",
        True,
        False,
    )
    with stack.database.reading() as session:
        assert passwords.verify_password(str(NEW["password"]), session.get_one(User, view.id).password_hash)
        event = session.exec(select(AuditEvent)).one()
    assert (event.action, event.actor, event.subject_id) == ("user.created", admin.email, view.id)
    assert "password" not in str(event.details)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"email": "no address"}, "email"),
        ({"email": ""}, "email"),
        ({"email": "a@b@c"}, "email"),
        ({"email": "a\x00@example.org"}, "email"),
        ({"email": "x" * 70 + "@example.org"}, "email"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "right to left \u202e"}, "name"),
        ({"role": "root"}, "role"),
        ({"role": ""}, "role"),
        ({"password": "short"}, "password"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"timezone": ""}, "timezone"),
    ],
)
def test_bad_input_is_told_at_its_field(wrong: dict[str, str], field: str, sqlite_stack: Stack) -> None:
    with pytest.raises(InvalidInput) as caught:
        users.create_user(sqlite_stack.database, _admin(sqlite_stack), **NEW | wrong)
    assert list(caught.value.fields) == [field]


def test_all_that_is_wrong_is_told_at_once(sqlite_stack: Stack) -> None:
    wrong = {"email": "x", "name": "", "role": "creator", "password": "short"}
    with pytest.raises(InvalidInput) as caught:
        users.create_user(sqlite_stack.database, _admin(sqlite_stack), **wrong)
    assert set(caught.value.fields) == {"email", "name", "password"}


def test_an_address_belongs_to_one_person_in_whatever_case(stack: Stack) -> None:
    admin = _admin(stack)
    users.create_user(stack.database, admin, **NEW)
    with pytest.raises(Conflict, match="exists already"):
        users.create_user(stack.database, admin, **NEW | {"email": "NEW@example.ORG"})


def test_one_address_added_twice_at_the_same_time_is_one_person_and_one_conflict(
    postgres_stack: Stack,
) -> None:
    admin = _admin(postgres_stack)
    outcomes: list[str] = []

    def add() -> None:
        try:
            users.create_user(postgres_stack.database, admin, **NEW)
            outcomes.append("added")
        except Conflict:
            outcomes.append("conflict")

    thread = threading.Thread(target=add)
    with postgres_stack.database.transaction() as session:
        factories.create_user(session, email="new@example.org")
        thread.start()
        _wait_until_somebody_waits_for_a_lock(postgres_stack)
    thread.join()
    assert outcomes == ["conflict"]


def _wait_until_somebody_waits_for_a_lock(stack: Stack) -> None:
    blocked = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )

    def is_blocked() -> bool:
        with stack.database.reading() as session:
            return bool(session.execute(blocked).scalar())

    wait_until(is_blocked, what="the second transaction to wait for the first")


@pytest.mark.parametrize("change", [{"role": "viewer"}, {"is_active": False}])
def test_a_new_role_or_disabling_ends_the_persons_sessions_at_once(
    change: dict[str, Any], stack: Stack
) -> None:
    admin = _admin(stack)
    with stack.database.transaction() as session:
        user = factories.create_user(session, Role.CREATOR)
        cookie = factories.browser_cookie(session, user)
        assert sessions.principal_from_cookie(session, cookie) is not None
    with stack.database.transaction() as session:
        users.update_user(session, admin, user.id, **change)
    with stack.database.reading() as session:
        assert sessions.principal_from_cookie(session, cookie) is None


def test_a_new_name_leaves_the_person_signed_in(stack: Stack) -> None:
    admin = _admin(stack)
    with stack.database.transaction() as session:
        user = factories.create_user(session, Role.CREATOR)
        cookie = factories.browser_cookie(session, user)
        users.update_user(session, admin, user.id, name="Other", role="creator", is_active=True)
    with stack.database.reading() as session:
        principal = sessions.principal_from_cookie(session, cookie)
        assert principal is not None
        assert principal.name == "Other"


@pytest.mark.parametrize(
    "change", [{"role": "creator"}, {"is_active": False}, {"role": "viewer", "is_active": False}]
)
def test_the_last_active_admin_stays(change: dict[str, Any], stack: Stack) -> None:
    admin = _admin(stack)
    with stack.database.transaction() as session:
        factories.create_user(session, Role.ADMIN, is_active=False)
    with pytest.raises(Conflict, match="last active admin"), stack.database.transaction() as session:
        users.update_user(session, admin, admin.user_id, **change)
    with stack.database.transaction() as session:
        other = factories.create_user(session, Role.ADMIN)
    with stack.database.transaction() as session:
        users.update_user(session, admin, admin.user_id, **change)
    with pytest.raises(Conflict, match="last active admin"), stack.database.transaction() as session:
        users.update_user(session, admin, other.id, **change)


def test_two_admins_removing_each_other_at_the_same_time_leave_one(postgres_stack: Stack) -> None:
    first, second = _admin(postgres_stack), _admin(postgres_stack)
    outcomes: list[str] = []

    def remove_first() -> None:
        try:
            _write(postgres_stack, lambda s: users.update_user(s, second, first.user_id, is_active=False))
            outcomes.append("removed")
        except Conflict:
            outcomes.append("refused")

    thread = threading.Thread(target=remove_first)
    with postgres_stack.database.transaction() as session:
        users.update_user(session, first, second.user_id, is_active=False)
        thread.start()
        _wait_until_somebody_waits_for_a_lock(postgres_stack)
    thread.join()
    assert outcomes == ["refused"]
    with postgres_stack.database.reading() as session:
        assert len(session.exec(select(User).where(User.is_active)).all()) == 1


def test_a_change_on_top_of_somebody_elses_is_refused(stack: Stack) -> None:
    admin = _admin(stack)
    view = users.create_user(stack.database, admin, **NEW)
    with stack.database.transaction() as session:
        users.update_user(session, admin, view.id, name="First", version=view.version)
    with pytest.raises(Conflict, match="meanwhile"), stack.database.transaction() as session:
        users.update_user(session, admin, view.id, name="Second", version=view.version)


def test_a_person_who_does_not_exist_is_not_found(sqlite_stack: Stack) -> None:
    with pytest.raises(NotFound), sqlite_stack.database.transaction() as session:
        users.update_user(session, factories.create_principal(session, Role.ADMIN), "nobody", name="X")


def test_a_reset_password_signs_the_person_out_everywhere(stack: Stack) -> None:
    admin = _admin(stack)
    with stack.database.transaction() as session:
        user = factories.create_user(session)
        cookie = factories.browser_cookie(session, user)
    users.reset_password(stack.database, admin, user.id, password="a good long password")
    with stack.database.reading() as session:
        assert sessions.principal_from_cookie(session, cookie) is None
        assert passwords.verify_password("a good long password", session.get_one(User, user.id).password_hash)


def test_changing_ones_password_ends_all_other_sessions(stack: Stack) -> None:
    with stack.database.transaction() as session:
        user = factories.create_user(session)
        own, other = factories.browser_cookie(session, user), factories.browser_cookie(session, user)
        principal = sessions.principal_from_cookie(session, own)
    assert principal is not None
    users.change_password(
        stack.database, principal, current_password=PASSWORD, new_password="a good long password"
    )
    with stack.database.reading() as session:
        assert sessions.principal_from_cookie(session, own) is not None
        assert sessions.principal_from_cookie(session, other) is None


def test_a_stolen_session_cannot_guess_the_password_for_long(sqlite_stack: Stack) -> None:
    with sqlite_stack.database.transaction() as session:
        principal = factories.create_principal(session)
    for _ in range(throttle.PAIR.tries):
        with pytest.raises(InvalidInput) as caught:
            users.change_password(
                sqlite_stack.database,
                principal,
                current_password="a guess",
                new_password="a good long password",
            )
        assert list(caught.value.fields) == ["current_password"]
    with pytest.raises(TooMany):
        users.change_password(
            sqlite_stack.database, principal, current_password=PASSWORD, new_password="a good long password"
        )


def test_people_end_their_own_sessions_only(stack: Stack) -> None:
    with stack.database.transaction() as session:
        user, other = factories.create_user(session), factories.create_user(session)
        factories.browser_cookie(session, user)
        factories.browser_cookie(session, other)
        mine, theirs = factories.principal_for(user), factories.principal_for(other)
    with stack.database.transaction() as session:
        their_session = users.list_sessions(session, theirs)[0].id
        with pytest.raises(NotFound):
            users.end_session(session, mine, their_session)
        users.end_session(session, mine, users.list_sessions(session, mine)[0].id)
    with stack.database.reading() as session:
        assert users.list_sessions(session, mine) == []
        assert len(users.list_sessions(session, theirs)) == 1


def test_people_are_listed_page_by_page_and_found_by_words(stack: Stack) -> None:
    admin = _admin(stack)
    with stack.database.transaction() as session:
        for number in range(5):
            factories.create_user(session, email=f"p{number}@example.org", name=f"Person 100%_{number}")
    with stack.database.reading() as session:
        seen: list[str] = []
        cursor = ""
        while True:
            page = users.list_users(session, admin, cursor=cursor, limit=2)
            seen += [user.email for user in page.items]
            cursor = page.next_cursor
            if not cursor:
                break
        assert len(seen) == len(set(seen)) == 6
        assert [u.email for u in users.list_users(session, admin, search="PERSON 100%_3").items] == [
            "p3@example.org"
        ]
        assert users.list_users(session, admin, search="100__").items == []


def test_the_audit_log_is_paged_and_filtered_and_holds_no_secret(stack: Stack) -> None:
    admin = _admin(stack)
    with stack.database.transaction() as session:
        for number in range(5):
            audit.record(session, admin, "post.deleted" if number % 2 else "user.changed", "x", str(number))
        with pytest.raises(ValueError, match="secrets"):
            audit.record(session, admin, "user.changed", details={"new_password": "canary"})
    with stack.database.reading() as session:
        page = audit.list_events(session, admin, limit=3)
        rest = audit.list_events(session, admin, limit=3, cursor=page.next_cursor)
        assert [event.subject_id for event in [*page.items, *rest.items]] == ["4", "3", "2", "1", "0"]
        assert rest.next_cursor == ""
        assert {e.action for e in audit.list_events(session, admin, action="user.").items} == {"user.changed"}
        assert audit.list_events(session, admin, actor="nobody@example.org").items == []
        for cursor in ("x", "-1", "1e3", "\u0661", "9" * 19):
            with pytest.raises(InvalidInput):
                audit.list_events(session, admin, cursor=cursor)
