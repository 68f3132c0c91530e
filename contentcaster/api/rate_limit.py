"""A token bucket for each caller, in memory: it stops floods, not guessing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from contentcaster.errors import TooMany

_MAX_BUCKETS = 20_000


class RateLimiter:
    """`burst` calls at once, then `per_second`; one for each key."""

    def __init__(self, *, burst: float, per_second: float, now: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._per_second = per_second
        self._now = now
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> None:
        """Count one call.

        Raises:
            TooMany: the bucket is empty; says when the next call makes sense.
        """
        now = self._now()
        with self._lock:
            tokens, since = self._buckets.get(key, (self._burst, now))
            tokens = min(self._burst, tokens + (now - since) * self._per_second)
            if tokens < 1:
                raise TooMany(
                    "Too many requests. Slow down a little.",
                    retry_after_seconds=(1 - tokens) / self._per_second,
                )
            self._buckets[key] = (tokens - 1, now)
            if len(self._buckets) > _MAX_BUCKETS:
                self._forget_full(now)

    def _forget_full(self, now: float) -> None:
        refill_seconds = self._burst / self._per_second
        self._buckets = {
            key: value for key, value in self._buckets.items() if now - value[1] < refill_seconds
        }
        if len(self._buckets) > _MAX_BUCKETS:
            self._buckets.clear()


@dataclass(frozen=True)
class Limits:
    """The limiters of one application."""

    by_principal: RateLimiter = field(default_factory=lambda: RateLimiter(burst=300, per_second=50))
    by_address: RateLimiter = field(default_factory=lambda: RateLimiter(burst=60, per_second=2))
    """For calls before anybody is known; guessing passwords is slowed down much more (security/throttle.py)."""
