"""Every change of a job up to its sending: create, claim, begin to send, cancel, move.

What becomes of an attempt is in `settlement`; what was lost on the way in `reconciler`. All functions take a session
of a write transaction and leave the commit to the caller. Guards are conditional updates whose row count decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, insert, or_, select, update
from sqlmodel import Session

from contentcaster.engine import hints
from contentcaster.engine.conditions import (
    can_be_missed,
    is_free_to_run,
    is_next_to_look_up,
    is_suspect,
    is_unknown,
    is_waiting,
)
from contentcaster.engine.failed_tasks import resolve_open_failures
from contentcaster.engine.policy import CLOCK, Now
from contentcaster.engine.post_status import refresh_posts
from contentcaster.models import CLAIMABLE, Job, JobEvent, JobState
from contentcaster.models.types import is_one_of

_NO_SYNC = {"synchronize_session": False}


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """One outward effect to come. `after_index` names the thread part before, by its place in the same list."""

    queue: str
    kind: str
    dedupe_key: str
    account_id: str | None
    payload: dict[str, Any]
    due_at: datetime
    expires_at: datetime
    idempotency_key: str
    client_ref: str = ""
    post_id: str | None = None
    after_index: int | None = None
    priority: int = 100
    max_attempts: int = 4
    late_until: datetime | None = None
    on_missed: str = "hold"


@dataclass(frozen=True)
class ClaimedJob:
    """A job under this worker's lease; `database_now` is the database's clock at the claim."""

    id: int
    queue: str
    kind: str
    fence: int
    attempt: int
    max_attempts: int
    lookups: int
    account_id: str | None
    post_id: str | None
    after_job_id: int | None
    payload: dict[str, Any]
    progress: dict[str, Any]
    due_at: datetime
    scheduled_at: datetime
    expires_at: datetime
    claimed_at: datetime
    idempotency_key: str
    client_ref: str
    first_sent_at: datetime | None
    resend_until: datetime | None
    database_now: datetime = field(compare=False)


def add_jobs(session: Session, jobs: Sequence[NewJob], *, actor: str = "") -> list[int]:
    """Insert jobs as `pending_queue` and offer their hints right after the commit; returns their ids in order."""
    ids: list[int] = []
    for new in jobs:
        job = Job(
            queue=new.queue,
            kind=new.kind,
            dedupe_key=new.dedupe_key,
            account_id=new.account_id,
            post_id=new.post_id,
            after_job_id=None if new.after_index is None else ids[new.after_index],
            payload=new.payload,
            due_at=new.due_at,
            scheduled_at=new.due_at,
            expires_at=new.expires_at,
            late_until=new.late_until,
            on_missed=new.on_missed,
            priority=new.priority,
            max_attempts=new.max_attempts,
            idempotency_key=new.idempotency_key,
            client_ref=new.client_ref or None,
        )
        session.add(job)
        session.flush()
        assert job.id is not None
        ids.append(job.id)
    record_events(session, ids, "scheduled", actor=actor)
    refresh_posts(session, (job.post_id for job in jobs))
    hints.offer_after_commit(session, ids)
    return ids


def record_events(
    session: Session, job_ids: Sequence[int], name: str, *, actor: str = "", message: str = ""
) -> None:
    """Add one line to the timeline of each job."""
    if job_ids:
        session.execute(
            insert(JobEvent),
            [{"job_id": job_id, "name": name, "actor": actor, "message": message} for job_id in job_ids],
        )


def claim(
    session: Session,
    *,
    queues: Sequence[str],
    worker: str,
    limit: int,
    lead_seconds: float,
    lease_seconds: float,
    now: Now = CLOCK,
) -> list[ClaimedJob]:
    """Lease up to `limit` jobs that are due within the lead, in the order in which they are due.

    Of the suspects, whose workers died twice, a worker holds one at a time. Which of the jobs it had in hand ended a
    worker nobody knows: one by one they show it, and the others are not parked with the one that did.
    """
    claimable = (
        is_waiting(),
        Job.queue.in_(queues),  # type: ignore[attr-defined]
        Job.due_at <= now(lead_seconds),
        Job.expires_at > now(0),
        or_(~can_be_missed(), Job.late_until > now(0)),  # type: ignore[operator]
        or_(Job.resend_until.is_(None), Job.resend_until > now(lead_seconds)),  # type: ignore[union-attr,operator]
        is_free_to_run(),
    )
    holds_suspect = (
        select(Job.id)
        .where(is_suspect(), Job.state == JobState.CLAIMED, Job.lease_owner == worker)  # type: ignore[arg-type]
        .correlate(None)
        .exists()
    )
    next_suspect = (
        select(Job.id)
        .where(is_suspect(), *claimable, ~holds_suspect)
        .order_by(Job.due_at, Job.id)  # type: ignore[arg-type]
        .limit(1)
        .correlate(None)
        .scalar_subquery()
    )
    due = (
        select(Job.id)
        .where(*claimable, or_(~is_suspect(), Job.id == next_suspect))
        .order_by(Job.due_at, Job.priority, Job.id)  # type: ignore[arg-type]
        .limit(limit)
        .with_for_update(skip_locked=True, of=Job)
    )
    return _lease(
        session,
        due,
        state=JobState.CLAIMED,
        worker=worker,
        lease_seconds=lease_seconds,
        now=now,
        attempt=Job.attempt + 1,
    )


def is_anything_due(
    session: Session, *, queues: Sequence[str], lead_seconds: float, now: Now = CLOCK
) -> bool:
    """Whether there may be something to claim or to look up; a hint, not a promise."""
    due = select(Job.id).where(is_waiting(), Job.queue.in_(queues), Job.due_at <= now(lead_seconds))  # type: ignore
    unknown = select(Job.id).where(is_unknown(), Job.due_at <= now(0))  # type: ignore[arg-type]
    return any(session.execute(query.limit(1)).first() is not None for query in (due, unknown))


def seconds_until_next(
    session: Session, *, queues: Sequence[str], lead_seconds: float, now: Now = CLOCK
) -> float | None:
    """How long until the next job comes within the lead; None if none waits."""
    # One look into the index per queue: over several at once the database would read all that waits.
    first_of_each = [
        select(func.min(Job.due_at))
        .where(is_waiting(), Job.queue == queue, Job.due_at > now(lead_seconds))  # type: ignore[arg-type]
        .scalar_subquery()
        for queue in queues
    ]
    told, *found = session.execute(select(now(0).label("told"), *first_of_each)).one()
    return min(
        ((due - told).total_seconds() - lead_seconds for due in found if due is not None), default=None
    )


def claim_lookups(
    session: Session,
    *,
    queues: Sequence[str],
    worker: str,
    limit: int,
    lease_seconds: float,
    now: Now = CLOCK,
) -> list[ClaimedJob]:
    """Lease jobs of unknown outcome whose settle time is over, to look them up on the network."""
    due = (
        select(Job.id)
        .where(
            is_unknown(),
            Job.queue.in_(queues),  # type: ignore[attr-defined]
            Job.due_at <= now(0),
            is_next_to_look_up(),
        )
        .order_by(Job.due_at, Job.id)  # type: ignore[arg-type]
        .limit(limit)
        .with_for_update(skip_locked=True, of=Job)
    )
    return _lease(session, due, state=JobState.RESOLVING, worker=worker, lease_seconds=lease_seconds, now=now)


def begin_send(
    session: Session,
    claims: Sequence[tuple[int, int]],
    *,
    lease_seconds: float,
    now: Now = CLOCK,
) -> set[int]:
    """Write the intent to send, before the first byte; returns the ids whose lease still holds.

    Whoever is not in the answer must not send. Asking again with the same fence is harmless: only the holder of that
    fence can have written it, so an answer lost on its way from the database costs nothing.
    """
    by_fence: dict[int, list[int]] = {}
    for job_id, fence in claims:
        by_fence.setdefault(fence, []).append(job_id)
    begun: set[int] = set()
    for fence, job_ids in by_fence.items():
        rows = session.execute(
            update(Job)
            .where(
                is_one_of(Job.id, job_ids),
                Job.fence == fence,  # type: ignore[arg-type]
                Job.state.in_((JobState.CLAIMED, JobState.SENDING)),  # type: ignore[attr-defined]
                Job.lease_until > now(0),  # type: ignore[operator]
                or_(Job.resend_until.is_(None), Job.resend_until > now(0)),  # type: ignore[union-attr,operator]
            )
            .values(
                state=JobState.SENDING,
                lease_until=now(lease_seconds),
                sent_at=now(0),
                first_sent_at=func.coalesce(Job.first_sent_at, now(0)),
                version=Job.version + 1,
            )
            .returning(Job.id)
            .execution_options(**_NO_SYNC)
        )
        begun.update(row.id for row in rows)
    return begun


def save_progress(session: Session, job_id: int, fence: int, progress: dict[str, Any]) -> None:
    """Keep what preparation has done on the network, so that a retry resumes there."""
    session.execute(
        update(Job)
        .where(Job.id == job_id, Job.fence == fence)
        .values(progress=progress)
        .execution_options(**_NO_SYNC)  # type: ignore[arg-type]
    )


def cancel_jobs(session: Session, job_ids: Sequence[int], *, actor: str, now: Now = CLOCK) -> list[int]:
    """Cancel what has not begun to send; returns the ids that are cancelled. No request follows for those.

    A held job is let go, and its failed task with it.
    """
    rows = session.execute(
        update(Job)
        .where(
            Job.id.in_(job_ids),  # type: ignore[union-attr]
            Job.state.in_((*CLAIMABLE, JobState.CLAIMED, JobState.HELD)),  # type: ignore[attr-defined]
        )
        .values(
            state=JobState.CANCELLED,
            fence=Job.fence + 1,
            lease_owner=None,
            lease_until=None,
            ended_at=now(0),
            version=Job.version + 1,
        )
        .returning(Job.id, Job.post_id)
        .execution_options(**_NO_SYNC)
    ).all()
    cancelled = [row.id for row in rows]
    record_events(session, cancelled, "cancelled", actor=actor)
    resolve_open_failures(session, cancelled, by=actor, resolution="discarded", now=now)
    refresh_posts(session, (row.post_id for row in rows))
    return cancelled


def reschedule_jobs(
    session: Session,
    job_ids: Sequence[int],
    *,
    due_at: datetime,
    expires_at: datetime,
    late_until: datetime | None = None,
    on_missed: str = "hold",
    payloads: dict[int, dict[str, Any]] | None = None,
    client_refs: dict[int, str] | None = None,
    actor: str,
) -> list[int]:
    """Move waiting jobs that were never sent to a new time, with new content if given; returns the ids changed.

    A job that a worker has claimed meanwhile is not changed: compare the answer with what was asked for.
    """
    changed: list[int] = []
    post_ids: set[str | None] = set()
    for job_id in job_ids:
        values: dict[str, Any] = {
            "state": JobState.PENDING_QUEUE,
            "due_at": due_at,
            "scheduled_at": due_at,
            "expires_at": expires_at,
            "late_until": late_until,
            "on_missed": on_missed,
            "hinted_at": None,
            # Nothing was sent yet: at its new time it has all its tries again.
            "attempt": 0,
            "crashes": 0,
            "snoozes": 0,
            "error_class": None,
            "error_message": None,
            "version": Job.version + 1,
        }
        if payloads and job_id in payloads:
            values |= {"payload": payloads[job_id], "progress": {}}
        if client_refs and job_id in client_refs:
            values["client_ref"] = client_refs[job_id] or None
        row = session.execute(
            update(Job)
            .where(Job.id == job_id, Job.state.in_(CLAIMABLE), Job.first_sent_at.is_(None))  # type: ignore[arg-type,attr-defined,union-attr]
            .values(**values)
            .returning(Job.post_id)
            .execution_options(**_NO_SYNC)
        ).one_or_none()
        if row is not None:
            changed.append(job_id)
            post_ids.add(row.post_id)
    record_events(session, changed, "rescheduled", actor=actor)
    refresh_posts(session, post_ids)
    hints.offer_after_commit(session, changed)
    return changed


def _lease(
    session: Session,
    due: Select[Any],
    *,
    state: JobState,
    worker: str,
    lease_seconds: float,
    now: Now,
    **values: Any,
) -> list[ClaimedJob]:
    # MATERIALIZED: Postgres must not run the limited sub-query more than once.
    chosen = due.cte("chosen").prefix_with("MATERIALIZED", dialect="postgresql")
    rows = session.execute(
        update(Job)
        .where(Job.id.in_(select(chosen.c.id)))  # type: ignore[union-attr]
        .values(
            state=state,
            fence=Job.fence + 1,
            lease_owner=worker,
            lease_until=now(lease_seconds),
            claimed_at=now(0),
            version=Job.version + 1,
            **values,
        )
        .returning(*_CLAIM_COLUMNS, now(0).label("database_now"))
        .execution_options(**_NO_SYNC)
    ).all()
    claimed = [
        ClaimedJob(**{**row._mapping, "client_ref": row.client_ref or ""})  # type: ignore[arg-type]
        for row in rows
    ]
    refresh_posts(session, (job.post_id for job in claimed))
    return sorted(claimed, key=lambda job: (job.due_at, job.id))


_CLAIM_COLUMNS = tuple(
    getattr(Job, name) for name in ClaimedJob.__dataclass_fields__ if name != "database_now"
)
