"""Time-based one-time codes (RFC 6238): SHA-1, 6 digits, 30 seconds, what every authenticator app speaks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
from urllib.parse import quote, urlencode

STEP_SECONDS = 30
DIGITS = 6
_DRIFT_STEPS = 1
"""A phone's clock may be half a minute off, and people type slowly (RFC 6238, 5.2)."""


def new_secret() -> str:
    """160 random bits (RFC 4226, 4: R6), in the base32 that people can type."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def code_at(secret: str, step: int) -> str:
    """The code of one time step (RFC 4226, 5.3)."""
    digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1).digest()
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def matching_step(secret: str, code: str, *, at_seconds: float) -> int | None:
    """The time step that `code` belongs to, around `at_seconds` since the epoch; None if it is not right."""
    now = int(at_seconds) // STEP_SECONDS
    found = None
    for step in range(now - _DRIFT_STEPS, now + _DRIFT_STEPS + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()):
            found = step
    return found


def otpauth_uri(secret: str, *, email: str, issuer: str) -> str:
    """The address that an authenticator app takes in, as a link or a picture."""
    label = quote(f"{issuer}:{email}")
    return f"otpauth://totp/{label}?{urlencode({'secret': secret, 'issuer': issuer})}"
