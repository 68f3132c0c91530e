"""What keeps the machinery honest: workers, queues, periodic runs, the audit log, REST idempotency."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, UniqueConstraint
from sqlmodel import Field, SQLModel

from contentcaster.clock import utc_now
from contentcaster.models.job import BigId
from contentcaster.models.types import UTCDateTime, json_type, long_text, short_text


class Worker(SQLModel, table=True):
    """A process that runs queues; its heartbeat is written by the loop that does the work."""

    __tablename__ = "worker"

    id: str = Field(primary_key=True, max_length=80)
    hostname: str = Field(sa_type=short_text(120))
    pid: int
    version: str = Field(sa_type=short_text(20))
    queues: list[str] = Field(default_factory=list, sa_type=json_type())
    started_at: datetime = Field(sa_type=UTCDateTime)
    heartbeat_at: datetime = Field(sa_type=UTCDateTime)
    stopped_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    rss_bytes: int = Field(default=0, sa_type=BigId)
    in_flight: int = 0
    is_queue_reachable: bool = True


class QueueState(SQLModel, table=True):
    """A row exists for a queue that somebody paused at least once."""

    __tablename__ = "queue_state"

    queue: str = Field(primary_key=True, max_length=20)
    paused_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    paused_by: str = Field(default="", sa_type=short_text(120))
    reason: str = Field(default="", sa_type=long_text())


class LeaderLease(SQLModel, table=True):
    """Which process runs the reconciler's passes now; any may take it over once it has lapsed."""

    __tablename__ = "leader_lease"

    name: str = Field(primary_key=True, max_length=40)
    owner: str = Field(sa_type=short_text(80))
    lease_until: datetime = Field(sa_type=UTCDateTime)


class PeriodicRun(SQLModel, table=True):
    """A periodic task runs in a slot only if its insert of this row succeeds."""

    __tablename__ = "periodic_run"

    task: str = Field(primary_key=True, max_length=60)
    slot: datetime = Field(sa_column=Column(UTCDateTime, primary_key=True))
    worker: str = Field(default="", sa_type=short_text(80))
    started_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)


class AuditEvent(SQLModel, table=True):
    """Who did what; append-only, each row chained to the one before by `chain_mac` (services/audit_chain.py)."""

    __tablename__ = "audit_event"

    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime, index=True)
    actor_id: str | None = Field(default=None, sa_type=short_text(26))
    actor: str = Field(sa_type=short_text(320))
    action: str = Field(sa_type=short_text(60))
    subject_type: str = Field(default="", sa_type=short_text(40))
    subject_id: str = Field(default="", sa_type=short_text(64))
    details: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    ip: str = Field(default="", sa_type=short_text(64))
    chain_mac: str = Field(default="", sa_type=short_text(64))
    """HMAC-SHA-256 over this row and the MAC before it; "" in rows older than the chain."""


class AuditChain(SQLModel, table=True):
    """The end of the audit log's chain, one row: whoever appends locks it."""

    __tablename__ = "audit_chain"

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    key_encrypted: str = Field(sa_type=long_text())
    """The MACs' key, sealed with ENCRYPTION_KEYS: who can only write the database cannot make a MAC."""
    last_mac: str = Field(default="", sa_type=short_text(64))
    events: int = Field(default=0, sa_type=BigId)


class IdempotencyRecord(SQLModel, table=True):
    """The first answer to a REST call with an Idempotency-Key; a repeat gets it again."""

    __tablename__ = "idempotency_record"
    __table_args__ = (UniqueConstraint("user_id", "key", name="uq_idempotency_user_key"),)

    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    user_id: str = Field(foreign_key="app_user.id", ondelete="CASCADE", max_length=26)
    key: str = Field(sa_type=short_text(200))
    request_hash: str = Field(sa_type=short_text(64))
    subject_id: str = Field(default="", sa_type=short_text(64))
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime, index=True)
