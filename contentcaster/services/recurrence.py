"""Recurrence rules (RFC 5545) over wall times: when a repeating post goes out, also when the clocks change.

A rule is expanded by the clocks of its zone, so 09:00 stays 09:00. An hour that the clocks skip goes out as much later
as they skip; one that comes twice goes out once, the first time. Nothing here reads the database.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from dateutil.rrule import rrulestr

from contentcaster.errors import InvalidInput
from contentcaster.services.schedule import load_zone, offset_name

MAX_YEARS = 10
MAX_OCCURRENCES = 1_000

_PARTS = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST")
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_UNTIL = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(?:T(\d{2}):?(\d{2})(?::?\d{2})?(Z)?)?")
_DAYS = {"MO": "Mon", "TU": "Tue", "WE": "Wed", "TH": "Thu", "FR": "Fri", "SA": "Sat", "SU": "Sun"}
_LONGEST = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
_ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", -1: "last"}


@dataclass(frozen=True)
class Occurrence:
    wall_time: str
    """As the rule gives it: 2026-11-26T09:00."""
    at: datetime
    """Aware, UTC."""
    note: str = ""
    """What the clock change does to it, for people."""


def normalise(rule: str, first_wall_time: str, timezone: str) -> str:
    """The rule with known parts only, in one order, UNTIL as a wall time.

    Raises:
        InvalidInput: fields "rule", "scheduled_at", "timezone".
    """
    given: dict[str, str] = {}
    for part in rule.strip().upper().removeprefix("RRULE:").split(";"):
        name, sign, value = part.strip().partition("=")
        if not part.strip():
            continue
        if name not in _PARTS or not sign or not value or name in given:
            raise wrong(
                f"The rule has a part {part.strip()[:30]!r} that cannot be used. Known are {', '.join(_PARTS)}."
            )
        given[name] = value.strip()
    if given.get("FREQ") not in _FREQUENCIES:
        raise wrong(
            "A post repeats daily, weekly, monthly or yearly: begin with FREQ=DAILY, WEEKLY, MONTHLY or YEARLY."
        )
    if "COUNT" in given and "UNTIL" in given:
        raise wrong("A rule ends after a number of times or on a day, not both.")
    for name, most in (("COUNT", MAX_OCCURRENCES), ("INTERVAL", 1000)):
        value = given.get(name, "1")
        if not (value.isascii() and value.isdigit() and 1 <= int(value) <= most):
            raise wrong(f"{name} is a number from 1 to {most:,}.")
    if "UNTIL" in given:
        given["UNTIL"] = _until(given["UNTIL"], timezone)
    if "BYSETPOS" in given and given["FREQ"] not in ("MONTHLY", "YEARLY"):
        raise wrong("BYSETPOS goes with FREQ=MONTHLY or YEARLY.")
    if not _has_a_day(given):
        raise wrong("By this rule it would never go out: no such day is in those months.")
    cleaned = ";".join(f"{name}={given[name]}" for name in _PARTS if name in given)
    _expander(cleaned, _first(first_wall_time))
    load_zone(timezone)
    if next(occurrences(cleaned, first_wall_time, timezone), None) is None:
        raise wrong("By this rule it would never go out: no day fits.")
    return cleaned


def occurrences(
    rule: str, first_wall_time: str, timezone: str, *, after: datetime | None = None
) -> Iterator[Occurrence]:
    """Every occurrence in order, from `after` on; at most ten years and a thousand of them."""
    zone = load_zone(timezone)
    begin = _first(first_wall_time)
    last = begin.replace(year=min(begin.year + MAX_YEARS, 9000), day=min(begin.day, 28))
    if after is not None:
        last = max(last, (after + timedelta(days=366 * MAX_YEARS)).replace(tzinfo=None))
    for count, wall in enumerate(_expander(rule, begin, last)):
        if count >= 10 * MAX_OCCURRENCES or wall > last:
            return
        local = wall.replace(tzinfo=zone)
        at = local.astimezone(UTC)
        if after is not None and at < after:
            continue
        yield Occurrence(wall.isoformat(timespec="minutes"), at, _note(wall, at, timezone))


def describe(rule: str, first_wall_time: str) -> str:
    """The rule in words: "every 2 weeks on Tue and Thu at 09:00, 10 times"."""
    parts = dict(part.split("=", 1) for part in rule.split(";") if "=" in part)
    begin = _first(first_wall_time)
    interval = int(parts.get("INTERVAL", "1"))
    noun = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year"}[parts["FREQ"]]
    words = f"every {noun}" if interval == 1 else f"every {interval} {noun}s"
    days = parts.get("BYDAY", "").split(",") if parts.get("BYDAY") else []
    if set(days) == {"MO", "TU", "WE", "TH", "FR"} and interval == 1:
        words = "every weekday"
    elif days:
        words += " on " + _listed([_day_words(day) for day in days])
    elif parts["FREQ"] == "WEEKLY":
        words += f" on {begin:%a}"
    elif "BYMONTHDAY" in parts:
        words += " on " + _listed(
            ["the last day" if day == "-1" else f"day {day}" for day in parts["BYMONTHDAY"].split(",")]
        )
    elif parts["FREQ"] == "MONTHLY":
        words += f" on day {begin.day}"
    elif parts["FREQ"] == "YEARLY":
        words += f" on {begin.day} {begin:%b}"
    words += f" at {begin:%H:%M}"
    if "COUNT" in parts:
        words += ", once" if parts["COUNT"] == "1" else f", {parts['COUNT']} times"
    if "UNTIL" in parts:
        until = datetime.strptime(parts["UNTIL"][:8], "%Y%m%d")  # noqa: DTZ007 - a day, no instant
        words += f", until {until.day} {until:%b %Y}"
    return words


def _has_a_day(parts: dict[str, str]) -> bool:
    """Whether any of the months has any of the days; dateutil would look for 30 February until the year 9999."""
    try:
        months = [int(month) for month in parts.get("BYMONTH", "1").split(",")]
        days = [abs(int(day)) for day in parts.get("BYMONTHDAY", "1").split(",")]
    except ValueError:
        return True  # said better by what reads the rule
    return any(day <= _LONGEST.get(month, 31) for month in months for day in days)


def _day_words(day: str) -> str:
    number, name = day[:-2], _DAYS.get(day[-2:], day)
    if not number:
        return name
    return f"the {_ORDINALS.get(int(number), number)} {name}"


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def _expander(rule: str, begin: datetime, last: datetime | None = None) -> Any:
    # Every rule is given an end: a day that never comes must not be looked for until the year 9999.
    end = last or begin + timedelta(days=366 * MAX_YEARS)
    parts = dict(part.split("=", 1) for part in rule.split(";"))
    count = parts.pop("COUNT", "")
    until = min(parts.pop("UNTIL", "9"), f"{end:%Y%m%dT%H%M%S}")
    bounded = ";".join(f"{name}={value}" for name, value in parts.items()) + f";UNTIL={until}"
    try:
        found = rrulestr(bounded, dtstart=begin, cache=False)
        return itertools.islice(found, int(count)) if count else found
    except (ValueError, TypeError, KeyError, IndexError, OverflowError):
        raise wrong("The rule cannot be read. An example: FREQ=WEEKLY;BYDAY=TU,TH;COUNT=10.") from None


def _until(text: str, timezone: str) -> str:
    match = _UNTIL.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        year, month, day = int(match[1]), int(match[2]), int(match[3])
        if match[4] is None:
            return datetime(year, month, day, 23, 59, 59).strftime("%Y%m%dT%H%M%S")  # noqa: DTZ001 - a wall time
        at = datetime(year, month, day, int(match[4]), int(match[5]), 59)  # noqa: DTZ001
        if match[6]:
            at = at.replace(tzinfo=UTC).astimezone(load_zone(timezone)).replace(tzinfo=None)
        return at.strftime("%Y%m%dT%H%M%S")
    except (ValueError, OverflowError):
        raise wrong("UNTIL is a day such as 20261231.") from None


def _first(wall_time: str) -> datetime:
    try:
        begin = datetime.fromisoformat(wall_time.strip())
    except ValueError:
        begin = None
    if begin is None or begin.tzinfo is not None or not 1970 <= begin.year <= 2200:
        raise InvalidInput("Choose the date and time of the first post.", field="scheduled_at")
    return begin.replace(second=0, microsecond=0)


def _note(wall: datetime, at: datetime, timezone: str) -> str:
    zone = load_zone(timezone)
    real = at.astimezone(zone)
    if real.replace(tzinfo=None) != wall:
        return (
            f"{wall:%H:%M} does not exist that day: the clocks go forward, and it goes out at {real:%H:%M}."
        )
    if wall.replace(tzinfo=zone).utcoffset() != wall.replace(tzinfo=zone, fold=1).utcoffset():
        first = offset_name(at, timezone)
        return f"{wall:%H:%M} comes twice that day: the clocks go back, and it goes out the first time ({first})."
    return ""


def wrong(message: str) -> InvalidInput:
    """What is said at the rule's field."""
    return InvalidInput(message, field="rule")
