"""Cancelling and moving: possible until the intent to send is written, and then not at all."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest

from contentcaster.engine import ledger as ledger_module
from contentcaster.engine.outcomes import CannotTell, Published, RetryLater, Unknown
from contentcaster.models import JobState, PostStatus
from tests.engine.ledger_kit import Ledger


def _reschedule(ledger: Ledger, *job_ids: int, due_at: datetime, **values: object) -> list[int]:
    with ledger.database.transaction() as session:
        return ledger_module.reschedule_jobs(
            session,
            job_ids,
            due_at=due_at,
            expires_at=due_at + timedelta(hours=24),
            actor="Ada",
            **values,  # type: ignore[arg-type]
        )


def test_a_cancelled_job_is_never_claimed(ledger: Ledger) -> None:
    post_id, (job_id,) = ledger.add_post()

    assert ledger.cancel(job_id) == [job_id]

    assert ledger.claim() == []
    assert ledger.post_status(post_id) is PostStatus.CANCELLED
    assert [(event.name, event.actor) for event in ledger.events(job_id)][-1] == ("cancelled", "Ada")


def test_cancelled_before_the_intent_is_written_means_that_nobody_may_send(ledger: Ledger) -> None:
    job_id = ledger.add()
    claimed = ledger.claim_one()

    assert ledger.cancel(job_id) == [job_id]

    assert ledger.begin_send(claimed) == set()
    ledger.settle(claimed, RetryLater())
    assert ledger.state(job_id) is JobState.CANCELLED


def test_what_may_be_on_the_network_already_cannot_be_cancelled(ledger: Ledger) -> None:
    sending = ledger.add()
    ledger.begin_send(ledger.claim_one())
    unknown = ledger.add()
    ledger.send(Unknown())
    published = ledger.add()
    ledger.send(Published(remote_id="1"))

    assert ledger.cancel(sending, unknown, published) == []
    assert ledger.state(published) is JobState.PUBLISHED


def test_of_cancel_and_begin_send_at_once_exactly_one_wins(ledger: Ledger) -> None:
    for _ in range(15):
        job_id = ledger.add()
        claimed = ledger.claim_one()
        start = threading.Barrier(2)
        results: dict[str, bool] = {}

        def cancel(
            job_id: int = job_id, start: threading.Barrier = start, results: dict[str, bool] = results
        ) -> None:
            start.wait()
            results["cancelled"] = ledger.cancel(job_id) == [job_id]

        thread = threading.Thread(target=cancel)
        thread.start()
        start.wait()
        results["may_send"] = ledger.begin_send(claimed) == {job_id}
        thread.join()

        assert results["cancelled"] != results["may_send"]
        if results["may_send"]:
            ledger.settle(claimed, Published(remote_id=str(job_id)))


def test_cancelling_a_held_job_closes_its_failed_task(ledger: Ledger) -> None:
    job_id = ledger.add()
    ledger.send(CannotTell())
    assert ledger.state(job_id) is JobState.HELD

    ledger.cancel(job_id)

    (task,) = ledger.failed_tasks(job_id)
    assert (task.resolution, task.resolved_by) == ("discarded", "Ada")


def test_a_waiting_job_moves_to_its_new_time_with_its_new_content(ledger: Ledger) -> None:
    job_id = ledger.add()
    later = ledger.now + timedelta(hours=2)

    changed = _reschedule(
        ledger, job_id, due_at=later, payloads={job_id: {"text": "new"}}, client_refs={job_id: "ref-2"}
    )

    assert changed == [job_id]
    assert ledger.claim() == []
    ledger.now = later
    claimed = ledger.claim_one()
    assert (claimed.payload, claimed.client_ref, claimed.due_at) == ({"text": "new"}, "ref-2", later)


@pytest.mark.parametrize("step", ["claimed", "sending", "unknown", "published", "dead"])
def test_a_job_that_a_worker_has_taken_is_not_moved(ledger: Ledger, step: str) -> None:
    job_id = ledger.add(max_attempts=1)
    claimed = ledger.claim_one()
    if step != "claimed":
        ledger.begin_send(claimed)
    if step == "unknown":
        ledger.settle(claimed, Unknown())
    if step == "published":
        ledger.settle(claimed, Published(remote_id="1"))
    if step == "dead":
        ledger.settle(claimed, RetryLater())
    before = ledger.job(job_id).model_dump()

    assert _reschedule(ledger, job_id, due_at=ledger.now + timedelta(hours=1)) == []
    assert ledger.job(job_id).model_dump() == before


def test_a_job_that_was_tried_on_the_network_is_not_moved(ledger: Ledger) -> None:
    """Its content may be there in part, and its key belongs to what was sent."""
    job_id = ledger.add()
    ledger.send(RetryLater())

    assert _reschedule(ledger, job_id, due_at=ledger.now + timedelta(hours=1)) == []


def test_a_job_that_failed_in_preparation_has_all_its_tries_at_the_new_time(ledger: Ledger) -> None:
    job_id = ledger.add()
    ledger.settle(ledger.claim_one(), RetryLater(message="The image could not be uploaded."))
    assert ledger.job(job_id).attempt == 1

    assert _reschedule(ledger, job_id, due_at=ledger.now + timedelta(hours=1)) == [job_id]

    job = ledger.job(job_id)
    assert (job.attempt, job.error_message) == (0, None)


def test_two_jobs_for_one_target_are_refused_by_the_database(ledger: Ledger) -> None:
    from sqlalchemy.exc import IntegrityError

    ledger.add(dedupe_key="publish:target-1")

    with pytest.raises(IntegrityError):
        ledger.add(dedupe_key="publish:target-1")
