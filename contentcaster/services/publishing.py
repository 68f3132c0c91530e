"""From a claimed job to a post on the network: opens the channel, lets its connector prepare, publish and look up,
and turns what the connector raises into outcomes that the engine can settle."""

from __future__ import annotations

import asyncio
import copy
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.engine import ledger
from contentcaster.engine.ledger import ClaimedJob
from contentcaster.engine.outcomes import (
    CannotTell,
    LookupFailed,
    LookupOutcome,
    Published,
    Refused,
    RetryLater,
    SafeToSend,
    SendOutcome,
    Snooze,
    Unknown,
)
from contentcaster.engine.sender import SendNow
from contentcaster.models import Account, AccountStatus, Job
from contentcaster.models.types import database_now
from contentcaster.platforms import get_connector
from contentcaster.platforms.base import (
    Channel,
    Connector,
    ConnectorError,
    NotSent,
    OutcomeUnknown,
    OutgoingPost,
    RateLimited,
    Reauthorise,
    Rejected,
    RemotePost,
    TemporarilyRejected,
)
from contentcaster.security.egress import EgressClient
from contentcaster.services import quotas
from contentcaster.services.channels import open_channel
from contentcaster.services.outgoing import outgoing_post
from contentcaster.services.quotas import Pause
from contentcaster.services.video_preparation import (
    VideoNotPrepared,
    VideoPreparations,
    video_still_under_way,
)

_ACCOUNT_FRESH_SECONDS = 2.0
"""How long a worker goes on with what it last read of a channel; a token refresh re-reads it under a lock anyway."""


@dataclass
class _Opened:
    """A channel as read a moment ago, or why it cannot be used."""

    channel: Channel | None
    refusal: Refused | None
    pause: Pause | None = None
    quota_scopes: tuple[str, ...] = ()
    database_now: datetime | None = None
    """What the database's clock showed at monotonic `read_at`."""
    read_at: float = 0.0


class PublishExecutor:
    """Publishes posts; one per sender, used only in that sender's event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._client: EgressClient | None = None
        self._opened: dict[str, asyncio.Task[_Opened]] = {}
        self._videos = VideoPreparations()
        self._read_at: dict[str, float] = {}

    # ── before the due time ─────────────────────────────────────────────────────────────────────────────────

    async def prepare(self, job: ClaimedJob) -> SendNow | SendOutcome:
        """Open the channel, upload media, refresh the token; returns the one call that is left to make."""
        opened = await self._open(job.account_id or "")
        if opened.refusal is not None:
            return opened.refusal
        assert opened.channel is not None
        pause = self._pause(opened)
        if pause is not None and pause.until > max(job.database_now, job.due_at):
            return Snooze(
                retry_after_seconds=(pause.until - job.database_now).total_seconds(),
                is_known_limit=True,
                error_class="rate_limited",
                message=pause.reason,
            )
        channel, connector = opened.channel, get_connector(opened.channel.platform)
        progress = copy.deepcopy(job.progress)
        try:
            post = await self._outgoing(job)
            if any(media.is_video for media in post.media):
                prepared = await self._videos.prepared(job.id, connector, post, channel, progress)
                if prepared is None:
                    return video_still_under_way(connector.capabilities.name)
                progress = prepared
            else:
                progress = await connector.prepare(post, channel, progress)
        except VideoNotPrepared as failed:
            await self._keep(job, failed.progress)
            return _unsent(failed.error)
        except ConnectorError as error:
            # What was uploaded before it failed stands in `progress`, which the connector fills as it goes.
            await self._keep(job, progress)
            return _unsent(error)
        await self._keep(job, progress)
        return self._send_now(connector, post, channel, progress)

    def _send_now(
        self, connector: Connector, post: OutgoingPost, channel: Channel, progress: dict[str, Any]
    ) -> SendNow:
        async def send(deadline: float) -> SendOutcome:
            bounded = replace(channel, client=channel.client.until(deadline))
            try:
                remote = await connector.publish(post, bounded, progress)
            except ConnectorError as error:
                return _sent(error)
            return _published(remote)

        return send

    # ── after an unknown outcome ────────────────────────────────────────────────────────────────────────────

    async def look_up(self, job: ClaimedJob) -> LookupOutcome:
        """Ask the network whether an earlier send took effect."""
        opened = await self._open(job.account_id or "")
        if opened.channel is None:
            reason = opened.refusal.message if opened.refusal else "The channel is gone."
            return CannotTell(error_class="channel_closed", message=f"It cannot be looked up: {reason}")
        channel, connector = opened.channel, get_connector(opened.channel.platform)
        first_sent_at = job.first_sent_at or job.scheduled_at
        try:
            post = await self._outgoing(job)
            # Without an attempt of ours it came out of a backup: only looking tells whether its time was missed.
            if job.attempt and connector.resend_is_safe(channel.limits, first_sent_at, utc_now()):
                return SafeToSend(
                    message="The network remembers our key: sending again cannot double it.",
                    valid_seconds=connector.capabilities.key_life_seconds
                    - (utc_now() - first_sent_at).total_seconds(),
                )
            if not connector.capabilities.can_look_up:
                return CannotTell(
                    error_class="no_read_back",
                    message=f"{connector.capabilities.name} offers no way to look the post up. Is it there?",
                )
            lookup = await connector.find_own_post(post, channel, first_sent_at)
        except RateLimited as error:
            return Snooze(retry_after_seconds=error.retry_after_seconds, **_answer(error))
        except Reauthorise as error:
            return CannotTell(**_answer(error))
        except ConnectorError as error:
            return LookupFailed(**_answer(error))
        if lookup.found is not None:
            return _published(lookup.found, note="Found on the network; it was not sent again.")
        if lookup.is_certainly_absent:
            return SafeToSend(message=lookup.note or "It is not on the network: safe to send again.")
        return CannotTell(
            error_class="cannot_tell",
            message=lookup.note or "The network's answer does not prove whether the post is there.",
        )

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────

    async def open(self, account_id: str) -> _Opened:
        """The channel with its credentials, for services that ask the network something of their own."""
        return await self._open(account_id)

    async def _open(self, account_id: str) -> _Opened:
        """The channel, read at most every two seconds however many jobs go through it at once."""
        task = self._opened.get(account_id)
        if task is None or time.monotonic() - self._read_at[account_id] > _ACCOUNT_FRESH_SECONDS:
            self._read_at[account_id] = time.monotonic()
            self._egress()  # made here, not by whichever of many threads comes first: all channels share one
            task = asyncio.ensure_future(asyncio.to_thread(self._read_account, account_id))
            self._opened[account_id] = task
            task.add_done_callback(lambda done: self._forget_failure(account_id, done))
        return await asyncio.shield(task)

    def _forget_failure(self, account_id: str, task: asyncio.Task[_Opened]) -> None:
        if (task.cancelled() or task.exception() is not None) and self._opened.get(account_id) is task:
            del self._opened[account_id]

    def _read_account(self, account_id: str) -> _Opened:
        with self._database.reading() as session:
            account = session.get(Account, account_id)
            # By the database's clock, which wrote the pause: this machine's may be off.
            now = session.execute(select(database_now())).scalar_one()
            read_at = time.monotonic()
            pause = quotas.pause_of(session, account, now=now) if account is not None else None
        refusal = _refusal(account)
        if account is None or refusal is not None:
            return _Opened(None, refusal)
        try:
            channel = open_channel(self._database, account, self._egress())
        except Reauthorise as error:
            return _Opened(None, Refused(account_needs_reauthorising=True, **_answer(error)))
        return _Opened(channel, None, pause, tuple(quotas.scopes_of(account)), now, read_at)

    def _pause(self, opened: _Opened) -> Pause | None:
        """What the channel waits for: as read a moment ago, or told by an answer since."""
        assert opened.database_now is not None
        now = opened.database_now + timedelta(seconds=time.monotonic() - opened.read_at)
        return quotas.latest(opened.pause, quotas.noted_pause(self._database, opened.quota_scopes, now=now))

    def _egress(self) -> EgressClient:
        if self._client is None:
            self._client = EgressClient.from_settings(self._database.settings)
        return self._client

    async def _outgoing(self, job: ClaimedJob) -> OutgoingPost:
        reply_to = None
        if job.after_job_id is not None:
            reply_to = await asyncio.to_thread(self._remote_of, job.after_job_id)
        return await asyncio.to_thread(
            outgoing_post, self._database, job.payload, job.idempotency_key, job.client_ref, reply_to
        )

    def _remote_of(self, job_id: int) -> RemotePost | None:
        with self._database.reading() as session:
            before = session.get(Job, job_id)
            if before is None or before.remote_id is None:
                return None
            return RemotePost(id=before.remote_id, url=before.remote_url or "", extra=before.remote_extra)

    async def _keep(self, job: ClaimedJob, progress: dict[str, Any]) -> None:
        if progress != job.progress:
            await asyncio.to_thread(self._save_progress, job, progress)

    def _save_progress(self, job: ClaimedJob, progress: dict[str, Any]) -> None:
        with self._database.transaction() as session:
            ledger.save_progress(session, job.id, job.fence, progress)


def _refusal(account: Account | None) -> Refused | None:
    if account is None or account.deleted_at is not None:
        return Refused(error_class="channel_removed", message="The channel was removed before this was sent.")
    if account.status is AccountStatus.DISABLED:
        return Refused(
            error_class="channel_disabled", message="The channel is switched off. Enable it and retry."
        )
    if account.status is AccountStatus.REAUTHORISE:
        return Refused(
            error_class="reauthorise",
            message=account.status_reason
            or "The network no longer accepts the channel's token. Connect it again.",
            account_needs_reauthorising=True,
        )
    return None


def _published(remote: RemotePost, *, note: str = "") -> Published:
    return Published(remote_id=remote.id, remote_url=remote.url, remote_extra=remote.extra, message=note)


def _unsent(error: ConnectorError) -> SendOutcome:
    """Preparation failed: nothing visible happened, so every doubt is safe to try again."""
    match error:
        case RateLimited():
            return Snooze(retry_after_seconds=error.retry_after_seconds, **_answer(error))
        case Reauthorise():
            return Refused(account_needs_reauthorising=True, **_answer(error))
        case Rejected():
            return Refused(**_answer(error))
        case _:
            return RetryLater(**_answer(error))


def _sent(error: ConnectorError) -> SendOutcome:
    """The irreversible call failed: only what proves that nothing was created may be tried again."""
    match error:
        case NotSent() | TemporarilyRejected():
            return RetryLater(**_answer(error))
        case RateLimited() | Reauthorise() | Rejected():
            return _unsent(error)
        case OutcomeUnknown():
            return Unknown(**_answer(error))
        case _:
            return Unknown(**_answer(error))


def _answer(error: ConnectorError) -> dict[str, Any]:
    return {
        "message": error.message,
        "error_class": error.code,
        "http_status": error.http_status,
        "diagnostics": error.diagnostics,
    }
