"""Webhooks out: who is told of which events, the events, and one delivery of an event to an endpoint.

A delivery is carried out by a job of the ledger (kind `webhook`); its tries are that job's attempts.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from contentcaster.clock import utc_now
from contentcaster.models.job import BigId
from contentcaster.models.types import UTCDateTime, json_type, long_text, new_id, short_text


class WebhookEndpoint(SQLModel, table=True):
    """An address of somebody else's program, and what it wants to hear."""

    __tablename__ = "webhook_endpoint"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    name: str = Field(sa_type=short_text(80))
    url: str = Field(sa_type=long_text())
    secret_encrypted: str = Field(sa_type=long_text())
    events: list[str] = Field(default_factory=list, sa_type=json_type())
    is_enabled: bool = True
    disabled_reason: str = Field(default="", sa_type=short_text(300))
    """Why it was turned off by itself; "" when a person did it."""
    failing_since: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """The first failure since the last success."""
    failures: int = 0
    """Failures since the last success."""
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    created_by: str = Field(default="", sa_type=short_text(320))
    deleted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    version: int = 1


class WebhookEvent(SQLModel, table=True):
    """What happened, written in the transaction in which it happened; its id goes out with every delivery of it."""

    __tablename__ = "webhook_event"

    id: str = Field(primary_key=True, max_length=40)
    type: str = Field(sa_type=short_text(40))
    data: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime, index=True)


class WebhookDelivery(SQLModel, table=True):
    """One event on its way to one endpoint; a replay is another one of the same event."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        UniqueConstraint("event_id", "endpoint_id", "replay", name="uq_webhook_delivery_once"),
        Index("ix_webhook_delivery_endpoint", "endpoint_id", "id"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    event_id: str = Field(foreign_key="webhook_event.id", ondelete="CASCADE", max_length=40)
    endpoint_id: str = Field(foreign_key="webhook_endpoint.id", ondelete="CASCADE", max_length=26)
    replay: int = 0
    """0: the first one; then as often as somebody asked for it again."""
    job_id: int | None = Field(default=None, sa_type=BigId, index=True)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
