"""JWT confusion: whatever is not exactly the token we issued for exactly this use is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from contentcaster.clock import utc_now
from contentcaster.models.types import new_id
from contentcaster.security import tokens
from contentcaster.security.keys import SigningKey, key_ring
from contentcaster.security.tokens import TokenKind
from contentcaster.settings import Settings, SettingsError

USER = new_id()
SESSION = new_id()


def _good(settings: Settings, kind: TokenKind = TokenKind.ACCESS) -> str:
    return tokens.issue(
        settings, kind, user_id=USER, session_id=SESSION, expires_at=utc_now() + timedelta(minutes=5)
    )


def _signed(settings: Settings, *, claims: dict[str, Any] | None = None, headers: dict[str, Any] | None = None,
            algorithm: str = "HS256", secret: bytes | None = None, without: tuple[str, ...] = ()) -> str:  # fmt: skip
    key = _key(settings)
    payload = {
        "iss": tokens.ISSUER,
        "aud": TokenKind.ACCESS.audience,
        "sub": USER,
        "jti": SESSION,
        "iat": int(utc_now().timestamp()),
        "exp": int(utc_now().timestamp()) + 300,
    } | (claims or {})
    for name in without:
        del payload[name]
    header = {"kid": key.kid, "typ": TokenKind.ACCESS.typ} | (headers or {})
    return jwt.encode(
        payload, secret if secret is not None else key.secret, algorithm=algorithm, headers=header
    )


def _key(settings: Settings) -> SigningKey:
    return key_ring(settings, "jwt").current


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _with_header(settings: Settings, **changes: object) -> str:
    """A good token whose header was changed after signing."""
    header, payload, signature = _good(settings).split(".")
    decoded = json.loads(base64.urlsafe_b64decode(header + "=="))
    return f"{_part(decoded | changes)}.{payload}.{signature}"


def _signed_with_nothing(settings: Settings) -> str:
    body = _good(settings).rpartition(".")[0]
    signature = hmac.new(b"", body.encode(), hashlib.sha256).digest()
    return f"{body}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


CLAIMS = ("iss", "aud", "sub", "jti", "iat", "exp")
NOW = int(utc_now().timestamp())
CONFUSED: dict[str, Callable[[Settings], str]] = {
    "empty": lambda s: "",
    "no token at all": lambda s: "hello",
    "two parts": lambda s: ".".join(_good(s).split(".")[:2]),
    "without signature": lambda s: _good(s).rpartition(".")[0] + ".",
    "another signature": lambda s: _good(s)[:-4] + "AAAA",
    "algorithm none": lambda s: _with_header(s, alg="none").rpartition(".")[0] + ".",
    "algorithm None in another case": lambda s: _with_header(s, alg="nOnE"),
    "HS512 with the right key": lambda s: _signed(s, algorithm="HS512"),
    "HS384 with the right key": lambda s: _signed(s, algorithm="HS384"),
    "the header says RS256": lambda s: _with_header(s, alg="RS256"),
    "another key": lambda s: _signed(s, secret=b"k" * 32),
    "an empty key": lambda s: _signed_with_nothing(s),
    "the undivided SECRET_KEY": lambda s: _signed(s, secret=s.secret_key.get_secret_value().encode()),
    "the key for another purpose": lambda s: _signed(s, secret=key_ring(s, "refresh").current.secret),
    "an unknown kid": lambda s: _signed(s, headers={"kid": "0" * 12}),
    "a kid that is a path": lambda s: _signed(s, headers={"kid": "../../dev/null"}),
    "a kid that is no text": lambda s: _with_header(s, kid=["x"]),
    "an empty kid": lambda s: _signed(s, headers={"kid": ""}),
    "typ of a browser session": lambda s: _good(s, TokenKind.BROWSER),
    "typ JWT": lambda s: _signed(s, headers={"typ": "JWT"}),
    "audience of the console": lambda s: _signed(s, claims={"aud": TokenKind.BROWSER.audience}),
    "several audiences": lambda s: _signed(s, claims={"aud": [TokenKind.ACCESS.audience, "other"]}),
    "another issuer": lambda s: _signed(s, claims={"iss": "somebody"}),
    "expired": lambda s: _signed(s, claims={"exp": NOW - 60}),
    "expires as text": lambda s: _signed(s, claims={"exp": "tomorrow"}),
    "not valid yet": lambda s: _signed(s, claims={"nbf": NOW + 600}),
    "issued in the future": lambda s: _signed(s, claims={"iat": NOW + 600}),
    "subject is no text": lambda s: _signed(s, claims={"sub": 7}),
    "session id is no text": lambda s: _signed(s, claims={"jti": {"a": 1}}),
    "session id is empty": lambda s: _signed(s, claims={"jti": ""}),
    **{f"without {claim}": (lambda s, c=claim: _signed(s, without=(c,))) for claim in CLAIMS},
    "a refresh token": lambda s: tokens.new_refresh_token(s, SESSION),
    "crit header": lambda s: _signed(s, headers={"crit": ["b64"], "b64": False}),
    "an embedded key": lambda s: _signed(s, secret=b"k" * 32, headers={"jwk": {"kty": "oct", "k": "a2tra2s"}}),
    "very long": lambda s: _signed(s, claims={"more": "x" * 5000}),
}  # fmt: skip


@pytest.mark.parametrize("what", CONFUSED)
def test_a_confused_token_is_refused(what: str, settings: Settings) -> None:
    assert tokens.read(settings, TokenKind.ACCESS, CONFUSED[what](settings)) is None


def test_the_tokens_of_each_kind_are_read_where_they_belong_and_nowhere_else(settings: Settings) -> None:
    for kind in TokenKind:
        for place in TokenKind:
            claims = tokens.read(settings, place, _good(settings, kind))
            assert (claims is not None) == (kind is place)
            assert claims is None or (claims.user_id, claims.session_id) == (USER, SESSION)
    assert tokens.read(settings, TokenKind.ACCESS, _signed(settings)) is not None


def test_an_old_key_verifies_until_it_leaves_the_ring(settings: Settings) -> None:
    def with_keys(keys: str) -> Settings:
        return settings.model_copy(update={"secret_key": SecretStr(keys)})

    old, new = "old-" + "o" * 40, "new-" + "n" * 40
    token = _good(with_keys(old))
    assert tokens.read(with_keys(f"{new},{old}"), TokenKind.ACCESS, token) is not None
    assert tokens.read(with_keys(new), TokenKind.ACCESS, token) is None
    newer = _good(with_keys(f"{new},{old}"))
    assert tokens.read(with_keys(new), TokenKind.ACCESS, newer) is not None


def test_a_short_key_in_the_ring_stops_the_start(settings: Settings) -> None:
    short = settings.model_copy(update={"secret_key": SecretStr("a" * 40 + ",short")})
    with pytest.raises(SettingsError, match="32 characters"):
        key_ring(short, "jwt")


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-1] + ("0" if token[-1] != "0" else "1"),
        lambda token: new_id() + token[26:],
        lambda token: token.replace(".", "-"),
        lambda token: token.rpartition(".")[0],
        lambda token: "..",
        lambda token: "",
    ],
)
def test_a_refresh_token_that_we_did_not_issue_names_no_session(
    change: Callable[[str], str], settings: Settings
) -> None:
    token = tokens.new_refresh_token(settings, SESSION)
    assert tokens.refresh_token_session(settings, token) == SESSION
    assert tokens.refresh_token_session(settings, change(token)) is None
