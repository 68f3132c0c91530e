"""One-time codes: the test vectors of RFC 6238, and what is accepted around them."""

from __future__ import annotations

import base64

import pytest

from contentcaster.security import totp

SECRET = base64.b32encode(b"12345678901234567890").decode()  # RFC 6238, appendix B


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    assert totp.code_at(SECRET, seconds // 30) == code
    assert totp.matching_step(SECRET, code, at_seconds=seconds) == seconds // 30


def test_half_a_minute_off_is_accepted_and_more_is_not() -> None:
    now = 1_234_567_890.0
    for drift, is_good in ((-2, False), (-1, True), (0, True), (1, True), (2, False)):
        code = totp.code_at(SECRET, int(now) // 30 + drift)
        assert (totp.matching_step(SECRET, code, at_seconds=now) is not None) is is_good


@pytest.mark.parametrize("code", ["", "28708", "2870820", "abcdef", "287082 ", "２８７０８２"])
def test_what_is_no_code_is_refused(code: str) -> None:
    assert totp.matching_step(SECRET, code, at_seconds=59) is None


def test_secrets_are_random_and_the_address_names_account_and_issuer() -> None:
    assert len(base64.b32decode(totp.new_secret())) == 20 and totp.new_secret() != totp.new_secret()
    uri = totp.otpauth_uri("ABC", email="mara+x@example.org", issuer="ContentCaster")
    assert uri == "otpauth://totp/ContentCaster%3Amara%2Bx%40example.org?secret=ABC&issuer=ContentCaster"
