"""Carries out acts: a job of kind like, repost, reply, follow or unfollow, under the same promises as a post.

Replies go the way of posts (`PublishExecutor`); the others through the network's acts. Before either, `permit` asks the
kill switches, the policy and the budget in one transaction; and once more the switches, right before the request.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.exc import DBAPIError

from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.engine.ledger import ClaimedJob
from contentcaster.engine.outcomes import (
    CannotTell,
    LookupFailed,
    LookupOutcome,
    Published,
    Refused,
    Released,
    SafeToSend,
    SendOutcome,
    Snooze,
)
from contentcaster.engine.sender import SendNow
from contentcaster.errors import Unavailable
from contentcaster.platforms.acts import ActOrder, Acts
from contentcaster.platforms.base import (
    Channel,
    ConnectorError,
    OutgoingPost,
    RateLimited,
    Reauthorise,
    RemotePost,
)
from contentcaster.platforms.calls import warm_up
from contentcaster.services import bots_acts, bots_channels, bots_outcomes
from contentcaster.services.bots_networks import acts_of
from contentcaster.services.publishing import PublishExecutor, _answer, _published, _sent, _unsent

Clock = Callable[[], datetime]
_COLLECT_SECONDS = 0.5
_WATCH_SECONDS = 60.0
"""How long the end of an act that went through here is waited for; later ends are told by the sweep of each minute."""


class ActExecutor(PublishExecutor):
    """One per sender, for all kinds of acts. `clock` is the wall clock, or a test's own."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        super().__init__(database)
        self._clock = clock
        self._collector: asyncio.Task[None] | None = None
        self._untold: dict[int, float] = {}

    async def prepare(self, job: ClaimedJob) -> SendNow | SendOutcome:
        """All that may happen before: the channel, the network's own limits, and last the permission to go out."""
        self._tell_end_of(job)
        ready = await (super().prepare(job) if job.kind == "reply" else self._prepare_act(job))
        if not callable(ready):
            return ready
        refusal = await asyncio.to_thread(self._permit, job)
        if refusal:
            self._untold.pop(job.id, None)
            return Released(message=refusal, error_class="not_permitted")

        async def send(deadline: float) -> SendOutcome:
            if reason := await asyncio.to_thread(self._stop_reason, job.account_id or ""):
                return Released(message=reason, error_class="stopped")
            return await ready(deadline)

        return send

    async def look_up(self, job: ClaimedJob) -> LookupOutcome:
        """Whether an act of unknown outcome took effect; every network here can tell."""
        self._tell_end_of(job)
        if job.kind == "reply":
            return await super().look_up(job)
        opened = await self._open(job.account_id or "")
        if opened.channel is None:
            reason = opened.refusal.message if opened.refusal else "The channel is gone."
            return CannotTell(error_class="channel_closed", message=f"It cannot be looked up: {reason}")
        acts = acts_of(opened.channel.platform)
        if acts is None:
            return CannotTell(message="This network offers no such acts.")
        try:
            lookup = await acts.find_act(_order(job), opened.channel)
        except RateLimited as error:
            return Snooze(retry_after_seconds=error.retry_after_seconds, **_answer(error))
        except Reauthorise as error:
            return CannotTell(**_answer(error))
        except ConnectorError as error:
            return LookupFailed(**_answer(error))
        if lookup.found is not None:
            return _published(lookup.found, note="Found on the network; it was not done again.")
        return SafeToSend(message=lookup.note)

    async def _prepare_act(self, job: ClaimedJob) -> SendNow | SendOutcome:
        opened = await self._open(job.account_id or "")
        if opened.refusal is not None:
            return opened.refusal
        assert opened.channel is not None
        channel, acts = opened.channel, acts_of(opened.channel.platform)
        if acts is None:
            return Refused(error_class="no_such_act", message="This network offers no such acts.")
        pause = self._pause(opened)
        if pause is not None and pause.until > self._clock():
            wait = (pause.until - self._clock()).total_seconds()
            return Snooze(
                retry_after_seconds=wait,
                is_known_limit=True,
                error_class="rate_limited",
                message=pause.reason,
            )
        try:
            await warm_up(channel.client, str(channel.credentials.get("pds_url") or channel.instance_url))
        except ConnectorError as error:
            return _unsent(error)
        return _send_act(acts, _order(job), channel)

    async def _outgoing(self, job: ClaimedJob) -> OutgoingPost:
        """A reply: its text, and what it answers."""
        payload = job.payload
        return OutgoingPost(
            text=str(payload["text"]),
            idempotency_key=job.idempotency_key,
            client_ref=job.client_ref,
            created_at=datetime.fromisoformat(payload["created_at"]),
            options=payload.get("options", {}),
            reply_to=RemotePost(id=str(payload["target_ref"]), extra=dict(payload.get("extra") or {})),
        )

    # ── the database ────────────────────────────────────────────────────────────────────────────────────────

    def _permit(self, job: ClaimedJob) -> str:
        act_id = str(job.payload.get("act_id") or "")
        return self._database.write(
            lambda session: bots_acts.permit(
                session, job.id, job.fence, act_id, due_at=job.due_at, now=self._clock()
            )
        )

    def _stop_reason(self, account_id: str) -> str:
        with self._database.reading() as session:
            return bots_channels.stop_reason(session, account_id)

    def _tell_end_of(self, job: ClaimedJob) -> None:
        """Have what becomes of it be told within a second of its end; one task while there is something to tell."""
        self._untold[job.id] = time.monotonic() + _WATCH_SECONDS
        if self._collector is None or self._collector.done():
            self._collector = asyncio.ensure_future(self._collect())

    async def _collect(self) -> None:
        while self._untold:
            await asyncio.sleep(_COLLECT_SECONDS)
            watched = list(self._untold)
            told = await asyncio.to_thread(self._collect_once, watched)
            now = time.monotonic()
            for job_id in watched:
                if job_id in told or self._untold.get(job_id, now) < now:
                    self._untold.pop(job_id, None)

    def _collect_once(self, job_ids: list[int]) -> set[int]:
        try:
            return self._database.write(
                lambda session: bots_outcomes.collect_jobs(session, job_ids, now=self._clock())
            )
        except (Unavailable, DBAPIError):
            return set()  # told by the next round, or by the periodic tick


def _send_act(acts: Acts, order: ActOrder, channel: Channel) -> SendNow:
    async def send(deadline: float) -> SendOutcome:
        bounded = replace(channel, client=channel.client.until(deadline))
        try:
            remote = await acts.perform(order, bounded)
        except ConnectorError as error:
            return _sent(error)
        return Published(remote_id=remote.id, remote_url=remote.url, remote_extra=remote.extra)

    return send


def _order(job: ClaimedJob) -> ActOrder:
    payload: dict[str, Any] = job.payload
    return ActOrder(
        action=job.kind,
        target_ref=str(payload["target_ref"]),
        extra=dict(payload.get("extra") or {}),
        record_key=job.client_ref,
        created_at=datetime.fromisoformat(payload["created_at"]),
        target_url=str(payload.get("target_url") or ""),
    )
