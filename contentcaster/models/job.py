"""The ledger: one row per outward effect, and what became of it (docs/decisions/001-ledger.md).

The database is the truth; a Huey message is a hint that carries one job id.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, text
from sqlmodel import Field, SQLModel

from contentcaster.clock import utc_now
from contentcaster.models.types import UTCDateTime, json_type, long_text, new_id, short_text, text_enum

# SQLite gives row ids only to INTEGER primary keys.
BigId = BigInteger().with_variant(Integer(), "sqlite")


class JobState(StrEnum):
    PENDING_QUEUE = "pending_queue"  # saved, no queue has accepted a hint yet
    QUEUED = "queued"  # a queue accepted the hint
    CLAIMED = "claimed"  # leased by a worker, nothing sent
    SENDING = "sending"  # leased; bytes may have left
    RETRY_WAIT = "retry_wait"  # provably not sent, or a rejection that may pass
    SNOOZED = "snoozed"  # rate limited; the attempt was given back
    UNKNOWN = "unknown"  # sent, no proof; waits for a look-up
    RESOLVING = "resolving"  # leased; being looked up on the network
    PUBLISHED = "published"  # proof in remote_id
    DONE = "done"  # an act without an id of its own, proof in remote_id or proof
    DEAD = "dead"  # given up; has a failed task
    HELD = "held"  # cannot tell; a person decides
    CANCELLED = "cancelled"


CLAIMABLE = (JobState.PENDING_QUEUE, JobState.QUEUED, JobState.RETRY_WAIT, JobState.SNOOZED)
LEASED = (JobState.CLAIMED, JobState.SENDING, JobState.RESOLVING)
TERMINAL = (JobState.PUBLISHED, JobState.DONE, JobState.CANCELLED)


def _states(*states: JobState) -> str:
    return "(" + ", ".join(f"'{state.value}'" for state in states) + ")"


_CLAIMABLE_SQL = text(f"state IN {_states(*CLAIMABLE)}")
_LEASED_SQL = text(f"state IN {_states(*LEASED)}")
_UNKNOWN_SQL = text("state = 'unknown'")
_UNHINTED_SQL = text("state = 'pending_queue'")
_RESEND_SQL = text("resend_until IS NOT NULL")
_SUSPECT_SQL = text("crashes >= 2")
_HAS_REMOTE_SQL = text("remote_id IS NOT NULL")


class Job(SQLModel, table=True):
    __tablename__ = "job"
    __table_args__ = (
        Index(
            "ix_job_due",
            "queue",
            "due_at",
            "priority",
            "id",
            postgresql_where=_CLAIMABLE_SQL,
            sqlite_where=_CLAIMABLE_SQL,
        ),
        Index("ix_job_lease", "lease_until", postgresql_where=_LEASED_SQL, sqlite_where=_LEASED_SQL),
        Index("ix_job_unknown", "due_at", postgresql_where=_UNKNOWN_SQL, sqlite_where=_UNKNOWN_SQL),
        Index("ix_job_unhinted", "due_at", "id", postgresql_where=_UNHINTED_SQL, sqlite_where=_UNHINTED_SQL),
        Index("ix_job_resend", "resend_until", postgresql_where=_RESEND_SQL, sqlite_where=_RESEND_SQL),
        Index(
            "ix_job_suspect",
            "state",
            "due_at",
            postgresql_where=_SUSPECT_SQL,
            sqlite_where=_SUSPECT_SQL,
        ),
        Index("ix_job_post", "post_id"),
        Index(
            "uq_job_remote",
            "account_id",
            "kind",
            "remote_id",
            unique=True,
            postgresql_where=_HAS_REMOTE_SQL,
            sqlite_where=_HAS_REMOTE_SQL,
        ),
        CheckConstraint("state <> 'published' OR remote_id IS NOT NULL", name="published_has_proof"),
        CheckConstraint(
            f"(lease_until IS NOT NULL) = (state IN {_states(*LEASED)})", name="lease_exactly_while_leased"
        ),
    )

    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    queue: str = Field(sa_type=short_text(20))
    kind: str = Field(default="publish", sa_type=short_text(20))
    dedupe_key: str = Field(sa_type=short_text(200), unique=True)
    account_id: str | None = Field(default=None, foreign_key="account.id", index=True, max_length=26)
    post_id: str | None = Field(default=None, foreign_key="post.id", ondelete="CASCADE", max_length=26)
    after_job_id: int | None = Field(default=None, sa_type=BigId)
    """The thread part before: claimable only once that one is published."""
    payload: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    """What goes out, frozen when scheduled."""
    progress: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    """What preparation has already done on the network (uploaded media ids), so that a retry resumes."""
    state: JobState = Field(default=JobState.PENDING_QUEUE, sa_type=text_enum(JobState))
    due_at: datetime = Field(sa_type=UTCDateTime)
    """When to act next: the scheduled time, later the time of the next try or look-up."""
    scheduled_at: datetime = Field(sa_type=UTCDateTime)
    """The time a person asked for; never moves with retries."""
    expires_at: datetime = Field(sa_type=UTCDateTime)
    """Not sent by then: given up."""
    late_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """Not started by then: missed, and `on_missed` says what becomes of it. None: publish however late."""
    on_missed: str = Field(default="hold", sa_type=short_text(10))  # hold | skip
    priority: int = 100
    """Of jobs due at the same time, the lower goes first."""
    attempt: int = 0
    max_attempts: int = 4
    crashes: int = 0
    lookups: int = 0
    snoozes: int = 0
    fence: int = 0
    lease_owner: str | None = Field(default=None, sa_type=short_text(80))
    lease_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    claimed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    idempotency_key: str = Field(default_factory=new_id, sa_type=short_text(64), unique=True)
    client_ref: str | None = Field(default=None, sa_type=short_text(255))
    """The record key or transaction id that we chose for the network."""
    sent_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When the latest attempt's intent to send was committed."""
    first_sent_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    resend_until: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """An earlier send is in doubt and only the network's memory of our key makes another one safe: until then."""
    remote_id: str | None = Field(default=None, sa_type=short_text(400))
    remote_url: str | None = Field(default=None, sa_type=long_text())
    remote_extra: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    """What a reply to it needs beyond the id (Bluesky: cid and the thread's root)."""
    ended_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    error_class: str | None = Field(default=None, sa_type=short_text(40))
    error_message: str | None = Field(default=None, sa_type=long_text())
    hinted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    version: int = 1


class JobAttempt(SQLModel, table=True):
    """One lease of one job, written when it ends; append-only."""

    __tablename__ = "job_attempt"
    __table_args__ = (Index("uq_job_attempt_fence", "job_id", "fence", unique=True),)

    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    job_id: int = Field(sa_type=BigId, foreign_key="job.id", ondelete="CASCADE")
    fence: int
    kind: str = Field(sa_type=short_text(20))  # send | lookup
    worker: str = Field(sa_type=short_text(80))
    attempt: int = 0
    started_at: datetime = Field(sa_type=UTCDateTime)
    prepared_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    sent_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    ended_at: datetime = Field(sa_type=UTCDateTime)
    outcome: str = Field(sa_type=short_text(20))
    http_status: int | None = None
    retry_after_seconds: float | None = None
    error_class: str | None = Field(default=None, sa_type=short_text(40))
    message: str | None = Field(default=None, sa_type=long_text())
    """A sentence for people."""
    diagnostics: str | None = Field(default=None, sa_type=long_text())
    """The network's raw answer, redacted and cut; for operators."""


class JobEvent(SQLModel, table=True):
    """What happened to a job outside its attempts: scheduled, hint lost, cancelled, retried by a person, ..."""

    __tablename__ = "job_event"

    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    job_id: int = Field(sa_type=BigId, foreign_key="job.id", ondelete="CASCADE", index=True)
    at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    name: str = Field(sa_type=short_text(40))
    actor: str = Field(default="", sa_type=short_text(120))
    message: str = Field(default="", sa_type=long_text())


class FailedTask(SQLModel, table=True):
    """The dead-letter table: written in the commit that makes a job dead or held."""

    __tablename__ = "failed_task"
    __table_args__ = (
        Index(
            "ix_failed_task_open",
            "created_at",
            "id",
            postgresql_where=text("resolved_at IS NULL"),
            sqlite_where=text("resolved_at IS NULL"),
        ),
        Index(
            "ix_failed_task_untold",
            "id",
            postgresql_where=text("told_at IS NULL"),
            sqlite_where=text("told_at IS NULL"),
        ),
    )

    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    job_id: int = Field(sa_type=BigId, foreign_key="job.id", ondelete="CASCADE", index=True)
    fence: int
    """With job_id: which failure this is, so that the same one is recorded once."""
    reason: str = Field(sa_type=short_text(40))
    message: str = Field(default="", sa_type=long_text())
    snapshot: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    resolved_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    resolved_by: str | None = Field(default=None, sa_type=short_text(120))
    resolution: str | None = Field(default=None, sa_type=short_text(40))  # retried | published | discarded
    told_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When the people it concerns were notified."""
