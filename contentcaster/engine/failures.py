"""What people do with a failed task: try again, say that it is live, or let it go."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from contentcaster.engine import hints
from contentcaster.engine.conditions import has_lost_its_thread
from contentcaster.engine.failed_tasks import resolve_open_failures
from contentcaster.engine.ledger import cancel_jobs, record_events
from contentcaster.engine.policy import CLOCK, Now
from contentcaster.engine.post_status import refresh_posts
from contentcaster.errors import Conflict, NotFound
from contentcaster.models import CLAIMABLE, FailedTask, Job, JobState

_NO_SYNC = {"synchronize_session": False}
_ENDED = (JobState.DEAD, JobState.HELD)
_RETRY_WINDOW_SECONDS = 24 * 3600


def retry(session: Session, failed_task_id: int, *, actor: str, now: Now = CLOCK) -> int:
    """Send the job again from its first attempt; returns the job id.

    From a held job this is a person's word that it is not on the network.

    Raises:
        NotFound: no such failed task.
        Conflict: it is settled already, perhaps by somebody else a moment ago; or it is part of a thread whose part
            before was let go.
    """
    task = _open_task(session, failed_task_id)
    if session.execute(
        select(Job.id).where(Job.id == task.job_id, has_lost_its_thread())  # type: ignore[arg-type]
    ).first():
        raise Conflict(
            "The part of the thread before it was let go, so there is nothing it could follow. Let it go too, or post "
            "its text anew."
        )
    _move(
        session,
        task.job_id,
        {
            "state": JobState.PENDING_QUEUE,
            "attempt": 0,
            "crashes": 0,
            "lookups": 0,
            "snoozes": 0,
            "due_at": now(0),
            "expires_at": now(_RETRY_WINDOW_SECONDS),
            "late_until": None,
            "hinted_at": None,
            "ended_at": None,
            "error_class": None,
            "error_message": None,
            # The time a resend with the network's key is safe counts from the next send on.
            "first_sent_at": None,
            "resend_until": None,
        },
    )
    _let_followers_wait(session, task.job_id, now)
    _close(session, task, "retried", actor, now)
    hints.offer_after_commit(session, [task.job_id])
    return task.job_id


def resolve_published(
    session: Session,
    failed_task_id: int,
    *,
    remote_url: str,
    remote_id: str | None = None,
    actor: str,
    now: Now = CLOCK,
) -> int:
    """Record that the post is live at `remote_url`; returns the job id. Nothing is sent.

    Raises:
        NotFound: as `retry`.
        Conflict: as `retry`, or the address belongs to another post already.
    """
    task = _open_task(session, failed_task_id)
    _move(
        session,
        task.job_id,
        {
            "state": JobState.PUBLISHED,
            "remote_id": remote_id or remote_url,
            "remote_url": remote_url,
            "ended_at": now(0),
            "error_class": None,
            "error_message": None,
        },
    )
    _let_followers_wait(session, task.job_id, now)
    _close(session, task, "published", actor, now, message=remote_url)
    return task.job_id


def discard(session: Session, failed_task_id: int, *, actor: str, now: Now = CLOCK) -> int:
    """Let it go: the job is cancelled and nothing more is sent, nor the thread parts after it; returns the job id.

    Raises:
        NotFound, Conflict: as `retry`.
    """
    task = _open_task(session, failed_task_id)
    _move(session, task.job_id, {"state": JobState.CANCELLED, "ended_at": now(0)})
    _close(session, task, "discarded", actor, now)
    cancel_jobs(session, _followers(session, task.job_id), actor=actor, now=now)
    return task.job_id


def _open_task(session: Session, failed_task_id: int) -> FailedTask:
    """The failed task, locked. Its job is locked first, as the engine does it: no deadlock with a late success."""
    job_id = session.execute(
        select(FailedTask.job_id).where(FailedTask.id == failed_task_id)
    ).scalar_one_or_none()
    if job_id is None:
        raise NotFound("This failed task does not exist.")
    session.execute(select(Job.id).where(Job.id == job_id).with_for_update())
    task = session.get(FailedTask, failed_task_id, with_for_update=True, populate_existing=True)
    if task is None:
        raise NotFound("This failed task does not exist.")
    if task.resolved_at is not None:
        raise Conflict(f"This failed task was settled already ({task.resolution}, by {task.resolved_by}).")
    return task


def _move(session: Session, job_id: int, values: dict[str, object]) -> None:
    try:
        row = session.execute(
            update(Job)
            .where(Job.id == job_id, Job.state.in_(_ENDED))  # type: ignore[arg-type,attr-defined]
            .values(fence=Job.fence + 1, version=Job.version + 1, **values)
            .returning(Job.post_id)
            .execution_options(**_NO_SYNC)
        ).one_or_none()
    except IntegrityError as error:
        raise Conflict("Another post of this channel has this address already.") from error
    if row is None:
        raise Conflict("This job has moved on meanwhile; look at its timeline.")
    refresh_posts(session, [row.post_id])


def _followers(session: Session, job_id: int) -> list[int]:
    """The jobs of the thread parts after this one, nearest first."""
    found: list[int] = []
    last: int | None = job_id
    while last is not None:
        last = session.execute(select(Job.id).where(Job.after_job_id == last).limit(1)).scalar_one_or_none()
        if last is not None:
            found.append(last)
    return found


def _let_followers_wait(session: Session, job_id: int, now: Now) -> None:
    """The thread parts after it go out after it, although their own time may be long past."""
    session.execute(
        update(Job)
        .where(Job.id.in_(_followers(session, job_id)), Job.state.in_(CLAIMABLE))
        .values(expires_at=now(_RETRY_WINDOW_SECONDS), version=Job.version + 1)
        .execution_options(**_NO_SYNC)
    )


def _close(
    session: Session, task: FailedTask, resolution: str, actor: str, now: Now, *, message: str = ""
) -> None:
    record_events(session, [task.job_id], resolution, actor=actor, message=message)
    resolve_open_failures(session, [task.job_id], by=actor, resolution=resolution, now=now)
