from __future__ import annotations

import unicodedata

import pytest

from contentcaster.errors import InvalidInput
from contentcaster.security import passwords


def test_a_password_fits_its_own_hash_only() -> None:
    stored = passwords.hash_password("correct horse battery")
    assert stored.startswith("$argon2id$")
    assert passwords.verify_password("correct horse battery", stored)
    assert not passwords.verify_password("correct horse batterz", stored)
    assert not passwords.verify_password("", stored)
    assert passwords.hash_password("correct horse battery") != stored


def test_without_a_stored_hash_the_same_work_is_done_and_the_answer_is_no(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verified: list[str] = []
    real = passwords._hasher.verify

    def watched(password: str, stored: str) -> bool:
        verified.append(stored)
        return real(password, stored)

    monkeypatch.setattr(passwords._hasher, "verify", watched)
    assert not passwords.verify_password("a password that nobody has", None)
    assert len(verified) == 1
    known = passwords.hash_password("another password")
    # The same algorithm with the same parameters, so the same time.
    assert verified[0].split("$")[1:4] == known.split("$")[1:4]


def test_a_damaged_hash_fits_nothing() -> None:
    assert not passwords.verify_password("anything at all", "not a hash")


def test_a_very_long_password_is_refused_without_hashing_it() -> None:
    stored = passwords.hash_password("")
    assert not passwords.verify_password("x" * 10_000_000, stored)


def test_the_same_characters_fit_however_they_are_composed() -> None:
    stored = passwords.hash_password(unicodedata.normalize("NFD", "caf\u00e9 caf\u00e9 caf\u00e9"))
    assert passwords.verify_password(unicodedata.normalize("NFC", "caf\u00e9 caf\u00e9 caf\u00e9"), stored)


def test_old_parameters_are_noticed() -> None:
    weaker = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$bYpFOLQvEo6YJaYFn5CFtA"
    assert passwords.needs_rehash(weaker)
    assert not passwords.needs_rehash(passwords.hash_password("correct horse battery"))


@pytest.mark.parametrize(
    "password",
    ["", "short", "elevenchars", "x" * 257, "aaaaaaaaaaaaaaa", "Password1234", "ada@example.org123"],
)
def test_a_bad_new_password_is_refused_at_its_field(password: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        passwords.check_new_password(password, email="ada@example.org", field="new_password")
    assert list(caught.value.fields) == ["new_password"]


def test_twelve_ordinary_characters_are_enough() -> None:
    passwords.check_new_password("brown cows!!", email="ada@example.org")
