"""The writing assistant: how it is set up, and what each use of it took."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Index
from sqlmodel import Field, SQLModel

from contentcaster.clock import utc_now
from contentcaster.models.job import BigId
from contentcaster.models.types import UTCDateTime, long_text, short_text


class AssistantSetup(SQLModel, table=True):
    """One row, once an admin has changed something."""

    __tablename__ = "assistant_setup"

    id: int = Field(default=1, primary_key=True, sa_column_kwargs={"autoincrement": False})
    brand_voice: str = Field(default="", sa_type=long_text())
    daily_tokens_per_person: int
    daily_tokens_of_bots: int
    input_usd_per_million: float
    output_usd_per_million: float
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    updated_by: str = Field(default="", sa_type=short_text(320))


class AssistantUse(SQLModel, table=True):
    """One call of the model: tokens as the model counted them, reserved as an estimate while it runs."""

    __tablename__ = "assistant_use"
    __table_args__ = (
        Index("ix_assistant_use_person", "user_id", "at"),
        Index("ix_assistant_use_at", "at"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    user_id: str | None = Field(default=None, foreign_key="app_user.id", ondelete="SET NULL", max_length=26)
    """None: a bot."""
    task: str = Field(sa_type=short_text(30))
    model: str = Field(sa_type=short_text(80))
    is_offline: bool = False
    outcome: str = Field(default="running", sa_type=short_text(30))  # running | ok | what went wrong
    input_tokens: int = 0
    output_tokens: int = 0
    reserved_tokens: int = 0
    """Counts against the cap until the model has said what it really took."""
    cost_micro_usd: int = Field(default=0, sa_type=BigId)
    took_ms: int = 0
