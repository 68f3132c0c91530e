"""Numbers come from a real network, once per slot, and their failures stay their own."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from contentcaster.models import Account, FollowerDay, Job, JobState, MetricChannel, MetricSnapshot
from contentcaster.services import analytics
from contentcaster.services.analytics_collect import AGES, next_look
from contentcaster.services.analytics_period import period_of
from tests.analytics.analytics_kit import World

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def test_a_post_s_likes_are_collected_when_its_slot_comes_and_shown(world: World) -> None:
    remote_id = world.publish("Hello", AT)
    world.like(remote_id, "bea")
    world.like(remote_id, "cal")

    first = world.collect(AT + timedelta(minutes=1))
    assert (first.new_posts, first.snapshots, first.followers) == (1, 0, 1)
    assert world.collect(AT + timedelta(minutes=6)).snapshots == 1
    [post] = world.posts()
    assert (post.likes, post.reposts, post.replies, post.views, post.engagements) == (2, 0, 0, None, 2)

    with world.stack.database.reading() as session:
        shown = analytics.summary(session, world.viewer, period_of("2026-11-20", "2026-11-20", "UTC"))
    assert (shown.now.posts, shown.now.engagements, shown.now.views, shown.followers) == (1, 2, None, 0)
    assert shown.before.posts == 0
    assert shown.before.engagements is None


def test_a_slot_is_collected_once_however_often_collectors_run(world: World) -> None:
    world.publish("Hello", AT)
    for _ in range(3):
        world.collect(AT + timedelta(minutes=6))
    with world.stack.database.reading() as session:
        assert session.execute(select(func.count()).select_from(MetricSnapshot)).scalar_one() == 1
        assert session.execute(select(func.count()).select_from(FollowerDay)).scalar_one() == 1


def test_a_post_that_is_gone_is_missing_and_not_zero(world: World) -> None:
    remote_id = world.publish("Hello", AT)
    world.sandbox.control.reset(keep_accounts=True)
    world.collect(AT + timedelta(minutes=6))
    world.collect(AT + timedelta(minutes=6))
    [post] = world.posts()
    assert post.remote_id == remote_id
    assert (post.likes, post.engagements, post.measured_at) == (None, None, None)


def test_a_network_that_fails_is_noted_waited_for_and_touches_no_post(world: World) -> None:
    world.publish("Hello", AT)
    world.collect(AT + timedelta(minutes=1))
    world.sandbox.control.fault("error_before", {}, times=1)
    failed = world.collect(AT + timedelta(minutes=6))
    assert failed.failed_channels == [world.account.id]
    with world.stack.database.reading() as session:
        state = session.get_one(MetricChannel, world.account.id)
        assert state.problem
        assert session.get_one(Account, world.account.id).status == "connected"
        assert session.execute(select(Job.state)).scalar_one() is JobState.PUBLISHED
        [fresh] = analytics.freshness(session, world.viewer, AT + timedelta(minutes=6))
    assert (fresh.level, fresh.sentence) == ("warn", state.problem)
    assert world.collect(AT + timedelta(minutes=6, seconds=30)).snapshots == 0, "it waits first"
    assert world.collect(AT + timedelta(minutes=8)).snapshots == 1
    with world.stack.database.reading() as session:
        assert session.get_one(MetricChannel, world.account.id).problem == ""


def test_the_schedule_slows_down_and_ends() -> None:
    looks, at = [], AT
    while (following := next_look(AT, at)) is not None:
        looks.append(following)
        at = following
    assert looks == [AT + age for age in AGES]
    gaps = [later - earlier for earlier, later in itertools.pairwise(looks[1:])]
    assert gaps == sorted(gaps)


@pytest.mark.parametrize("network", ["sandbox"], indirect=True)
@pytest.mark.parametrize("software", ["mastodon", "gotosocial"])
def test_many_posts_are_asked_for_in_few_calls_where_the_server_can(world: World, software: str) -> None:
    ids = [world.publish(f"Post {number}", AT) for number in range(25)]
    world.like(ids[24], "bea")
    world.sandbox.control.config(software=software)
    before = len(world.sandbox.control.requests())
    assert world.collect(AT + timedelta(minutes=6)).snapshots == 25
    assert [post.likes for post in world.posts()] == [0] * 24 + [1]
    asked = len(world.sandbox.control.requests()) - before
    # Two batches and the followers; elsewhere each batch is tried once, then its posts one by one.
    assert asked == (3 if software == "mastodon" else 2 + 25 + 1)
