"""Signing in and out, and renewing an API client's tokens.

Functions that check or make a password hash take the `database` and open short transactions themselves: the hash
takes tens of milliseconds, in which nobody else should wait for the write lock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from sqlmodel import Session, col, select, update

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.errors import NotSignedIn
from contentcaster.models import User, UserSession
from contentcaster.security import passwords, sessions, throttle, tokens
from contentcaster.security.keys import hash_token
from contentcaster.security.permissions import Principal, anonymous
from contentcaster.security.tokens import TokenKind
from contentcaster.services import audit, second_factor


class WrongCredentials(NotSignedIn):
    code = "wrong_credentials"


class OtpRequired(NotSignedIn):
    """The password is right; a code of the authenticator app, or a recovery code, must come with it."""

    code = "otp_required"


class WrongOtp(NotSignedIn):
    code = "otp_wrong"


@dataclass(frozen=True)
class Client:
    """Where a request comes from."""

    ip: str = ""
    user_agent: str = ""


@dataclass(frozen=True)
class BrowserSession:
    """What goes into a browser's cookie."""

    principal: Principal
    token: str
    expires_at: datetime


@dataclass(frozen=True)
class TokenPair:
    """What an API client gets; the refresh token works once."""

    access_token: str
    refresh_token: str
    expires_in_seconds: int


def sign_in_browser(
    database: Database,
    *,
    email: str,
    password: str,
    client: Client,
    otp: str = "",
    old_cookie_header: str = "",
) -> BrowserSession:
    """Check the password and start a new session for a browser; an old session in its cookie ends.

    Raises:
        WrongCredentials: unknown address, wrong password or disabled account; we never say which.
        OtpRequired, WrongOtp: the person signs in with a second factor.
        TooMany: too many tries.
    """
    user_id = _prove(database, email=email, password=password, otp=otp, client=client)
    with database.transaction() as session:
        user = _active_user(session, user_id)
        old = sessions.principal_from_cookie(session, old_cookie_header) if old_cookie_header else None
        if old is not None:
            sessions.revoke(session, old.session_id)
        return start_browser_session(session, database, user, client)


def start_browser_session(session: Session, database: Database, user: User, client: Client) -> BrowserSession:
    """A new session and its cookie value, for a person who has just proven who they are."""
    row = sessions.create(session, user, kind=TokenKind.BROWSER, ip=client.ip, user_agent=client.user_agent)
    principal = sessions.principal_of(user, session_id=row.id, ip=client.ip)
    audit.record(session, principal, "session.started", "session", row.id, {"kind": row.kind})
    token = tokens.issue(
        database.settings, TokenKind.BROWSER, user_id=user.id, session_id=row.id, expires_at=row.expires_at
    )
    return BrowserSession(principal=principal, token=token, expires_at=row.expires_at)


def sign_in_api(database: Database, *, email: str, password: str, client: Client, otp: str = "") -> TokenPair:
    """Check the password and start a session for an API client.

    Raises:
        WrongCredentials, OtpRequired, WrongOtp, TooMany: as for browsers.
    """
    user_id = _prove(database, email=email, password=password, otp=otp, client=client)
    with database.transaction() as session:
        user = _active_user(session, user_id)
        row = sessions.create(
            session, user, kind=TokenKind.ACCESS, ip=client.ip, user_agent=client.user_agent
        )
        principal = sessions.principal_of(user, session_id=row.id, ip=client.ip)
        audit.record(session, principal, "session.started", "session", row.id, {"kind": row.kind})
        refresh_token = tokens.new_refresh_token(database.settings, row.id)
        row.refresh_hash = hash_token(refresh_token)
        return _pair(database, row, refresh_token)


def check_password(database: Database, *, email: str, password: str, client: Client) -> str:
    """The id of the active person with this password, who is signed in already.

    Raises:
        WrongCredentials, TooMany: as for signing in.
    """
    user = _checked_password(database, email=email, password=password, client=client)
    with database.transaction() as session:
        throttle.give_back(session, email=normalise_email(email), ip=client.ip)
    return user.id


def _prove(database: Database, *, email: str, password: str, otp: str, client: Client) -> str:
    """Password and, if they have one, the second factor; the id of the person.

    The try is given back only when both are right: a known password buys no more guesses at the code.
    """
    user = _checked_password(database, email=email, password=password, client=client)
    with database.transaction() as session:
        verdict = second_factor.accept(session, user.id, otp)
        if verdict is second_factor.Verdict.ACCEPTED:
            throttle.give_back(session, email=normalise_email(email), ip=client.ip)
        elif verdict is second_factor.Verdict.REFUSED:
            audit.record(session, anonymous(client.ip), "session.otp_refused", "user", user.id)
    match verdict:
        case second_factor.Verdict.ACCEPTED:
            return user.id
        case second_factor.Verdict.MISSING:
            raise OtpRequired("Enter the code that your authenticator app shows, or a recovery code.")
        case _:
            raise WrongOtp("This code is not right, or was used already. Enter the one that is shown now.")


def _checked_password(database: Database, *, email: str, password: str, client: Client) -> User:
    """The active person with this password; the try stays counted.

    Raises:
        WrongCredentials, TooMany: as for signing in.
    """
    email = normalise_email(email)
    with database.transaction() as session:
        throttle.count_try(session, email=email, ip=client.ip)
        user = session.exec(select(User).where(User.email == email)).first()
    stored_hash = user.password_hash if user is not None and user.is_active else None
    if not passwords.verify_password(password, stored_hash) or user is None:
        _refuse(database, email, client)
    if passwords.needs_rehash(user.password_hash):
        new_hash = passwords.hash_password(password)
        with database.transaction() as session:
            is_same = (col(User.id) == user.id) & (col(User.password_hash) == user.password_hash)
            session.execute(update(User).where(is_same).values(password_hash=new_hash))
    return user


def _refuse(database: Database, email: str, client: Client) -> NoReturn:
    with database.transaction() as session:
        # Not the address itself: people type their password into the wrong field.
        known = session.exec(select(User.id).where(User.email == email)).first()
        audit.record(session, anonymous(client.ip), "session.refused", "user", known or "")
    raise WrongCredentials("This email and password do not belong together, or the account is disabled.")


def _active_user(session: Session, user_id: str) -> User:
    """The person again, in the transaction that starts the session: they may have been disabled meanwhile."""
    user = session.get(User, user_id, populate_existing=True)
    if user is None or not user.is_active:
        raise WrongCredentials("This email and password do not belong together, or the account is disabled.")
    user.last_seen_at = utc_now()
    session.flush()  # the person is locked before their sessions, as everywhere
    return user


def refresh(database: Database, *, refresh_token: str, client: Client) -> TokenPair:
    """New tokens for an API client; the old refresh token is used up.

    A refresh token that comes a second time was stolen, or its thief came first: then the whole session ends
    (RFC 9700, 4.14.2).

    Raises:
        NotSignedIn: not ours, used up, expired, or the session has ended.
    """
    session_id = tokens.refresh_token_session(database.settings, refresh_token)
    if session_id is None:
        raise NotSignedIn("This refresh token is not valid. Sign in again.")
    with database.transaction() as session:
        new_token = tokens.new_refresh_token(database.settings, session_id)
        if not _swap(session, session_id, refresh_token, new_token):
            pair = None
            if sessions.revoke(session, session_id):
                audit.record(session, anonymous(client.ip), "session.refresh_reused", "session", session_id)
                live.note(session, "users")
        else:
            pair = _renewed(session, database, session_id, new_token)
    if pair is None:
        raise NotSignedIn("This refresh token was used before or has expired. Sign in again.")
    return pair


def _swap(session: Session, session_id: str, refresh_token: str, new_token: str) -> bool:
    is_current = (col(UserSession.id) == session_id) & (
        col(UserSession.refresh_hash) == hash_token(refresh_token)
    )
    # One conditional update decides: of two clients with the same token only one gets a new one.
    swapped = session.execute(
        update(UserSession).where(is_current).values(refresh_hash=hash_token(new_token))
    )
    return bool(swapped.rowcount == 1)


def _renewed(session: Session, database: Database, session_id: str, new_token: str) -> TokenPair | None:
    row = session.get(UserSession, session_id, populate_existing=True)
    user = session.get(User, row.user_id, populate_existing=True) if row is not None else None
    if row is None or user is None or not user.is_active or not sessions.is_alive(row):
        return None
    row.last_seen_at = utc_now()
    return _pair(database, row, new_token)


def _pair(database: Database, row: UserSession, refresh_token: str) -> TokenPair:
    expires_at = min(utc_now() + sessions.ACCESS_LIFETIME, row.expires_at)
    access_token = tokens.issue(
        database.settings, TokenKind.ACCESS, user_id=row.user_id, session_id=row.id, expires_at=expires_at
    )
    return TokenPair(access_token, refresh_token, int((expires_at - utc_now()).total_seconds()))


def sign_out(session: Session, principal: Principal) -> None:
    """End the session that `principal` acts in; open tabs of it stop at their next event."""
    if sessions.revoke(session, principal.session_id):
        audit.record(session, principal, "session.ended", "session", principal.session_id)
        live.note(session, "users", f"session:{principal.session_id}")


def normalise_email(email: str) -> str:
    # Postgres refuses NUL in a text; no address has one.
    return email.replace("\x00", "").strip().lower()[:320]
