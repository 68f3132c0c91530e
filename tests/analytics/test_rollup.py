"""The rollup is the sum of the raw numbers: late, corrected, repeated or missing ones, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from contentcaster.models import Account, MetricPost, MetricRollup, MetricSnapshot, Role, User
from contentcaster.platforms.metrics import PostCounts, count
from contentcaster.services import analytics
from contentcaster.services.analytics_collect import enrol
from contentcaster.services.analytics_period import Period
from contentcaster.services.analytics_rollup import Measured, record
from contentcaster.services.analytics_scope import Scope
from tests.analytics.analytics_kit import (
    half_hour_rows,
    label_rows,
    published,
    rollup_rows,
    summed_half_hours,
    summed_labels,
    summed_rows,
)
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Stack

START = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)  # the clocks of Berlin change within it

a_count = st.one_of(st.none(), st.integers(0, 10_000))
an_entry = st.tuples(
    st.integers(0, 11),  # which post
    st.integers(0, 5),  # slot
    st.integers(0, 300),  # taken, in minutes: not in the order in which it arrives
    st.builds(PostCounts, a_count, a_count, a_count, a_count),
    st.booleans(),  # a correction
)


@pytest.fixture
def posts(stack: Stack) -> list[tuple[int, str]]:
    """Twelve posts of two authors on two channels, within eight hours."""
    made = []
    with stack.database.transaction() as session:
        people: list[User] = [factories.create_user(session) for _ in range(2)]
        channels: list[Account] = [factories.create_account(session, people[0]) for _ in range(2)]
        for number in range(12):
            account = channels[number % 2]
            at = START + timedelta(minutes=40 * number + number % 3)
            labels = ("a",) if number % 4 == 1 else ("a", "b") if number % 4 == 2 else ()
            job_id = published(session, people[number % 3 // 2], account, at, labels=labels)
            made.append((job_id, account.id))
        enrol(session, now=START + timedelta(days=1))
    return made


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(an_entry, max_size=25))
def test_rollups_equal_raw_sums_whatever_comes_in_whichever_order(
    stack: Stack, posts: list[tuple[int, str]], entries: list[tuple[int, int, int, PostCounts, bool]]
) -> None:
    model: dict[tuple[int, int], tuple[datetime, PostCounts]] = {}
    with stack.database.transaction() as session:
        session.execute(delete(MetricSnapshot))
    for number, slot, minutes, counts, is_correction in entries:
        job_id, account_id = posts[number]
        at = START + timedelta(minutes=minutes)
        with stack.database.transaction() as session:
            record(session, account_id, [Measured(job_id, slot, at, counts)], is_correction=is_correction)
        if is_correction or (job_id, slot) not in model:
            model[job_id, slot] = (at, counts)
    with stack.database.reading() as session:
        assert rollup_rows(session) == summed_rows(session)
        assert half_hour_rows(session) == summed_half_hours(session)
        assert label_rows(session) == summed_labels(session)
        for job_id in {job_id for job_id, _slot in model}:
            rows = sorted((at, slot, c) for (owner, slot), (at, c) in model.items() if owner == job_id)
            newest = [c.likes for _at, _slot, c in rows if c.likes is not None]
            assert session.get_one(MetricPost, job_id).likes == (newest[-1] if newest else None)


def test_days_and_hours_add_up_to_the_rollup_where_the_clocks_change(stack: Stack, posts: object) -> None:
    viewer = _viewer(stack)
    period = Period(START.date(), START.date() + timedelta(days=1), "Europe/Berlin")
    with stack.database.reading() as session:
        days = analytics.series(session, viewer, period)
        cells = analytics.heat_map(session, viewer, period)
        # 22:00 on the 24th, by the clocks there, up to 05:20 on the 25th, whose hour from 2 to 3 comes twice.
        assert [point.posts for point in days] == [3, 9]
        sunday = [cell.posts for cell in cells if cell.weekday == 6][:7]
        assert sunday == [2, 1, 3, 2, 1, 0, 0]
        assert sum(cell.posts for cell in cells) == 12


def test_a_zone_off_by_three_quarters_of_an_hour_has_its_own_midnight(stack: Stack) -> None:
    viewer = _viewer(stack)
    midnight = datetime(2026, 11, 9, 18, 15, tzinfo=UTC)  # in Kathmandu
    with stack.database.transaction() as session:
        author = factories.create_user(session)
        account = factories.create_account(session, author)
        for seconds in (-1, 0):
            published(session, author, account, midnight + timedelta(seconds=seconds))
        enrol(session, now=midnight)
    with stack.database.reading() as session:
        period = Period(date(2026, 11, 9), date(2026, 11, 10), "Asia/Kathmandu")
        assert [point.posts for point in analytics.series(session, viewer, period)] == [1, 1]


def test_counts_that_go_backwards_are_shown_as_they_are_and_null_keeps_the_last_known(
    stack: Stack, posts: list[tuple[int, str]]
) -> None:
    job_id, account_id = posts[0]
    told = [PostCounts(likes=9), PostCounts(likes=7), PostCounts()]
    with stack.database.transaction() as session:
        for slot, counts in enumerate(told):
            record(session, account_id, [Measured(job_id, slot, START + timedelta(hours=slot), counts)])
    with stack.database.reading() as session:
        post = session.get_one(MetricPost, job_id)
        assert (post.likes, post.engagements, post.replies) == (7, 7, None)
        assert post.measured_at == START + timedelta(hours=1)
        rollup = session.get_one(MetricRollup, (post.bucket, account_id, post.author_id))
        assert (rollup.posts, rollup.measured, rollup.engagements, rollup.views_measured) == (1, 1, 7, 0)


def test_what_is_no_count_is_missing() -> None:
    assert [count(value) for value in (None, -1, "7", True, 1.5, 2**60, [], 0, 7)] == [None] * 7 + [0, 7]


def _viewer(stack: Stack):  # type: ignore[no-untyped-def]
    with stack.database.transaction() as session:
        return factories.create_principal(session, Role.VIEWER)


def test_two_channels_counted_at_the_same_moment_both_reach_the_sum_over_all(
    stack: Stack, posts: list[tuple[int, str]]
) -> None:
    """Eight rounds of two writers whose posts went out in the same half hours."""

    def write(which: int) -> None:
        for number in range(8):
            with stack.database.transaction() as session:
                of_channel = [
                    (job_id, account_id) for job_id, account_id in posts if account_id == posts[which][1]
                ]
                measured = [
                    Measured(
                        job_id, number, START + timedelta(hours=number), PostCounts(likes=number + which)
                    )
                    for job_id, _ in of_channel
                ]
                record(session, of_channel[0][1], measured)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(write, which) for which in (0, 1)]:
            done.result(timeout=60)
    with stack.database.reading() as session:
        assert half_hour_rows(session) == summed_half_hours(session)


@pytest.mark.parametrize(
    "zone", ["UTC", "Asia/Kolkata", "Asia/Kathmandu", "Europe/Berlin", "America/St_Johns"]
)
def test_every_zone_reads_the_same_sums_by_channel_by_author_and_over_all(
    stack: Stack, posts: list[tuple[int, str]], zone: str
) -> None:
    with stack.database.transaction() as session:
        for number, (job_id, account_id) in enumerate(posts):
            record(session, account_id, [Measured(job_id, 0, START, PostCounts(likes=number))])
    viewer = _viewer(stack)
    period = Period(START.date() - timedelta(days=1), START.date() + timedelta(days=2), zone)
    with stack.database.reading() as session:
        total = analytics.summary(session, viewer, period).now
        assert (total.posts, total.likes) == (12, sum(range(12)))
        for shares in (analytics.by_channel, analytics.by_author):
            parts = [share.figures for share in shares(session, viewer, period)]
            assert len(parts) == 2
            assert (sum(part.posts for part in parts), sum(part.likes or 0 for part in parts)) == (
                12,
                sum(range(12)),
            )
        of_one = analytics.summary(session, viewer, period, Scope(posts[0][1])).now
        assert (of_one.posts, of_one.likes) == (6, sum(range(0, 12, 2)))
        labelled = {share.name: share.figures.posts for share in analytics.by_label(session, viewer, period)}
        assert labelled == {"a": 6, "b": 3}
        days = analytics.series(session, viewer, period, Scope(label="b"))
        assert sum(day.posts for day in days) == 3
        authors = analytics.by_author(session, viewer, period, Scope(posts[0][1]))
        assert sum(share.figures.posts for share in authors) == 6
