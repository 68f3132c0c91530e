"""Slots keep every cap in every window, the spacing, the quiet hours, and the warm-up."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contentcaster.bots.budget import Budget, TakenTimes, end_of_quiet, is_quiet
from contentcaster.bots.rails import Cap, Rails
from tests.bots.bot_kit import MORNING, most_within

DAY = timedelta(days=1)
NIGHT = Rails(timezone="Europe/Berlin", quiet_from=time(22), quiet_to=time(7), warm_up_days=0)


def give(budget: Budget, count: int, start: datetime, seed: int = 1) -> list[datetime]:
    dice, taken = random.Random(seed), []
    for _ in range(count):
        taken.append(
            budget.next_slot(
                TakenTimes(taken), start, jitter_seconds=dice.uniform(0, budget.cap.jitter_seconds)
            )
        )
    return taken


@settings(max_examples=60, deadline=None)
@given(
    per_minute=st.integers(1, 5),
    more=st.integers(0, 20),
    most=st.integers(0, 60),
    jitter=st.integers(0, 300),
    start=st.datetimes(datetime(2026, 3, 27), datetime(2026, 11, 2)),  # noqa: DTZ001 - made aware below
    seed=st.integers(0, 99),
)
def test_no_window_anywhere_holds_more_than_its_cap(
    per_minute: int, more: int, most: int, jitter: int, start: datetime, seed: int
) -> None:
    per_hour = per_minute + more
    cap = Cap(per_minute=per_minute, per_hour=per_hour, per_day=per_hour + most, spacing_seconds=7,
              jitter_seconds=jitter)  # fmt: skip
    taken = give(Budget(cap, NIGHT, start.replace(tzinfo=UTC) - DAY), 120, start.replace(tzinfo=UTC), seed)
    assert taken == sorted(taken)
    assert most_within(taken, timedelta(minutes=1)) <= cap.per_minute
    assert most_within(taken, timedelta(hours=1)) <= cap.per_hour
    assert most_within(taken, DAY) <= cap.per_day
    assert min(b - a for a, b in itertools.pairwise(taken)) >= timedelta(seconds=7)
    assert not any(is_quiet(NIGHT, slot) for slot in taken)


@pytest.mark.parametrize(
    ("at", "end"),
    [
        ("2026-11-24T21:30+00:00", "2026-11-25T06:00+00:00"),
        ("2026-11-24T03:00+00:00", "2026-11-24T06:00+00:00"),
        ("2026-11-24T12:00+00:00", "2026-11-24T12:00+00:00"),
        ("2026-07-01T20:30+00:00", "2026-07-02T05:00+00:00"),  # summer time: the wall clock decides
        ("2026-10-24T21:00+00:00", "2026-10-25T06:00+00:00"),  # the night in which the clock goes back
    ],
)
def test_quiet_hours_follow_the_clock_on_the_wall(at: str, end: str) -> None:
    assert end_of_quiet(NIGHT, datetime.fromisoformat(at)) == datetime.fromisoformat(end)


def test_quiet_hours_that_end_in_an_hour_the_clock_skips_still_end() -> None:
    rails = Rails(timezone="Europe/Berlin", quiet_from=time(1), quiet_to=time(2, 30))
    end = end_of_quiet(rails, datetime(2026, 3, 29, 0, 30, tzinfo=UTC))
    assert not is_quiet(rails, end)
    assert end - datetime(2026, 3, 29, 0, 30, tzinfo=UTC) <= timedelta(hours=2)


def test_a_new_channel_starts_with_a_tenth_and_reaches_its_caps() -> None:
    cap = Cap(per_minute=1, per_hour=10, per_day=100, spacing_seconds=0, jitter_seconds=0)
    budget = Budget(cap, Rails(quiet_from=None, quiet_to=None, warm_up_days=10), MORNING)
    assert budget.limit("per_day", MORNING) == 10
    assert budget.limit("per_day", MORNING + timedelta(days=5)) == 55
    assert budget.limit("per_day", MORNING + timedelta(days=20)) == 100
    first = [slot for slot in give(budget, 40, MORNING) if slot < MORNING + DAY]
    assert len(first) <= budget.limit("per_day", MORNING + DAY)


def test_what_is_left_names_the_window_that_binds() -> None:
    cap = Cap(per_minute=1, per_hour=5, per_day=20, spacing_seconds=0, jitter_seconds=0)
    budget = Budget(cap, Rails(quiet_from=None, quiet_to=None, warm_up_days=0), MORNING)
    assert budget.left(TakenTimes([]), MORNING) == "5 of 5/h"
    old = [MORNING - timedelta(hours=5 + n / 10) for n in range(17)][::-1]
    assert budget.left(TakenTimes(old), MORNING) == "3 of 20 today"
