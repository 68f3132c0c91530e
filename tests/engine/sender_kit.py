"""A sender at work on a real ledger, and a network inside the test that records every effect."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.engine.ledger import ClaimedJob
from contentcaster.engine.outcomes import LookupOutcome, Published, SafeToSend, SendOutcome
from contentcaster.engine.policy import Policy
from contentcaster.engine.sender import Sender, SendNow
from contentcaster.models import Job, JobState
from tests.engine.ledger_kit import Ledger
from tests.services_for_tests.programs import wait_until

QUICK = Policy(
    lead_seconds=0.5,
    lease_seconds=3.0,
    send_deadline_seconds=1.0,
    settle_seconds=0.1,
    hint_timeout_seconds=1.0,
    retry_base_seconds=0.1,
)


@dataclass
class Effect:
    job_id: int
    fence: int
    at: float
    """Seconds since the epoch, by this machine's clock, which is the databases' clock too."""
    late_seconds: float


@dataclass
class Network:
    """An executor whose network is a list. `on_prepare`, `on_send` and `on_look_up` say what happens to a job."""

    effects: list[Effect] = field(default_factory=list)
    prepared: list[int] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: dict[str | None, int] = field(default_factory=dict)
    on_prepare: Callable[[ClaimedJob], Awaitable[SendOutcome | None]] | None = None
    on_send: Callable[[ClaimedJob], Awaitable[SendOutcome | None]] | None = None
    on_look_up: Callable[[ClaimedJob], Awaitable[LookupOutcome]] | None = None
    _in_flight_of: dict[str | None, int] = field(default_factory=dict)

    async def prepare(self, job: ClaimedJob) -> SendNow | SendOutcome:
        self.prepared.append(job.id)
        if self.on_prepare is not None and (outcome := await self.on_prepare(job)) is not None:
            return outcome

        async def send(deadline: float) -> SendOutcome:
            assert deadline > time.monotonic()
            return await self._send(job)

        return send

    async def _send(self, job: ClaimedJob) -> SendOutcome:
        now = time.time()
        self.effects.append(Effect(job.id, job.fence, now, now - job.due_at.timestamp()))
        of = self._in_flight_of
        of[job.account_id] = of.get(job.account_id, 0) + 1
        self.most_in_flight[job.account_id] = max(
            self.most_in_flight.get(job.account_id, 0), of[job.account_id]
        )
        try:
            if self.on_send is not None and (outcome := await self.on_send(job)) is not None:
                return outcome
            return Published(remote_id=f"n{job.id}")
        finally:
            of[job.account_id] -= 1

    async def look_up(self, job: ClaimedJob) -> LookupOutcome:
        if self.on_look_up is not None:
            return await self.on_look_up(job)
        if any(effect.job_id == job.id for effect in self.effects):
            return Published(remote_id=f"n{job.id}")
        return SafeToSend()


@dataclass
class Bench:
    """A ledger, a network and the senders between them."""

    database: Database
    network: Network = field(default_factory=Network)
    policy: Policy = QUICK

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.database)

    def add(self, count: int = 1, *, in_seconds: float = 0.0, **values: Any) -> list[int]:
        due_at = utc_now() + timedelta(seconds=in_seconds)
        return self.ledger.add_all(
            *[self.ledger.new_job(**({"due_at": due_at} | values)) for _ in range(count)]
        )

    @contextmanager
    def sender(self, **options: Any) -> Iterator[Sender]:
        sender = Sender(
            self.database,
            options.pop("policy", self.policy),
            {"publish": self.network},
            queues=("publish",),
            **({"concurrency": 50, "channel_concurrency": 50} | options),
        )
        sender.start()
        try:
            yield sender
        finally:
            assert sender.stop(20), "the sender did not stop"

    def states(self, job_ids: list[int]) -> list[JobState]:
        with self.database.reading() as session:
            rows = session.execute(select(Job.id, Job.state).where(Job.id.in_(job_ids))).all()  # type: ignore[union-attr]
            by_id = {row.id: row.state for row in rows}
            return [by_id[job_id] for job_id in job_ids]

    def wait_for(self, job_ids: list[int], state: JobState, *, seconds: float = 30) -> None:
        wait_until(
            lambda: all(found is state for found in self.states(job_ids)),
            what=f"jobs {job_ids} to be {state}, they are {self.states(job_ids)}",
            seconds=seconds,
        )

    def effects_of(self, job_id: int) -> list[Effect]:
        return [effect for effect in self.network.effects if effect.job_id == job_id]


async def until(condition: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Wait inside the sender's loop for something that the test does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        await asyncio.sleep(0.01)
