"""A token is only as alive as its session row, which is read for every act."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlmodel import Session

from contentcaster.clock import utc_now
from contentcaster.models import Role, User, UserSession
from contentcaster.models.types import new_id
from contentcaster.security import sessions, tokens
from contentcaster.security.permissions import Principal
from contentcaster.security.tokens import TokenKind
from contentcaster.settings import get_settings
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Stack


def _ask(stack: Stack, cookie: str) -> Principal | None:
    with stack.database.reading() as session:
        return sessions.principal_from_cookie(session, cookie)


def _signed_in(stack: Stack, role: Role = Role.CREATOR) -> tuple[User, str, str]:
    with stack.database.transaction() as session:
        user = factories.create_user(session, role)
        cookie = factories.browser_cookie(session, user)
        row_id = session.exec(sessions.select(UserSession.id).where(UserSession.user_id == user.id)).one()
        return user, row_id, cookie


def test_the_principal_is_read_from_the_database_each_time(stack: Stack) -> None:
    user, row_id, cookie = _signed_in(stack)
    principal = _ask(stack, cookie)
    assert principal is not None
    assert (principal.user_id, principal.role, principal.session_id) == (user.id, Role.CREATOR, row_id)
    with stack.database.transaction() as session:
        row = session.get_one(User, user.id)
        row.role, row.name, row.timezone = Role.VIEWER, "New name", "Europe/Berlin"
    principal = _ask(stack, cookie)
    assert principal is not None
    assert (principal.role, principal.name, principal.timezone) == (Role.VIEWER, "New name", "Europe/Berlin")


def _disable(session: Session, user: User, row: UserSession) -> None:
    user.is_active = False


def _expire(session: Session, user: User, row: UserSession) -> None:
    row.expires_at = utc_now() - timedelta(seconds=1)


def _leave_idle(session: Session, user: User, row: UserSession) -> None:
    row.last_seen_at = utc_now() - timedelta(days=1, seconds=1)


def _turn_into_api_session(session: Session, user: User, row: UserSession) -> None:
    row.kind = "api"


def _give_to_another(session: Session, user: User, row: UserSession) -> None:
    row.user_id = factories.create_user(session, Role.ADMIN).id


@pytest.mark.parametrize(
    "end",
    [
        lambda session, user, row: sessions.revoke(session, row.id),
        lambda session, user, row: sessions.revoke_all(session, user.id),
        _disable,
        _expire,
        _leave_idle,
        _turn_into_api_session,
        _give_to_another,
        lambda session, user, row: session.delete(row),
        lambda session, user, row: (session.delete(row), session.flush(), session.delete(user)),
    ],
)
def test_a_session_that_has_ended_is_refused_at_the_next_act(
    end: Callable[[Session, User, UserSession], object], stack: Stack
) -> None:
    user, row_id, cookie = _signed_in(stack)
    assert _ask(stack, cookie) is not None
    with stack.database.transaction() as session:
        end(session, session.get_one(User, user.id), session.get_one(UserSession, row_id))
    assert _ask(stack, cookie) is None


def test_ending_all_other_sessions_keeps_the_own_one(stack: Stack) -> None:
    user, row_id, cookie = _signed_in(stack)
    with stack.database.transaction() as session:
        other = factories.browser_cookie(session, user)
    assert _ask(stack, other) is not None
    with stack.database.transaction() as session:
        assert sessions.revoke_all(session, user.id, except_session_id=row_id) == 1
    assert _ask(stack, other) is None
    assert _ask(stack, cookie) is not None


def test_an_access_token_is_no_cookie_and_a_cookie_is_no_access_token(sqlite_stack: Stack) -> None:
    _, _, cookie = _signed_in(sqlite_stack)
    with sqlite_stack.database.transaction() as session:
        user = factories.create_user(session, Role.ADMIN)
        token = factories.access_token(session, user)
        assert sessions.principal_from_token(session, token) is not None
        assert sessions.principal_from_cookie(session, f"contentcaster={token}") is None
        assert sessions.principal_from_token(session, cookie.partition("=")[2]) is None


def test_a_token_for_a_session_that_never_was_is_refused(sqlite_stack: Stack) -> None:
    with sqlite_stack.database.transaction() as session:
        user = factories.create_user(session)
        token = tokens.issue(
            get_settings(),
            TokenKind.ACCESS,
            user_id=user.id,
            session_id=new_id(),
            expires_at=utc_now() + timedelta(hours=1),
        )
        assert sessions.principal_from_token(session, token) is None


@pytest.mark.parametrize(
    "header",
    ["", "contentcaster", "contentcaster=", "other=1", ";;;", "contentcaster=a.b.c; contentcaster=", "=x"],
)
def test_a_cookie_header_without_our_cookie_is_nobody(header: str, sqlite_stack: Stack) -> None:
    assert _ask(sqlite_stack, header) is None


def test_our_cookie_is_found_among_others_by_its_exact_name(sqlite_stack: Stack) -> None:
    _, _, cookie = _signed_in(sqlite_stack)
    assert _ask(sqlite_stack, f"a=1; {cookie}; xcontentcaster=2") is not None
    assert _ask(sqlite_stack, f"a=1;{cookie}") is not None
    assert _ask(sqlite_stack, f"x{cookie}") is None
    assert _ask(sqlite_stack, cookie.replace("contentcaster", "ContentCaster", 1)) is None
    assert _ask(sqlite_stack, f"__Host-{cookie}") is None


def test_over_https_the_cookie_is_locked_to_this_host(sqlite_stack: Stack) -> None:
    plain = get_settings()
    secure = plain.model_copy(update={"public_url": "https://social.example.org"})
    header = sessions.set_cookie(secure, "token", utc_now() + timedelta(hours=1))
    assert header.startswith("__Host-contentcaster=token; Max-Age=3")
    for part in ("Path=/", "HttpOnly", "SameSite=Lax", "Secure"):
        assert part in header.split("; ")
    assert "Domain" not in header
    assert "Max-Age=0" in sessions.clear_cookie(secure)
    assert "Secure" not in sessions.set_cookie(plain, "token", utc_now())
    assert sessions.set_cookie(plain, "token", utc_now()).startswith("contentcaster=token;")


def test_use_keeps_a_session_from_ending_idle(stack: Stack) -> None:
    _, row_id, cookie = _signed_in(stack)
    principal = _ask(stack, cookie)
    assert principal is not None
    assert sessions.should_note_seen(principal)
    assert not sessions.should_note_seen(principal)
    with stack.database.transaction() as session:
        session.get_one(UserSession, row_id).last_seen_at = utc_now() - timedelta(hours=23)
    with stack.database.transaction() as session:
        sessions.note_seen(session, principal)
    with stack.database.reading() as session:
        assert session.get_one(UserSession, row_id).last_seen_at > utc_now() - timedelta(minutes=1)
        assert session.get_one(User, principal.user_id).last_seen_at is not None
