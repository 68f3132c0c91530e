"""How many events one tab may send: enough for any person's typing, too few to keep the database busy."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

BURST_EVENTS = 200
EVENTS_PER_SECOND = 40.0
_MAX_TABS = 10_000


@dataclass
class _Bucket:
    left: float = BURST_EVENTS
    filled_at: float = 0.0
    is_reported: bool = False


@dataclass
class EventLimit:
    """A token bucket per tab, in this process; `is_exceeded` takes one token."""

    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    def is_exceeded(self, tab: str, now: float | None = None) -> bool:
        """Whether the tab sent more than its share; the event is then to be dropped."""
        now = time.monotonic() if now is None else now
        if len(self._buckets) > _MAX_TABS:
            self._buckets = {key: b for key, b in self._buckets.items() if now - b.filled_at < 60}
        bucket = self._buckets.setdefault(tab, _Bucket(filled_at=now))
        bucket.left = min(BURST_EVENTS, bucket.left + (now - bucket.filled_at) * EVENTS_PER_SECOND)
        bucket.filled_at = now
        if bucket.left < 1:
            if not bucket.is_reported:  # once for each flood, or it would flood the log instead
                log.warning("events dropped: too many from one tab")
            bucket.is_reported = True
            return True
        bucket.left -= 1
        bucket.is_reported = False
        return False
