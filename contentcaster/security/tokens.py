"""Session tokens: JWTs that only name a session row, and opaque refresh tokens.

One algorithm is pinned, and each kind of token has a type and an audience of its own (RFC 8725), so none is accepted
in another's place. What a token may do is never in it: the row and the person are read anew each time.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import jwt

from contentcaster.clock import utc_now
from contentcaster.security.keys import KeyRing, key_ring
from contentcaster.settings import Settings

ALGORITHM = "HS256"
ISSUER = "contentcaster"
_MAX_CHARACTERS = 2048
_CLOCK_SKEW_SECONDS = 5  # between two web servers; the session row decides in the end
_REQUIRED = ["iss", "aud", "sub", "jti", "iat", "exp"]


class TokenKind(Enum):
    """Where a token is accepted: (header `typ`, claim `aud`, kind of the session row)."""

    BROWSER = ("cc-session+jwt", "contentcaster-console", "browser")
    ACCESS = ("cc-access+jwt", "contentcaster-api", "api")

    @property
    def typ(self) -> str:
        return self.value[0]

    @property
    def audience(self) -> str:
        return self.value[1]

    @property
    def session_kind(self) -> str:
        return self.value[2]


@dataclass(frozen=True)
class Claims:
    user_id: str
    session_id: str


def issue(settings: Settings, kind: TokenKind, *, user_id: str, session_id: str, expires_at: datetime) -> str:
    """A signed token for the session row `session_id`."""
    key = _ring(settings).current
    payload = {
        "iss": ISSUER,
        "aud": kind.audience,
        "sub": user_id,
        "jti": session_id,
        "iat": int(utc_now().timestamp()),
        "exp": int(expires_at.timestamp()),
    }
    return jwt.encode(payload, key.secret, algorithm=ALGORITHM, headers={"kid": key.kid, "typ": kind.typ})


def read(settings: Settings, kind: TokenKind, token: str) -> Claims | None:
    """The claims of a token that we issued for `kind` and that has not expired; None for anything else."""
    if not token or len(token) > _MAX_CHARACTERS:
        return None
    try:
        header = jwt.get_unverified_header(token)
        key = _ring(settings).find(header.get("kid"))
        if key is None or header.get("typ") != kind.typ or header.get("alg") != ALGORITHM:
            return None
        payload: dict[str, Any] = jwt.decode(
            token,
            key.secret,
            algorithms=[ALGORITHM],
            audience=kind.audience,
            issuer=ISSUER,
            leeway=_CLOCK_SKEW_SECONDS,
            options={"require": _REQUIRED, "strict_aud": True},
        )
    except (jwt.PyJWTError, ValueError):
        return None
    user_id, session_id = payload["sub"], payload["jti"]
    if not (isinstance(user_id, str) and isinstance(session_id, str) and user_id and session_id):
        return None
    return Claims(user_id=user_id, session_id=session_id)


def _ring(settings: Settings) -> KeyRing:
    return key_ring(settings, "jwt")


def new_refresh_token(settings: Settings, session_id: str) -> str:
    """An opaque token `session.secret.mac`; the mac tells an old one of ours from a made-up one."""
    body = f"{session_id}.{secrets.token_urlsafe(32)}"
    return f"{body}.{key_ring(settings, 'refresh').sign(body.encode())}"


def refresh_token_session(settings: Settings, token: str) -> str | None:
    """The session id of a refresh token that we issued, current or not; None for anything else."""
    body, _, signature = token.rpartition(".")
    session_id, _, secret = body.partition(".")
    if not (session_id and secret and signature) or len(token) > _MAX_CHARACTERS:
        return None
    return session_id if key_ring(settings, "refresh").verify(body.encode(), signature) else None
