"""Claiming: one lease per job, in order, never too early, never from a paused queue."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from contentcaster.engine import queues
from contentcaster.engine.ledger import ClaimedJob
from contentcaster.engine.outcomes import Published, RetryLater
from contentcaster.models import JobState
from tests.engine.ledger_kit import Ledger


def test_a_claim_leases_a_due_job_and_counts_the_attempt(ledger: Ledger) -> None:
    job_id = ledger.add()

    claimed = ledger.claim_one("worker-1")

    job = ledger.job(job_id)
    assert (claimed.id, claimed.fence, claimed.attempt) == (job_id, 1, 1)
    assert (job.state, job.lease_owner, job.attempt) == (JobState.CLAIMED, "worker-1", 1)
    assert job.lease_until == ledger.now + timedelta(seconds=60)
    assert claimed.database_now == ledger.now


def test_a_leased_job_is_not_claimed_again(ledger: Ledger) -> None:
    ledger.add()
    ledger.claim_one("worker-1")

    assert ledger.claim("worker-2") == []


def test_of_many_workers_racing_for_the_same_jobs_each_job_goes_to_exactly_one(ledger: Ledger) -> None:
    job_ids = ledger.add_all(*[ledger.new_job() for _ in range(40)])
    claimed: dict[str, list[ClaimedJob]] = {}
    start = threading.Barrier(6)

    def work(name: str) -> None:
        start.wait()
        mine: list[ClaimedJob] = []
        while jobs := ledger.claim(name, limit=3):
            mine += jobs
        claimed[name] = mine

    threads = [threading.Thread(target=work, args=(f"worker-{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    everything = [job.id for jobs in claimed.values() for job in jobs]
    assert sorted(everything) == job_ids
    for name, jobs in claimed.items():
        assert all(ledger.job(job.id).lease_owner == name for job in jobs)
    assert all(ledger.job(job_id).fence == 1 for job_id in job_ids)


def test_jobs_are_claimed_in_the_order_in_which_they_are_due_then_by_priority(ledger: Ledger) -> None:
    second = ledger.add(due_at=ledger.now - timedelta(seconds=1), priority=200)
    first = ledger.add(due_at=ledger.now - timedelta(seconds=5), priority=200)
    urgent = ledger.add(due_at=ledger.now - timedelta(seconds=1), priority=1)

    order = [ledger.claim("worker-1", limit=1)[0].id for _ in range(3)]

    assert order == [first, urgent, second]


def test_a_job_is_claimed_the_lead_before_its_time_and_not_a_moment_earlier(ledger: Ledger) -> None:
    job_id = ledger.add(due_at=ledger.now + timedelta(seconds=3.001))
    assert ledger.claim() == []

    ledger.wait(0.001)

    assert ledger.claim_one().id == job_id


def test_a_job_of_another_queue_is_left_alone(ledger: Ledger) -> None:
    job_id = ledger.add(queue="growth")

    assert ledger.claim(queues=("publish",)) == []
    assert [job.id for job in ledger.claim(queues=("engagement", "growth"))] == [job_id]


def test_an_expired_job_is_not_claimed(ledger: Ledger) -> None:
    ledger.add(expires_at=ledger.now)

    assert ledger.claim() == []


def test_a_paused_queue_gives_nothing_out_until_it_is_resumed(ledger: Ledger) -> None:
    ledger.add()
    with ledger.database.transaction() as session:
        queues.pause(session, "publish", by="Ada", reason="maintenance")
    assert ledger.claim() == []

    with ledger.database.transaction() as session:
        queues.resume(session, "publish")

    assert len(ledger.claim()) == 1


def test_a_thread_part_waits_until_the_part_before_is_published(ledger: Ledger) -> None:
    first, second, third = ledger.add_all(
        ledger.new_job(), ledger.new_job(after_index=0), ledger.new_job(after_index=1)
    )

    assert ledger.send(RetryLater()).id == first  # it failed; nothing overtakes it
    assert ledger.send(Published(remote_id="1")).id == first
    assert ledger.send(Published(remote_id="2")).id == second
    assert ledger.claim_one().id == third


@pytest.mark.parametrize(
    "state", ["claimed", "sending", "unknown", "resolving", "published", "dead", "held", "cancelled"]
)
def test_only_waiting_states_can_be_claimed(ledger: Ledger, state: str) -> None:
    job_id = ledger.add()
    _force(ledger, job_id, state)

    assert ledger.claim() == []


@pytest.mark.parametrize("state", ["pending_queue", "queued", "retry_wait", "snoozed"])
def test_every_waiting_state_can_be_claimed(ledger: Ledger, state: str) -> None:
    job_id = ledger.add()
    _force(ledger, job_id, state)

    assert ledger.claim_one().id == job_id


def _force(ledger: Ledger, job_id: int, state: str) -> None:
    with ledger.database.transaction() as session:
        job = session.get_one(type(ledger.job(job_id)), job_id)
        job.state = JobState(state)
        job.remote_id = "1" if state == "published" else None
        if state in ("claimed", "sending", "resolving"):
            job.lease_owner, job.lease_until = "somebody", ledger.now + timedelta(seconds=60)
