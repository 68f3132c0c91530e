"""When the next act may go out: pure arithmetic over the times of earlier ones.

Caps are sliding windows, which are stricter than a refilling bucket: a bucket of 20 an hour can let 40 through around a
full hour, a window never more than 20 in any 60 minutes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Protocol

from contentcaster.bots.rails import Cap, Rails

_WINDOWS = (
    ("per_minute", timedelta(minutes=1)),
    ("per_hour", timedelta(hours=1)),
    ("per_day", timedelta(days=1)),
)
_WARM_UP_START = 0.1
_STEP = timedelta(microseconds=1)


class Taken(Protocol):
    """Places in the budget that are given away. Only a few of them decide, so nobody has to read them all."""

    def newest(self, number: int) -> datetime | None:
        """The `number`-th newest, from 1; None if there are fewer."""
        ...

    def count_since(self, moment: datetime) -> int:
        """How many are later than that."""
        ...


@dataclass(frozen=True)
class TakenTimes:
    """Places as a list, ascending."""

    times: Sequence[datetime]

    def newest(self, number: int) -> datetime | None:
        return self.times[-number] if number <= len(self.times) else None

    def count_since(self, moment: datetime) -> int:
        return len(self.times) - bisect_right(self.times, moment)


@dataclass(frozen=True)
class Budget:
    """What one action of one channel may spend."""

    cap: Cap
    rails: Rails
    warm_up_from: datetime

    def limit(self, name: str, at: datetime) -> int:
        """The cap `name` at that time, smaller while the channel is new; at least one."""
        full: int = getattr(self.cap, name)
        return max(1, int(full * self.warmth(at)))

    def warmth(self, at: datetime) -> float:
        if self.rails.warm_up_days == 0:
            return 1.0
        age_days = (at - self.warm_up_from) / timedelta(days=1)
        return min(1.0, max(0.0, age_days / self.rails.warm_up_days) * (1 - _WARM_UP_START) + _WARM_UP_START)

    def next_slot(self, taken: Taken, after: datetime, *, jitter_seconds: float = 0.0) -> datetime:
        """The first moment from `after` on at which one more fits behind all that are `taken`."""
        last, earliest = taken.newest(1), after
        if last is not None:
            earliest = max(earliest, last + timedelta(seconds=self.cap.spacing_seconds))
        slot = self._settled(taken, earliest)
        if jitter_seconds:
            slot = self._settled(taken, slot + timedelta(seconds=jitter_seconds))
        return slot

    def _settled(self, taken: Taken, slot: datetime) -> datetime:
        """Moves a slot on until neither quiet hours nor any window objects."""
        while True:
            moved = end_of_quiet(self.rails, slot)
            for name, length in _WINDOWS:
                moved = max(moved, self._free_from(taken, moved, name, length))
            if moved == slot:
                return slot
            slot = moved

    def _free_from(self, taken: Taken, slot: datetime, name: str, length: timedelta) -> datetime:
        # The window is full if as many as its limit are younger than it is long.
        decisive = taken.newest(self.limit(name, slot))
        if decisive is None or decisive <= slot - length:
            return slot
        return decisive + length + _STEP

    def left(self, taken: Taken, at: datetime) -> str:
        """What is left, in the words of the log: "17 of 20 today", or of the hour if that is what binds."""
        today, hour = self.limit("per_day", at), self.limit("per_hour", at)
        left_today = max(0, today - taken.count_since(at - timedelta(days=1)))
        left_hour = max(0, hour - taken.count_since(at - timedelta(hours=1)))
        if left_hour < left_today:
            return f"{left_hour} of {hour}/h"
        return f"{left_today} of {today} today"


def is_quiet(rails: Rails, at: datetime) -> bool:
    """Whether the channel sleeps at that time, by the clock on its own wall."""
    if rails.quiet_from is None or rails.quiet_to is None:
        return False
    wall = at.astimezone(rails.zone).time()
    if rails.quiet_from < rails.quiet_to:
        return rails.quiet_from <= wall < rails.quiet_to
    return wall >= rails.quiet_from or wall < rails.quiet_to


def end_of_quiet(rails: Rails, at: datetime) -> datetime:
    """`at`, or the end of the quiet hours that it falls in. Changes of the clock are followed."""
    if not is_quiet(rails, at):
        return at
    assert rails.quiet_to is not None
    local = at.astimezone(rails.zone)
    day = local.date()
    if local.time() >= rails.quiet_to:
        day += timedelta(days=1)
    moment = datetime.combine(day, rails.quiet_to, rails.zone).astimezone(UTC)
    while moment <= at or is_quiet(rails, moment):  # an hour that the clock skips or repeats
        moment = max(moment, at) + timedelta(minutes=1)
    return moment


def parse_time(text: str) -> time | None:
    """HH:MM, or None for an empty field; raises ValueError."""
    return time.fromisoformat(text.strip()) if text.strip() else None
