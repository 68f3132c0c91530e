"""The dead-letter table: a failed task opens in the commit that ends its job and closes when the job moves on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import update
from sqlmodel import Session

from contentcaster import live
from contentcaster.db import after_commit
from contentcaster.engine.policy import CLOCK, Now
from contentcaster.models import FailedTask
from contentcaster.models.types import is_one_of

_NO_SYNC = {"synchronize_session": False}
_listeners: list[Callable[[], None]] = []


def register_listener(listener: Callable[[], None]) -> Callable[[], None]:
    """Have `listener` called after each commit that wrote failed tasks; it must only wake somebody. Returns the undo.

    For quickness alone: what is not told yet stands in the table (`told_at`).
    """
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def add_failed_task(
    session: Session, *, job_id: int, fence: int, reason: str, message: str, snapshot: dict[str, Any]
) -> None:
    """Write the dead letter of a job that just became dead or held."""
    session.add(FailedTask(job_id=job_id, fence=fence, reason=reason, message=message, snapshot=snapshot))
    session.flush()
    live.note(session, "failed_tasks")
    for listener in _listeners:
        after_commit(session, lambda _, wake=listener: wake())  # type: ignore[misc]


def resolve_open_failures(
    session: Session, job_ids: Sequence[int], *, by: str, resolution: str, now: Now = CLOCK
) -> int:
    """Close the open failed tasks of these jobs; returns how many there were."""
    if not job_ids:
        return 0
    result = session.execute(
        update(FailedTask)
        .where(is_one_of(FailedTask.job_id, job_ids), FailedTask.resolved_at.is_(None))  # type: ignore[union-attr]
        .values(resolved_at=now(0), resolved_by=by, resolution=resolution)
        .execution_options(**_NO_SYNC)
    )
    if result.rowcount:  # type: ignore[attr-defined]
        live.note(session, "failed_tasks")
    return int(result.rowcount)  # type: ignore[attr-defined]
