"""Conditions in SQL that more than one part of the engine asks: may this job run, and was it started at all?"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_
from sqlalchemy.orm import aliased

from contentcaster.models import Job, JobState, QueueState


def is_free_to_run() -> ColumnElement[bool]:
    """Its queue is not paused and the thread part before it, if any, is published."""
    is_paused = exists().where(QueueState.queue == Job.queue, QueueState.paused_at.is_not(None))
    return and_(is_next_in_thread(), ~is_paused)


def is_next_in_thread() -> ColumnElement[bool]:
    """No thread part before it, or that one is published."""
    before: Any = aliased(Job)
    return or_(
        Job.after_job_id.is_(None),
        exists().where(before.id == Job.after_job_id, before.state == JobState.PUBLISHED),
    )


def is_next_to_look_up() -> ColumnElement[bool]:
    """No thread part before it whose own outcome is still open: a reply is recognised by what it answers."""
    before: Any = aliased(Job)
    settled = (JobState.PUBLISHED, JobState.DONE, JobState.CANCELLED)
    return or_(
        Job.after_job_id.is_(None),
        exists().where(before.id == Job.after_job_id, before.state.in_(settled)),
    )


def can_be_missed() -> ColumnElement[bool]:
    """Never started, and nothing before it that was: parts of a thread follow the first one, however late."""
    return and_(Job.attempt == 0, Job.snoozes == 0, Job.after_job_id.is_(None), Job.late_until.is_not(None))
