"""Access tokens that end: renewed ahead of their end by `tokens.renewed`, which lets one caller of all do it.

X uses up a refresh token with each renewal, so two workers that renew at once would disconnect the channel. A network
blip is no refusal, and an answer without a refresh token never overwrites the one we have.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from contentcaster.platforms.base import Channel, Reauthorise
from contentcaster.platforms.oauth import Grant
from contentcaster.platforms.tokens import renewed

FRESH_SECONDS = 300.0
"""A token that lives less than this is renewed before a send."""
RENEW_AHEAD_SECONDS = 1800.0
"""The housekeeping renews a token that lives less than this, so that a send finds a fresh one."""

Renew = Callable[[str], Awaitable[Grant]]
"""refresh token -> new tokens; raises Reauthorise if the network refuses it."""


async def access_token(
    channel: Channel, name: str, renew: Renew, *, lasting_seconds: float = FRESH_SECONDS
) -> str:
    """A token that will last for a send.

    Raises:
        Reauthorise: it has ended and cannot be renewed.
    """

    def is_fresh(credentials: dict[str, Any]) -> bool:
        # One that cannot be renewed is good to its last second.
        least = lasting_seconds if credentials.get("refresh_token") else 0.0
        return bool(credentials.get("access_token")) and _seconds_left(credentials) > least

    async def ask(credentials: dict[str, Any]) -> tuple[dict[str, Any], datetime | None]:
        refresh_token = str(credentials.get("refresh_token") or "")
        if not refresh_token:
            raise Reauthorise(f"The login at {name} has expired. Connect the channel again.")
        fresh = credentials | stored_tokens(await renew(refresh_token))
        return fresh, login_ends_at(fresh)

    return str((await renewed(channel, is_fresh, ask))["access_token"])


async def renew_ahead(channel: Channel, name: str, renew: Renew) -> bool:
    """Renew a token that ends soon; whether the network was asked (`tokens.RenewsAhead`)."""
    if (
        not channel.credentials.get("refresh_token")
        or _seconds_left(channel.credentials) > RENEW_AHEAD_SECONDS
    ):
        return False
    await access_token(channel, name, renew, lasting_seconds=RENEW_AHEAD_SECONDS)
    return True


async def refused(channel: Channel, token: str) -> bool:
    """Note that the network has turned `token` down; whether a new one can be had (else a person must log in)."""
    credentials = channel.credentials
    if credentials.get("access_token") == token and credentials.get("refresh_token"):
        marked = {**credentials, "access_expires_at": 1.0}
        await channel.save_credentials(marked, login_ends_at(marked))
        credentials.update(marked)
    return bool(credentials.get("refresh_token"))


def stored_tokens(grant: Grant) -> dict[str, Any]:
    """What of a grant goes into the vault; nothing that is missing from it."""
    kept: dict[str, Any] = {"access_token": grant.access_token, "access_expires_at": grant.expires_at}
    if grant.refresh_token:
        kept["refresh_token"] = grant.refresh_token
    if grant.scopes:
        kept["scopes"] = list(grant.scopes)
    return kept


def login_ends_at(credentials: dict[str, Any]) -> datetime | None:
    """When a person has to log in again, as far as is known: never by the clock where tokens renew themselves."""
    ends = float(credentials.get("access_expires_at") or 0)
    if not ends or credentials.get("refresh_token"):
        return None
    return datetime.fromtimestamp(ends, UTC)


def _seconds_left(credentials: dict[str, Any]) -> float:
    ends = float(credentials.get("access_expires_at") or 0)
    return ends - time.time() if ends else float("inf")
