"""What is known of a channel's login and limits: warnings given, quotas learned, posts checked before they are due."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from contentcaster.clock import utc_now
from contentcaster.models.job import BigId
from contentcaster.models.types import UTCDateTime, json_type, long_text, short_text


class TokenWarning(SQLModel, table=True):
    """A warning that was given: once per channel, end of its login and number of days before."""

    __tablename__ = "token_warning"

    account_id: str = Field(primary_key=True, foreign_key="account.id", ondelete="CASCADE", max_length=26)
    expires_at: datetime = Field(sa_column=Column(UTCDateTime, primary_key=True))
    days: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    noted_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)


class Quota(SQLModel, table=True):
    """What a network last said of one of its limits: for one channel, or for all that share our app or address."""

    __tablename__ = "quota"
    __table_args__ = (
        UniqueConstraint("scope", "name", name="uq_quota_scope_name"),
        Index("ix_quota_account", "account_id"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    scope: str = Field(sa_type=short_text(300))
    """"channel:<account id>", or "app:<network>:<host>"."""
    account_id: str | None = Field(default=None, foreign_key="account.id", ondelete="CASCADE", max_length=26)
    name: str = Field(sa_type=short_text(60))
    """requests | publish | media | day | ... as `platforms.quotas` names them."""
    allowed: int | None = None
    left: int
    resets_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    window_seconds: float | None = None
    learned_from: str = Field(sa_type=short_text(120))
    """The header that said so."""
    is_gate: bool = False
    """Whether posts wait while nothing is left."""
    seen_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)


class PostCheck(SQLModel, table=True):
    """What the look at a post half an hour before its time found; one per post, for the time it had then."""

    __tablename__ = "post_check"

    post_id: str = Field(primary_key=True, foreign_key="post.id", ondelete="CASCADE", max_length=26)
    scheduled_at: datetime = Field(sa_type=UTCDateTime)
    checked_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    level: str = Field(sa_type=short_text(10))  # ok | check | stop
    items: list[dict[str, Any]] = Field(default_factory=list, sa_type=json_type())
    note: str = Field(default="", sa_type=long_text())
