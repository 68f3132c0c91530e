"""Simulated hours on a real sandbox: what arrives there keeps the caps, the spacing and the quiet hours."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta

from contentcaster.bots.budget import is_quiet
from contentcaster.bots.rails import Rails
from contentcaster.models import ActAction, ActState
from tests.bots.bot_kit import Day, World, most_within

CAPS = {
    "like": {"per_minute": 2, "per_hour": 12, "per_day": 60, "spacing_seconds": 25, "jitter_seconds": 20},
    "follow": {"per_minute": 1, "per_hour": 3, "per_day": 10, "spacing_seconds": 300, "jitter_seconds": 120},
}


def test_a_day_keeps_caps_spacing_and_quiet_hours_to_the_letter(world: World) -> None:
    rails = {"timezone": "Europe/Berlin", "quiet_from": "22:00", "quiet_to": "07:00", "caps": CAPS}
    world.rails(**rails)
    world.sandbox.control.population(people=60, posts=300, days=2, react=False, chatter_per_minute=0)
    rule_filters = {"max_post_age_hours": None, "skip_bots": False}
    for topic in ("coffee", "cycling", "python", "baking", "gardening"):
        world.rule(
            "engagement", when="hashtag", value=topic, every_minutes=120, filters=rule_filters,
            then=[{"action": "like"}], per_run=40,
        )  # fmt: skip
    world.rule("finder", sources=[{"kind": "hashtag", "value": "coffee"}, {"kind": "hashtag", "value": "python"}],
               filters=rule_filters, scoring={"min_score": 0}, every_minutes=120)  # fmt: skip
    world.rule("growth", follow=True, min_score=0, every_minutes=60, filters=rule_filters)
    day = Day(world, step=timedelta(minutes=5))
    asyncio.run(day.run(world.now + timedelta(hours=24)))

    likes, follows = day.times("like"), day.times("follow")
    assert len(likes) >= 30, "the day was no day"
    assert len(follows) >= 8
    for times, name in ((likes, "like"), (follows, "follow")):
        cap = CAPS[name]
        assert most_within(times, timedelta(minutes=1)) <= cap["per_minute"]
        assert most_within(times, timedelta(hours=1)) <= cap["per_hour"]
        assert most_within(times, timedelta(days=1)) <= cap["per_day"]
        gaps = [b - a for a, b in itertools.pairwise(times)]
        assert min(gaps) >= timedelta(seconds=cap["spacing_seconds"])
        quiet = Rails.model_validate(rails)
        assert not [moment for moment in times if is_quiet(quiet, moment)]
    assert world.sandbox.control.ledger(account="acme")["duplicates"] == []
    done = [act for act in world.acts() if act.state is ActState.DONE]
    assert len(done) == len(likes) + len(follows)
    told = world.log(outcome="done")
    assert len(told) == len(done)
    assert all(line.budget and line.why and line.job_id for line in told)


def test_acts_of_a_worker_that_was_away_do_not_come_in_a_burst(world: World) -> None:
    world.rails(caps=CAPS)
    rule = world.rule("engagement", when="mention", then=[{"action": "like"}])
    for number in range(6):
        told = world.propose(rule, ActAction.LIKE, world.others_status(f"post {number}"))
        assert told.outcome == "planned"
    world.now += timedelta(hours=3)  # nobody worked meanwhile: all six are long due
    day = Day(world, step=timedelta(seconds=10))
    asyncio.run(day.run(world.now + timedelta(minutes=20)))
    likes = day.times("like")
    assert len(likes) == 6
    assert min(b - a for a, b in itertools.pairwise(likes)) >= timedelta(seconds=25)
    assert most_within(likes, timedelta(minutes=1)) <= 2
