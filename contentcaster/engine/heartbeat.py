"""Whether publishing is alive, truthfully: the heartbeat is written by the loop that does the sending."""

from __future__ import annotations

import os
import resource
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from contentcaster import __version__, live
from contentcaster.clock import utc_now
from contentcaster.engine.conditions import is_next_in_thread, is_waiting
from contentcaster.engine.policy import CLOCK, Now
from contentcaster.models import Job, LeaderLease, QueueState, Worker

ALIVE_SECONDS = 10.0
"""A worker that has not been heard of for so long counts as gone."""

_LAG_WARN_SECONDS = 5.0
_LOOP = "/"
_PAGE_SIZE = resource.getpagesize()


def new_worker_id() -> str:
    """host-pid-random: a restarted process is another worker, even with the same pid."""
    return f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}"


def loop_id(process_id: str, group: str) -> str:
    """The id of one of the sending loops of a process, each of which has a heartbeat of its own."""
    return f"{process_id}{_LOOP}{group}"


def process_of(worker_id: str) -> str:
    """The process that a sending loop belongs to."""
    return worker_id.partition(_LOOP)[0]


def beat(
    session: Session,
    worker_id: str,
    *,
    queues: Sequence[str],
    in_flight: int,
    is_queue_reachable: bool,
    now: Now = CLOCK,
) -> None:
    """Write this worker's heartbeat."""
    result = session.execute(
        update(Worker)
        .where(Worker.id == worker_id)  # type: ignore[arg-type]
        .values(
            heartbeat_at=now(0),
            in_flight=in_flight,
            rss_bytes=_rss_bytes(),
            is_queue_reachable=is_queue_reachable,
        )
        .execution_options(synchronize_session=False)
    )
    if not result.rowcount:  # type: ignore[attr-defined]
        started = utc_now()
        session.add(
            Worker(
                id=worker_id,
                hostname=socket.gethostname()[:120],
                pid=os.getpid(),
                version=__version__,
                queues=list(queues),
                started_at=started,
                heartbeat_at=started,
                rss_bytes=_rss_bytes(),
                in_flight=in_flight,
                is_queue_reachable=is_queue_reachable,
            )
        )
        live.note(session, "workers")
    live.note(session, "heartbeat")


def say_goodbye(session: Session, worker_id: str, *, now: Now = CLOCK) -> None:
    """Record that this worker stopped on purpose."""
    session.execute(
        update(Worker)
        .where(Worker.id == worker_id)  # type: ignore[arg-type]
        .values(stopped_at=now(0), heartbeat_at=now(0), in_flight=0)
        .execution_options(synchronize_session=False)
    )
    live.note(session, "workers", "heartbeat")


@dataclass(frozen=True)
class HeartbeatView:
    """The top bar's truth about publishing."""

    level: Literal["ok", "warn", "bad"]
    sentence: str
    heartbeat_at: datetime | None
    seconds_since_alive: float | None
    lag_seconds: float
    is_queue_reachable: bool


def read_heartbeat(session: Session, *, now: Now = CLOCK) -> HeartbeatView:
    """How publishing is doing, from what workers wrote and from what waits in the ledger."""
    current = read_clock(session, now)
    alive = session.execute(
        select(Worker.heartbeat_at, Worker.is_queue_reachable, Worker.queues)
        .where(Worker.stopped_at.is_(None))  # type: ignore[union-attr]
        .order_by(Worker.heartbeat_at.desc())  # type: ignore[attr-defined]
        .limit(50)
    ).all()
    publishers = [row for row in alive if "publish" in row.queues]
    overdue = session.execute(
        select(func.min(Job.due_at)).where(
            Job.queue == "publish",  # type: ignore[arg-type]
            is_waiting(),
            Job.due_at <= now(0),  # type: ignore[arg-type]
            is_next_in_thread(),
        )
    ).scalar()
    lag = max(0.0, (current - overdue).total_seconds()) if overdue else 0.0
    paused = session.execute(
        select(QueueState.paused_by).where(QueueState.queue == "publish", QueueState.paused_at.is_not(None))  # type: ignore
    ).scalar()
    age = (current - publishers[0].heartbeat_at).total_seconds() if publishers else None
    reachable = any(row.is_queue_reachable for row in publishers if _is_fresh(row.heartbeat_at, current))
    return _judge(publishers[0].heartbeat_at if publishers else None, age, lag, reachable, paused)


def _judge(
    heartbeat_at: datetime | None, age: float | None, lag: float, reachable: bool, paused: str | None
) -> HeartbeatView:
    def view(level: Literal["ok", "warn", "bad"], sentence: str) -> HeartbeatView:
        return HeartbeatView(level, sentence, heartbeat_at, age, lag, reachable)

    if age is None:
        return view("bad", "Publishing: no worker is running. Posts wait and lose nothing; start a worker.")
    if age > ALIVE_SECONDS:
        return view("bad", f"Publishing: no sign of life for {_human(age)}. Posts wait and lose nothing.")
    if paused is not None:
        return view("warn", f"Publishing: paused by {paused or 'an admin'}. Posts wait until it is resumed.")
    if lag > _LAG_WARN_SECONDS:
        return view("warn", f"Publishing: {_human(lag)} behind.")
    if not reachable:
        return view(
            "warn", "Publishing: alive, queue unreachable. Posts still go out on time, from the database."
        )
    return view("ok", f"Publishing: alive {_human(max(age, 0))} ago · lag {lag:.0f} s · queue ok")


def _human(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _is_fresh(heartbeat_at: datetime, current: datetime) -> bool:
    return (current - heartbeat_at).total_seconds() <= ALIVE_SECONDS


def read_clock(session: Session, now: Now = CLOCK) -> datetime:
    """The database's wall clock."""
    value: datetime = session.execute(select(now(0).label("now"))).scalar_one()
    return value


def take_lead(session: Session, name: str, owner: str, *, seconds: float, now: Now = CLOCK) -> bool:
    """Whether `owner` leads `name` for the next `seconds`: it did already, or nobody does any more."""
    taken = session.execute(
        update(LeaderLease)
        .where(LeaderLease.name == name, or_(LeaderLease.owner == owner, LeaderLease.lease_until < now(0)))  # type: ignore
        .values(owner=owner, lease_until=now(seconds))
        .execution_options(synchronize_session=False)
    )
    if taken.rowcount:  # type: ignore[attr-defined]
        return True
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    inserted = session.execute(
        dialect.insert(LeaderLease)
        .values(name=name, owner=owner, lease_until=now(seconds))
        .on_conflict_do_nothing()
        .returning(LeaderLease.name)
    )
    return inserted.first() is not None


def _rss_bytes() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * _PAGE_SIZE
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
