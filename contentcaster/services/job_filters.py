"""Which jobs have an open failed task; the other conditions on jobs are the engine's (engine/conditions.py)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from contentcaster.models import FailedTask, Job


def open_failures() -> Any:
    """Queue and state of each job with an open failed task, read from the few tasks to the many jobs."""

    def of_job(column: Any) -> Any:
        return select(column).where(Job.id == FailedTask.job_id).scalar_subquery()

    return select(
        of_job(Job.queue).label("queue"), of_job(Job.state).label("state"), FailedTask.reason.label("reason")
    ).where(FailedTask.resolved_at.is_(None))
