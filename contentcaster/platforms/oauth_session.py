"""Access tokens that end: renewed ahead of their end, one renewal at a time, kept before they are used.

X uses up a refresh token with each renewal, so two workers that renew at once would disconnect the channel. Within a
process a lock sees to that; between processes the one that is turned down looks whether another has stored a new
pair meanwhile. A network blip is no refusal, and an answer without a refresh token never overwrites the one we have.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from weakref import WeakValueDictionary

from contentcaster.platforms.base import Channel, Reauthorise
from contentcaster.platforms.oauth import Grant

FRESH_SECONDS = 300.0
"""A token that lives less than this is renewed before a send."""
_OTHERS_SECONDS = 3.0
_LOOK_EVERY_SECONDS = 0.25

Renew = Callable[[str], Awaitable[Grant]]
"""refresh token -> new tokens; raises Reauthorise if the network refuses it."""

_locks: WeakValueDictionary[tuple[str, int], asyncio.Lock] = WeakValueDictionary()


async def access_token(channel: Channel, name: str, renew: Renew) -> str:
    """A token that will last for a send.

    Raises:
        Reauthorise: it has ended and cannot be renewed.
    """
    if _is_fresh(channel.credentials):
        return str(channel.credentials["access_token"])
    async with _lock_of(channel):
        if not _is_fresh(channel.credentials):
            channel.credentials.update(await channel.reload_credentials() or {})
        if _is_fresh(channel.credentials):
            return str(channel.credentials["access_token"])  # somebody renewed it while we waited
        refresh_token = str(channel.credentials.get("refresh_token") or "")
        if not refresh_token:
            if _seconds_left(channel.credentials) > 0:
                return str(channel.credentials["access_token"])
            raise Reauthorise(f"The login at {name} has expired. Connect the channel again.")
        try:
            grant = await renew(refresh_token)
        except Reauthorise:
            if await _others_renewed(channel, refresh_token):
                return str(channel.credentials["access_token"])
            raise
        renewed = {**channel.credentials, **stored_tokens(grant)}
        await channel.save_credentials(renewed, login_ends_at(renewed))
        channel.credentials.update(renewed)
        return grant.access_token


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


async def _others_renewed(channel: Channel, spent: str) -> bool:
    deadline = time.monotonic() + _OTHERS_SECONDS
    while time.monotonic() < deadline:
        stored = await channel.reload_credentials()
        if stored.get("refresh_token") not in (spent, None, ""):
            channel.credentials.update(stored)
            return True
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
    return False


def _is_fresh(credentials: dict[str, Any]) -> bool:
    return bool(credentials.get("access_token")) and _seconds_left(credentials) > FRESH_SECONDS


def _seconds_left(credentials: dict[str, Any]) -> float:
    ends = float(credentials.get("access_expires_at") or 0)
    return ends - time.time() if ends else float("inf")


def _lock_of(channel: Channel) -> asyncio.Lock:
    key = (channel.account_id, id(asyncio.get_running_loop()))
    lock = _locks.get(key)
    if lock is None:
        lock = _locks[key] = asyncio.Lock()
    return lock
