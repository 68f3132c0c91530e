"""A backlog that the caps do not let through gets its later places in one go, and keeps the caps to the letter."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta

from sqlalchemy import select

from contentcaster.engine import ledger
from contentcaster.models import ActAction, ActState, BotAct, Job, JobEvent, JobState
from contentcaster.services import bots
from contentcaster.services.bots_executor import ActExecutor
from tests.bots.bot_kit import Day, World, most_within
from tests.engine.ledger_kit import at

CAP = {"per_minute": 2, "per_hour": 12, "per_day": 100, "spacing_seconds": 25, "jitter_seconds": 5}
COUNT = 15


def backlog(world: World) -> None:
    """Likes planned for the last hours, while nobody worked."""
    world.rails(caps={"like": CAP})
    rule = world.rule("engagement", when="mention", then=[{"action": "like"}])
    for number in range(COUNT):
        told = world.propose(rule, ActAction.LIKE, world.others_status(f"post {number}"))
        assert told.outcome == "planned"
    world.write(bots.set_enabled, world.ada, rule, False)  # no further runs: only the backlog
    world.now += timedelta(hours=3)


def work_one(world: World) -> None:
    """One act is claimed and prepared, as a worker would."""
    executor = ActExecutor(world.database, clock=lambda: world.now)
    executor._tell_end_of = lambda job: None  # type: ignore[method-assign]
    with world.database.transaction() as session:
        (job,) = ledger.claim(
            session, queues=("engagement",), worker="w", limit=1, lead_seconds=0, lease_seconds=60, now=at(world.now)
        )  # fmt: skip
    asyncio.run(executor.prepare(job))


def due(world: World) -> int:
    with world.database.reading() as session:
        query = select(Job.id).where(Job.state.in_(ledger.CLAIMABLE), Job.due_at <= world.now)
        return len(session.execute(query).all())


def test_one_refusal_by_the_caps_gives_all_that_waits_behind_it_a_later_place(world: World) -> None:
    backlog(world)
    assert due(world) == COUNT
    work_one(world)  # goes out
    assert due(world) == COUNT - 1
    work_one(world)  # too soon after the first: put off, and the others with it
    assert due(world) == 0
    with world.database.reading() as session:
        rows = session.execute(
            select(BotAct.slot_at, Job.due_at, Job.state)
            .join(Job, Job.id == BotAct.job_id)
            .where(BotAct.state == ActState.PLANNED, BotAct.permitted_at.is_(None))
            .order_by(BotAct.slot_at)
        ).all()
        told = session.execute(select(JobEvent.message).where(JobEvent.name == "postponed")).scalars().all()
    assert len(rows) == COUNT - 1
    assert {row.state for row in rows} == {JobState.SNOOZED}
    assert all(row.slot_at == row.due_at for row in rows)
    slots = [row.slot_at for row in rows]
    assert min(b - a for a, b in itertools.pairwise([world.now, *slots])) >= timedelta(seconds=25)
    assert most_within(slots, timedelta(minutes=1)) <= 2
    assert most_within([world.now, *slots], timedelta(hours=1)) <= 12
    assert len(told) == COUNT - 1 and all("caps or quiet hours" in words for words in told)


def test_a_backlog_that_was_put_off_goes_out_once_each_within_the_caps(world: World) -> None:
    backlog(world)
    day = Day(world, step=timedelta(minutes=30))
    asyncio.run(day.run(world.now + timedelta(hours=2)))
    likes = day.times("like")
    assert len(likes) == COUNT
    assert most_within(likes, timedelta(hours=1)) <= 12
    assert min(b - a for a, b in itertools.pairwise(likes)) >= timedelta(seconds=25)
    assert world.sandbox.control.ledger(account="acme")["duplicates"] == []
