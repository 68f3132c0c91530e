"""Sessions of the AT Protocol: sign in with an app password, refresh ahead of expiry, one refresh at a time.

A refresh token is good for one use and some grace, so the new pair is stored before it is used, and what another
worker may have stored is read before anything is refreshed. A network blip is no refusal: only the server's own no,
to the refresh token and to the app password both, disconnects a channel.
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from contentcaster.platforms.base import Channel, ConnectorError, Reauthorise, Rejected
from contentcaster.platforms.calls import about, json_object, rate_limited, reading_failed, send
from contentcaster.platforms.tokens import renewed
from contentcaster.security.egress import EgressClient, EgressResponse

NAME = "Bluesky"
_FRESH_SECONDS = 120.0
"""A token that lives less than this is renewed before a send."""
_TOKEN_ERRORS = ("ExpiredToken", "InvalidToken", "AuthMissing", "AuthenticationRequired")
RENEW_AHEAD_SECONDS = 1800.0
"""The housekeeping renews a token that lives less than this, so that a send finds a fresh one."""


def is_token_refusal(response: EgressResponse) -> bool:
    """401, or the 400 ExpiredToken / InvalidToken that a PDS answers instead."""
    error = json_object(response).get("error")
    return response.status == 401 or (response.status == 400 and error in _TOKEN_ERRORS)


async def sign_in(
    client: EgressClient, service_url: str, identifier: str, app_password: str
) -> dict[str, Any]:
    """com.atproto.server.createSession; returns the credentials to store.

    Raises:
        Reauthorise: the identifier or password is refused.
        Rejected: no PDS there, or the account needs a code.
    """
    response = await send(
        client,
        "POST",
        f"{service_url}/xrpc/com.atproto.server.createSession",
        json={"identifier": identifier, "password": app_password},
    )
    body = json_object(response)
    error = body.get("error")
    if error == "AuthFactorTokenRequired":
        raise Rejected(
            "This password asks for a code by mail. Use an app password instead.", **about(response)
        )
    if error == "AccountTakedown":
        raise Rejected("Bluesky has taken this account down.", **about(response))
    if is_token_refusal(response):
        raise Reauthorise("Bluesky does not accept this handle and app password.", **about(response))
    if response.status == 429 or response.status >= 500:
        raise reading_failed(NAME, response)
    if not response.is_success or not _has_tokens(body):
        raise Rejected(
            "There is no Bluesky server (PDS) at this address. Check it; most people use https://bsky.social.",
            **about(response),
        )
    return {
        "service_url": service_url,
        "pds_url": _pds_url(body, service_url),
        "identifier": identifier,
        "app_password": app_password,
        "did": str(body["did"]),
        "handle": str(body.get("handle") or identifier),
        "access_jwt": body["accessJwt"],
        "refresh_jwt": body["refreshJwt"],
    }


async def access_token(
    channel: Channel, *, refused: str = "", lasting_seconds: float = _FRESH_SECONDS
) -> str:
    """A token that will last for a send. `refused` is one that the server has just turned down.

    Raises:
        Reauthorise: neither the refresh token nor the app password is accepted any more.
    """

    def is_fresh(credentials: dict[str, Any]) -> bool:
        token = str(credentials.get("access_jwt") or "")
        return bool(token) and token != refused and _seconds_left(token) > lasting_seconds

    async def renew(credentials: dict[str, Any]) -> tuple[dict[str, Any], None]:
        return await _refresh(channel, credentials) or await _sign_in_again(channel, credentials), None

    return str((await renewed(channel, is_fresh, renew))["access_jwt"])


def ends_soon(channel: Channel) -> bool:
    """Whether the access token should be renewed ahead of its use."""
    token = str(channel.credentials.get("access_jwt") or "")
    return not token or _seconds_left(token) < RENEW_AHEAD_SECONDS


async def _refresh(channel: Channel, credentials: dict[str, Any]) -> dict[str, Any] | None:
    """The credentials with a new pair of tokens; None if the server refuses the refresh token."""
    token = str(credentials.get("refresh_jwt") or "")
    if not token or _seconds_left(token) <= 0:
        return None
    response = await send(
        channel.client,
        "POST",
        f"{credentials['service_url']}/xrpc/com.atproto.server.refreshSession",
        headers={"Authorization": f"Bearer {token}"},
    )
    body = json_object(response)
    if response.is_success and _has_tokens(body):
        return {**credentials, "access_jwt": body["accessJwt"], "refresh_jwt": body["refreshJwt"]}
    if is_token_refusal(response):
        return None
    raise _renewal_failed(response)


async def _sign_in_again(channel: Channel, credentials: dict[str, Any]) -> dict[str, Any]:
    try:
        renewed = await sign_in(
            channel.client,
            credentials["service_url"],
            credentials.get("did") or credentials["identifier"],
            credentials["app_password"],
        )
    except Reauthorise as error:
        raise Reauthorise(
            "Bluesky no longer accepts the app password of this channel. Connect it again.",
            http_status=error.http_status,
            diagnostics=error.diagnostics,
        ) from None
    return {**credentials, **renewed, "identifier": credentials["identifier"]}


def _renewal_failed(response: EgressResponse) -> ConnectorError:
    if response.status == 429:
        return rate_limited(NAME, response)
    if response.status == 403 or json_object(response).get("error") == "AccountTakedown":
        return Rejected("Bluesky has blocked this account.", **about(response))
    return reading_failed(NAME, response)


def _has_tokens(body: dict[str, Any]) -> bool:
    names = ("did", "accessJwt", "refreshJwt")
    return all(isinstance(body.get(name), str) and body[name] for name in names)


def _pds_url(body: dict[str, Any], service_url: str) -> str:
    """Where the account's repository lives, by its DID document; the service itself if that says nothing usable."""
    document = body.get("didDoc")
    services = document.get("service") if isinstance(document, dict) else None
    for service in services if isinstance(services, list) else []:
        if isinstance(service, dict) and str(service.get("id", "")).endswith("#atproto_pds"):
            endpoint = str(service.get("serviceEndpoint") or "").rstrip("/")
            if endpoint.startswith("https://"):
                return endpoint
    return service_url


def _seconds_left(token: str) -> float:
    """Until the token's own expiry; a token that does not tell is taken as lasting until it is refused."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"]) - time.time()
    except (IndexError, KeyError, ValueError, TypeError):
        return 3600.0
