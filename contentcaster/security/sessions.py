"""Signed-in browsers and API clients: a token is only as alive as its session row, which is read for every act.

A browser's cookie and the handshake of its websocket live as long as the socket, so the cookie's JWT expires with
the session itself; signing out, disabling a person or changing a role ends the row, and with it every open tab.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlmodel import Session, col, delete, select, update

from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.models import User, UserSession, UserTotp
from contentcaster.security import tokens
from contentcaster.security.permissions import Principal
from contentcaster.security.tokens import TokenKind
from contentcaster.settings import Settings, get_settings

BROWSER_LIFETIME = timedelta(days=7)
API_LIFETIME = timedelta(days=30)
ACCESS_LIFETIME = timedelta(minutes=15)
IDLE_LIFETIME = {"browser": timedelta(days=1), "api": timedelta(days=14)}
"""A session that nobody used for this long has ended."""

_SEEN_EVERY = timedelta(minutes=5)
_KEEP_ENDED = timedelta(days=30)
_MAX_COOKIES = 3


def create(
    session: Session, user: User, *, kind: TokenKind, ip: str = "", user_agent: str = ""
) -> UserSession:
    """A new session row with a new id; forgets rows that ended long ago."""
    now = utc_now()
    lifetime = BROWSER_LIFETIME if kind is TokenKind.BROWSER else API_LIFETIME
    row = UserSession(
        user_id=user.id,
        kind=kind.session_kind,
        created_at=now,
        last_seen_at=now,
        expires_at=now + lifetime,
        ip=ip[:64],
        user_agent=user_agent[:300],
    )
    session.add(row)
    session.flush()
    session.execute(
        delete(UserSession).where(
            col(UserSession.user_id) == user.id, col(UserSession.expires_at) < now - _KEEP_ENDED
        )
    )
    return row


def principal_from_cookie(session: Session, cookie_header: str) -> Principal | None:
    """The person whose browser sent this Cookie header, read from the database now; None if not signed in."""
    settings = get_settings()
    for token in _cookie_values(cookie_header, cookie_name(settings)):
        principal = _principal(session, settings, TokenKind.BROWSER, token)
        if principal is not None:
            return principal
    return None


def principal_from_token(session: Session, token: str) -> Principal | None:
    """The person whose API client sent this access token; None if it is not, or no longer, good."""
    return _principal(session, get_settings(), TokenKind.ACCESS, token)


def read_browser_principal(database: Database, cookie_header: str) -> Principal | None:
    """`principal_from_cookie` in a transaction of its own; also keeps the session from ending idle."""
    with database.reading() as session:
        principal = principal_from_cookie(session, cookie_header)
    keep_alive(database, principal)
    return principal


def keep_alive(database: Database, principal: Principal | None) -> None:
    """Remember, at most once in five minutes, that a session is in use."""
    if principal is not None and should_note_seen(principal):
        with database.transaction() as session:
            note_seen(session, principal)


def _principal(session: Session, settings: Settings, kind: TokenKind, token: str) -> Principal | None:
    claims = tokens.read(settings, kind, token)
    if claims is None:
        return None
    found = session.exec(
        select(UserSession, User)
        .join(User, col(User.id) == col(UserSession.user_id))
        .where(UserSession.id == claims.session_id, UserSession.user_id == claims.user_id)
        .execution_options(populate_existing=True)
    ).first()
    if found is None:
        return None
    row, user = found
    if row.kind != kind.session_kind or not is_alive(row) or not user.is_active:
        return None
    return principal_of(
        user, session_id=row.id, ip=row.ip, must_set_up_otp=must_set_up_otp(session, settings, user)
    )


def must_set_up_otp(session: Session, settings: Settings, user: User) -> bool:
    """Whether the person's role requires a second factor and they have none."""
    if user.role.value not in settings.otp_required_roles:
        return False
    confirmed = select(UserTotp.user_id).where(
        UserTotp.user_id == user.id, col(UserTotp.confirmed_at).is_not(None)
    )
    return session.exec(confirmed).first() is None


def is_alive(row: UserSession) -> bool:
    now = utc_now()
    return (
        row.revoked_at is None and now < row.expires_at and now < row.last_seen_at + IDLE_LIFETIME[row.kind]
    )


def principal_of(
    user: User, *, session_id: str = "", ip: str = "", must_set_up_otp: bool = False
) -> Principal:
    return Principal(
        user_id=user.id,
        email=user.email,
        name=user.name,
        role=user.role,
        timezone=user.timezone,
        session_id=session_id,
        ip=ip,
        needs_approval=user.needs_approval,
        must_set_up_otp=must_set_up_otp,
    )


_seen: dict[str, float] = {}
_seen_lock = threading.Lock()


def should_note_seen(principal: Principal) -> bool:
    """Whether `note_seen` is due; at most once in five minutes for each session and process."""
    now = time.monotonic()
    with _seen_lock:
        last = _seen.get(principal.session_id)
        if not principal.session_id or (last is not None and now - last < _SEEN_EVERY.total_seconds()):
            return False
        if len(_seen) > 10_000:
            _seen.clear()
        _seen[principal.session_id] = now
        return True


def note_seen(session: Session, principal: Principal) -> None:
    """Remember that the session and its person were active just now."""
    now = utc_now()
    alive = select(UserSession.id).where(
        UserSession.id == principal.session_id, col(UserSession.revoked_at).is_(None)
    )
    # The person before the session, as everywhere: two transactions that lock both cannot wait for each other.
    session.execute(update(User).where(col(User.id) == principal.user_id).values(last_seen_at=now))
    session.execute(update(UserSession).where(col(UserSession.id).in_(alive)).values(last_seen_at=now))


def revoke(session: Session, session_id: str) -> bool:
    """End one session; whether it was still going."""
    result = session.execute(
        update(UserSession)
        .where(col(UserSession.id) == session_id, col(UserSession.revoked_at).is_(None))
        .values(revoked_at=utc_now(), refresh_hash=None)
    )
    return bool(result.rowcount)


def revoke_all(session: Session, user_id: str, *, except_session_id: str = "") -> int:
    """End all sessions of a person, but for one; how many there were."""
    result = session.execute(
        update(UserSession)
        .where(
            col(UserSession.user_id) == user_id,
            col(UserSession.id) != except_session_id,
            col(UserSession.revoked_at).is_(None),
        )
        .values(revoked_at=utc_now(), refresh_hash=None)
    )
    return int(result.rowcount)


def cookie_name(settings: Settings) -> str:
    """With https the `__Host-` prefix, which no other host, subdomain or path can set."""
    return "__Host-contentcaster" if is_https(settings) else "contentcaster"


def is_https(settings: Settings) -> bool:
    return settings.effective_public_url.startswith("https://")


def set_cookie(settings: Settings, token: str, expires_at: datetime) -> str:
    """The Set-Cookie header for a browser's session token."""
    seconds = max(0, int((expires_at - utc_now()).total_seconds()))
    return f"{cookie_name(settings)}={token}; Max-Age={seconds}; {_attributes(settings)}"


def clear_cookie(settings: Settings) -> str:
    """The Set-Cookie header that makes a browser forget its session token."""
    return f"{cookie_name(settings)}=; Max-Age=0; {_attributes(settings)}"


def _attributes(settings: Settings) -> str:
    return "Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if is_https(settings) else "")


def _cookie_values(header: str, name: str) -> Iterator[str]:
    """The values of the cookies called exactly `name`, at most a few, in the browser's order."""
    found = 0
    for part in header.split(";"):
        key, separator, value = part.strip().partition("=")
        if separator and key == name and found < _MAX_COOKIES:
            found += 1
            yield value.strip('"')
