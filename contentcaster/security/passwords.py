"""Password hashes (argon2id) and the rules for a new password.

Parameters follow OWASP's Password Storage Cheat Sheet: 19 MiB, at least two passes, one lane.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from contentcaster.errors import InvalidInput, Unavailable

MIN_CHARACTERS = 12
MAX_CHARACTERS = 256
"""A longer one is refused before hashing, so that nobody makes us hash megabytes."""

_AT_ONCE = 4
_WAIT_SECONDS = 10.0

_hasher = PasswordHash((Argon2Hasher(time_cost=3, memory_cost=19 * 1024, parallelism=1),))
# A flood of sign-ins then costs 4 x 19 MiB, not as much memory as there are threads.
_slots = threading.BoundedSemaphore(_AT_ONCE)


def hash_password(password: str) -> str:
    """The hash to store; takes tens of milliseconds, so never call it inside a write transaction."""
    with _slot():
        return _hasher.hash(_normalised(password))


def verify_password(password: str, stored_hash: str | None) -> bool:
    """Whether the password fits; without a stored hash the same work is done and the answer is no.

    An unknown address therefore takes as long as a known one with a wrong password.
    """
    too_long = len(password) > MAX_CHARACTERS
    candidate = "" if too_long else _normalised(password)
    with _slot():
        try:
            fits = _hasher.verify(candidate, stored_hash or _dummy_hash())
        except UnknownHashError:
            fits = False
    return fits and stored_hash is not None and not too_long


def needs_rehash(stored_hash: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return bool(_hasher.current_hasher.check_needs_rehash(stored_hash))


def check_new_password(password: str, *, email: str = "", field: str = "password") -> None:
    """Refuse a password that is too short, too long or too easy.

    Raises:
        InvalidInput: with a sentence at `field`.
    """
    if len(password) < MIN_CHARACTERS:
        raise InvalidInput(
            f"Use at least {MIN_CHARACTERS} characters; a few words in a row are easy to keep in mind.",
            field=field,
        )
    if len(password) > MAX_CHARACTERS:
        raise InvalidInput(f"Use at most {MAX_CHARACTERS} characters.", field=field)
    plain = password.casefold()
    if len(set(plain)) < 4 or plain in _COMMON:
        raise InvalidInput(
            "This password is among the first that anybody would try. Choose another.", field=field
        )
    if email and email.casefold() in plain:
        raise InvalidInput("The password must not contain your email address.", field=field)


@contextmanager
def _slot() -> Iterator[None]:
    if not _slots.acquire(timeout=_WAIT_SECONDS):
        raise Unavailable("Too many people are signing in at this moment. Try again in a few seconds.")
    try:
        yield
    finally:
        _slots.release()


def _normalised(password: str) -> str:
    # The same characters typed on another keyboard may arrive composed differently (NIST SP 800-63B, 3.1.1.2).
    return unicodedata.normalize("NFKC", password)


@lru_cache(maxsize=1)
def _dummy_hash() -> str:
    return _hasher.hash("a password that nobody has")


_COMMON = frozenset(
    {
        "password1234",
        "password12345",
        "password123456",
        "passwordpassword",
        "123456789012",
        "1234567890123",
        "12345678901234567890",
        "qwertyuiop12",
        "qwertyuiop123",
        "qwertyqwerty",
        "qwerty123456",
        "iloveyou1234",
        "adminadmin12",
        "administrator",
        "administrator1",
        "letmeinletmein",
        "welcome12345",
        "welcome123456",
        "abcdefghijkl",
        "abcd1234abcd",
        "1q2w3e4r5t6y",
        "contentcaster",
        "contentcaster1",
        "changemechangeme",
        "changeme1234",
    }
)
