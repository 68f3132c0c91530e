"""Videos on their way to a network before the post is due.

An upload and the network's own processing take minutes, a claimed job has seconds. So a scheduled post's video goes up
well before its time (`prepare_ahead`, a pass about once a minute), and where that is too late, because the post is due
now, the upload goes on in the background while its job steps back and comes again (`VideoPreparations`).
"""

from __future__ import annotations

import asyncio
import copy
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select, update

from contentcaster.db import Database
from contentcaster.engine.outcomes import Snooze
from contentcaster.errors import ContentCasterError
from contentcaster.models import Account, AccountStatus, Job, Media, PostMedia
from contentcaster.models.job import CLAIMABLE
from contentcaster.models.types import database_now
from contentcaster.platforms import CONNECTORS, get_connector
from contentcaster.platforms.base import Channel, Connector, ConnectorError, OutgoingPost
from contentcaster.security.egress import EgressClient
from contentcaster.services.channels import open_channel
from contentcaster.services.outgoing import outgoing_post

log = structlog.get_logger(__name__)

AHEAD = timedelta(minutes=15)
_TOO_CLOSE = timedelta(seconds=20)
"""Closer to its time a job belongs to its sender alone."""
_PATIENCE_SECONDS = 15.0
_COME_AGAIN_SECONDS = 5.0
_PASS_SECONDS = 540.0
_AGAIN_SECONDS = 120.0
_LAPSED_SECONDS = 1200.0
"""Longer than any upload and its processing may take."""
_AT_ONCE = 2
_BATCH = 50
_KEY = "prepared_ahead"
VIDEO_UNDER_WAY = "video_under_way"
"""Error class of a job that stepped back for its video."""


class VideoNotPrepared(Exception):
    """What went wrong in the background, and how far it had come."""

    def __init__(self, error: ConnectorError, progress: dict[str, Any]) -> None:
        super().__init__(str(error))
        self.error, self.progress = error, progress


@dataclass
class _UnderWay:
    post: OutgoingPost
    progress: dict[str, Any]
    task: asyncio.Task[dict[str, Any]]
    begun_at: float
    """Monotonic."""

    def is_for(self, post: OutgoingPost) -> bool:
        """Not for what the post was before somebody edited it, nor from so long ago that the upload has lapsed."""
        return self.post == post and time.monotonic() - self.begun_at < _LAPSED_SECONDS


@dataclass
class VideoPreparations:
    """The preparations that outlast a claim; one per executor, used only in its event loop."""

    patience_seconds: float = _PATIENCE_SECONDS
    _under_way: dict[int, _UnderWay] = field(default_factory=dict)

    async def prepared(
        self,
        job_id: int,
        connector: Connector,
        post: OutgoingPost,
        channel: Channel,
        progress: dict[str, Any],
    ) -> dict[str, Any] | None:
        """The connector's progress once everything is up; None: not yet, ask again.

        Raises:
            VideoNotPrepared: the network said no, or did not answer.
        """
        self._forget_lapsed()
        known = self._under_way.get(job_id)
        if known is not None and not known.is_for(post):
            known.task.cancel()
            known = None
        if known is None:
            task = asyncio.create_task(connector.prepare(post, channel, progress))
            known = self._under_way[job_id] = _UnderWay(post, progress, task, time.monotonic())
        done, _ = await asyncio.wait({known.task}, timeout=self.patience_seconds)
        if not done:
            return None
        del self._under_way[job_id]
        try:
            return known.task.result()
        except ConnectorError as error:
            raise VideoNotPrepared(error, known.progress) from error

    def _forget_lapsed(self) -> None:
        """Of jobs that were cancelled, or that another worker has taken over."""
        lapsed = time.monotonic() - _LAPSED_SECONDS
        for job_id in [job_id for job_id, known in self._under_way.items() if known.begun_at < lapsed]:
            self._under_way.pop(job_id).task.cancel()


def video_still_under_way(name: str) -> Snooze:
    """The job steps back without losing a try."""
    return Snooze(
        retry_after_seconds=_COME_AGAIN_SECONDS,
        is_known_limit=True,
        error_class=VIDEO_UNDER_WAY,
        message=f"The video is still on its way to {name}; the post goes out as soon as it is there.",
    )


# ── ahead of the due time ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Due:
    job_id: int
    fence: int
    version: int


def prepare_ahead(database: Database, *, now: datetime | None = None) -> int:
    """One pass: upload the videos of posts that are due within a quarter of an hour; how many are ready.

    It may take minutes. What fails is tried again in the next pass, and at the due time by the sender, which also says
    so to people; nothing is decided here.
    """
    return asyncio.run(_prepare_ahead(database, now))


async def _prepare_ahead(database: Database, now: datetime | None) -> int:
    due = await asyncio.to_thread(_due_jobs, database, now)
    if not due:
        return 0
    slots, until = asyncio.Semaphore(_AT_ONCE), time.monotonic() + _PASS_SECONDS

    async def one(item: _Due, client: EgressClient) -> bool:
        async with slots:
            if time.monotonic() > until:
                return False
            return await _prepare_one(database, item, client)

    async with EgressClient.from_settings(database.settings) as client:
        bounded = client.until(until + 30)
        return sum(await asyncio.gather(*(one(item, bounded) for item in due)))


def _due_jobs(database: Database, now: datetime | None) -> list[_Due]:
    with database.reading() as session:
        if now is None:  # by the clock that claims jobs; this machine's may be off
            now = session.execute(select(database_now())).scalar_one()
        rows = session.execute(
            select(Job.id, Job.fence, Job.version, Job.progress, Job.payload)
            .join(Account, Account.id == Job.account_id)
            .where(
                Job.kind == "publish",
                Job.state.in_(CLAIMABLE),
                Job.scheduled_at > now + _TOO_CLOSE,
                Job.scheduled_at <= now + AHEAD,
                Account.status == AccountStatus.CONNECTED,
                Account.deleted_at.is_(None),
                Job.post_id.in_(
                    select(PostMedia.post_id)
                    .join(Media, Media.id == PostMedia.media_id)
                    .where(Media.duration_seconds > 0)
                ),
            )
            .order_by(Job.scheduled_at, Job.id)
            .limit(_BATCH)
        ).all()
    return [
        _Due(job_id, fence, version)
        for job_id, fence, version, progress, payload in rows
        if any(item["mime_type"].startswith("video/") for item in payload.get("media", ()))
        and not _was_tried(progress)
    ]


def _was_tried(progress: dict[str, Any]) -> bool:
    """Ready, or another pass is at it."""
    mark = progress.get(_KEY) or {}
    return bool(mark.get("is_ready")) or time.time() - float(mark.get("begun_at", 0)) < _AGAIN_SECONDS


async def _prepare_one(database: Database, item: _Due, client: EgressClient) -> bool:
    opened = await asyncio.to_thread(_begin, database, item, client)
    if opened is None:
        return False
    channel, post, progress = opened
    connector = get_connector(channel.platform)
    began = time.monotonic()
    is_ready = False
    try:
        progress = await connector.prepare(post, channel, progress)
        is_ready = True
    except ConnectorError as error:
        log.info(
            "video_not_ahead", job_id=item.job_id, reason=error.code, diagnostics=error.diagnostics[:300]
        )
    finally:
        seconds = round(time.monotonic() - began, 1)
        progress[_KEY] = {"begun_at": time.time(), "is_ready": is_ready, "seconds": seconds}
        await asyncio.to_thread(_save, database, item, progress)
    return is_ready


def _begin(
    database: Database, item: _Due, client: EgressClient
) -> tuple[Channel, OutgoingPost, dict[str, Any]] | None:
    """Mark the job as being prepared and open its channel; None: it is another's now."""
    with database.reading() as session:
        job = session.get(Job, item.job_id)
        account = session.get(Account, job.account_id) if job is not None and job.account_id else None
        if job is None or account is None or account.platform not in CONNECTORS:
            return None
        progress = copy.deepcopy(job.progress)
    progress[_KEY] = {"begun_at": time.time(), "is_ready": False}
    if not _save(database, item, progress):
        return None
    try:
        channel = open_channel(database, account, client)
        # A thread part's video can go up before the part above it exists: what it answers to is not asked yet.
        post = outgoing_post(database, job.payload, job.idempotency_key, job.client_ref or "")
    except (ConnectorError, ContentCasterError) as error:
        log.info("video_not_ahead", job_id=item.job_id, reason=error.code)
        return None
    return channel, post, progress


def _save(database: Database, item: _Due, progress: dict[str, Any]) -> bool:
    """Keep it if the job is still as it was found: not claimed, not changed by a person."""
    with database.transaction() as session:
        result = session.execute(
            update(Job)
            .where(
                Job.id == item.job_id,
                Job.fence == item.fence,
                Job.version == item.version,
                Job.state.in_(CLAIMABLE),
            )
            .values(progress=progress)
            .execution_options(synchronize_session=False)
        )
        return bool(result.rowcount)
