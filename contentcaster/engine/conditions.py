"""Conditions in SQL that more than one part asks: may this job run, and was it started at all?

States stand as literals where a partial index has them in its condition: with a bound parameter the database cannot
know, when it plans, that the index serves the query, and reads the whole table instead.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, ColumnElement, and_, literal_column, or_, select
from sqlalchemy.orm import aliased

from contentcaster.engine.policy import MAX_CRASHES, Now
from contentcaster.models import CLAIMABLE, LEASED, Job, JobState, QueueState
from contentcaster.settings import QUEUES


def _is_in(states: tuple[JobState, ...]) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = Job.state.in_([literal_column(f"'{state.value}'") for state in states])
    return condition


def is_waiting() -> ColumnElement[bool]:
    """Can still be claimed (index ix_job_due)."""
    return _is_in(CLAIMABLE)


def is_overdue(now: Now) -> ColumnElement[bool]:
    """Waits although its time has come, in whichever queue (index ix_job_due)."""
    return and_(is_waiting(), Job.queue.in_(QUEUES), Job.due_at <= now(0))


def is_leased() -> ColumnElement[bool]:
    """A worker has it (index ix_job_lease)."""
    return _is_in(LEASED)


def is_unknown() -> ColumnElement[bool]:
    """Waits for a look-up (index ix_job_unknown)."""
    return literal_column(f"job.state = '{JobState.UNKNOWN.value}'", Boolean)


def is_suspect() -> ColumnElement[bool]:
    """Its workers died so often that once more parks it (index ix_job_suspect)."""
    return literal_column(f"job.crashes >= {MAX_CRASHES - 1}", Boolean)


def is_unhinted() -> ColumnElement[bool]:
    """No queue has accepted a hint for it (index ix_job_unhinted)."""
    return literal_column(f"job.state = '{JobState.PENDING_QUEUE.value}'", Boolean)


def is_free_to_run() -> ColumnElement[bool]:
    """Its queue is not paused and the thread part before it, if any, is published."""
    # Asked once, not per job: then the due jobs are read in their order, and no more of them than are wanted.
    paused = select(QueueState.queue).where(QueueState.paused_at.is_not(None))
    return and_(is_next_in_thread(), Job.queue.not_in(paused))


def is_next_in_thread() -> ColumnElement[bool]:
    """No thread part before it, or that one is published."""
    return or_(Job.after_job_id.is_(None), _state_before() == JobState.PUBLISHED)


def is_next_to_look_up() -> ColumnElement[bool]:
    """No thread part before it whose own outcome is still open: a reply is recognised by what it answers."""
    settled = (JobState.PUBLISHED, JobState.DONE, JobState.CANCELLED)
    return or_(Job.after_job_id.is_(None), _state_before().in_(settled))


def has_lost_its_thread() -> ColumnElement[bool]:
    """The thread part before it was let go: its turn will not come."""
    return and_(Job.after_job_id.is_not(None), _state_before() == JobState.CANCELLED)


def _state_before() -> Any:
    """The state of the thread part before. A value, not EXISTS: Postgres would answer that by hashing every published
    job there is."""
    before: Any = aliased(Job)
    return select(before.state).where(before.id == Job.after_job_id).correlate(Job).scalar_subquery()


def can_be_missed() -> ColumnElement[bool]:
    """Never started, and nothing before it that was: parts of a thread follow the first one, however late."""
    return and_(Job.attempt == 0, Job.snoozes == 0, Job.after_job_id.is_(None), Job.late_until.is_not(None))
