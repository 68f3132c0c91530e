"""Queues and workers as operators see them, and the levers they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import Session

from contentcaster.clock import utc_now
from contentcaster.engine import queues
from contentcaster.engine.conditions import is_leased, is_unknown, is_waiting
from contentcaster.engine.heartbeat import ALIVE_SECONDS, HeartbeatView, process_of, read_heartbeat
from contentcaster.errors import InvalidInput
from contentcaster.models import CLAIMABLE, LEASED, Job, JobAttempt, JobState, QueueState, Worker
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import audit
from contentcaster.services.drafts import clean_text
from contentcaster.services.job_filters import open_failures
from contentcaster.services.views import QueueView, WorkerView
from contentcaster.settings import QUEUES

_TITLES = {
    "publish": "Publishing",
    "engagement": "Engagement bot",
    "growth": "Growth bot",
    "finder": "Finder bot",
    "maintenance": "Maintenance",
}
_MINUTES = 30
_NEWEST_ATTEMPTS = 20_000
"""Throughput is counted over at most so many attempts: a bounded read, however long the history."""


@dataclass
class _Depth:
    states: dict[str, int] = field(default_factory=dict)
    overdue: int = 0
    oldest_due_at: datetime | None = None


def list_queues(session: Session, principal: Principal) -> list[QueueView]:
    """All five queues with their depth, lag and throughput."""
    principal.require(Permission.VIEW_OPERATIONS)
    now = utc_now()
    depths = _depths(session, now)
    ended = _ended_per_minute(session, now)
    paused = {
        state.queue: state
        for state in session.execute(select(QueueState).execution_options(populate_existing=True)).scalars()
    }
    return [_queue_view(name, depths[name], ended[name], paused.get(name), now) for name in QUEUES]


def list_workers(session: Session, principal: Principal) -> list[WorkerView]:
    """Worker processes of the last day: those alive first, then by when they started, newest first."""
    principal.require(Permission.VIEW_OPERATIONS)
    now = utc_now()
    workers = session.execute(
        select(Worker).order_by(Worker.started_at.desc()).limit(200).execution_options(populate_existing=True)
    ).scalars()
    loops: dict[tuple[str, str], list[WorkerView]] = {}
    for worker in workers:
        view = _worker_view(worker, now)
        loops.setdefault((process_of(worker.id), view.status), []).append(view)
    return sorted(
        (_one_process(name, views) for (name, _), views in loops.items()), key=lambda view: not view.is_alive
    )


def get_heartbeat(session: Session, principal: Principal) -> HeartbeatView:
    """The top bar's truth about publishing, for anybody who is signed in."""
    principal.require(Permission.OWN_PROFILE)
    return read_heartbeat(session)


def pause_queue(session: Session, principal: Principal, name: str, reason: str = "") -> QueueView:
    """Take no more work from a queue; what is being sent is finished, what waits keeps waiting.

    Raises:
        InvalidInput: field "queue": there is none of that name.
    """
    principal.require(Permission.OPERATE)
    _require_queue(name)
    reason = clean_text(reason)[:500]
    queues.pause(session, name, by=_actor(principal), reason=reason)
    audit.record(session, principal, "queue.paused", "queue", name, {"reason": reason})
    return _one(session, principal, name)


def resume_queue(session: Session, principal: Principal, name: str) -> QueueView:
    """Take work from a queue again. Raises InvalidInput as `pause_queue`."""
    principal.require(Permission.OPERATE)
    _require_queue(name)
    queues.resume(session, name)
    audit.record(session, principal, "queue.resumed", "queue", name)
    return _one(session, principal, name)


def rebuild_queues(session: Session, principal: Principal) -> int:
    """Tell the queues anew of everything that waits in the database; returns how many jobs that are."""
    principal.require(Permission.OPERATE)
    queues.rebuild(session)
    waiting: int = session.execute(select(func.count()).select_from(Job).where(is_waiting())).scalar_one()
    audit.record(session, principal, "queue.rebuilt", "queue", "", {"jobs": waiting})
    return waiting


def _actor(principal: Principal) -> str:
    return (principal.name or principal.email)[:120]


def _require_queue(name: str) -> None:
    if name not in QUEUES:
        raise InvalidInput(f"There is no queue {name[:40]!r}. There are: {', '.join(QUEUES)}.", field="queue")


def _one(session: Session, principal: Principal, name: str) -> QueueView:
    session.flush()
    return next(view for view in list_queues(session, principal) if view.name == name)


def _depths(session: Session, now: datetime) -> dict[str, _Depth]:
    depths = {name: _Depth() for name in QUEUES}
    held = open_failures().subquery()
    counts = [
        select(Job.queue, Job.state, func.count()).where(condition).group_by(Job.queue, Job.state)
        for condition in (is_waiting(), is_leased(), is_unknown())
    ]
    counts.append(select(held.c.queue, held.c.state, func.count()).group_by(held.c.queue, held.c.state))
    for query in counts:
        for queue, state, count in session.execute(query):
            if queue in depths and state is not JobState.DEAD:
                depths[queue].states[state.value] = count
    before = aliased(Job)
    for queue, count, oldest in session.execute(
        select(Job.queue, func.count(), func.min(Job.due_at))
        .outerjoin(before, before.id == Job.after_job_id)
        .where(
            is_waiting(),
            Job.due_at <= now,
            # A thread part whose predecessor is not out yet is not late: it cannot go.
            or_(Job.after_job_id.is_(None), before.state == JobState.PUBLISHED),
        )
        .group_by(Job.queue)
    ):
        if queue in depths:
            depths[queue].overdue, depths[queue].oldest_due_at = count, oldest
    return depths


def _ended_per_minute(session: Session, now: datetime) -> dict[str, list[int]]:
    """Queue -> effects proven per minute, oldest first; the last number is of the minute that runs now."""
    newest = (
        select(JobAttempt.job_id, JobAttempt.ended_at, JobAttempt.outcome)
        .order_by(JobAttempt.id.desc())
        .limit(_NEWEST_ATTEMPTS)
        .subquery()
    )
    minute = _minute_of(session, newest.c.ended_at)
    first = now.replace(second=0, microsecond=0) - timedelta(minutes=_MINUTES - 1)
    counts = {name: [0] * _MINUTES for name in QUEUES}
    for queue, text, count in session.execute(
        select(Job.queue, minute, func.count())
        .join(newest, newest.c.job_id == Job.id)
        .where(newest.c.ended_at >= first, newest.c.outcome == "published")
        .group_by(Job.queue, minute)
    ):
        at = datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
        index = int((at - first).total_seconds() // 60)
        if queue in counts and 0 <= index < _MINUTES:
            counts[queue][index] += count
    return counts


def _minute_of(session: Session, column: Any) -> Any:
    """2026-11-24 21:30, in UTC on both databases (every connection of ours has that time zone)."""
    if session.get_bind().dialect.name == "postgresql":
        return func.to_char(column, "YYYY-MM-DD HH24:MI")
    return func.strftime("%Y-%m-%d %H:%M", column)


def _queue_view(
    name: str, depth: _Depth, ended: list[int], state: QueueState | None, now: datetime
) -> QueueView:
    leased = {item.value for item in LEASED} | {JobState.UNKNOWN.value}
    oldest = depth.oldest_due_at
    if oldest is not None and oldest.tzinfo is None:
        oldest = oldest.replace(tzinfo=UTC)
    last_five = sum(ended[-5:])
    paused_at = state.paused_at if state else None
    return QueueView(
        name=name,
        title=_TITLES[name],
        is_paused=paused_at is not None,
        paused_at=paused_at,
        paused_by=state.paused_by if state and paused_at else "",
        paused_reason=state.reason if state and paused_at else "",
        waiting=sum(depth.states.get(item.value, 0) for item in CLAIMABLE),
        in_flight=sum(count for item, count in depth.states.items() if item in leased),
        states=depth.states,
        overdue=depth.overdue,
        oldest_due_at=oldest,
        lag_seconds=max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
        finished_last_5_min=last_five,
        per_minute=round(last_five / 5, 1),
        sparkline=ended,
    )


def _one_process(name: str, loops: Sequence[WorkerView]) -> WorkerView:
    """The sending loops of one process that do alike, as one worker with the oldest heartbeat of theirs."""
    served = {queue for view in loops for queue in view.queues}
    return replace(
        max(loops, key=lambda view: view.age_seconds),
        id=name,
        queues=[queue for queue in QUEUES if queue in served],
        started_at=min(view.started_at for view in loops),
        uptime_seconds=max(view.uptime_seconds for view in loops),
        rss_mb=max(view.rss_mb for view in loops),
        in_flight=sum(view.in_flight for view in loops),
        is_queue_reachable=all(view.is_queue_reachable for view in loops),
    )


def _worker_view(worker: Worker, now: datetime) -> WorkerView:
    age_seconds = max(0.0, (now - worker.heartbeat_at).total_seconds())
    is_alive = worker.stopped_at is None and age_seconds <= ALIVE_SECONDS
    end = worker.stopped_at or (now if is_alive else worker.heartbeat_at)
    return WorkerView(
        id=worker.id,
        hostname=worker.hostname,
        pid=worker.pid,
        version=worker.version,
        queues=list(worker.queues),
        started_at=worker.started_at,
        heartbeat_at=worker.heartbeat_at,
        age_seconds=age_seconds,
        uptime_seconds=max(0.0, (end - worker.started_at).total_seconds()),
        is_alive=is_alive,
        status="alive" if is_alive else ("stopped" if worker.stopped_at else "silent"),
        rss_mb=round(worker.rss_bytes / 1e6, 1),
        in_flight=worker.in_flight,
        is_queue_reachable=worker.is_queue_reachable,
    )
