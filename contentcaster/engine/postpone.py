"""Giving a claimed job another time before anything of it was sent: its attempt is not counted."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import update
from sqlmodel import Session

from contentcaster.engine.ledger import record_events
from contentcaster.models import Job, JobState

LATE = timedelta(hours=24)
"""After its new time it is given up so much later."""


def postpone(session: Session, job_id: int, fence: int, *, due_at: datetime, why: str, actor: str) -> bool:
    """Let the holder of `fence` put its claimed job off; returns whether it still held it.

    Unlike a snooze for a rate limit this says nothing about the channel. What the holder settles afterwards with its
    old fence changes nothing.
    """
    row = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.fence == fence, Job.state == JobState.CLAIMED)
        .values(
            state=JobState.SNOOZED,
            due_at=due_at,
            expires_at=due_at + LATE,
            attempt=Job.attempt - 1,
            fence=Job.fence + 1,
            lease_owner=None,
            lease_until=None,
            hinted_at=None,
            error_message=why,
            version=Job.version + 1,
        )
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if row is not None:
        record_events(session, [job_id], "postponed", actor=actor, message=why)
    return row is not None
