"""The intent to send: written before the first byte, only under a valid lease of the own fence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from contentcaster.engine import ledger as ledger_module
from contentcaster.engine.outcomes import Published, RetryLater, Unknown
from contentcaster.models import JobState
from tests.engine.ledger_kit import Ledger


def test_the_holder_may_send_and_its_lease_starts_anew(ledger: Ledger) -> None:
    job_id = ledger.add()
    job = ledger.claim_one()
    ledger.wait(10)

    assert ledger.begin_send(job) == {job_id}

    row = ledger.job(job_id)
    assert row.state is JobState.SENDING
    assert row.lease_until == ledger.now + timedelta(seconds=60)
    assert row.first_sent_at == row.sent_at == ledger.now


def test_another_fence_may_not_send(ledger: Ledger) -> None:
    job_id = ledger.add()
    job = ledger.claim_one()

    assert ledger.begin_send(replace(job, fence=job.fence - 1)) == set()
    assert ledger.begin_send(replace(job, fence=job.fence + 1)) == set()
    assert ledger.state(job_id) is JobState.CLAIMED


def test_a_lapsed_lease_may_not_send(ledger: Ledger) -> None:
    job_id = ledger.add()
    job = ledger.claim_one()
    ledger.wait(60)

    assert ledger.begin_send(job) == set()
    assert ledger.state(job_id) is JobState.CLAIMED


def test_asking_again_with_the_same_fence_is_harmless(ledger: Ledger) -> None:
    job_id = ledger.add()
    job = ledger.claim_one()
    ledger.begin_send(job)
    first_sent_at = ledger.job(job_id).first_sent_at
    ledger.wait(1)

    assert ledger.begin_send(job) == {job_id}
    assert ledger.job(job_id).first_sent_at == first_sent_at


def test_asking_again_after_the_outcome_is_settled_is_refused(ledger: Ledger) -> None:
    for outcome in (Published(remote_id="1"), RetryLater(), Unknown()):
        job_id = ledger.add()
        job = ledger.send(outcome)

        assert ledger.begin_send(job) == set(), outcome
        assert ledger.state(job_id) is not JobState.SENDING
        ledger.cancel(job_id)


def test_in_a_batch_each_job_is_judged_alone(ledger: Ledger) -> None:
    ledger.add_all(*[ledger.new_job() for _ in range(3)])
    first, second, third = ledger.claim()
    with ledger.database.transaction() as session:
        ledger_module.cancel_jobs(session, [second.id], actor="Ada")

    assert ledger.begin_send(first, second, third) == {first.id, third.id}


def test_the_time_of_the_first_send_survives_a_retry(ledger: Ledger) -> None:
    job_id = ledger.add()
    ledger.send(RetryLater())
    first_sent_at = ledger.job(job_id).first_sent_at
    ledger.wait(1)

    job = ledger.claim_one()
    ledger.begin_send(job)

    row = ledger.job(job_id)
    assert row.first_sent_at == first_sent_at
    assert row.sent_at == ledger.now
    assert job.first_sent_at == first_sent_at


def test_preparation_progress_is_kept_for_the_retry_and_only_by_the_holder(ledger: Ledger) -> None:
    job_id = ledger.add()
    job = ledger.claim_one()
    with ledger.database.transaction() as session:
        ledger_module.save_progress(session, job.id, job.fence, {"media_ids": ["a"]})
        ledger_module.save_progress(session, job.id, job.fence - 1, {"media_ids": ["stale"]})
    ledger.settle(job, RetryLater())
    ledger.wait(1)

    assert ledger.claim_one().progress == {"media_ids": ["a"]}
    assert ledger.job(job_id).progress == {"media_ids": ["a"]}
