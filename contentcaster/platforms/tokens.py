"""Renewing a login: ahead of its end, by one caller at a time whichever process it is in, and never for nothing.

    credentials = await renewed(channel, _is_fresh, _renew)

A refresh token is often good for one use. So whoever wants to renew takes the channel's lock, reads what is stored now
and asks the network only if that is still not fresh; the answer is stored before anybody uses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol, runtime_checkable
from weakref import WeakValueDictionary

from contentcaster.platforms.base import Channel, TemporarilyRejected

RENEWAL_SECONDS = 25.0
"""How long a renewal may take; below the life of the channel's lock."""

Credentials = dict[str, Any]
IsFresh = Callable[[Credentials], bool]
Renew = Callable[[Credentials], Awaitable[tuple[Credentials, datetime | None]]]
"""Asks the network for a new login; returns all credentials to store, and when a person must connect again."""

_locks: WeakValueDictionary[tuple[str, int], asyncio.Lock] = WeakValueDictionary()


@runtime_checkable
class RenewsAhead(Protocol):
    """A connector whose logins end by themselves and can be renewed without a person."""

    async def renew_ahead(self, channel: Channel) -> bool:
        """Renew the login if it ends soon; returns whether the network was asked.

        Raises:
            Reauthorise: the network itself refuses to renew it.
        """
        ...


async def renewed(channel: Channel, is_fresh: IsFresh, renew: Renew) -> Credentials:
    """The channel's credentials, fresh.

    Raises:
        Reauthorise: as `renew`.
        TemporarilyRejected: another worker takes too long, or the network does; nothing is lost.
    """
    if is_fresh(channel.credentials):
        return channel.credentials
    async with _lock_of(channel):
        if is_fresh(channel.credentials):
            return channel.credentials  # somebody in this process renewed it while we waited
        async with channel.renewal_lock():
            channel.credentials.update(await channel.reload_credentials())
            if is_fresh(channel.credentials):
                return channel.credentials  # another process did
            try:
                async with asyncio.timeout(RENEWAL_SECONDS):
                    fresh, expires_at = await renew(dict(channel.credentials))
            except TimeoutError:
                raise TemporarilyRejected(
                    "The network takes too long to renew the login of this channel."
                ) from None
            # Whatever ends this task now: a pair that was handed out must be stored, the old one is used up.
            await asyncio.shield(channel.save_credentials(fresh, expires_at))
            channel.credentials.update(
                {key: value for key, value in fresh.items() if value not in ("", None)}
            )
    return channel.credentials


def _lock_of(channel: Channel) -> asyncio.Lock:
    key = (channel.account_id, id(asyncio.get_running_loop()))
    lock = _locks.get(key)
    if lock is None:
        lock = _locks[key] = asyncio.Lock()
    return lock
