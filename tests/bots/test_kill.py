"""Real workers, killed again and again while they act: nothing is done twice and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from contentcaster.clock import utc_now
from contentcaster.engine import failures
from contentcaster.models import ActAction, ActState, BotAct, BotChannel, FailedTask, Job
from contentcaster.sandbox.client import SandboxThread
from contentcaster.services import bots_channels, bots_plan
from contentcaster.settings import PROJECT_ROOT
from tests.bots.bot_kit import World, build_world, wait_until
from tests.bots.conftest import allow_sandbox
from tests.services_for_tests.stack import Stack

WORKER = [sys.executable, "-m", "contentcaster", "worker", "engagement", "growth", "finder"]
FAST = {
    "per_minute": 60,
    "per_hour": 1000,
    "per_day": 5000,
    "spacing_seconds": 0,
    "jitter_seconds": 0,
}
COUNT = 40
QUICK = {
    "publish_lead_seconds": 0.5,
    "lease_seconds": 4,
    "send_deadline_seconds": 2,
    "settle_seconds": 0.3,
    "retry_base_seconds": 0.2,
    "bot_concurrency": 4,
    "bot_niceness": 0,  # beside other tests nobody would give a niced worker its turn
}


@contextlib.contextmanager
def worker(world: World) -> Iterator[subprocess.Popen[bytes]]:
    host = world.sandbox.base_url.removeprefix("http://")
    environment = os.environ | world.stack.environment | {"CONTENTCASTER_EGRESS_ALLOW": host}
    process = subprocess.Popen(WORKER, cwd=PROJECT_ROOT, env=environment, start_new_session=True)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def effects(world: World) -> int:
    return sum(world.sandbox.control.ledger(account="acme")["counts"].values())


@pytest.mark.slow
@pytest.mark.settings(**QUICK)
@pytest.mark.timeout(500)
@pytest.mark.parametrize("platform", ["sandbox", "bluesky"])
def test_workers_killed_while_they_act_double_nothing_and_lose_nothing(
    stack: Stack, bot_sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    bot_sandbox.control.http.delete("/sandbox/population")
    bot_sandbox.control.reset()
    # No key that the server remembers: only looking up can tell what became of a reply.
    bot_sandbox.control.config(latency_ms=200, keyless=True)
    allow_sandbox(stack, bot_sandbox, monkeypatch)
    world = build_world(stack, bot_sandbox, platform=platform)
    with stack.database.transaction() as session:
        session.get_one(type(world.account), world.account.id).limits = {}
    world.now = utc_now()
    world.rails(caps={"like": FAST, "reply": FAST})
    rule = world.rule("engagement", when="mention", then=[{"action": "like"}])
    try:
        plan_acts(world, rule, platform)
        kills = 0
        while effects(world) < 2 * COUNT * 0.8 and kills < 12:
            before = effects(world)
            with worker(world) as process:
                wait_until(
                    lambda b=before: progressed(world, min(b + 8, 2 * COUNT)),  # type: ignore[misc]
                    120,
                    instead=lambda: stuck(world),
                )
                os.killpg(process.pid, signal.SIGKILL)
                kills += 1
        assert kills >= 3
        with worker(world):
            wait_until(
                lambda: all(act.state is ActState.DONE for act in told(world)),
                150,
                instead=lambda: stuck(world),
            )
    finally:
        bot_sandbox.control.config(latency_ms=0, keyless=False)
    ledger = bot_sandbox.control.ledger(account="acme")
    assert ledger["duplicates"] == []
    assert ledger["counts"] == {"like": COUNT, "reply": COUNT}
    assert len(world.log(outcome="done")) == 2 * COUNT


def progressed(world: World, count: int) -> bool:
    told(world)
    time.sleep(0.2)
    return effects(world) >= count


def told(world: World) -> list[BotAct]:
    """The acts, after what ended was told; what was parked for crashing too often, unsent, is tried again by hand."""
    bots_plan.tick(world.database)
    with world.database.transaction() as session:
        parked = select(FailedTask).where(FailedTask.reason == "crashed", FailedTask.resolved_at.is_(None))
        for task in session.execute(parked).scalars().all():
            failures.retry(session, task.id, actor="Ada")
    return world.acts()


def stuck(world: World) -> str:
    """What the ledger knows of the acts that did not come to an end."""
    with world.database.reading() as session:
        query = select(BotAct, Job).join(Job, Job.id == BotAct.job_id).where(BotAct.state != ActState.DONE)
        channel = session.get_one(BotChannel, world.account.id)
        return f"{channel.stopped_by} {channel.reason}" + "".join(
            f"\n{act.action} {act.state} {job.state} due {job.due_at:%H:%M:%S} attempt {job.attempt} "
            f"crashes {job.crashes} look-ups {job.lookups}: {job.error_class} {job.error_message}"
            for act, job in session.execute(query)
        )


def plan_acts(world: World, rule: str, platform: str) -> None:
    for number in range(COUNT):
        post = replace(world.others_status(f"post {number}"), has_tagged_us=True)
        if platform == "bluesky":
            post = bluesky_post(world, number)
        assert world.propose(rule, ActAction.LIKE, post).outcome == "planned"
        text = f"{post.handle} thanks number {number} {'really ' * (number % 7)}{number * 31}"
        assert world.propose(rule, ActAction.REPLY, post, text=text).outcome == "planned", text


def bluesky_post(world: World, number: int):  # type: ignore[no-untyped-def]
    from contentcaster.bots.candidates import Candidate

    other = world.sandbox.control.account("bea")
    http = world.sandbox.control.http
    login = http.post(
        "/xrpc/com.atproto.server.createSession",
        json={"identifier": other["did"], "password": other["app_password"]},
    ).json()
    record = {"$type": "app.bsky.feed.post", "text": f"post {number}", "createdAt": utc_now().isoformat()}
    made = http.post(
        "/xrpc/com.atproto.repo.createRecord",
        json={"repo": other["did"], "collection": "app.bsky.feed.post", "record": record},
        headers={"Authorization": f"Bearer {login['accessJwt']}"},
    ).json()
    root = {"uri": made["uri"], "cid": made["cid"]}
    return Candidate(
        kind="post", ref=made["uri"], author_ref=other["did"], handle="@bea", text=f"post {number}",
        has_tagged_us=True, extra={"cid": made["cid"], "root": root},
    )  # fmt: skip


@pytest.mark.settings(**(QUICK | {"lease_seconds": 30}))
def test_the_switch_stops_a_running_worker_within_a_second(
    stack: Stack, bot_sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot_sandbox.control.http.delete("/sandbox/population")
    bot_sandbox.control.reset()
    allow_sandbox(stack, bot_sandbox, monkeypatch)
    world = build_world(stack, bot_sandbox)
    world.now = utc_now()
    caps = FAST | {"spacing_seconds": 1, "per_minute": 50}
    world.rails(caps={"like": caps})
    rule = world.rule("engagement", when="mention", then=[{"action": "like"}])
    for number in range(30):
        world.propose(rule, ActAction.LIKE, world.others_status(f"post {number}"))
    with worker(world):
        wait_until(lambda: effects(world) >= 2, 60)
        world.write(bots_channels.stop_all, world.ada, "enough")
        stopped_at = utc_now()
        time.sleep(2.5)  # two more were due in this time
    times = [e["at"] for e in bot_sandbox.control.ledger(account="acme")["effects"]]
    late = [at for at in times if at > (stopped_at + timedelta(seconds=1)).isoformat()]
    assert late == []
    assert 2 <= len(times) <= 5
