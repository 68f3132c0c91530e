"""Keys for single purposes, derived from SECRET_KEY: nothing is signed for one thing and accepted for another.

SECRET_KEY may hold several keys, separated by commas: the first signs, all of them verify. To rotate, put the new
one in front, wait until the longest session has ended, then drop the old one.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from contentcaster.settings import Settings, SettingsError

MIN_CHARACTERS = 32


@dataclass(frozen=True)
class SigningKey:
    """One derived key; `kid` names it without revealing it."""

    kid: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True)
class KeyRing:
    """The keys for one purpose, the signing one first."""

    keys: tuple[SigningKey, ...]

    @property
    def current(self) -> SigningKey:
        return self.keys[0]

    def find(self, kid: object) -> SigningKey | None:
        return next((key for key in self.keys if key.kid == kid), None)

    def sign(self, message: bytes) -> str:
        """A MAC over `message` in hex."""
        return hmac.new(self.current.secret, message, hashlib.sha256).hexdigest()

    def verify(self, message: bytes, signature: str) -> bool:
        """Whether any key of the ring made `signature`; compares in constant time."""
        made = [hmac.new(key.secret, message, hashlib.sha256).hexdigest() for key in self.keys]
        return any([hmac.compare_digest(one.encode(), signature.encode()) for one in made])


def key_ring(settings: Settings, purpose: str) -> KeyRing:
    """The key ring for `purpose`.

    Raises:
        SettingsError: a part of SECRET_KEY is shorter than 32 characters.
    """
    return _derive(settings.secret_key.get_secret_value(), purpose)


@lru_cache(maxsize=32)
def _derive(secret_key: str, purpose: str) -> KeyRing:
    parts = [part.strip() for part in secret_key.split(",")]
    if any(len(part) < MIN_CHARACTERS for part in parts):
        raise SettingsError(
            f"CONTENTCASTER_SECRET_KEY: each key must have {MIN_CHARACTERS} characters or more"
        )
    return KeyRing(tuple(_signing_key(part, purpose) for part in parts))


def _signing_key(master: str, purpose: str) -> SigningKey:
    secret = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"contentcaster/{purpose}".encode()).derive(
        master.encode()
    )
    return SigningKey(kid=hashlib.sha256(b"kid" + secret).hexdigest()[:12], secret=secret)


def hash_token(token: str) -> str:
    """How a token with at least 128 random bits is stored: it needs no salt and no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()
