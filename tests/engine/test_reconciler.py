"""What was lost on the way: leases of dead workers, hints, posts past their time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from contentcaster.engine import heartbeat, hints, queues
from contentcaster.engine.outcomes import Published, RetryLater, Snooze
from contentcaster.engine.policy import MAX_CRASHES, MAX_LOOKUPS
from contentcaster.models import JobState, PostStatus, Worker
from tests.engine.ledger_kit import Ledger


def test_a_claim_whose_worker_died_is_given_out_again_and_costs_no_attempt(ledger: Ledger) -> None:
    job_id = ledger.add()
    ledger.claim_one()
    ledger.wait(60)

    assert ledger.reconcile().lapsed_claims == 1

    job = ledger.job(job_id)
    assert (job.state, job.attempt, job.crashes) == (JobState.PENDING_QUEUE, 0, 1)
    assert ledger.claim_one("worker-2").id == job_id


def test_a_lease_that_still_runs_is_not_touched(ledger: Ledger) -> None:
    job_id = ledger.add()
    ledger.claim_one()
    ledger.wait(59.999)

    assert not ledger.reconcile()
    assert ledger.state(job_id) is JobState.CLAIMED


def test_a_clock_stepped_back_by_an_hour_holds_up_no_lease_for_an_hour(ledger: Ledger) -> None:
    job_id = ledger.add()
    ledger.claim_one()
    ledger.wait(-3600)

    assert ledger.reconcile().lapsed_claims == 1
    assert ledger.state(job_id) is JobState.PENDING_QUEUE


def test_a_job_that_kills_its_worker_three_times_is_parked_for_a_person(ledger: Ledger) -> None:
    job_id = ledger.add()
    for crash in range(1, MAX_CRASHES + 1):
        ledger.claim_one()
        ledger.wait(61)
        ledger.reconcile()
        assert ledger.job(job_id).crashes == crash

    assert ledger.state(job_id) is JobState.DEAD
    (task,) = ledger.failed_tasks(job_id)
    assert task.reason == "crashed"
    assert ledger.claim() == []


def test_a_job_that_kills_its_workers_takes_none_of_those_beside_it_with_it(ledger: Ledger) -> None:
    poison = ledger.add(dedupe_key="poison")
    others = [ledger.add(dedupe_key=f"beside {number}") for number in range(6)]
    for _ in range(40):
        claimed = ledger.claim(limit=50)
        if poison in [job.id for job in claimed]:  # the worker dies of it, with all that it has in hand
            ledger.wait(61)
            ledger.reconcile()
            continue
        for job in claimed:
            ledger.begin_send(job)
            ledger.settle(job, Published(remote_id=f"remote {job.id}"))

    assert ledger.state(poison) is JobState.DEAD
    assert {ledger.state(job_id) for job_id in others} == {JobState.PUBLISHED}


def test_a_worker_that_is_alive_and_too_slow_parks_no_job(ledger: Ledger) -> None:
    job_id = ledger.add()
    for _ in range(MAX_CRASHES + 1):
        ledger.claim_one("slow")
        ledger.wait(59)
        with ledger.database.transaction() as session:
            heartbeat.beat(session, "slow", queues=("publish",), in_flight=1, is_queue_reachable=True)
            session.execute(update(Worker).values(heartbeat_at=ledger.now))
        ledger.wait(2)
        assert ledger.reconcile().lapsed_claims == 1

    job = ledger.job(job_id)
    assert (job.state, job.crashes, job.attempt) == (JobState.PENDING_QUEUE, 0, 0)


def test_a_send_whose_worker_died_is_looked_up_and_never_just_sent_again(ledger: Ledger) -> None:
    job_id = ledger.add()
    job = ledger.claim_one()
    ledger.begin_send(job)
    ledger.wait(61)

    assert ledger.reconcile().lapsed_sends == 1

    assert ledger.state(job_id) is JobState.UNKNOWN
    assert ledger.job(job_id).attempt == 1
    ledger.wait(24 * 3600)
    assert ledger.claim() == []
    assert [lookup.id for lookup in ledger.claim_lookups()] == [job_id]
    (attempt,) = ledger.attempts(job_id)
    assert (attempt.outcome, attempt.fence) == ("lost", job.fence)


def test_a_look_up_whose_worker_died_is_made_again_but_not_for_ever(ledger: Ledger) -> None:
    job_id = ledger.add()
    job = ledger.claim_one()
    ledger.begin_send(job)
    ledger.wait(61)
    ledger.reconcile()
    for _ in range(MAX_LOOKUPS):
        assert ledger.state(job_id) is JobState.UNKNOWN
        ledger.wait(3600)
        ledger.claim_lookup()
        ledger.wait(61)
        ledger.reconcile()

    assert ledger.state(job_id) is JobState.HELD
    assert ledger.failed_tasks(job_id)[0].reason == "needs_review"


def test_the_old_worker_cannot_send_once_its_job_was_taken_back(ledger: Ledger) -> None:
    ledger.add()
    old = ledger.claim_one("old")
    ledger.wait(60)
    ledger.reconcile()
    new = ledger.claim_one("new")

    assert ledger.begin_send(old) == set()
    assert ledger.begin_send(new) == {new.id}


def test_a_second_pass_finds_nothing_left_to_do(ledger: Ledger) -> None:
    ledger.add()
    ledger.begin_send(ledger.claim_one())
    ledger.add()
    ledger.claim_one()
    ledger.wait(61)

    assert ledger.reconcile()
    assert not ledger.reconcile()


def test_a_hint_that_was_lost_is_offered_again(ledger: Ledger) -> None:
    job_id = ledger.add()
    with ledger.database.transaction() as session:
        hints.mark_queued(session, [job_id], now=ledger.clock)
    ledger.wait(29)
    assert ledger.reconcile().lost_hints == 0
    ledger.wait(1)

    assert ledger.reconcile().lost_hints == 1

    assert ledger.state(job_id) is JobState.PENDING_QUEUE


def test_a_hint_for_a_job_that_is_not_due_yet_is_not_lost(ledger: Ledger) -> None:
    job_id = ledger.add(due_at=ledger.now + timedelta(days=1))
    with ledger.database.transaction() as session:
        hints.mark_queued(session, [job_id], now=ledger.clock)
    ledger.wait(3600)

    assert ledger.reconcile().lost_hints == 0
    assert ledger.state(job_id) is JobState.QUEUED


def test_a_job_that_waits_for_a_paused_queue_or_for_the_part_before_has_lost_no_hint(ledger: Ledger) -> None:
    """Else its status would flicker between Scheduled and PendingQueue for as long as it waits."""
    first, second = ledger.add_all(ledger.new_job(), ledger.new_job(after_index=0))
    with ledger.database.transaction() as session:
        hints.mark_queued(session, [first, second], now=ledger.clock)
        queues.pause(session, "publish", by="Ada")
    ledger.wait(3600)
    assert ledger.reconcile().lost_hints == 0

    with ledger.database.transaction() as session:
        queues.resume(session, "publish")

    assert ledger.reconcile().lost_hints == 1
    assert ledger.state(second) is JobState.QUEUED


@pytest.mark.parametrize(
    ("on_missed", "state", "failures"), [("hold", JobState.HELD, 1), ("skip", JobState.CANCELLED, 0)]
)
def test_a_post_found_too_late_follows_the_policy_of_its_author(
    ledger: Ledger, on_missed: str, state: JobState, failures: int
) -> None:
    post_id, (job_id,) = ledger.add_post(on_missed=on_missed, late_until=ledger.now + timedelta(minutes=10))
    ledger.wait(600)

    assert ledger.claim() == []
    assert ledger.reconcile().missed == 1

    assert ledger.state(job_id) is state
    assert ledger.post_status(post_id) is PostStatus.MISSED
    assert len(ledger.failed_tasks(job_id)) == failures
    assert [event.name for event in ledger.events(job_id)] == ["scheduled", "missed"]


def test_a_post_found_late_but_not_too_late_is_published(ledger: Ledger) -> None:
    job_id = ledger.add(late_until=ledger.now + timedelta(minutes=10))
    ledger.wait(599)

    assert ledger.reconcile().missed == 0
    ledger.send(Published(remote_id="1"))
    assert ledger.state(job_id) is JobState.PUBLISHED


@pytest.mark.parametrize("outcome", [RetryLater(), Snooze(retry_after_seconds=300)])
def test_a_job_that_was_started_in_time_is_never_missed(ledger: Ledger, outcome: RetryLater | Snooze) -> None:
    job_id = ledger.add(late_until=ledger.now + timedelta(minutes=1))
    ledger.send(outcome)
    ledger.wait(600)

    assert ledger.reconcile().missed == 0
    ledger.send(Published(remote_id="1"))
    assert ledger.state(job_id) is JobState.PUBLISHED


def test_a_thread_part_is_not_missed_while_the_part_before_is_still_on_its_way(ledger: Ledger) -> None:
    late_until = ledger.now + timedelta(minutes=1)
    _, second = ledger.add_all(
        ledger.new_job(late_until=late_until), ledger.new_job(late_until=late_until, after_index=0)
    )
    ledger.send(Snooze(retry_after_seconds=300))
    ledger.wait(300)

    assert ledger.reconcile().missed == 0
    ledger.send(Published(remote_id="1"))
    ledger.send(Published(remote_id="2"))
    assert ledger.state(second) is JobState.PUBLISHED


def test_a_claim_that_lapses_after_the_time_of_missing_is_handled_by_the_policy(ledger: Ledger) -> None:
    job_id = ledger.add(late_until=ledger.now + timedelta(seconds=30))
    ledger.claim_one()
    ledger.wait(61)
    ledger.reconcile()

    assert ledger.state(job_id) is JobState.HELD
