"""Pausing queues and rebuilding their hints from the database."""

from __future__ import annotations

from sqlalchemy import update
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.db import after_commit
from contentcaster.engine import hints
from contentcaster.engine.post_status import refresh_posts
from contentcaster.errors import InvalidInput
from contentcaster.models import Job, JobState, QueueState
from contentcaster.settings import QUEUES


def pause(session: Session, queue: str, *, by: str, reason: str = "") -> None:
    """Stop claiming from `queue`; what is being sent now is finished."""
    state = _state(session, queue)
    state.paused_at, state.paused_by, state.reason = utc_now(), by, reason
    live.note(session, "queues")


def resume(session: Session, queue: str) -> None:
    """Claim from `queue` again."""
    state = _state(session, queue)
    state.paused_at, state.paused_by, state.reason = None, "", ""
    live.note(session, "queues")


def rebuild(session: Session) -> int:
    """Forget all hints and offer them anew, as after a Redis that lost everything; returns how many jobs wait."""
    rows = session.execute(
        update(Job)
        .where(Job.state == JobState.QUEUED)  # type: ignore[arg-type]
        .values(state=JobState.PENDING_QUEUE, hinted_at=None, version=Job.version + 1)
        .returning(Job.post_id)
        .execution_options(synchronize_session=False)
    ).all()
    refresh_posts(session, (row.post_id for row in rows))
    live.note(session, "queues")
    after_commit(session, lambda database: hints.offer(database))
    return len(rows)


def _state(session: Session, queue: str) -> QueueState:
    if queue not in QUEUES:
        raise InvalidInput(f"There is no queue called {queue}.", field="queue")
    state = session.get(QueueState, queue, with_for_update=True)
    if state is None:
        state = QueueState(queue=queue)
        session.add(state)
    return state
