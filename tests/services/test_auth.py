"""Signing in, out, and renewing tokens."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlmodel import select

from contentcaster.clock import utc_now
from contentcaster.errors import NotSignedIn
from contentcaster.models import AuditEvent, User, UserSession
from contentcaster.security import passwords, sessions
from contentcaster.services import auth
from contentcaster.services.auth import Client, TokenPair, WrongCredentials
from tests.services_for_tests import factories
from tests.services_for_tests.factories import PASSWORD
from tests.services_for_tests.stack import Stack

CLIENT = Client(ip="203.0.113.7", user_agent="test " * 100)


def _person(stack: Stack, **values: object) -> User:
    with stack.database.transaction() as session:
        return factories.create_user(session, **values)


def _sign_in(stack: Stack, user: User) -> TokenPair:
    return auth.sign_in_api(stack.database, email=user.email, password=PASSWORD, client=CLIENT)


def _is_good(stack: Stack, access_token: str) -> bool:
    with stack.database.reading() as session:
        return sessions.principal_from_token(session, access_token) is not None


def _refresh(stack: Stack, token: str) -> TokenPair:
    return auth.refresh(stack.database, refresh_token=token, client=CLIENT)


def test_unknown_wrong_and_disabled_are_told_in_the_same_words(stack: Stack) -> None:
    known, disabled = _person(stack), _person(stack, is_active=False)
    messages = set()
    for email, password in [
        (known.email, "not the password"),
        ("nobody@example.org", PASSWORD),
        (disabled.email, PASSWORD),
        (known.email, ""),
        ("", ""),
        (known.email, PASSWORD + "\x00"),
    ]:
        with pytest.raises(WrongCredentials) as caught:
            auth.sign_in_browser(stack.database, email=email, password=password, client=CLIENT)
        messages.add((caught.value.message, caught.value.code))
    assert len(messages) == 1


def test_a_refused_sign_in_is_in_the_audit_log_without_what_was_typed(stack: Stack) -> None:
    user = _person(stack)
    for email in (user.email, "my-password-in-the-wrong-field"):
        with pytest.raises(WrongCredentials):
            auth.sign_in_browser(stack.database, email=email, password="x", client=CLIENT)
    with stack.database.reading() as session:
        events = session.exec(select(AuditEvent).order_by(AuditEvent.id)).all()
    assert [(e.action, e.subject_id, e.ip) for e in events] == [
        ("session.refused", user.id, CLIENT.ip),
        ("session.refused", "", CLIENT.ip),
    ]
    assert "wrong-field" not in str([e.model_dump() for e in events])


def test_signing_in_gives_a_new_session_and_ends_the_one_in_the_browser(stack: Stack) -> None:
    user = _person(stack)
    with stack.database.transaction() as session:
        old = factories.browser_cookie(session, user)
    started = auth.sign_in_browser(
        stack.database, email=user.email, password=PASSWORD, client=CLIENT, old_cookie_header=old
    )
    with stack.database.reading() as session:
        assert sessions.principal_from_cookie(session, old) is None
        principal = sessions.principal_from_cookie(session, f"contentcaster={started.token}")
    assert principal is not None
    assert principal.session_id == started.principal.session_id


def test_a_hash_with_old_parameters_is_renewed_by_signing_in(stack: Stack) -> None:
    from pwdlib.hashers.argon2 import Argon2Hasher

    weak = Argon2Hasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    user = _person(stack, password_hash=weak)
    _sign_in(stack, user)
    with stack.database.reading() as session:
        stored = session.get_one(User, user.id).password_hash
    assert stored != weak
    assert not passwords.needs_rehash(stored)
    assert passwords.verify_password(PASSWORD, stored)


def test_signing_out_ends_access_and_refresh_at_once(stack: Stack) -> None:
    pair = _sign_in(stack, _person(stack))
    with stack.database.transaction() as session:
        principal = sessions.principal_from_token(session, pair.access_token)
        assert principal is not None
        auth.sign_out(session, principal)
    assert not _is_good(stack, pair.access_token)
    with pytest.raises(NotSignedIn):
        _refresh(stack, pair.refresh_token)


def test_a_refresh_token_works_once_and_gives_the_next_one(stack: Stack) -> None:
    first = _sign_in(stack, _person(stack))
    second = _refresh(stack, first.refresh_token)
    third = _refresh(stack, second.refresh_token)
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
    assert _is_good(stack, third.access_token)


def test_a_refresh_token_used_twice_ends_the_whole_session(stack: Stack) -> None:
    first = _sign_in(stack, _person(stack))
    second = _refresh(stack, first.refresh_token)
    with pytest.raises(NotSignedIn):
        _refresh(stack, first.refresh_token)
    assert not _is_good(stack, second.access_token)
    with pytest.raises(NotSignedIn):
        _refresh(stack, second.refresh_token)
    with stack.database.reading() as session:
        reused = select(AuditEvent).where(AuditEvent.action == "session.refresh_reused")
        assert len(session.exec(reused).all()) == 1


def test_of_two_refreshes_at_the_same_time_one_wins_and_the_session_ends(postgres_stack: Stack) -> None:
    pair = _sign_in(postgres_stack, _person(postgres_stack))
    outcomes: list[str] = []

    def refresh() -> None:
        try:
            _refresh(postgres_stack, pair.refresh_token)
            outcomes.append("new tokens")
        except NotSignedIn:
            outcomes.append("refused")

    threads = [threading.Thread(target=refresh) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["new tokens", "refused"]
    assert not _is_good(postgres_stack, pair.access_token)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "..", "x" * 5000])
def test_a_made_up_refresh_token_is_refused_and_ends_nobodys_session(token: str, sqlite_stack: Stack) -> None:
    pair = _sign_in(sqlite_stack, _person(sqlite_stack))
    session_id = pair.refresh_token.partition(".")[0]
    for forged in (token, f"{session_id}.{token}.{token}"):
        with pytest.raises(NotSignedIn):
            _refresh(sqlite_stack, forged)
    assert _is_good(sqlite_stack, pair.access_token)


def test_a_disabled_person_cannot_refresh(stack: Stack) -> None:
    user = _person(stack)
    pair = _sign_in(stack, user)
    with stack.database.transaction() as session:
        session.get_one(User, user.id).is_active = False
    with pytest.raises(NotSignedIn):
        _refresh(stack, pair.refresh_token)


def test_a_session_that_has_expired_cannot_be_refreshed(stack: Stack) -> None:
    pair = _sign_in(stack, _person(stack))
    with stack.database.transaction() as session:
        session.exec(select(UserSession)).one().expires_at = utc_now() - timedelta(seconds=1)
    with pytest.raises(NotSignedIn):
        _refresh(stack, pair.refresh_token)


def test_no_token_is_stored_in_plain(sqlite_stack: Stack) -> None:
    pair = _sign_in(sqlite_stack, _person(sqlite_stack))
    stored = b"".join(
        path.read_bytes() for path in sqlite_stack.settings.data_dir.glob("contentcaster.sqlite*")
    )
    assert pair.refresh_token.encode() not in stored
    assert pair.access_token.encode() not in stored
    assert PASSWORD.encode() not in stored
