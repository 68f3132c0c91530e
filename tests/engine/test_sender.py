"""The sender: on the second, never before, never twice, and never without the committed intent."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from contentcaster.clock import utc_now
from contentcaster.engine import sender as sender_module
from contentcaster.engine.ledger import ClaimedJob
from contentcaster.engine.outcomes import (
    CannotTell,
    LookupOutcome,
    Published,
    RetryLater,
    SendOutcome,
    Snooze,
    Unknown,
)
from contentcaster.engine.policy import Policy
from contentcaster.engine.sender import Sender
from contentcaster.models import JobState
from tests.engine.ledger_kit import add_account
from tests.engine.sender_kit import QUICK, Bench, Network, until
from tests.services_for_tests.programs import wait_until
from tests.services_for_tests.stack import Stack


@pytest.fixture
def bench(stack: Stack) -> Bench:
    return Bench(stack.database)


def test_a_job_goes_out_at_its_time_and_never_before(bench: Bench) -> None:
    job_ids = [job_id for step in range(8) for job_id in bench.add(in_seconds=0.7 + step * 0.2)]

    with bench.sender():
        bench.wait_for(job_ids, JobState.PUBLISHED)

    assert [effect.job_id for effect in bench.network.effects] == job_ids
    assert all(effect.late_seconds >= 0 for effect in bench.network.effects)


def test_preparation_happens_before_the_due_time(bench: Bench) -> None:
    job_ids = bench.add(in_seconds=3600)
    with bench.sender(policy=Policy(lead_seconds=7200.0)):
        wait_until(lambda: bench.network.prepared == job_ids, what="the preparation, an hour ahead")

    assert bench.network.effects == []


def test_several_senders_together_send_each_job_once(bench: Bench) -> None:
    job_ids = bench.add(60)

    with bench.sender(), bench.sender(), bench.sender():
        bench.wait_for(job_ids, JobState.PUBLISHED)

    assert sorted(effect.job_id for effect in bench.network.effects) == job_ids


def test_a_job_that_may_not_begin_is_not_sent(bench: Bench) -> None:
    """It is cancelled while it is being prepared."""

    async def cancelled_meanwhile(job: ClaimedJob) -> None:
        await asyncio.to_thread(bench.ledger.cancel, job.id)

    bench.network.on_prepare = cancelled_meanwhile
    (job_id,) = bench.add()
    with bench.sender():
        wait_until(lambda: bench.network.prepared == [job_id], what="the preparation")
        bench.wait_for([job_id], JobState.CANCELLED)
        bench.network.on_prepare = None
        bench.wait_for(bench.add(), JobState.PUBLISHED)  # the sender had all the time to send the other one

    assert bench.effects_of(job_id) == []


def test_a_graceful_stop_finishes_what_is_sent_and_gives_back_what_is_not(bench: Bench) -> None:
    may_answer = threading.Event()

    async def answer_late(job: ClaimedJob) -> None:
        await until(may_answer.is_set)

    bench.network.on_send = answer_late
    sent = bench.add(2)
    waiting = bench.add(3, in_seconds=4.0)
    with bench.sender(policy=Policy(lead_seconds=10.0)) as sender:
        wait_until(lambda: len(bench.network.effects) == 2 and len(bench.network.prepared) == 5, what="sends")
        sender.begin_stop()
        bench.wait_for(waiting, JobState.PENDING_QUEUE)
        may_answer.set()

    assert bench.states(sent) == [JobState.PUBLISHED] * 2
    assert [effect.job_id for effect in bench.network.effects] == sent
    assert [bench.ledger.job(job_id).attempt for job_id in waiting] == [0, 0, 0]


def test_a_stopped_sender_says_goodbye(bench: Bench) -> None:
    from contentcaster.models import Worker

    with bench.sender() as sender:
        job_ids = bench.add()
        bench.wait_for(job_ids, JobState.PUBLISHED)

    with bench.database.reading() as session:
        assert session.get_one(Worker, sender.worker_id).stopped_at is not None


def test_a_preparation_that_hangs_is_given_up_before_the_lease_ends(bench: Bench) -> None:
    async def hang(job: ClaimedJob) -> None:
        if job.attempt == 1:
            await asyncio.sleep(3600)

    bench.network.on_prepare = hang
    job_ids = bench.add()
    with bench.sender():
        bench.wait_for(job_ids, JobState.PUBLISHED)

    first, second = bench.ledger.attempts(job_ids[0])
    assert (first.outcome, first.error_class) == ("retry_later", "prepare_timeout")
    assert second.outcome == "published"
    assert bench.ledger.job(job_ids[0]).crashes == 0


def test_a_bug_in_preparation_costs_tries_and_a_bug_in_sending_is_doubt(bench: Bench) -> None:
    async def broken(job: ClaimedJob) -> None:
        if job.attempt == 1:
            raise ZeroDivisionError

    bench.network.on_prepare = broken
    (unprepared,) = bench.add()
    with bench.sender():
        bench.wait_for([unprepared], JobState.PUBLISHED)
        bench.network.on_prepare, bench.network.on_send = None, broken
        (unsure,) = bench.add()
        bench.wait_for([unsure], JobState.PUBLISHED)

    assert [attempt.outcome for attempt in bench.ledger.attempts(unprepared)] == ["retry_later", "published"]
    assert [(a.kind, a.outcome) for a in bench.ledger.attempts(unsure)] == [
        ("send", "unknown"),
        ("lookup", "published"),
    ]
    assert len(bench.effects_of(unsure)) == 1


def test_doubt_is_looked_up_and_what_is_not_there_is_sent_again(bench: Bench) -> None:
    async def lost(job: ClaimedJob) -> SendOutcome | None:
        if job.attempt == 1:
            bench.network.effects.clear()  # it never arrived
            return Unknown()
        return None

    bench.network.on_send = lost
    job_ids = bench.add()
    with bench.sender():
        bench.wait_for(job_ids, JobState.PUBLISHED)

    assert [a.outcome for a in bench.ledger.attempts(job_ids[0])] == ["unknown", "safe_to_send", "published"]
    assert len(bench.network.effects) == 1


def test_a_retry_waits_its_time(bench: Bench) -> None:
    async def not_yet(job: ClaimedJob) -> SendOutcome | None:
        return RetryLater() if job.attempt < 3 else None

    bench.network.on_send = not_yet
    job_ids = bench.add()
    with bench.sender(policy=Policy(lead_seconds=0.5, retry_base_seconds=0.4)):
        bench.wait_for(job_ids, JobState.PUBLISHED)

    first, second, third = bench.network.effects
    assert second.at - first.at >= 0.4
    assert third.at - second.at >= 0.8
    assert all(effect.late_seconds >= 0 for effect in (first, second, third))


def test_a_rate_limited_job_waits_and_then_goes_out_with_all_its_tries(bench: Bench) -> None:
    limited = [True]

    async def limit(job: ClaimedJob) -> SendOutcome | None:
        return Snooze(retry_after_seconds=1.0) if limited and limited.pop() else None

    bench.network.on_send = limit
    job_ids = bench.add()
    with bench.sender():
        bench.wait_for(job_ids, JobState.PUBLISHED)

    assert bench.ledger.job(job_ids[0]).attempt == 1
    first, second = bench.network.effects
    assert second.at - first.at >= 1.0


def test_a_channel_gets_only_so_many_sends_at_once_and_holds_up_no_other(bench: Bench) -> None:
    other = add_account(bench.database)
    may_answer = threading.Event()

    async def slow(job: ClaimedJob) -> None:
        if job.account_id != other:
            await until(may_answer.is_set)

    bench.network.on_send = slow
    busy = bench.add(6)
    with bench.sender(channel_concurrency=2, policy=Policy(lead_seconds=0.5)):
        wait_until(lambda: len(bench.network.effects) == 2, what="two sends")
        quick = bench.add(3, account_id=other)
        bench.wait_for(quick, JobState.PUBLISHED)
        assert len(bench.network.effects) == 5
        may_answer.set()
        bench.wait_for(busy, JobState.PUBLISHED)

    assert bench.network.most_in_flight[bench.ledger.account_id] == 2


def test_a_hint_wakes_the_sender_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "POLL_SECONDS", 3600.0)
    with bench.sender() as sender:
        job_ids = bench.add()
        sender.wake()
        bench.wait_for(job_ids, JobState.PUBLISHED)


def test_without_any_hint_the_sender_finds_the_job_by_itself(bench: Bench) -> None:
    with bench.sender():
        bench.wait_for(bench.add(), JobState.PUBLISHED)
        # Now it is idle: nothing wakes it but its own look at the ledger.
        bench.wait_for(bench.add(), JobState.PUBLISHED)


def test_the_next_part_of_a_thread_follows_without_a_hint_and_after_the_part_before(bench: Bench) -> None:
    parts = [bench.ledger.new_job(due_at=utc_now(), after_index=n - 1 if n else None) for n in range(4)]
    job_ids = bench.ledger.add_all(*parts)
    with bench.sender():
        bench.wait_for(job_ids, JobState.PUBLISHED)

    assert [effect.job_id for effect in bench.network.effects] == job_ids


def test_an_id_that_belongs_to_another_post_holds_only_its_own_job(bench: Bench) -> None:
    async def same_id(job: ClaimedJob) -> SendOutcome | None:
        return Published(remote_id="same") if job.payload.get("same") else None

    bench.network.on_send = same_id
    twins = bench.add(2, payload={"same": True})
    others = bench.add(5)
    with bench.sender():
        bench.wait_for(others, JobState.PUBLISHED)
        wait_until(
            lambda: sorted(bench.states(twins)) == [JobState.HELD, JobState.PUBLISHED], what="one is held"
        )

    held = twins[bench.states(twins).index(JobState.HELD)]
    assert bench.ledger.job(held).error_class == "unusable_answer"
    assert len(bench.ledger.failed_tasks(held)) == 1


def test_an_id_too_long_for_the_ledger_stops_nobody(bench: Bench) -> None:
    async def long_id(job: ClaimedJob) -> SendOutcome | None:
        return Published(remote_id="x" * 5000) if job.payload.get("long") else None

    bench.network.on_send = long_id
    (odd,) = bench.add(payload={"long": True})
    others = bench.add(5)
    with bench.sender():
        bench.wait_for(others, JobState.PUBLISHED)
        wait_until(
            lambda: bench.states([odd])[0] in (JobState.HELD, JobState.PUBLISHED), what="the odd one settled"
        )

    assert len(bench.effects_of(odd)) == 1


def test_a_process_that_slept_between_intent_and_send_does_not_send(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline guard: SIGSTOP, a debugger or a swapping machine after the commit and before the first byte."""
    original = Sender._begin_send
    slept: list[int] = []

    async def begin_then_sleep(self: Sender, job: ClaimedJob, begun_at: float) -> bool:
        allowed = await original(self, job, begun_at)
        if not slept:
            slept.append(job.id)
            time.sleep(QUICK.lease_seconds - QUICK.send_deadline_seconds + 0.1)
        return allowed

    monkeypatch.setattr(Sender, "_begin_send", begin_then_sleep)
    job_ids = bench.add()
    with bench.sender():
        bench.wait_for(job_ids, JobState.PUBLISHED)

    (effect,) = bench.network.effects
    assert effect.fence > 1
    assert bench.ledger.attempts(job_ids[0])[0].outcome in ("released", "lost")


def test_a_worker_that_slept_past_its_lease_neither_sends_nor_disturbs_the_one_that_took_over(
    bench: Bench,
) -> None:
    may_go_on = threading.Event()

    async def oversleep(job: ClaimedJob) -> None:
        may_go_on.wait(20)  # blocks the whole loop, as SIGSTOP does

    sleeper_network = Network(on_prepare=oversleep)
    job_ids = bench.add()
    sleeper = Sender(
        bench.database,
        QUICK,
        {"publish": sleeper_network},
        queues=("publish",),
        concurrency=5,
        channel_concurrency=5,
    )
    sleeper.start()
    try:
        wait_until(lambda: sleeper_network.prepared == job_ids, what="the sleeper to claim")
        with bench.sender():
            bench.wait_for(job_ids, JobState.PUBLISHED)
            may_go_on.set()
            assert sleeper.stop(20)
    finally:
        may_go_on.set()
        sleeper.stop(20)

    assert sleeper_network.effects == []
    assert len(bench.network.effects) == 1
    assert bench.states(job_ids) == [JobState.PUBLISHED]


def test_a_look_up_that_hangs_is_made_again(bench: Bench) -> None:
    async def doubt(job: ClaimedJob) -> SendOutcome:
        return Unknown()

    async def hang_once(job: ClaimedJob) -> LookupOutcome:
        if job.lookups == 0:
            await asyncio.sleep(3600)
        return CannotTell()

    bench.network.on_send, bench.network.on_look_up = doubt, hang_once
    job_ids = bench.add()
    with bench.sender():
        bench.wait_for(job_ids, JobState.HELD)

    assert [a.outcome for a in bench.ledger.attempts(job_ids[0])] == [
        "unknown",
        "lookup_failed",
        "cannot_tell",
    ]


def test_a_kind_of_job_that_this_worker_does_not_know_is_not_lost(bench: Bench) -> None:
    (job_id,) = bench.add(kind="teleport", max_attempts=1)
    with bench.sender():
        bench.wait_for([job_id], JobState.DEAD)

    assert "teleport" in bench.ledger.failed_tasks(job_id)[0].message


# ── the database goes away ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def fragile(disposable_stack: Stack) -> Bench:
    """A bench whose Postgres the test may stop."""
    return Bench(disposable_stack.database, policy=Policy(lead_seconds=1.0, settle_seconds=0.1))


def test_a_database_away_when_the_intent_is_written_delays_the_send_and_doubles_nothing(
    fragile: Bench, disposable_postgres: object
) -> None:
    prepared, is_down = threading.Event(), threading.Event()

    async def wait_for_outage(job: ClaimedJob) -> None:
        prepared.set()
        await until(is_down.is_set)

    fragile.network.on_prepare = wait_for_outage
    job_ids = fragile.add(5)
    with fragile.sender():
        assert prepared.wait(20)
        disposable_postgres.stop(immediate=True)  # type: ignore[attr-defined]
        is_down.set()
        time.sleep(0.5)  # the senders ask in vain meanwhile
        assert fragile.network.effects == []
        disposable_postgres.start()  # type: ignore[attr-defined]
        fragile.wait_for(job_ids, JobState.PUBLISHED)

    assert sorted(effect.job_id for effect in fragile.network.effects) == job_ids


def test_a_database_away_when_the_proof_is_settled_gets_it_once_it_is_back(
    fragile: Bench, disposable_postgres: object
) -> None:
    is_down = threading.Event()

    async def answer_during_outage(job: ClaimedJob) -> None:
        await until(is_down.is_set)

    fragile.network.on_send = answer_during_outage
    job_ids = fragile.add(5)
    with fragile.sender():
        wait_until(lambda: len(fragile.network.effects) == 5, what="five sends")
        disposable_postgres.stop(immediate=True)  # type: ignore[attr-defined]
        is_down.set()
        time.sleep(0.5)
        disposable_postgres.start()  # type: ignore[attr-defined]
        fragile.wait_for(job_ids, JobState.PUBLISHED)

    assert sorted(effect.job_id for effect in fragile.network.effects) == job_ids
    assert [fragile.ledger.job(job_id).remote_id for job_id in job_ids] == [
        f"n{job_id}" for job_id in job_ids
    ]


def test_a_database_away_for_longer_than_the_lease_still_gets_the_proof(
    disposable_stack: Stack, disposable_postgres: object
) -> None:
    bench = Bench(disposable_stack.database)  # a lease of 3 s
    is_down = threading.Event()

    async def answer_during_outage(job: ClaimedJob) -> None:
        await until(is_down.is_set)

    bench.network.on_send = answer_during_outage
    job_ids = bench.add(2)
    with bench.sender():
        wait_until(lambda: len(bench.network.effects) == 2, what="two sends")
        disposable_postgres.stop(immediate=True)  # type: ignore[attr-defined]
        is_down.set()
        time.sleep(QUICK.lease_seconds + 0.5)
        disposable_postgres.start()  # type: ignore[attr-defined]
        bench.wait_for(job_ids, JobState.PUBLISHED)

    assert len(bench.network.effects) == 2
