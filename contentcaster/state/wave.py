"""One read for many tabs: those that refresh because of the same change share what is read for the same person.

A wave begins when a change is heard of, so whatever is read in it has seen that change; the next change begins
another wave and makes its tabs read again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

Result = TypeVar("Result")

MAX_AGE_SECONDS = 1.0
"""For so long, at most, a person whose rights were taken away sees what they might see when the wave began."""


@dataclass
class Wave:
    _began_at: float = field(default_factory=time.monotonic)
    _reads: dict[Hashable, asyncio.Future[Any]] = field(default_factory=dict)

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self._began_at < MAX_AGE_SECONDS

    async def share(self, key: Hashable, read: Callable[[], Awaitable[Result]]) -> Result:
        """The result of `read`, called once for all who ask by the same key; nobody may change it."""
        future = self._reads.get(key)
        if future is None:
            future = self._reads[key] = asyncio.ensure_future(read())
        # One tab that closes must not take the answer away from the others.
        return await asyncio.shield(future)


wave_of_event: ContextVar[Wave | None] = ContextVar("contentcaster_wave", default=None)
"""Set by the guard for each event: the wave that it belongs to, None for what a person did."""
