"""From what a person chose to one instant: zones, clock changes, odd inputs."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contentcaster.errors import InvalidInput
from contentcaster.services.schedule import (
    AmbiguousTime,
    Schedule,
    format_when,
    offset_name,
    resolve,
    wall_time_in,
    zone_names,
)

MARCH = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wall", "zone", "fold", "utc"),
    [
        ("2026-11-26T09:00", "Europe/Berlin", None, "2026-11-26T08:00"),
        ("2026-07-01T09:00", "Europe/Berlin", None, "2026-07-01T07:00"),
        ("2026-03-29T01:59", "Europe/Berlin", None, "2026-03-29T00:59"),
        ("2026-03-29T03:00", "Europe/Berlin", None, "2026-03-29T01:00"),
        ("2026-03-29T02:30", "Europe/Berlin", 0, "2026-03-29T01:30"),
        ("2026-03-29T02:30", "Europe/Berlin", 1, "2026-03-29T00:30"),
        ("2026-10-25T02:30", "Europe/Berlin", 0, "2026-10-25T00:30"),
        ("2026-10-25T02:30", "Europe/Berlin", 1, "2026-10-25T01:30"),
        ("2026-11-01T01:30", "America/New_York", 0, "2026-11-01T05:30"),
        ("2026-11-01T01:30", "America/New_York", 1, "2026-11-01T06:30"),
        ("2026-11-26T09:00", "Asia/Kathmandu", None, "2026-11-26T03:15"),
        ("2026-11-26T09:00", "Pacific/Kiritimati", None, "2026-11-25T19:00"),
        ("2026-11-26T09:00:30", "UTC", None, "2026-11-26T09:00:30"),
    ],
)
def test_a_wall_time_is_read_in_its_zone(wall: str, zone: str, fold: int | None, utc: str) -> None:
    time = resolve(Schedule.wall(wall, zone, fold), now=MARCH)
    assert time.at == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert time.timezone == zone


@pytest.mark.parametrize(
    ("wall", "zone", "what", "labels"),
    [
        ("2026-03-29T02:30", "Europe/Berlin", "does not exist", ("03:30 UTC+2", "01:30 UTC+1")),
        ("2026-10-25T02:30", "Europe/Berlin", "happens twice", ("02:30 UTC+2", "02:30 UTC+1")),
        ("2026-10-04T02:15", "Australia/Lord_Howe", "does not exist", ("02:45 UTC+11", "01:45 UTC+10:30")),
        ("2026-03-08T02:00", "America/New_York", "does not exist", ("03:00 UTC-4", "01:00 UTC-5")),
    ],
)
def test_a_clock_change_is_explained_with_both_readings(
    wall: str, zone: str, what: str, labels: tuple[str, str]
) -> None:
    with pytest.raises(AmbiguousTime, match=what) as refused:
        resolve(Schedule.wall(wall, zone), now=MARCH)
    assert tuple(reading.label for reading in refused.value.readings) == labels
    for reading in refused.value.readings:
        assert resolve(Schedule.wall(wall, zone, reading.fold), now=MARCH).at == reading.at


def test_odd_inputs_name_their_field() -> None:
    with (Path(__file__).parent / "odd_times.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 25
    for row in rows:
        try:
            resolve(Schedule.parse(row["time"], row["zone"]), now=MARCH)
            field = "ok"
        except InvalidInput as error:
            field = next(iter(error.fields))
        assert field == row["field"], row


def test_an_unknown_zone_is_met_with_the_closest_one() -> None:
    with pytest.raises(InvalidInput, match="Did you mean Europe/Berlin"):
        resolve(Schedule.now("europe/berlin"), now=MARCH)


def test_the_past_has_a_minute_of_grace() -> None:
    now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert resolve(Schedule.at(now - timedelta(seconds=60)), now=now).at == now
    with pytest.raises(InvalidInput, match="has passed"):
        resolve(Schedule.at(now - timedelta(seconds=61)), now=now)


@given(
    st.datetimes(datetime(2026, 3, 2), datetime(2030, 1, 1)).map(lambda d: d.replace(microsecond=0)),  # noqa: DTZ001
    st.sampled_from(zone_names()),
)
def test_every_instant_survives_the_way_through_its_wall_time(naive: datetime, zone: str) -> None:
    instant = naive.replace(tzinfo=UTC)
    wall = wall_time_in(instant, zone)
    try:
        assert resolve(Schedule.wall(wall, zone), now=MARCH).at == instant
    except AmbiguousTime as error:
        assert instant in [reading.at for reading in error.readings]


def test_times_are_shown_with_their_zone() -> None:
    at = datetime(2026, 11, 26, 8, tzinfo=UTC)
    assert format_when(at, "Europe/Berlin") == "Thu 26 Nov 2026, 09:00 (Europe/Berlin)"
    assert offset_name(at, "Europe/Berlin") == "UTC+1"
    assert offset_name(at, "America/St_Johns") == "UTC-3:30"
