"""Periodic slots, the leader's lease, hints and the heartbeat that tells the truth."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from contentcaster.engine import heartbeat, hints, periodic, queues
from contentcaster.engine.hints import Hint
from contentcaster.engine.outcomes import Refused
from contentcaster.engine.reconciler import tidy
from contentcaster.models import JobState, PeriodicRun, PostStatus, Worker
from tests.engine.ledger_kit import NOON, Ledger

# ── once per slot ───────────────────────────────────────────────────────────────────────────────────────────


def test_of_three_consumers_that_fire_at_once_one_runs_the_slot(ledger: Ledger) -> None:
    for slot in range(5):
        moment = NOON + timedelta(minutes=10 * slot)
        start = threading.Barrier(3)
        entered: list[bool] = []

        def fire(
            moment: object = moment, start: threading.Barrier = start, entered: list[bool] = entered
        ) -> None:
            start.wait()
            entered.append(
                periodic.enter_slot(ledger.database, "tidy", every_seconds=600, moment=moment)  # type: ignore[arg-type]
            )

        threads = [threading.Thread(target=fire) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(entered) == [False, False, True]


def test_a_restart_within_the_slot_does_not_run_it_again_but_the_next_slot_runs(ledger: Ledger) -> None:
    def fire(seconds: float, task: str = "tidy") -> bool:
        moment = NOON + timedelta(seconds=seconds)
        return periodic.enter_slot(ledger.database, task, every_seconds=600, moment=moment)

    assert [fire(0), fire(0.1), fire(599.9), fire(600)] == [True, False, False, True]
    assert fire(0, task="report")


def test_tidying_forgets_runs_of_long_ago_only(ledger: Ledger) -> None:
    for days in (0, 30):
        periodic.enter_slot(
            ledger.database, "tidy", every_seconds=600, moment=ledger.now - timedelta(days=days)
        )

    with ledger.database.transaction() as session:
        tidy(session, now=ledger.clock)

    with ledger.database.reading() as session:
        assert session.execute(select(PeriodicRun.slot)).scalars().all() == [ledger.now]


# ── the leader ──────────────────────────────────────────────────────────────────────────────────────────────


def _take_lead(ledger: Ledger, owner: str) -> bool:
    with ledger.database.transaction() as session:
        return heartbeat.take_lead(session, "reconciler", owner, seconds=5, now=ledger.clock)


def test_one_leads_and_another_takes_over_once_the_lease_has_lapsed(ledger: Ledger) -> None:
    assert _take_lead(ledger, "a")
    assert not _take_lead(ledger, "b")
    ledger.wait(4)
    assert _take_lead(ledger, "a")
    ledger.wait(4)
    assert not _take_lead(ledger, "b")
    ledger.wait(1.5)
    assert _take_lead(ledger, "b")
    assert not _take_lead(ledger, "a")


def test_of_several_that_start_at_once_one_leads_and_none_fails(ledger: Ledger) -> None:
    start = threading.Barrier(4)
    leads: list[bool] = []

    def run(name: str) -> None:
        start.wait()
        leads.append(_take_lead(ledger, name))

    threads = [threading.Thread(target=run, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(leads) == [False, False, False, True]


# ── hints ───────────────────────────────────────────────────────────────────────────────────────────────────


class _Queue:
    """Where hints go; refuses from the `limit`-th on, as a Redis does that goes away."""

    def __init__(self, limit: int | None = None) -> None:
        self.hints: list[Hint] = []
        self.limit = limit

    def __call__(self, batch: Sequence[Hint]) -> set[int]:
        taken = batch if self.limit is None else batch[: max(0, self.limit - len(self.hints))]
        self.hints += taken
        return {hint.job_id for hint in taken}


def test_a_saved_job_is_offered_to_the_queue_the_lead_before_its_time(ledger: Ledger) -> None:
    queue = _Queue()
    hints.register_sender(queue, lead_seconds=3.0)

    post_id, (job_id,) = ledger.add_post(due_at=ledger.now + timedelta(hours=1))

    wake_at = ledger.now + timedelta(hours=1, seconds=-3)
    assert queue.hints == [Hint("publish", job_id, wake_at, ledger.account_id)]
    assert ledger.state(job_id) is JobState.QUEUED
    assert ledger.post_status(post_id) is PostStatus.SCHEDULED


def test_a_transaction_that_fails_offers_nothing(ledger: Ledger) -> None:
    from contentcaster.engine import ledger as ledger_module

    queue = _Queue()
    hints.register_sender(queue, lead_seconds=3.0)
    new = ledger.new_job()

    with pytest.raises(RuntimeError), ledger.database.transaction() as session:
        ledger_module.add_jobs(session, [new])
        raise RuntimeError

    assert queue.hints == []


def test_what_the_queue_refuses_stays_pending_and_is_offered_again_by_the_reconciler(ledger: Ledger) -> None:
    queue = _Queue(limit=2)
    hints.register_sender(queue, lead_seconds=3.0)
    job_ids = ledger.add_all(*[ledger.new_job() for _ in range(4)])
    assert [ledger.state(job_id) for job_id in job_ids] == [JobState.QUEUED] * 2 + [
        JobState.PENDING_QUEUE
    ] * 2

    queue.limit = None
    assert ledger.reconcile().hints_offered == 2

    assert [ledger.state(job_id) for job_id in job_ids] == [JobState.QUEUED] * 4
    assert [hint.job_id for hint in queue.hints] == job_ids


def test_a_hint_accepted_after_a_worker_has_claimed_the_job_changes_nothing(ledger: Ledger) -> None:
    job_id = ledger.add()
    claimed = ledger.claim_one()
    before = ledger.job(job_id).model_dump()

    with ledger.database.transaction() as session:
        assert hints.mark_queued(session, [job_id], now=ledger.clock) == 0

    assert ledger.job(job_id).model_dump() == before
    assert ledger.begin_send(claimed) == {job_id}


def test_rebuilding_offers_every_waiting_job_anew(ledger: Ledger) -> None:
    queue = _Queue()
    hints.register_sender(queue, lead_seconds=3.0)
    job_ids = ledger.add_all(*[ledger.new_job(due_at=ledger.now + timedelta(days=1)) for _ in range(3)])
    queue.hints.clear()  # as FLUSHALL does

    with ledger.database.transaction() as session:
        assert queues.rebuild(session) == 3

    assert [hint.job_id for hint in queue.hints] == job_ids
    assert all(ledger.state(job_id) is JobState.QUEUED for job_id in job_ids)


# ── the heartbeat ───────────────────────────────────────────────────────────────────────────────────────────


def _beat(
    ledger: Ledger, *, worker: str = "w", is_queue_reachable: bool = True, queue: str = "publish"
) -> None:
    with ledger.database.transaction() as session:
        heartbeat.beat(
            session,
            worker,
            queues=[queue],
            in_flight=0,
            is_queue_reachable=is_queue_reachable,
            now=ledger.clock,
        )
        session.flush()
        # A new worker's first beat is written with the machine's clock; here the test's clock counts.
        session.execute(update(Worker).where(Worker.id == worker).values(heartbeat_at=ledger.now))  # type: ignore[arg-type]


def _heartbeat(ledger: Ledger) -> heartbeat.HeartbeatView:
    with ledger.database.reading() as session:
        return heartbeat.read_heartbeat(session, now=ledger.clock)


def test_no_worker_at_all_is_said(ledger: Ledger) -> None:
    view = _heartbeat(ledger)

    assert (view.level, view.seconds_since_alive) == ("bad", None)
    assert "no worker is running" in view.sentence


def test_a_living_worker_is_said_with_its_age(ledger: Ledger) -> None:
    _beat(ledger)
    ledger.wait(2)

    view = _heartbeat(ledger)

    assert (view.level, view.seconds_since_alive, view.is_queue_reachable) == ("ok", 2, True)
    assert view.sentence == "Publishing: alive 2 s ago · lag 0 s · queue ok"


def test_a_worker_that_fell_silent_is_bad_news_whatever_else_is_well(ledger: Ledger) -> None:
    _beat(ledger)
    ledger.wait(11)

    view = _heartbeat(ledger)

    assert view.level == "bad"
    assert "no sign of life for 11 s" in view.sentence


def test_a_worker_that_said_goodbye_counts_no_more(ledger: Ledger) -> None:
    _beat(ledger)
    with ledger.database.transaction() as session:
        heartbeat.say_goodbye(session, "w", now=ledger.clock)

    assert "no worker is running" in _heartbeat(ledger).sentence


def test_a_worker_of_another_queue_does_not_vouch_for_publishing(ledger: Ledger) -> None:
    _beat(ledger, queue="growth")

    assert _heartbeat(ledger).level == "bad"


def test_overdue_work_is_said_as_lag(ledger: Ledger) -> None:
    ledger.add(due_at=ledger.now - timedelta(seconds=40))
    _beat(ledger)

    view = _heartbeat(ledger)

    assert (view.level, view.lag_seconds) == ("warn", 40)
    assert view.sentence == "Publishing: 40 s behind."


def test_a_thread_part_that_waits_for_a_failed_one_is_no_lag(ledger: Ledger) -> None:
    hints.register_sender(_Queue(), lead_seconds=3.0)
    ledger.add_all(ledger.new_job(), ledger.new_job(after_index=0))
    ledger.send(Refused())
    ledger.wait(3600)
    _beat(ledger)

    assert _heartbeat(ledger).level == "ok"


def test_a_paused_queue_is_said_with_who_paused_it(ledger: Ledger) -> None:
    _beat(ledger)
    with ledger.database.transaction() as session:
        queues.pause(session, "publish", by="Ada")

    view = _heartbeat(ledger)

    assert view.level == "warn"
    assert "paused by Ada" in view.sentence


def test_a_queue_out_of_reach_is_said_and_that_posts_go_out_all_the_same(ledger: Ledger) -> None:
    _beat(ledger, is_queue_reachable=False)

    view = _heartbeat(ledger)

    assert (view.level, view.is_queue_reachable) == ("warn", False)
    assert "queue unreachable" in view.sentence
