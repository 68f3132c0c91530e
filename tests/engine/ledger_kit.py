"""A ledger under test: real tables, and a clock that only the test moves.

Every function of the engine takes its time as an SQL expression; here it is a literal, so hours pass in no time and a
lease lapses exactly when the test says so.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import literal, select

from contentcaster.db import Database
from contentcaster.engine import ledger, reconciler, settlement
from contentcaster.engine.ledger import ClaimedJob, NewJob
from contentcaster.engine.outcomes import Outcome
from contentcaster.engine.policy import Now, Policy
from contentcaster.engine.reconciler import Reconciled
from contentcaster.engine.settlement import Settlement
from contentcaster.models import (
    Account,
    FailedTask,
    Job,
    JobAttempt,
    JobEvent,
    JobState,
    Post,
    PostStatus,
    Role,
    User,
)
from contentcaster.models.types import UTCDateTime, new_id

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def at(moment: datetime) -> Now:
    """The clock that stands at `moment`."""
    return lambda offset_seconds: literal(moment + timedelta(seconds=offset_seconds), UTCDateTime())


def add_account(database: Database, **values: Any) -> str:
    """A connected channel with its owner; returns its id."""
    with database.transaction() as session:
        owner = User(email=f"{new_id()}@example.org", name="Alice", role=Role.CREATOR, password_hash="x")
        session.add(owner)
        session.flush()
        account = Account(
            **{
                "platform": "sandbox",
                "remote_id": new_id(),
                "handle": "alice",
                "owner_id": owner.id,
                "credentials_encrypted": "x",
            }
            | values
        )
        session.add(account)
        session.flush()
        return account.id


def add_post(database: Database, account_id: str) -> str:
    """A post by the owner of `account_id`; returns its id."""
    with database.transaction() as session:
        account = session.get(Account, account_id)
        assert account is not None
        post = Post(author_id=account.owner_id, text="hello", status=PostStatus.SCHEDULED)
        session.add(post)
        session.flush()
        return post.id


@dataclass
class Ledger:
    """What one worker after another does to the ledger, each call a transaction of its own."""

    database: Database
    policy: Policy = field(default_factory=Policy)
    now: datetime = NOON
    _numbers: Any = field(default_factory=lambda: itertools.count(1))
    _account_id: str = ""

    @property
    def clock(self) -> Now:
        return at(self.now)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    @property
    def account_id(self) -> str:
        if not self._account_id:
            self._account_id = add_account(self.database)
        return self._account_id

    def new_job(self, **values: Any) -> NewJob:
        number = next(self._numbers)
        due_at = values.pop("due_at", self.now)
        return NewJob(
            **{
                "queue": "publish",
                "kind": "publish",
                "dedupe_key": f"publish:{number}",
                "account_id": self.account_id,
                "payload": {"text": f"text {number}"},
                "due_at": due_at,
                "expires_at": due_at + timedelta(hours=24),
                "idempotency_key": new_id(),
            }
            | values
        )

    def add(self, **values: Any) -> int:
        """One job, due now unless said otherwise; returns its id."""
        return self.add_all(self.new_job(**values))[0]

    def add_all(self, *jobs: NewJob) -> list[int]:
        with self.database.transaction() as session:
            return ledger.add_jobs(session, jobs)

    def add_post(self, targets: int = 1, **values: Any) -> tuple[str, list[int]]:
        """A post with so many targets; returns its id and the ids of its jobs."""
        post_id = add_post(self.database, self.account_id)
        return post_id, self.add_all(*[self.new_job(post_id=post_id, **values) for _ in range(targets)])

    # ── what workers do ─────────────────────────────────────────────────────────────────────────────────────

    def claim(
        self, worker: str = "worker-1", *, limit: int = 100, queues: Sequence[str] = ("publish",)
    ) -> list[ClaimedJob]:
        with self.database.transaction() as session:
            return ledger.claim(
                session,
                queues=queues,
                worker=worker,
                limit=limit,
                lead_seconds=self.policy.lead_seconds,
                lease_seconds=self.policy.lease_seconds,
                now=self.clock,
            )

    def claim_one(self, worker: str = "worker-1") -> ClaimedJob:
        (job,) = self.claim(worker)
        return job

    def claim_lookups(self, worker: str = "worker-1") -> list[ClaimedJob]:
        with self.database.transaction() as session:
            return ledger.claim_lookups(
                session,
                queues=("publish",),
                worker=worker,
                limit=100,
                lease_seconds=self.policy.lease_seconds,
                now=self.clock,
            )

    def claim_lookup(self, worker: str = "worker-1") -> ClaimedJob:
        (job,) = self.claim_lookups(worker)
        return job

    def begin_send(self, *jobs: ClaimedJob) -> set[int]:
        with self.database.transaction() as session:
            return ledger.begin_send(
                session,
                [(job.id, job.fence) for job in jobs],
                lease_seconds=self.policy.lease_seconds,
                now=self.clock,
            )

    def settle(
        self, job: ClaimedJob, outcome: Outcome, *, worker: str = "worker-1", is_lookup: bool = False
    ) -> None:
        with self.database.transaction() as session:
            settlement.settle(
                session,
                [Settlement(job, worker, outcome, is_lookup=is_lookup)],
                self.policy,
                now=self.clock,
            )

    def send(self, outcome: Outcome, *, worker: str = "worker-1") -> ClaimedJob:
        """Claim the one job that is due, begin to send it and settle it with `outcome`."""
        job = self.claim_one(worker)
        assert self.begin_send(job) == {job.id}
        self.settle(job, outcome, worker=worker)
        return job

    def look_up(self, outcome: Outcome, *, worker: str = "worker-1") -> ClaimedJob:
        """Claim the one job of unknown outcome and settle its look-up with `outcome`."""
        job = self.claim_lookup(worker)
        self.settle(job, outcome, worker=worker, is_lookup=True)
        return job

    def cancel(self, *job_ids: int, actor: str = "Ada") -> list[int]:
        with self.database.transaction() as session:
            return ledger.cancel_jobs(session, job_ids, actor=actor)

    def reconcile(self) -> Reconciled:
        return reconciler.reconcile(self.database, self.policy, now=self.clock)

    # ── what there is to see ────────────────────────────────────────────────────────────────────────────────

    def job(self, job_id: int) -> Job:
        with self.database.reading() as session:
            job = session.get(Job, job_id)
            assert job is not None
            return job

    def state(self, job_id: int) -> JobState:
        return self.job(job_id).state

    def post_status(self, post_id: str) -> PostStatus:
        with self.database.reading() as session:
            post = session.get(Post, post_id)
            assert post is not None
            return post.status

    def failed_tasks(self, job_id: int) -> list[FailedTask]:
        with self.database.reading() as session:
            rows = session.execute(
                select(FailedTask).where(FailedTask.job_id == job_id).order_by(FailedTask.id)  # type: ignore[arg-type]
            )
            return list(rows.scalars())

    def attempts(self, job_id: int) -> list[JobAttempt]:
        with self.database.reading() as session:
            rows = session.execute(
                select(JobAttempt).where(JobAttempt.job_id == job_id).order_by(JobAttempt.id)  # type: ignore[arg-type]
            )
            return list(rows.scalars())

    def events(self, job_id: int) -> list[JobEvent]:
        with self.database.reading() as session:
            rows = session.execute(select(JobEvent).where(JobEvent.job_id == job_id).order_by(JobEvent.id))  # type: ignore[arg-type]
            return list(rows.scalars())
