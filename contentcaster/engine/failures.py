"""What people do with a failed task: try again, say that it is live, or let it go."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update
from sqlmodel import Session

from contentcaster.clock import utc_now
from contentcaster.db import after_commit
from contentcaster.engine import hints
from contentcaster.engine.ledger import record_events
from contentcaster.engine.policy import CLOCK
from contentcaster.engine.post_status import refresh_posts
from contentcaster.engine.settlement import resolve_open_failures
from contentcaster.errors import Conflict, NotFound
from contentcaster.models import FailedTask, Job, JobState

_NO_SYNC = {"synchronize_session": False}
_ENDED = (JobState.DEAD, JobState.HELD)
_RETRY_WINDOW = timedelta(hours=24)


def retry(session: Session, failed_task_id: int, *, actor: str) -> int:
    """Send the job again from its first attempt; returns the job id.

    From a held job this is a person's word that it is not on the network.

    Raises:
        NotFound: no such failed task.
        Conflict: it is settled already, perhaps by somebody else a moment ago.
    """
    task = _open_task(session, failed_task_id)
    now = utc_now()
    _move(
        session,
        task.job_id,
        {
            "state": JobState.PENDING_QUEUE,
            "attempt": 0,
            "crashes": 0,
            "lookups": 0,
            "snoozes": 0,
            "due_at": CLOCK(0),
            "expires_at": now + _RETRY_WINDOW,
            "late_until": None,
            "hinted_at": None,
            "ended_at": None,
            "error_class": None,
            "error_message": None,
            # The time a resend with the network's key is safe counts from the next send on.
            "first_sent_at": None,
        },
    )
    _close(session, task, "retried", actor)
    after_commit(session, lambda database: hints.offer(database, [task.job_id]))
    return task.job_id


def resolve_published(
    session: Session, failed_task_id: int, *, remote_url: str, remote_id: str | None = None, actor: str
) -> int:
    """Record that the post is live at `remote_url`; returns the job id. Nothing is sent.

    Raises:
        NotFound, Conflict: as `retry`.
    """
    task = _open_task(session, failed_task_id)
    _move(
        session,
        task.job_id,
        {
            "state": JobState.PUBLISHED,
            "remote_id": remote_id or remote_url,
            "remote_url": remote_url,
            "ended_at": CLOCK(0),
            "error_class": None,
            "error_message": None,
        },
    )
    _close(session, task, "published", actor, message=remote_url)
    return task.job_id


def discard(session: Session, failed_task_id: int, *, actor: str) -> int:
    """Let it go: the job is cancelled and nothing more is sent; returns the job id.

    Raises:
        NotFound, Conflict: as `retry`.
    """
    task = _open_task(session, failed_task_id)
    _move(session, task.job_id, {"state": JobState.CANCELLED, "ended_at": CLOCK(0)})
    _close(session, task, "discarded", actor)
    return task.job_id


def _open_task(session: Session, failed_task_id: int) -> FailedTask:
    task = session.get(FailedTask, failed_task_id, with_for_update=True)
    if task is None:
        raise NotFound("This failed task does not exist.")
    if task.resolved_at is not None:
        raise Conflict(f"This failed task was settled already ({task.resolution}, by {task.resolved_by}).")
    return task


def _move(session: Session, job_id: int, values: dict[str, object]) -> None:
    row = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state.in_(_ENDED))  # type: ignore[arg-type,attr-defined]
        .values(fence=Job.fence + 1, version=Job.version + 1, **values)
        .returning(Job.post_id)
        .execution_options(**_NO_SYNC)
    ).one_or_none()
    if row is None:
        raise Conflict("This job has moved on meanwhile; look at its timeline.")
    refresh_posts(session, [row.post_id])


def _close(session: Session, task: FailedTask, resolution: str, actor: str, *, message: str = "") -> None:
    record_events(session, [task.job_id], resolution, actor=actor, message=message)
    resolve_open_failures(session, [task.job_id], by=actor, resolution=resolution)
