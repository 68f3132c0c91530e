"""What people see of a post: one rule in Python, the same in SQL, derived in the commit that changes a target."""

from __future__ import annotations

import itertools
import threading
from datetime import timedelta

from sqlalchemy import update

from contentcaster.engine.outcomes import Published, Refused, RetryLater
from contentcaster.engine.post_status import MISSED, post_status, refresh_posts, target_status
from contentcaster.models import Job, JobState, Post, PostStatus
from tests.engine.ledger_kit import Ledger

_KINDS = [(state, None) for state in JobState] + [(JobState.HELD, MISSED), (JobState.CANCELLED, MISSED)]


def test_the_rule_in_python_and_the_rule_in_sql_agree_on_every_mixture_of_up_to_three(ledger: Ledger) -> None:
    post_id, job_ids = ledger.add_post(targets=3)
    mixtures = list(itertools.combinations_with_replacement(_KINDS, 3))
    assert len(mixtures) > 600
    wrong = []
    with ledger.database.transaction() as session:
        for mixture in mixtures:
            for job_id, (state, error_class) in zip(job_ids, mixture, strict=True):
                is_leased = state in (JobState.CLAIMED, JobState.SENDING, JobState.RESOLVING)
                session.execute(
                    update(Job)
                    .where(Job.id == job_id)  # type: ignore[arg-type]
                    .values(
                        state=state,
                        error_class=error_class,
                        remote_id=str(job_id) if state is JobState.PUBLISHED else None,
                        lease_until=ledger.now if is_leased else None,
                    )
                )
            refresh_posts(session, [post_id])
            in_sql = session.get_one(Post, post_id, populate_existing=True).status
            in_python = post_status([target_status(*kind) for kind in mixture])
            if in_sql is not in_python:
                wrong.append((mixture, in_sql, in_python))
    assert wrong == []


def test_a_post_is_processing_published_and_partly_published_as_its_targets_are(ledger: Ledger) -> None:
    post_id, _ = ledger.add_post(targets=2)
    assert ledger.post_status(post_id) is PostStatus.PENDING_QUEUE
    first, second = ledger.claim()
    assert ledger.post_status(post_id) is PostStatus.PROCESSING
    ledger.begin_send(first, second)

    ledger.settle(first, Published(remote_id="1"))
    assert ledger.post_status(post_id) is PostStatus.PROCESSING
    ledger.settle(second, RetryLater())
    assert ledger.post_status(post_id) is PostStatus.RETRYING
    ledger.wait(1)
    ledger.send(Refused())

    assert ledger.post_status(post_id) is PostStatus.PARTLY_PUBLISHED


def test_two_targets_settled_at_once_leave_the_post_published(ledger: Ledger) -> None:
    for round_number in range(10):
        post_id, _ = ledger.add_post(targets=2)
        jobs = ledger.claim()
        ledger.begin_send(*jobs)
        start = threading.Barrier(2)

        def settle(
            index: int, jobs: list = jobs, start: threading.Barrier = start, n: int = round_number
        ) -> None:  # type: ignore[type-arg]
            start.wait()
            ledger.settle(jobs[index], Published(remote_id=f"{n}-{index}"))

        threads = [threading.Thread(target=settle, args=(index,)) for index in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert ledger.post_status(post_id) is PostStatus.PUBLISHED


def test_the_status_changes_in_the_same_commit_as_the_job(ledger: Ledger) -> None:
    post_id, _ = ledger.add_post(due_at=ledger.now + timedelta(seconds=1))

    try:
        with ledger.database.transaction() as session:
            from contentcaster.engine import ledger as ledger_module

            ledger_module.claim(
                session,
                queues=("publish",),
                worker="w",
                limit=1,
                lead_seconds=3,
                lease_seconds=60,
                now=ledger.clock,
            )
            assert session.get_one(Post, post_id).status is PostStatus.PROCESSING
            raise RuntimeError
    except RuntimeError:
        pass

    assert ledger.post_status(post_id) is PostStatus.PENDING_QUEUE
    assert len(ledger.claim()) == 1
