"""OAuth 2.0 by authorization code: what a network needs of it, and the two calls that get tokens.

Sources: RFC 6749 (the flow and its errors), RFC 7636 (PKCE, S256), RFC 9700 (one redirect URI per network, compared
character by character; state is bound by services/oauth.py). No token, code or secret is ever part of an error.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from contentcaster.platforms.base import (
    ConnectorError,
    Identity,
    NotSent,
    OutcomeUnknown,
    Reauthorise,
    Rejected,
)
from contentcaster.platforms.calls import json_object, rate_limited, send
from contentcaster.security.egress import EgressClient, EgressResponse


class WrongClient(Rejected):
    """The network does not know this client id and secret."""

    code = "wrong_client"


class WrongRedirect(Rejected):
    """The redirect URI is not the one that is registered with the app."""

    code = "wrong_redirect"


class ScopeMissing(Rejected):
    """The person or the network granted less than publishing needs."""

    code = "scope_missing"


@dataclass(frozen=True)
class Scope:
    """One right that is asked for, and why, in words for the person who grants it."""

    name: str
    why: str
    is_required: bool = True


@dataclass(frozen=True)
class StartField:
    """What must be known before the browser leaves: the server, or which page."""

    name: str
    title: str
    help: str
    placeholder: str = ""
    is_required: bool = True


@dataclass(frozen=True)
class Endpoints:
    authorize_url: str
    token_url: str
    sends_client_in_header: bool = False
    """The client's id and secret as HTTP Basic (X) instead of form fields."""


@dataclass(frozen=True)
class App:
    """The operator's own app at a network, or ours at one server that lets apps register themselves."""

    client_id: str
    client_secret: str = field(repr=False, default="")


@dataclass(frozen=True)
class Grant:
    """What a token endpoint gave."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False, default="")
    expires_at: float = 0.0
    """Epoch seconds; 0: the network names no end."""
    scopes: tuple[str, ...] = ()

    @property
    def ends_at(self) -> datetime | None:
        return datetime.fromtimestamp(self.expires_at, UTC) if self.expires_at else None


@dataclass(frozen=True)
class Chosen:
    """What the person asked for before leaving: the server's address ("" where there is only one) and the fields."""

    server_url: str
    values: Mapping[str, str]


class OAuthNetwork(Protocol):
    """How one network does OAuth. Its connector does everything afterwards."""

    platform: str
    name: str
    scopes: tuple[Scope, ...]
    uses_pkce: bool
    registers_itself: bool
    """True: `register` gets an app from the server; False: the operator makes one and pastes its id and secret."""
    app_url: str
    """Where the operator makes the app."""
    app_steps: tuple[str, ...]
    """What to do there, one sentence each; the redirect URI is shown beside them."""
    fields: tuple[StartField, ...]

    def server_url(self, values: Mapping[str, str]) -> str:
        """The address of the server, of what was typed; "" where there is only one. Raises Rejected."""
        ...

    def endpoints(self, server_url: str) -> Endpoints: ...

    async def register(self, server_url: str, redirect_uri: str, website: str, client: EgressClient) -> App:
        """Only where `registers_itself`."""
        ...

    async def identify(
        self, grant: Grant, app: App, chosen: Chosen, client: EgressClient
    ) -> tuple[Identity, dict[str, Any]]:
        """Who granted it, and what to keep (sealed). Raises ConnectorError."""
        ...


def new_verifier() -> str:
    """A PKCE code verifier: 64 characters, 384 bits."""
    return secrets.token_urlsafe(48)


def challenge_of(verifier: str) -> str:
    """Its S256 challenge."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def authorization_url(
    network: OAuthNetwork, endpoints: Endpoints, app: App, redirect_uri: str, state: str, verifier: str
) -> str:
    """Where to send the browser."""
    query = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(scope.name for scope in network.scopes),
        "state": state,
    }
    if network.uses_pkce:
        query |= {"code_challenge": challenge_of(verifier), "code_challenge_method": "S256"}
    joint = "&" if "?" in endpoints.authorize_url else "?"
    # Some servers read + in a query as it stands; %20 is a space to all of them.
    return endpoints.authorize_url + joint + urlencode(query, quote_via=quote)


async def exchange_code(
    network: OAuthNetwork,
    endpoints: Endpoints,
    app: App,
    *,
    code: str,
    redirect_uri: str,
    verifier: str,
    client: EgressClient,
) -> Grant:
    """The code for tokens.

    Raises:
        WrongClient, WrongRedirect, Rejected: the network says no, in which words.
        NotSent, OutcomeUnknown, RateLimited: it does not answer; the code may be used up, so start again.
    """
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
    if network.uses_pkce:
        form["code_verifier"] = verifier
    return await _ask(network.name, endpoints, app, form, client)


async def refresh(
    name: str, endpoints: Endpoints, app: App, refresh_token: str, client: EgressClient
) -> Grant:
    """A new access token; `refresh_token` of the answer is "" where the old one stays good.

    Raises:
        Reauthorise: the refresh token is used up, revoked or expired.
        OutcomeUnknown: no usable answer; the old refresh token may be used up all the same.
    """
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    try:
        return await _ask(name, endpoints, app, form, client)
    except WrongClient as error:
        raise Reauthorise(
            f"{error.message} Correct the app under Channels, then connect the channel again.",
            http_status=error.http_status,
            diagnostics=error.diagnostics,
        ) from None
    except Rejected as error:
        raise Reauthorise(
            f"{name} no longer renews the login of this channel. Connect it again.",
            http_status=error.http_status,
            diagnostics=error.diagnostics,
        ) from None


async def _ask(
    name: str, endpoints: Endpoints, app: App, form: dict[str, str], client: EgressClient
) -> Grant:
    headers = {"Accept": "application/json"}
    if endpoints.sends_client_in_header and app.client_secret:
        userinfo = f"{quote(app.client_id, safe='')}:{quote(app.client_secret, safe='')}"
        headers["Authorization"] = "Basic " + base64.b64encode(userinfo.encode()).decode()
        form = form | {"client_id": app.client_id}
    else:
        form = form | {"client_id": app.client_id}
        if app.client_secret:
            form["client_secret"] = app.client_secret
    asked_at = time.time()
    response = await send(client, "POST", endpoints.token_url, headers=headers, data=form)
    body = json_object(response)
    token = body.get("access_token")
    if response.is_success and isinstance(token, str) and token:
        return _grant(body, token, asked_at)
    raise _refusal(name, response, body)


def _grant(body: dict[str, Any], token: str, asked_at: float) -> Grant:
    lasts, again = body.get("expires_in"), body.get("refresh_token")
    is_number = isinstance(lasts, int | float) and not isinstance(lasts, bool) and 0 < lasts < 1e10
    scopes = str(body.get("scope") or "").replace(",", " ").split()
    return Grant(
        access_token=token,
        refresh_token=again if isinstance(again, str) else "",
        expires_at=asked_at + float(lasts) if is_number and lasts is not None else 0.0,
        scopes=tuple(scopes),
    )


def _refusal(name: str, response: EgressResponse, body: dict[str, Any]) -> ConnectorError:
    error, words = str(body.get("error") or ""), str(body.get("error_description") or "").lower()
    # The answer to a request full of secrets: its words are ours to choose, and diagnostics keep only the code.
    details: dict[str, Any] = {
        "http_status": response.status,
        "diagnostics": f"{response.status} {error[:60]}",
    }
    if response.status == 429:
        return rate_limited(name, response)
    if response.status >= 500:
        return OutcomeUnknown(f"{name} answered with a server error ({response.status}).", **details)
    if error in ("invalid_client", "unauthorized_client") or (response.status == 401 and not error):
        return WrongClient(
            f"{name} does not accept the client ID and secret of this app. Paste both again from the app's page.",
            **details,
        )
    if "redirect" in words or error == "invalid_redirect_uri":
        return WrongRedirect(
            f"The redirect URI does not match the one registered with the app at {name}. "
            "Register exactly the address shown here.",
            **details,
        )
    if error in ("invalid_grant", "invalid_request", "access_denied"):
        return Rejected(f"{name} says that this login is used up or has expired. Start it again.", **details)
    if error == "invalid_scope":
        return ScopeMissing(f"{name} does not let this app ask for the rights it needs.", **details)
    if 400 <= response.status < 500:
        return Rejected(f"{name} refused the login ({response.status}).", **details)
    return OutcomeUnknown(f"{name} answered in a form that cannot be understood.", **details)


def require_scopes(network: OAuthNetwork, grant: Grant) -> None:
    """Raises ScopeMissing if something that publishing needs was not granted; a silent answer counts as granted."""
    if not grant.scopes:
        return
    missing = [s.name for s in network.scopes if s.is_required and s.name not in grant.scopes]
    if missing:
        raise ScopeMissing(
            f"{network.name} granted less than publishing needs: {', '.join(missing)} is missing. "
            "Connect again and allow everything, or give the app these rights."
        )


def is_quiet(error: ConnectorError) -> bool:
    """Whether nothing is known to be wrong but the line: trying again may work."""
    return isinstance(error, NotSent | OutcomeUnknown)
