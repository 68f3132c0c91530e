"""Hints: telling Huey that a job waits. A hint may be lost, doubled, late or forged; the ledger does not care.

Who sends them is registered by the process that knows Huey (tasks/); without a sender jobs stay `pending_queue`,
which the workers' own look at the ledger finds in time all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select, update
from sqlmodel import Session

from contentcaster.db import Database, after_commit
from contentcaster.engine.conditions import is_unhinted
from contentcaster.engine.crash import crash_point
from contentcaster.engine.policy import CLOCK, Now
from contentcaster.engine.post_status import refresh_posts
from contentcaster.models import Job, JobState
from contentcaster.models.types import is_one_of

log = structlog.get_logger(__name__)

_BATCH = 500
_OFFERED = "offered_hints"


@dataclass(frozen=True)
class Hint:
    queue: str
    job_id: int
    wake_at: datetime
    """When a worker should look: the due time minus the lead."""
    account_id: str | None = None
    """The job's channel: hints of one channel take the same shard of the publish queue."""


class HintRefused(Exception):
    """The queue did not take the hint (Redis is down, full or read-only)."""


HintSender = Callable[[Sequence[Hint]], Collection[int]]
"""Sends hints; returns the ids of the jobs whose hints a queue accepted. One queue may refuse while another takes."""

_sender: HintSender | None = None
_lead_seconds = 3.0


def register_sender(sender: HintSender | None, *, lead_seconds: float) -> None:
    """Set how this process reaches Huey."""
    global _sender, _lead_seconds
    _sender = sender
    _lead_seconds = lead_seconds


def offer(database: Database, job_ids: Sequence[int] | None = None, *, limit: int = _BATCH) -> int:
    """Offer hints for jobs that no queue knows of yet; returns how many were accepted.

    Never raises for a queue that is down: those jobs stay `pending_queue` and are offered again by the reconciler.
    """
    if _sender is None:
        return 0
    accepted = 0
    for start in range(0, len(job_ids), _BATCH) if job_ids is not None else (0,):
        batch = job_ids[start : start + _BATCH] if job_ids is not None else None
        with database.reading() as session:
            hints = _waiting(session, batch, limit)
        if not hints:
            continue
        crash_point("enqueue.before_hint")
        taken = _sender(hints)
        crash_point("enqueue.after_hint")
        if taken:
            with database.transaction() as session:
                mark_queued(session, [hint.job_id for hint in hints if hint.job_id in taken])
        accepted += len(taken)
        if len(taken) < len(hints):
            log.warning("hints_refused", accepted=accepted, refused=len(hints) - len(taken))
        if not taken:
            break
    return accepted


def offer_after_commit(session: Session, job_ids: Sequence[int]) -> None:
    """Offer hints for these jobs once this transaction has committed; all of a transaction's jobs together."""
    waiting: list[int] | None = session.info.get(_OFFERED)
    if waiting is None:
        waiting = session.info[_OFFERED] = []
        after_commit(session, lambda database: offer(database, waiting))
    waiting.extend(job_ids)


def mark_queued(session: Session, job_ids: Sequence[int], *, now: Now = CLOCK) -> int:
    """Record that a queue accepted hints; a job that a worker has claimed meanwhile is left alone."""
    rows = session.execute(
        update(Job)
        .where(is_one_of(Job.id, job_ids), Job.state == JobState.PENDING_QUEUE)  # type: ignore[arg-type]
        .values(state=JobState.QUEUED, hinted_at=now(0), version=Job.version + 1)
        .returning(Job.post_id)
        .execution_options(synchronize_session=False)
    ).all()
    refresh_posts(session, (row.post_id for row in rows))
    return len(rows)


def _waiting(session: Session, job_ids: Sequence[int] | None, limit: int) -> list[Hint]:
    query = select(Job.id, Job.queue, Job.due_at, Job.account_id).where(is_unhinted())
    if job_ids is not None:
        query = query.where(is_one_of(Job.id, job_ids))
    rows = session.execute(query.order_by(Job.due_at, Job.id).limit(limit)).all()  # type: ignore[arg-type]
    lead = timedelta(seconds=_lead_seconds)
    return [
        Hint(queue=row.queue, job_id=row.id, wake_at=row.due_at - lead, account_id=row.account_id)
        for row in rows
    ]
