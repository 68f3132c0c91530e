"""Calls to the X API v2 and what its refusals mean. Sources: see x.py."""

from __future__ import annotations

import time
from typing import Any

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
from contentcaster.platforms.calls import (
    about,
    as_sentence,
    describe_seconds,
    json_object,
    rate_limited,
    send,
    unusable,
)
from contentcaster.platforms.oauth import App, Endpoints, Grant, refresh
from contentcaster.security.egress import EgressResponse
from contentcaster.settings import get_settings

NAME = "X"
_API = "https://api.x.com"
_DAY_SECONDS = 86_400.0


def base_url() -> str:
    """Where the API is: X's own, or what the operator named for tests."""
    return (get_settings().x_base_url or _API).rstrip("/")


def endpoints() -> Endpoints:
    """Where people allow the app, and where tokens come from (docs.x.com, OAuth 2.0 Authorization Code Flow)."""
    base = base_url()
    site = "https://x.com" if base == _API else base
    return Endpoints(f"{site}/i/oauth2/authorize", f"{base}/2/oauth2/token", sends_client_in_header=True)


async def call(channel: Channel, method: str, path: str, **more: Any) -> EgressResponse:
    """One request as the channel's person. Raises Reauthorise if the login cannot be renewed."""
    token = await oauth_session.access_token(channel, NAME, lambda spent: _renew(channel, spent))
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", **more.pop("headers", {})}
    response = await send(
        channel.client, method, channel.credentials["api_url"] + path, headers=headers, **more
    )
    if response.status == 401 and not await oauth_session.refused(channel, token):
        raise Reauthorise(
            "X no longer accepts the login of this channel. Connect it again.", **about(response)
        )
    return response


async def _renew(channel: Channel, refresh_token: str) -> Grant:
    stored = channel.credentials
    app = App(str(stored.get("client_id") or ""), str(stored.get("client_secret") or ""))
    token_url = f"{stored['api_url']}/2/oauth2/token"
    return await refresh(
        NAME, Endpoints("", token_url, sends_client_in_header=True), app, refresh_token, channel.client
    )


def refusal(response: EgressResponse, *, is_reply: bool = False) -> ConnectorError:
    """What an answer other than success means. A 401 here is one that a new token may cure (`call`)."""
    status, details, reason = response.status, about(response), reason_of(response)
    if status == 429:
        return _rate_limited(response)
    if status == 401:
        return TemporarilyRejected("X turned the access token down; a new one is fetched.", **details)
    if status == 402:
        return Rejected(
            "X says that the developer account behind this app has no credits left. Add some at X, then retry.",
            **details,
        )
    if status == 403 and "duplicate content" in reason.lower():
        return OutcomeUnknown(
            "X says that this text was posted already; whether by us is looked up.", **details
        )
    if status == 403 and "scope" in reason.lower():
        return Reauthorise(
            f"X does not let this login do that: {reason} Connect the channel again.", **details
        )
    if status == 404 and is_reply:
        return Rejected("The post that this one continues is no longer there.", **details)
    if status == 408 or status >= 500 or status < 400:
        return unusable(NAME, response)
    if not reason:
        return TemporarilyRejected(f"X turned the request away ({status}).", **details)
    return Rejected(f"X refuses this: {as_sentence(reason)}", **details)


def reading_failed(response: EgressResponse) -> ConnectorError:
    """A request that changes nothing was not answered usefully."""
    if response.status in (401, 402, 403, 429):
        return refusal(response)
    return unusable(NAME, response)


def reason_of(response: EgressResponse) -> str:
    """X's own words, in either of its two shapes: a problem, or a list of errors."""
    body = json_object(response)
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    for words in (first.get("message"), body.get("detail"), first.get("detail"), body.get("title")):
        if isinstance(words, str) and words:
            return words[:300]
    return ""


def _rate_limited(response: EgressResponse) -> RateLimited:
    """The quarter-hour's limit by x-rate-limit-reset; the day's has headers of its own, and lasts longer."""
    for whose in ("user", "app"):
        prefix = f"x-{whose}-limit-24hour-"
        if response.headers.get(prefix + "remaining", "").strip() == "0":
            try:
                wait = float(response.headers.get(prefix + "reset", "")) - time.time()
            except ValueError:
                continue
            wait = min(max(wait, 1.0), _DAY_SECONDS)
            sentence = f"X asks to wait {describe_seconds(wait)}: the posts of 24 hours are used up."
            return RateLimited(sentence, retry_after_seconds=wait, **about(response))
    return rate_limited(NAME, response)


async def renew_ahead(channel: Channel) -> bool:
    """Renew a token that ends soon; whether X was asked."""
    return await oauth_session.renew_ahead(channel, NAME, lambda spent: _renew(channel, spent))


async def ensure_token(channel: Channel) -> None:
    """Have a token that lasts for a send, ahead of the due time."""
    await oauth_session.access_token(channel, NAME, lambda spent: _renew(channel, spent))
