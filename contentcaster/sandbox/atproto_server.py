"""XRPC calls about servers, sessions and identities (com.atproto.server.*, com.atproto.identity.*).

Measured on a real PDS: a junk access token is 400 InvalidToken, no token 401 AuthMissing, an expired one 400
ExpiredToken; a refresh token may be used again shortly after its rotation; deleting a session revokes the refresh
token while the access token lives on to its end.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

import jwt
from aiohttp import web

from . import ids
from .errors import XrpcError, answer
from .gateway import exchange_of, network_of
from .network import Network
from .things import Account, Grant, Json

REFRESH_SECONDS = 90 * 86400
GRACE_SECONDS = 2 * 3600
_DID = "did:web:sandbox.test"


def body_of(request: web.Request, *required: str) -> Json:
    """The JSON input of a procedure; raises XrpcError 400 for a missing key."""
    exchange = exchange_of(request)
    if exchange.body is None or not isinstance(exchange.body, dict):
        if not exchange.raw:
            raise XrpcError(
                400, "InvalidRequest", "Request encoding (Content-Type) required but not provided"
            )
        if request.content_type != "application/json":
            kind = request.content_type
            raise XrpcError(400, "InvalidRequest", f"Wrong request encoding (Content-Type): {kind}")
        raise XrpcError(400, "InvalidRequest", "Expected object value type at $")
    for name in required:
        if name not in exchange.body:
            raise XrpcError(400, "InvalidRequest", f'Missing required key "{name}" at $')
    body: Json = exchange.body
    return body


def session_account(request: web.Request, kind: str = "at_access") -> Account:
    """The account of the bearer token; raises the XrpcError that a PDS answers."""
    header = request.headers.get("Authorization", "")
    if not header:
        raise XrpcError(401, "AuthMissing", "Authentication Required")
    if header[:7].lower() != "bearer ":
        raise XrpcError(400, "InvalidToken", "Unexpected authorization type")
    grant = exchange_of(request).grant
    if grant is None or grant.kind == "mastodon":
        raise XrpcError(400, "InvalidToken", "Token could not be verified")
    if grant.kind != kind:
        raise XrpcError(400, "InvalidToken", "Invalid token type")
    if grant.revoked:
        raise XrpcError(400, "ExpiredToken", "Token has been revoked")
    if grant.expires_at <= time.time():
        raise XrpcError(400, "ExpiredToken", "Token has expired")
    account = network_of(request).accounts.get(grant.account_id or "")
    if account is None:
        raise XrpcError(400, "InvalidToken", "Token could not be verified")
    return account


def optional_account(request: web.Request) -> Account | None:
    """Like `session_account`, but None when no token was sent."""
    return session_account(request) if request.headers.get("Authorization") else None


def _issue(network: Network, account: Account, family: str) -> Json:
    now = int(time.time())
    key = ids.secret(network.settings.seed, "jwt", length=64)

    def token(kind: str, scope: str, seconds: float) -> str:
        claims: dict[str, Any] = {
            "scope": scope, "aud": _DID, "sub": account.did, "iat": now, "exp": now + int(seconds),
            "jti": uuid.uuid4().hex,
        }  # fmt: skip
        header = {"typ": "at+jwt" if kind == "at_access" else "refresh+jwt"}
        text = jwt.encode(claims, key, algorithm="HS256", headers=header)
        network.add_token(
            Grant(text, kind, account.id, scope, time.time(), time.time() + seconds, family=family)
        )
        return text

    return {
        "accessJwt": token("at_access", "com.atproto.appPass", network.config.token_life_seconds),
        "refreshJwt": token("at_refresh", "com.atproto.refresh", REFRESH_SECONDS),
        "did": account.did, "handle": account.at_handle, "didDoc": did_doc(network, account), "active": True,
    }  # fmt: skip


def did_doc(network: Network, account: Account) -> Json:
    return {
        "@context": ["https://www.w3.org/ns/did/v1"], "id": account.did,
        "alsoKnownAs": [f"at://{account.at_handle}"], "verificationMethod": [],
        "service": [{
            "id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": network.base_url,
        }],
    }  # fmt: skip


async def create_session(request: web.Request) -> web.Response:
    network, body = network_of(request), body_of(request, "identifier", "password")
    account = network.account_named(str(body["identifier"]))
    if account is None or str(body["password"]) != account.app_password:
        raise XrpcError(401, "AuthenticationRequired", "Invalid identifier or password")
    exchange_of(request).account = account.handle
    session = _issue(network, account, uuid.uuid4().hex)
    return answer(session | {"email": f"{account.handle}@sandbox.test", "emailConfirmed": True})


async def refresh_session(request: web.Request) -> web.Response:
    network, account = network_of(request), session_account(request, "at_refresh")
    grant = exchange_of(request).grant
    assert grant is not None
    session = _issue(network, account, grant.family)
    grant.expires_at = min(grant.expires_at, time.time() + GRACE_SECONDS)
    network.add_token(grant)
    return answer(session)


async def delete_session(request: web.Request) -> web.Response:
    network = network_of(request)
    session_account(request, "at_refresh")
    used = exchange_of(request).grant
    assert used is not None
    for grant in [g for g in network.tokens.values() if g.family == used.family and g.kind == "at_refresh"]:
        network.revoke(grant)
    return web.Response()


async def get_session(request: web.Request) -> web.Response:
    account = session_account(request)
    return answer({
        "did": account.did, "handle": account.at_handle, "email": f"{account.handle}@sandbox.test",
        "emailConfirmed": True, "active": True, "didDoc": did_doc(network_of(request), account),
    })  # fmt: skip


async def describe_server(request: web.Request) -> web.Response:
    return answer({
        "did": _DID, "availableUserDomains": [".sandbox.test"], "inviteCodeRequired": False, "links": {}, "contact": {}
    })  # fmt: skip


async def resolve_handle(request: web.Request) -> web.Response:
    account = network_of(request).account_named(request.query.get("handle", ""))
    if account is None:
        raise XrpcError(400, "InvalidRequest", "Unable to resolve handle")
    return answer({"did": account.did})


async def health(request: web.Request) -> web.Response:
    return answer({"version": "0.4.217"})
