"""Acting on the second: the database's clock mapped onto this process's monotonic clock."""

from __future__ import annotations

import time
from collections import deque
from datetime import datetime

_WINDOW_SECONDS = 30.0
_STEP_SECONDS = 0.5


class ClockMap:
    """When, on the monotonic clock, a time of the database's clock comes; never early.

    Each sample is a time that the database told and the monotonic time at which the answer was in hand. The database
    read its clock at that moment or before, so `told - received` is a lower bound of the offset; the largest bound of
    the last half minute is the tightest. Stepping the wall clock of this machine changes nothing; a step of the
    database's clock is followed at the next sample.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=64)

    @property
    def has_samples(self) -> bool:
        return bool(self._samples)

    def observe(self, told: datetime, received: float) -> None:
        """Take a sample: the database said `told`, the answer arrived at monotonic `received`."""
        offset = told.timestamp() - received
        if (
            self._samples
            and abs(offset - self._offset(received)) > _STEP_SECONDS
            and not self._is_just_slow(offset)
        ):
            self._samples.clear()
        self._samples.append((received, offset))

    def monotonic(self, moment: datetime) -> float:
        """The monotonic time at which `moment` comes."""
        return moment.timestamp() - self._offset(time.monotonic())

    def now(self) -> float:
        """The database's clock, in seconds since the epoch, at most a round trip late."""
        return time.monotonic() + self._offset(time.monotonic())

    def _offset(self, at: float) -> float:
        recent = [offset for received, offset in self._samples if at - received <= _WINDOW_SECONDS]
        if recent:
            return max(recent)
        return self._samples[-1][1] if self._samples else time.time() - at

    def _is_just_slow(self, offset: float) -> bool:
        """An answer that took long looks like a clock stepped back a little; the window outlives it."""
        return 0 < self._offset(time.monotonic()) - offset < 30.0
