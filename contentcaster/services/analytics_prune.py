"""Thinning out old snapshots: what a post counted at each hour is forgotten, what it counts now stays.

Of each kind of count the newest snapshot that told it is kept, so deriving the latest counts again, after a correction
for example, ends in the same numbers. Rollups are left alone.
"""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, or_, select, update
from sqlmodel import Session, col

from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.models import MetricPost, MetricSnapshot

_POSTS_AT_ONCE = 50
"""In one transaction: on SQLite nobody sends while it lasts."""
_PAUSE_SECONDS = 0.02
_BUDGET_SECONDS = 20.0
_KINDS = ("likes", "reposts", "replies", "views")


def prune(database: Database, *, now: datetime | None = None) -> int:
    """Thin out the snapshots of posts older than the setting says, in small steps; returns how many went.

    What is not done within 20 seconds is left for the next day.
    """
    now = now or utc_now()
    before = now - timedelta(days=database.settings.metric_snapshot_days)
    deadline, gone = time.monotonic() + _BUDGET_SECONDS, 0
    while time.monotonic() < deadline:
        posts, removed = database.write(lambda session: _prune_some(session, before, now))
        gone += removed
        if posts < _POSTS_AT_ONCE:
            break
        time.sleep(_PAUSE_SECONDS)
    return gone


def _prune_some(session: Session, before: datetime, now: datetime) -> tuple[int, int]:
    """(posts looked at, snapshots removed)"""
    job_ids = list(
        session.execute(
            select(MetricPost.job_id)
            .where(
                col(MetricPost.pruned_at).is_(None),
                col(MetricPost.published_at) < before,
                col(MetricPost.next_at).is_(None),
            )
            .order_by(MetricPost.published_at)
            .limit(_POSTS_AT_ONCE)
        ).scalars()
    )
    if not job_ids:
        return 0, 0
    told: dict[int, dict[str, int]] = defaultdict(dict)
    slots: dict[int, list[int]] = defaultdict(list)
    for row in session.execute(
        select(
            MetricSnapshot.job_id, MetricSnapshot.slot, *[getattr(MetricSnapshot, kind) for kind in _KINDS]
        )
        .where(col(MetricSnapshot.job_id).in_(job_ids))
        .order_by(MetricSnapshot.taken_at, MetricSnapshot.slot)
    ):
        slots[row.job_id].append(row.slot)
        told[row.job_id] |= {kind: row.slot for kind in _KINDS if getattr(row, kind) is not None}
    removed = 0
    old = [
        and_(col(MetricSnapshot.job_id) == job_id, col(MetricSnapshot.slot).in_(spare))
        for job_id, own in slots.items()
        if (spare := sorted(set(own) - set(told[job_id].values()) - {own[-1]}))
    ]
    if old:
        result = session.execute(
            delete(MetricSnapshot).where(or_(*old)).execution_options(synchronize_session=False)
        )
        removed = int(result.rowcount)
    session.execute(
        update(MetricPost)
        .where(col(MetricPost.job_id).in_(job_ids))
        .values(pruned_at=now)
        .execution_options(synchronize_session=False)
    )
    return len(job_ids), removed
