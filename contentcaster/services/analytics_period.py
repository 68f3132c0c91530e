"""Periods in a person's zone: days begin and end there, also when the clocks change.

A zone's offset changes a few times a year. So a day or hour in the zone is whole-number arithmetic on the rollup's
quarters, with one offset per stretch between two changes, and the database can group by it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import BigInteger, case, cast
from sqlmodel import col

from contentcaster.clock import utc_now
from contentcaster.errors import InvalidInput
from contentcaster.models import MetricHalfHour, MetricLabel, MetricRollup
from contentcaster.models.analytics import HALF_HOUR_SECONDS, QUARTER_SECONDS
from contentcaster.services.analytics_rollup import bucket_of

DEFAULT_DAYS = 30
MAX_DAYS = 731
_FIRST_YEAR, _LAST_YEAR = 2000, 2099
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """Whole days `first` to `last`, both included, in `zone`."""

    first: date
    last: date
    zone: str

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def before(self) -> Period:
        """The same number of days right before."""
        return Period(self.first - self.days * _DAY, self.first - _DAY, self.zone)

    @property
    def start(self) -> datetime:
        return _midnight(self.first, self.zone)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return _midnight(self.last + _DAY, self.zone)

    @property
    def buckets(self) -> tuple[int, int]:
        """The quarters from the first up to, not including, the second."""
        return bucket_of(self.start), bucket_of(self.end)


def other_period(first: str, last: str, period: Period) -> Period | None:
    """The period to compare with: None for the days right before, "year" as `first` for the same days a year before.

    Raises:
        InvalidInput: fields "vs_from" or "vs_to", as `period_of`.
    """
    if not first and not last:
        return None
    if first == "year":
        return Period(_a_year_before(period.first), _a_year_before(period.last), period.zone)
    try:
        return period_of(first, last, period.zone, today=period.last)
    except InvalidInput as error:
        named = {f"vs_{field}": words for field, words in error.fields.items()}
        raise InvalidInput(error.message, fields=named) from None


def _a_year_before(day: date) -> date:
    return day.replace(year=day.year - 1, day=28 if (day.month, day.day) == (2, 29) else day.day)


def period_of(first: str, last: str, zone: str, *, today: date | None = None) -> Period:
    """The period that these ISO days name; the last 30 days where both are "".

    Raises:
        InvalidInput: fields "from", "to" or "timezone": no day, the wrong way round, longer than two years.
    """
    today = today or utc_now().astimezone(_zone(zone)).date()
    end = _day(last, "to") if last else today
    start = _day(first, "from") if first else end - (DEFAULT_DAYS - 1) * _DAY
    if start > end:
        raise InvalidInput("The first day is after the last one. Swap them.", field="from")
    if (end - start).days + 1 > MAX_DAYS:
        raise InvalidInput("A period may be two years long at most. Choose a later first day.", field="from")
    return Period(start, end, zone)


def _day(text: str, field: str) -> date:
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInput("Write the day as year-month-day, for example 2026-11-24.", field=field) from None
    if not _FIRST_YEAR < day.year < _LAST_YEAR:
        raise InvalidInput(f"There are numbers for days from {_FIRST_YEAR + 1} on only.", field=field)
    return day


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(f"There is no time zone {name[:60]!r}.", field="timezone") from None


def _midnight(day: date, zone: str) -> datetime:
    """The first moment of that day; where midnight is skipped, the moment the clocks jump to."""
    return datetime(day.year, day.month, day.day, tzinfo=_zone(zone)).astimezone(UTC)


def offsets(period: Period) -> list[tuple[int, int]]:
    """(quarter, seconds east of UTC from it on), ascending; the first is the period's own start."""
    zone = _zone(period.zone)
    start, end = period.buckets
    found = [(start, _offset(zone, start))]
    step = 86_400 // QUARTER_SECONDS
    for at in range(start, end, step):
        later = min(at + step, end)
        if _offset(zone, later) == found[-1][1]:
            continue
        low, high = at, later  # the change lies in (low, high]
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _offset(zone, middle) == found[-1][1] else (low, middle)
        found.append((high, _offset(zone, high)))
    return found


def _offset(zone: ZoneInfo, bucket: int) -> int:
    moment = datetime.fromtimestamp(bucket * QUARTER_SECONDS, zone)
    shift = moment.utcoffset()
    return int(shift.total_seconds()) if shift is not None else 0


@dataclass(frozen=True)
class Grain:
    """The table to read a period from: the coarsest whose rows its zone's days and hours never cut through."""

    table: Any
    column: Any
    """The row's time, in units of `seconds` since 1970."""
    seconds: int

    @property
    def is_summed(self) -> bool:
        """Whether there are rows over all channels and authors."""
        return self.table is not MetricRollup

    def units(self, bucket: int) -> int:
        return bucket * QUARTER_SECONDS // self.seconds


def grain_of(period: Period) -> Grain:
    """Half hours, or quarters where the zone's clocks differ from UTC by an odd number of them."""
    if all(offset % HALF_HOUR_SECONDS == 0 for _, offset in offsets(period)):
        return Grain(MetricHalfHour, col(MetricHalfHour.half_hour), HALF_HOUR_SECONDS)
    return Grain(MetricRollup, col(MetricRollup.bucket), QUARTER_SECONDS)


def label_grain() -> Grain:
    """Sums by label are kept per quarter only, which suits every zone: posts with one label are fewer."""
    return Grain(MetricLabel, col(MetricLabel.bucket), QUARTER_SECONDS)


def local_seconds(period: Period, grain: Grain) -> Any:
    """SQL: seconds since 1970 on the clocks of the period's zone, of a row of that grain."""
    stretches = offsets(period)
    whens = [
        (grain.column < grain.units(until), offset)
        for (_, offset), (until, _) in itertools.pairwise(stretches)
    ]
    offset: Any = case(*whens, else_=stretches[-1][1]) if whens else stretches[-1][1]
    return cast(grain.column, BigInteger) * grain.seconds + offset
