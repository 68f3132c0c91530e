"""What people are told of: their inbox, and which kinds they want there and by mail."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from contentcaster.clock import utc_now
from contentcaster.models.types import UTCDateTime, long_text, new_id, short_text, text_enum


class NotificationKind(StrEnum):
    POST_FAILED = "post_failed"  # one's own post
    POST_AT_RISK = "post_at_risk"  # half an hour before its time: it will not go out as it is
    NEEDS_REVIEW = "needs_review"
    APPROVAL_REQUESTED = "approval_requested"
    APPROVAL_DECIDED = "approval_decided"
    TOKEN_EXPIRING = "token_expiring"  # noqa: S105 - the name of a kind
    TEAM_POST_FAILED = "team_post_failed"  # somebody else's, for those who operate
    WORKER_DOWN = "worker_down"
    WEBHOOK_OFF = "webhook_off"


_UNREAD_SQL = text("read_at IS NULL")


class Notification(SQLModel, table=True):
    """One thing that one person is told; unique by person and key, so telling it again changes nothing."""

    __tablename__ = "notification"
    __table_args__ = (
        UniqueConstraint("user_id", "key", name="uq_notification_user_key"),
        Index("ix_notification_inbox", "user_id", "created_at", "id"),
        Index("ix_notification_unread", "user_id", postgresql_where=_UNREAD_SQL, sqlite_where=_UNREAD_SQL),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    user_id: str = Field(foreign_key="app_user.id", ondelete="CASCADE", max_length=26)
    kind: NotificationKind = Field(sa_type=text_enum(NotificationKind))
    key: str = Field(sa_type=short_text(160))
    group_key: str = Field(default="", sa_type=short_text(160))
    """Of the same kind and group, what comes within a minute becomes one line with a count."""
    count: int = 1
    title: str = Field(sa_type=short_text(300))
    body: str = Field(default="", sa_type=long_text())
    href: str = Field(default="", sa_type=short_text(300))
    """The page of the console to look at, beginning with /."""
    is_in_app: bool = True
    is_mailed: bool = False
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    read_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class NotificationPreference(SQLModel, table=True):
    """A row exists where a person chose otherwise than the default of the kind."""

    __tablename__ = "notification_preference"

    user_id: str = Field(primary_key=True, foreign_key="app_user.id", ondelete="CASCADE", max_length=26)
    kind: NotificationKind = Field(primary_key=True, sa_type=text_enum(NotificationKind))
    in_app: bool
    email: bool
