"""When a post goes out: from what a person chose to one instant, honest about zones and clock changes.

Schedule.now()                                        as soon as possible
Schedule.at(instant, "Europe/Berlin")                 an instant; the zone is only for showing it
Schedule.wall("2026-11-26T09:00", "Europe/Berlin")    what the clock on the wall will say there
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from contentcaster.errors import InvalidInput

PAST_GRACE = timedelta(seconds=60)
"""A time that has passed by less than this is meant as "now": filling in the form took that long."""

MAX_AHEAD = timedelta(days=5 * 366)


@dataclass(frozen=True)
class Schedule:
    """A choice of time, not resolved yet. `fold` picks one of two readings when the clocks change."""

    instant: datetime | None = None
    wall_time: str = ""
    timezone: str = "UTC"
    fold: int | None = None

    @classmethod
    def now(cls, timezone: str = "UTC") -> Schedule:
        return cls(timezone=timezone)

    @classmethod
    def at(cls, instant: datetime, timezone: str = "UTC") -> Schedule:
        return cls(instant=instant, timezone=timezone)

    @classmethod
    def wall(cls, wall_time: str, timezone: str, fold: int | None = None) -> Schedule:
        return cls(wall_time=wall_time, timezone=timezone, fold=fold)

    @classmethod
    def parse(cls, text: str, timezone: str, fold: int | None = None) -> Schedule:
        """From REST: "now", RFC 3339 with an offset, or a wall time in `timezone`.

        Raises:
            InvalidInput: field "scheduled_at".
        """
        text = text.strip()
        if text.lower() == "now":
            return cls.now(timezone)
        value = _parse_iso(text)
        return cls.wall(text, timezone, fold) if value.tzinfo is None else cls.at(value, timezone)

    @property
    def is_now(self) -> bool:
        return self.instant is None and not self.wall_time


@dataclass(frozen=True)
class ResolvedTime:
    at: datetime
    """Aware, UTC."""
    wall_time: str
    """What the clock says in `timezone`: ISO without offset, to the second if there are any."""
    timezone: str


@dataclass(frozen=True)
class Reading:
    """One of the two instants that a wall time can mean at a clock change."""

    fold: int
    at: datetime
    label: str


class AmbiguousTime(InvalidInput):
    """The wall time happens twice or never; `readings` are the two instants to choose from by `fold`."""

    def __init__(self, message: str, readings: tuple[Reading, Reading]) -> None:
        super().__init__(message, field="scheduled_at")
        self.readings = readings


def resolve(schedule: Schedule, *, now: datetime) -> ResolvedTime:
    """The instant that is meant.

    Raises:
        InvalidInput: unknown zone (field "timezone"), unreadable, past or absurdly far time (field "scheduled_at").
        AmbiguousTime: the clocks change at that time and `fold` does not say which reading is meant.
    """
    zone = load_zone(schedule.timezone)
    if schedule.is_now:
        instant = now
    elif schedule.instant is not None:
        instant = _to_utc(schedule.instant)
    else:
        instant = _instant_of_wall(schedule.wall_time, zone, schedule.fold)
    if instant < now - PAST_GRACE:
        when = format_when(instant, schedule.timezone)
        raise InvalidInput(
            f"{when} has passed already. Choose a later time, or publish now.", field="scheduled_at"
        )
    if instant > now + MAX_AHEAD:
        raise InvalidInput("That is more than five years ahead. Check the year.", field="scheduled_at")
    instant = max(instant, now)
    return ResolvedTime(instant, wall_time_in(instant, schedule.timezone), schedule.timezone)


def resolve_loosely(schedule: Schedule) -> ResolvedTime | None:
    """The instant of a plan that nothing goes out by yet: it may have passed, and of two readings it is the first.

    None if it cannot be read, as while somebody is still typing.
    """
    try:
        zone = load_zone(schedule.timezone)
        if schedule.is_now:
            return None
        if schedule.instant is not None:
            instant = _to_utc(schedule.instant)
        else:
            instant = _instant_of_wall(schedule.wall_time, zone, schedule.fold or 0)
        return ResolvedTime(instant, wall_time_in(instant, schedule.timezone), schedule.timezone)
    except InvalidInput:
        return None


def load_zone(name: str) -> ZoneInfo:
    """The zone of that IANA name.

    Raises:
        InvalidInput: there is none; names the closest one.
    """
    if name in _zone_set():
        return ZoneInfo(name)
    shown = name[:60]
    close = difflib.get_close_matches(shown.lower(), {zone.lower(): zone for zone in zone_names()}, n=1)
    hint = next((zone for zone in zone_names() if close and zone.lower() == close[0]), "")
    advice = f"Did you mean {hint}?" if hint else "Use a name such as Europe/Berlin or America/New_York."
    raise InvalidInput(f"There is no time zone {shown!r}. {advice}", field="timezone")


def known_zone(name: str) -> str:
    """The name itself, or UTC where the zone database does not (or no longer) have it: for showing times."""
    return name if name in _zone_set() else "UTC"


@lru_cache(maxsize=1)
def zone_names() -> list[str]:
    """All IANA zone names that a person may choose, sorted."""
    return sorted(name for name in _zone_set() if "/" in name or name == "UTC")


@lru_cache(maxsize=1)
def _zone_set() -> frozenset[str]:
    # "localtime" and "Factory" are files of the zone database, not places.
    return frozenset(available_timezones() - {"localtime", "Factory", "posixrules"})


def wall_time_in(at: datetime, timezone: str) -> str:
    """What the clock says there, as the form's date and time fields take it: 2026-11-26T09:00."""
    local = at.astimezone(load_zone(timezone)).replace(tzinfo=None, microsecond=0)
    return local.isoformat(timespec="minutes" if local.second == 0 else "seconds")


def format_when(at: datetime, timezone: str) -> str:
    """For people: Thu 26 Nov 2026, 09:00 (Europe/Berlin)."""
    local = at.astimezone(load_zone(timezone))
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M} ({timezone})"


def offset_name(at: datetime, timezone: str) -> str:
    """UTC+1, UTC-3:30, UTC."""
    return _offset_text(at.astimezone(load_zone(timezone)))


def _parse_iso(text: str) -> datetime:
    if len(text) > 40 or "T" not in text.upper().replace(" ", "T", 1):
        raise _unreadable(text)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise _unreadable(text) from None


def _unreadable(text: str) -> InvalidInput:
    return InvalidInput(
        f"{text[:40]!r} is no date and time. Write it like 2026-11-26T09:00 or 2026-11-26T09:00:00+01:00.",
        field="scheduled_at",
    )


def _to_utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise InvalidInput("A time without an offset needs a time zone.", field="scheduled_at")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise InvalidInput("That year cannot be used. Check the date.", field="scheduled_at") from None


def _instant_of_wall(wall_time: str, zone: ZoneInfo, fold: int | None) -> datetime:
    local = _parse_iso(wall_time.strip())
    if local.tzinfo is not None:
        return _to_utc(local)
    if not 1970 <= local.year <= 9000:
        raise InvalidInput("That year cannot be used. Check the date.", field="scheduled_at")
    first, second = (local.replace(tzinfo=zone, fold=choice).astimezone(UTC) for choice in (0, 1))
    if first == second:
        return first
    if fold is None:
        raise _ambiguous(local, zone, first, second)
    return second if fold else first


def _ambiguous(local: datetime, zone: ZoneInfo, first: datetime, second: datetime) -> AmbiguousTime:
    readings = tuple(
        Reading(fold, at, f"{at.astimezone(zone):%H:%M} {_offset_text(at.astimezone(zone))}")
        for fold, at in enumerate((first, second))
    )
    does_not_exist = first.astimezone(zone).replace(tzinfo=None) != local
    what = "does not exist" if does_not_exist else "happens twice"
    direction = "forward" if does_not_exist else "back"
    sentence = (
        f"{local:%H:%M} {what} on {local:%Y-%m-%d} in {zone.key}: the clocks go {direction} then. "
        f"Choose {readings[0].label} or {readings[1].label}."
    )
    return AmbiguousTime(sentence, (readings[0], readings[1]))


def _offset_text(local: datetime) -> str:
    minutes = int((local.utcoffset() or timedelta()).total_seconds() // 60)
    if minutes == 0:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '-'}{hours}" + (f":{rest:02}" if rest else "")
