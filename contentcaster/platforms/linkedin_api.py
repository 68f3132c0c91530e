"""Calls to LinkedIn's versioned API and what its refusals mean. Sources: see linkedin.py."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from contentcaster.clock import utc_now
from contentcaster.platforms import oauth_session
from contentcaster.platforms.base import (
    Channel,
    ConnectorError,
    OutcomeUnknown,
    RateLimited,
    Reauthorise,
    Rejected,
    TemporarilyRejected,
)
from contentcaster.platforms.calls import about, as_sentence, json_object, rate_limited, send, unusable
from contentcaster.platforms.oauth import App, Endpoints, Grant, refresh
from contentcaster.platforms.rate_limits import stated_wait_seconds
from contentcaster.security.egress import EgressClient, EgressResponse
from contentcaster.settings import get_settings

NAME = "LinkedIn"
_API = "https://api.linkedin.com"
_URN = re.compile(r"urn:li:(?:share|ugcPost):[0-9]+")


def base_url() -> str:
    """Where the API is: LinkedIn's own, or what the operator named for tests."""
    return (get_settings().linkedin_base_url or _API).rstrip("/")


def endpoints() -> Endpoints:
    base = base_url()
    site = "https://www.linkedin.com" if base == _API else base
    return Endpoints(f"{site}/oauth/v2/authorization", f"{site}/oauth/v2/accessToken")


def headers_for(token: str) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {token}",
        "LinkedIn-Version": get_settings().linkedin_version,
        "X-Restli-Protocol-Version": "2.0.0",
        "Accept": "application/json",
    }


async def ensure_token(channel: Channel) -> str:
    """A token that lasts for a send. Most apps get none that renews itself: then a person logs in again."""
    return await oauth_session.access_token(channel, NAME, lambda spent: _renew(channel, spent))


async def renew_ahead(channel: Channel) -> bool:
    """Renew a token that ends soon, where LinkedIn gave a refresh token; whether it was asked."""
    return await oauth_session.renew_ahead(channel, NAME, lambda spent: _renew(channel, spent))


async def call(channel: Channel, method: str, path: str, **more: Any) -> EgressResponse:
    """One request as the channel's person or page. Raises Reauthorise if the login has ended."""
    token = await ensure_token(channel)
    headers = headers_for(token) | more.pop("headers", {})
    url = channel.credentials["api_url"] + path
    response = await send(channel.client, method, url, headers=headers, **more)
    if response.status == 401 and not await oauth_session.refused(channel, token):
        raise Reauthorise(
            "LinkedIn no longer accepts the login of this channel. Connect it again.", **about(response)
        )
    return response


async def _renew(channel: Channel, refresh_token: str) -> Grant:
    stored = channel.credentials
    app = App(str(stored.get("client_id") or ""), str(stored.get("client_secret") or ""))
    api = str(stored["api_url"])
    site = "https://www.linkedin.com" if api == _API else api
    token_endpoint = Endpoints("", f"{site}/oauth/v2/accessToken")
    return await refresh(NAME, token_endpoint, app, refresh_token, channel.client)


async def read(client: EgressClient, stored: dict[str, Any], path: str, **more: Any) -> EgressResponse:
    """One request that changes nothing, before there is a channel."""
    headers = headers_for(str(stored["access_token"]))
    return await send(client, "GET", stored["api_url"] + path, headers=headers, **more)


def refusal(response: EgressResponse) -> ConnectorError:
    """What an answer other than success means. A 401 here is one that a new token may cure (`call`)."""
    body, status, details = json_object(response), response.status, about(response)
    reason, code = str(body.get("message") or "")[:300], str(body.get("code") or "")
    if status == 429:
        return _rate_limited(response, reason)
    if status == 401:
        return TemporarilyRejected("LinkedIn turned the access token down; a new one is fetched.", **details)
    if status == 403:
        return Reauthorise(
            f"LinkedIn does not let this login do that: {reason or 'not enough permissions'}. "
            "Connect the channel again with an app that has these rights.",
            **details,
        )
    if status == 426 or code == "NONEXISTENT_VERSION":
        version = get_settings().linkedin_version
        return Rejected(
            f"LinkedIn no longer serves version {version} of its API. "
            "Set CONTENTCASTER_LINKEDIN_VERSION to a newer one.",
            **details,
        )
    if is_duplicate(body):
        urn = _URN.search(reason)
        which = f" as {urn.group()}" if urn else ""
        return OutcomeUnknown(
            f"LinkedIn says that it has this text already{which}; whether that is this post is to be seen.",
            **details,
        )
    if status == 408 or status >= 500 or status < 400:
        return unusable(NAME, response)
    if not reason:
        return TemporarilyRejected(f"LinkedIn turned the request away ({status}).", **details)
    return Rejected(f"LinkedIn refuses this: {as_sentence(_first_input_error(body) or reason)}", **details)


def reading_failed(response: EgressResponse) -> ConnectorError:
    """A request that changes nothing was not answered usefully."""
    if response.status in (401, 403, 426, 429):
        return refusal(response)
    return unusable(NAME, response)


def is_duplicate(body: dict[str, Any]) -> bool:
    return any(item.get("code") == "DUPLICATE_POST" for item in _input_errors(body))


def may_send_token_to(url: str, api_url: str) -> bool:
    """Whether an upload address that LinkedIn gave is LinkedIn's own."""
    parts, api = urlsplit(url), urlsplit(api_url)
    host = parts.hostname or ""
    is_own = parts.scheme == "https" and (host == "linkedin.com" or host.endswith(".linkedin.com"))
    return is_own or (parts.scheme, parts.netloc) == (api.scheme, api.netloc)


def _rate_limited(response: EgressResponse, reason: str) -> RateLimited:
    """LinkedIn sends no header that says until when; a day's limit ends at midnight UTC."""
    if stated_wait_seconds(response) is None and "day" in reason.lower():
        now = utc_now()
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return RateLimited(
            "LinkedIn's limit for today is used up; it starts anew at midnight UTC.",
            retry_after_seconds=(midnight - now).total_seconds() + 60,
            **about(response),
        )
    return rate_limited(NAME, response)


def _input_errors(body: dict[str, Any]) -> list[dict[str, Any]]:
    details = body.get("errorDetails")
    errors = details.get("inputErrors") if isinstance(details, dict) else None
    return [item for item in errors if isinstance(item, dict)] if isinstance(errors, list) else []


def _first_input_error(body: dict[str, Any]) -> str:
    for item in _input_errors(body):
        if isinstance(item.get("description"), str):
            return str(item["description"])[:300]
    return ""
