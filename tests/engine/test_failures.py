"""What people do with a failed task, and what happens when two of them do it at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlmodel import Session

from contentcaster.engine import after_restore, failures
from contentcaster.engine.outcomes import CannotTell, Published, Refused, RetryLater, SafeToSend
from contentcaster.errors import Conflict, NotFound
from contentcaster.models import JobState, PostStatus
from tests.engine.ledger_kit import Ledger


@pytest.fixture
def dead_job(ledger: Ledger) -> int:
    job_id = ledger.add()
    ledger.send(Refused(message="no"))
    return job_id


def _task_id(ledger: Ledger, job_id: int) -> int:
    task_id = ledger.failed_tasks(job_id)[-1].id
    assert task_id is not None
    return task_id


def _do(ledger: Ledger, action: Callable[..., int], job_id: int, **values: object) -> int:
    task_id = _task_id(ledger, job_id)
    with ledger.database.transaction() as session:
        return action(session, task_id, **({"actor": "Ada", "now": ledger.clock} | values))


def test_retrying_sends_it_again_with_all_its_tries_and_the_same_key(ledger: Ledger, dead_job: int) -> None:
    key = ledger.job(dead_job).idempotency_key
    ledger.wait(3 * 24 * 3600)

    assert _do(ledger, failures.retry, dead_job) == dead_job

    claimed = ledger.claim_one()
    assert (claimed.id, claimed.attempt, claimed.idempotency_key) == (dead_job, 1, key)
    (task,) = ledger.failed_tasks(dead_job)
    assert (task.resolution, task.resolved_by) == ("retried", "Ada")


def test_a_retry_that_fails_again_opens_another_failed_task(ledger: Ledger, dead_job: int) -> None:
    _do(ledger, failures.retry, dead_job)
    ledger.send(Refused(message="still no"))

    assert [task.resolution for task in ledger.failed_tasks(dead_job)] == ["retried", None]


def test_saying_that_it_is_live_publishes_it_without_a_request(ledger: Ledger) -> None:
    post_id, (job_id,) = ledger.add_post()
    ledger.send(CannotTell())
    assert ledger.post_status(post_id) is PostStatus.NEEDS_REVIEW

    _do(ledger, failures.resolve_published, job_id, remote_url="https://example.org/@a/5")

    job = ledger.job(job_id)
    assert (job.state, job.remote_url) == (JobState.PUBLISHED, "https://example.org/@a/5")
    assert ledger.post_status(post_id) is PostStatus.PUBLISHED
    assert ledger.claim() == []


def test_a_late_proof_of_the_address_a_person_gave_is_no_duplicate(ledger: Ledger) -> None:
    job_id = ledger.add()
    late = ledger.send(CannotTell())
    _do(ledger, failures.resolve_published, job_id, remote_url="https://example.org/@a/5")

    ledger.settle(late, Published(remote_id="5", remote_url="https://example.org/@a/5"))

    assert "duplicate_incident" not in [event.name for event in ledger.events(job_id)]


def test_an_address_that_belongs_to_another_post_is_refused(ledger: Ledger, dead_job: int) -> None:
    other = ledger.add()
    ledger.send(CannotTell())
    _do(ledger, failures.resolve_published, other, remote_url="https://example.org/@a/5")

    with pytest.raises(Conflict):
        _do(ledger, failures.resolve_published, dead_job, remote_url="https://example.org/@a/5")

    assert ledger.state(dead_job) is JobState.DEAD


def test_discarding_cancels_it_and_the_thread_parts_after_it(ledger: Ledger) -> None:
    first, second, third = ledger.add_all(
        ledger.new_job(), ledger.new_job(after_index=0), ledger.new_job(after_index=1)
    )
    ledger.send(Refused())

    _do(ledger, failures.discard, first)

    assert [ledger.state(job_id) for job_id in (first, second, third)] == [JobState.CANCELLED] * 3
    assert ledger.claim() == []


def test_thread_parts_wait_for_a_person_and_follow_however_late(ledger: Ledger) -> None:
    first, second = ledger.add_all(ledger.new_job(), ledger.new_job(after_index=0))
    ledger.send(Refused())
    ledger.wait(3 * 24 * 3600)
    assert ledger.reconcile().expired == 0

    _do(ledger, failures.retry, first)
    ledger.send(Published(remote_id="1"))
    ledger.send(Published(remote_id="2"))

    assert ledger.state(second) is JobState.PUBLISHED


def test_a_restored_thread_part_whose_part_before_was_let_go_becomes_a_failed_task_that_says_so(
    ledger: Ledger,
) -> None:
    first, second = ledger.add_all(ledger.new_job(), ledger.new_job(after_index=0))
    with ledger.database.transaction() as session:
        after_restore.doubt_what_was_due(session, made_at=ledger.now, now=ledger.clock)
    ledger.look_up(CannotTell())
    _do(ledger, failures.discard, first)
    ledger.look_up(SafeToSend())
    assert ledger.state(second) is JobState.RETRY_WAIT

    assert ledger.reconcile().threads_broken == 1

    assert ledger.state(second) is JobState.DEAD
    (task,) = ledger.failed_tasks(second)
    assert task.reason == "thread_broken" and "was let go" in task.message
    with pytest.raises(Conflict, match="nothing it could follow"):
        _do(ledger, failures.retry, second)


@pytest.mark.parametrize("second_action", [failures.retry, failures.discard])
def test_a_failed_task_is_settled_once(
    ledger: Ledger, dead_job: int, second_action: Callable[..., int]
) -> None:
    _do(ledger, failures.retry, dead_job)

    with pytest.raises(Conflict, match="settled already"):
        _do(ledger, second_action, dead_job)


def test_a_failed_task_that_a_late_success_has_closed_cannot_be_retried(ledger: Ledger) -> None:
    job_id = ledger.add()
    late = ledger.send(CannotTell())
    ledger.settle(late, Published(remote_id="5"))

    with pytest.raises(Conflict):
        _do(ledger, failures.retry, job_id)

    assert ledger.state(job_id) is JobState.PUBLISHED


def test_there_is_no_such_failed_task(ledger: Ledger) -> None:
    with pytest.raises(NotFound), ledger.database.transaction() as session:
        failures.retry(session, 999_999, actor="Ada")


def test_of_two_people_who_act_at_once_one_is_told_that_the_other_was_first(ledger: Ledger) -> None:
    for round_number in range(8):
        job_id = ledger.add()
        ledger.send(Refused())
        task_id = _task_id(ledger, job_id)
        start = threading.Barrier(2)
        results: list[str] = []

        def act(
            action: Callable[[Session, int], object],
            task_id: int = task_id,
            start: threading.Barrier = start,
            results: list[str] = results,
        ) -> None:
            start.wait()
            try:
                with ledger.database.transaction() as session:
                    action(session, task_id)
                results.append("done")
            except Conflict:
                results.append("conflict")

        threads = [
            threading.Thread(target=act, args=(lambda s, t: failures.discard(s, t, actor="Ada"),)),
            threading.Thread(
                target=act,
                args=(
                    lambda s, t, n=round_number: failures.resolve_published(
                        s, t, remote_url=f"https://n/{n}", actor="Ben"
                    ),
                ),
            ),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(results) == ["conflict", "done"]


def test_a_late_success_and_a_retry_at_once_end_in_one_of_both_without_a_deadlock(ledger: Ledger) -> None:
    for round_number in range(8):
        job_id = ledger.add()
        late = ledger.send(CannotTell())
        task_id = _task_id(ledger, job_id)
        start = threading.Barrier(2)
        retried: list[bool] = []

        def retry(
            task_id: int = task_id, start: threading.Barrier = start, retried: list[bool] = retried
        ) -> None:
            start.wait()
            try:
                with ledger.database.transaction() as session:
                    failures.retry(session, task_id, actor="Ada", now=ledger.clock)
                retried.append(True)
            except Conflict:
                retried.append(False)

        thread = threading.Thread(target=retry)
        thread.start()
        start.wait()
        ledger.settle(late, Published(remote_id=f"{round_number}"))
        thread.join()

        assert len(retried) == 1
        assert ledger.state(job_id) is JobState.PUBLISHED
        assert ledger.claim() == []


def test_retries_spent_and_retried_by_hand_get_the_full_ladder_again(ledger: Ledger) -> None:
    job_id = ledger.add(max_attempts=2)
    ledger.send(RetryLater())
    ledger.now += timedelta(seconds=1)
    ledger.send(RetryLater())
    assert ledger.state(job_id) is JobState.DEAD

    _do(ledger, failures.retry, job_id)
    ledger.send(RetryLater())

    assert ledger.state(job_id) is JobState.RETRY_WAIT
