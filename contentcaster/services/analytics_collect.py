"""Collecting numbers: each published post on a schedule that slows down, each channel's followers once a day.

Everything here only reads from networks and writes to the metric tables: a failure waits and is shown, and never
touches publishing. Each slot of a post is one row, so it does not matter how many collectors run or where one stopped;
slots that passed while nobody collected are skipped, as their moment cannot be had again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import exists, func, insert, or_, select, update
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.models import (
    Account,
    AccountStatus,
    FollowerDay,
    Job,
    JobState,
    MetricChannel,
    MetricPost,
    Post,
    Target,
)
from contentcaster.platforms.base import Channel, ConnectorError, RateLimited
from contentcaster.platforms.bluesky_metrics import BlueskyMetrics
from contentcaster.platforms.linkedin_metrics import LinkedInPageMetrics
from contentcaster.platforms.mastodon_metrics import MastodonMetrics
from contentcaster.platforms.metrics import Metrics, PostCounts
from contentcaster.platforms.x_metrics import XMetrics
from contentcaster.security.egress import EgressClient
from contentcaster.services import analytics_rollup as rollup
from contentcaster.services.channels import open_channel

log = structlog.get_logger(__name__)

TOPIC = "analytics"
AGES = tuple(
    timedelta(minutes=minutes)
    for minutes in (5, 15, 60, 180, 360, 720, 1440, 2880, 5760, 10_080, 20_160, 43_200, 129_600)
)
"""How old a post is at each slot: minutes, hours, days, the last after 90 days."""

_MASTODON = MastodonMetrics()
METRICS: dict[str, Metrics] = {
    "mastodon": _MASTODON,
    "sandbox": _MASTODON,
    "bluesky": BlueskyMetrics(),
    "x": XMetrics(),
    "linkedin-page": LinkedInPageMetrics(),
}
"""Networks that tell counts; on others posts are counted and their engagement is missing."""

_NEW_POSTS = 1000
_NEW_POSTS_AT_ONCE = 20
"""In one transaction: on SQLite nobody sends while it lasts."""
COUNTS_AT_ONCE = 10
"""Posts whose counts are written in one transaction, for the same reason."""
_PAUSE_SECONDS = 0.02
_PER_CHANNEL = 100
_LOOK_BACK = timedelta(days=1)
_BUDGET_SECONDS = 25.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 60.0, 6 * 3600.0


@dataclass
class Collected:
    """What one pass did."""

    new_posts: int = 0
    snapshots: int = 0
    followers: int = 0
    failed_channels: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Due:
    job_id: int
    remote_id: str
    published_at: datetime


def collect(database: Database, *, now: datetime | None = None) -> Collected:
    """One pass, about once a minute: new posts, posts that are due, followers of today. Ends within half a minute."""
    return asyncio.run(collect_async(database, now=now))


async def collect_async(database: Database, *, now: datetime | None = None) -> Collected:
    now = now or utc_now()
    done = Collected()
    for _ in range(_NEW_POSTS // _NEW_POSTS_AT_ONCE):
        with database.transaction() as session:
            new = enrol(session, now=now, limit=_NEW_POSTS_AT_ONCE)
        done.new_posts += new
        if new < _NEW_POSTS_AT_ONCE:
            break
        await asyncio.sleep(_PAUSE_SECONDS)
    with database.reading() as session:
        channels = _due_channels(session, now)
    deadline = time.monotonic() + _BUDGET_SECONDS
    async with EgressClient.from_settings(database.settings) as client:
        for account in channels:
            if time.monotonic() > deadline:
                break  # the rest is due in the next pass
            await _collect_channel(database, account, client.until(deadline + 5), now, done)
    return done


def enrol(session: Session, *, now: datetime, limit: int = _NEW_POSTS) -> int:
    """Put newly published posts on the schedule; a thread counts by its first part. Returns how many."""
    newest: datetime | None = session.execute(select(func.max(MetricPost.ended_at))).scalar_one()
    query = (
        select(Job, Target.post_id, Post.author_id)
        .join(Target, Target.job_id == Job.id)
        .join(Post, Post.id == Target.post_id)
        .where(
            Job.state == JobState.PUBLISHED,
            Job.kind == "publish",
            Target.part == 0,
            Job.account_id.is_not(None),
            ~exists().where(MetricPost.job_id == Job.id),
        )
        .order_by(Job.ended_at)
        .limit(limit)
    )
    if newest is not None:
        # Commits do not become visible in the order of their times; a day is more than any takes.
        query = query.where(Job.ended_at >= newest - _LOOK_BACK)
    rows = [_new_post(job, post_id, author_id, now) for job, post_id, author_id in session.execute(query)]
    touched: set[int] = set()
    for account_id in sorted({row["account_id"] for row in rows}):
        if rollup.lock_channel(session, account_id) is None:
            continue
        known = set(
            session.execute(
                select(MetricPost.job_id).where(MetricPost.job_id.in_([row["job_id"] for row in rows]))
            ).scalars()
        )
        own = [row for row in rows if row["account_id"] == account_id and row["job_id"] not in known]
        if own:
            session.execute(insert(MetricPost), own)
            buckets = {row["bucket"] for row in own}
            rollup.sum_up(session, account_id, buckets)
            touched |= buckets
    rollup.sum_up_half_hours(session, touched)
    if rows:
        live.note(session, TOPIC)
    return len(rows)


def _new_post(job: Job, post_id: str, author_id: str, now: datetime) -> dict[str, Any]:
    published_at = job.sent_at or job.ended_at or job.scheduled_at
    return {
        "job_id": job.id,
        "account_id": job.account_id,
        "post_id": post_id,
        "author_id": author_id,
        "remote_id": job.remote_id or "",
        "published_at": published_at,
        "ended_at": job.ended_at or published_at,
        "bucket": rollup.bucket_of(published_at),
        "next_at": first_look(published_at, now),
    }


def first_look(published_at: datetime, now: datetime) -> datetime:
    """When to ask first: at the first slot, at once if that has passed."""
    return max(published_at + AGES[0], now)


def next_look(published_at: datetime, now: datetime) -> datetime | None:
    """The first slot after `now`; None once the schedule has run out."""
    return next((published_at + age for age in AGES if published_at + age > now), None)


def slot_at(published_at: datetime, now: datetime) -> int:
    """The number of the latest slot that has come; 0 also before the first."""
    return max(0, sum(1 for age in AGES if published_at + age <= now) - 1)


def _due_channels(session: Session, now: datetime) -> list[Account]:
    """Connected channels with something to ask for, longest not asked first."""
    is_due = exists().where(MetricPost.account_id == Account.id, MetricPost.next_at <= now)
    has_day = exists().where(FollowerDay.account_id == Account.id, FollowerDay.day == now.date())
    return list(
        session.execute(
            select(Account)
            .outerjoin(MetricChannel, MetricChannel.account_id == Account.id)
            .where(
                Account.status == AccountStatus.CONNECTED,
                Account.deleted_at.is_(None),
                Account.platform.in_(list(METRICS)),
                or_(Account.rate_limited_until.is_(None), Account.rate_limited_until <= now),
                or_(MetricChannel.not_before.is_(None), MetricChannel.not_before <= now),
                or_(is_due, ~has_day),
            )
            .order_by(func.coalesce(MetricChannel.refreshed_at, Account.created_at))
        ).scalars()
    )


async def _collect_channel(
    database: Database, account: Account, client: EgressClient, now: datetime, done: Collected
) -> None:
    reader = METRICS[account.platform]
    try:
        channel = open_channel(database, account, client)
        await _read_followers(database, account, reader, channel, now, done)
        due = await asyncio.to_thread(_due_posts, database, account.id, now)
        for start in range(0, len(due), reader.batch_size):
            batch = due[start : start + reader.batch_size]
            counts = await reader.counts([post.remote_id for post in batch], channel)
            for at in range(0, len(batch), COUNTS_AT_ONCE):
                part = batch[at : at + COUNTS_AT_ONCE]
                done.snapshots += await asyncio.to_thread(_keep, database, account.id, part, counts, now)
                await asyncio.sleep(_PAUSE_SECONDS)
    except ConnectorError as error:
        log.warning("metrics_failed", account_id=account.id, error=error.code, details=error.diagnostics)
        done.failed_channels.append(account.id)
        await asyncio.to_thread(_note_failure, database, account.id, error, now)


async def _read_followers(
    database: Database, account: Account, reader: Metrics, channel: Channel, now: datetime, done: Collected
) -> None:
    with database.reading() as session:
        if session.get(FollowerDay, (account.id, now.date())) is not None:
            return
    followers = await reader.followers(channel)
    with database.transaction() as session:
        row = rollup.lock_channel(session, account.id)
        if row is None or session.get(FollowerDay, (account.id, now.date())) is not None:
            return
        session.add(FollowerDay(account_id=account.id, day=now.date(), taken_at=now, followers=followers))
        _note_success(row, now)
        live.note(session, TOPIC)
    done.followers += 1


def _due_posts(database: Database, account_id: str, now: datetime) -> list[_Due]:
    with database.reading() as session:
        rows = session.execute(
            select(MetricPost.job_id, MetricPost.remote_id, MetricPost.published_at)
            .where(MetricPost.account_id == account_id, MetricPost.next_at <= now)
            .order_by(MetricPost.next_at)
            .limit(_PER_CHANNEL)
        ).all()
    return [_Due(*row) for row in rows]


def _keep(
    database: Database, account_id: str, batch: Sequence[_Due], counts: dict[str, PostCounts], now: datetime
) -> int:
    """One transaction: snapshots, what derives from them, when to look again, and that the channel is fresh."""
    with database.transaction() as session:
        measured = [
            rollup.Measured(
                post.job_id, slot_at(post.published_at, now), now, counts.get(post.remote_id, PostCounts())
            )
            for post in batch
        ]
        new = rollup.record(session, account_id, measured)
        session.execute(
            update(MetricPost),
            [{"job_id": post.job_id, "next_at": next_look(post.published_at, now)} for post in batch],
        )
        row = rollup.lock_channel(session, account_id)
        if row is not None:
            _note_success(row, now)
        live.note(session, TOPIC)
        return new


def _note_success(row: MetricChannel, now: datetime) -> None:
    row.refreshed_at, row.problem, row.failures, row.not_before = now, "", 0, None


def _note_failure(database: Database, account_id: str, error: ConnectorError, now: datetime) -> None:
    with database.transaction() as session:
        row = rollup.lock_channel(session, account_id)
        if row is None:
            return
        pause = min(_FIRST_PAUSE_SECONDS * 2**row.failures, _LONGEST_PAUSE_SECONDS)
        if isinstance(error, RateLimited):
            pause = max(pause, error.retry_after_seconds)
        row.failed_at, row.problem, row.failures = now, error.message, min(row.failures + 1, 20)
        row.not_before = now + timedelta(seconds=min(pause, 86_400))
        live.note(session, TOPIC)
