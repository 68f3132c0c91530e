"""Conditions on jobs as literals: a partial index serves a query only if its condition stands in the query's text."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, ColumnElement, literal_column, select

from contentcaster.models import CLAIMABLE, LEASED, FailedTask, Job, JobState


def _is_in(states: tuple[JobState, ...]) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = Job.state.in_([literal_column(f"'{state.value}'") for state in states])
    return condition


def is_waiting() -> ColumnElement[bool]:
    """Can still be claimed (index ix_job_due)."""
    return _is_in(CLAIMABLE)


def is_leased() -> ColumnElement[bool]:
    """A worker has it (index ix_job_lease)."""
    return _is_in(LEASED)


def is_unknown() -> ColumnElement[bool]:
    """Waits for a look-up (index ix_job_unknown)."""
    return literal_column(f"job.state = '{JobState.UNKNOWN.value}'", Boolean)


def open_failures() -> Any:
    """Queue and state of each job with an open failed task, read from the few tasks to the many jobs."""

    def of_job(column: Any) -> Any:
        return select(column).where(Job.id == FailedTask.job_id).scalar_subquery()

    return select(of_job(Job.queue).label("queue"), of_job(Job.state).label("state")).where(
        FailedTask.resolved_at.is_(None)
    )
