"""Posts, their targets (one per channel and thread part) and media."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from contentcaster.clock import utc_now
from contentcaster.models.types import (
    UTCDateTime,
    json_type,
    long_text,
    new_id,
    short_text,
    text_enum,
)


class PostStatus(StrEnum):
    """What people see, of a post and of each target; the values are the words of the REST contract."""

    DRAFT = "Draft"
    PENDING_APPROVAL = "PendingApproval"
    SCHEDULED = "Scheduled"
    PENDING_QUEUE = "PendingQueue"
    PROCESSING = "Processing"
    RETRYING = "Retrying"
    PUBLISHED = "Published"
    PARTLY_PUBLISHED = "PartlyPublished"
    FAILED = "Failed"
    NEEDS_REVIEW = "NeedsReview"
    MISSED = "Missed"
    CANCELLED = "Cancelled"


class MissedPolicy(StrEnum):
    """What happens to a post that could not be started within `missed_after_minutes` of its time."""

    PUBLISH_LATE = "publish_late"
    HOLD = "hold"
    SKIP = "skip"


class Post(SQLModel, table=True):
    __tablename__ = "post"
    __table_args__ = (
        Index("ix_post_author_created", "author_id", "created_at", "id"),
        Index("ix_post_status_scheduled", "status", "scheduled_at", "id"),
        Index("ix_post_created", "created_at", "id"),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    author_id: str = Field(foreign_key="app_user.id", max_length=26)
    text: str = Field(default="", sa_type=long_text())
    thread: list[str] = Field(
        default_factory=list,
        sa_type=json_type(),
        sa_column_kwargs={"server_default": sql("'[]'")},
    )
    """Texts of the parts after the first, the same on every channel."""
    status: PostStatus = Field(default=PostStatus.DRAFT, sa_type=text_enum(PostStatus))
    """Derived from the targets' jobs in the commit that changes them (engine/post_status.py)."""
    scheduled_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    wall_time: str = Field(default="", sa_type=short_text(32))
    """The local time the person chose (ISO, without offset), so that a zone change can be explained."""
    timezone: str = Field(default="UTC", sa_type=short_text(64))
    labels: list[str] = Field(default_factory=list, sa_type=json_type())
    options: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    """Defaults for all targets: visibility, language, content_warning."""
    missed_policy: MissedPolicy = Field(default=MissedPolicy.PUBLISH_LATE, sa_type=text_enum(MissedPolicy))
    first_comment: str = Field(
        default="", sa_type=long_text(), sa_column_kwargs={"server_default": sql("''")}
    )
    """Goes out as a reply to the last part, once that is there, where a network takes replies."""
    review_state: str = Field(
        default="", sa_type=short_text(20), sa_column_kwargs={"server_default": sql("''")}
    )
    """The last step of its approval (models/review.py): "", requested, approved or returned."""
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    version: int = 1


class Target(SQLModel, table=True):
    """One part of a post on one channel; scheduled, it is exactly one job."""

    __tablename__ = "target"
    __table_args__ = (UniqueConstraint("post_id", "account_id", "part", name="uq_target_post_account_part"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    post_id: str = Field(foreign_key="post.id", ondelete="CASCADE", max_length=26)
    account_id: str = Field(foreign_key="account.id", index=True, max_length=26)
    part: int = 0
    """0 is the post itself, 1.. are thread parts, each a reply to the part before."""
    text: str | None = Field(default=None, sa_type=long_text())
    """None: the post's own text (part 0 only)."""
    options: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    job_id: int | None = Field(default=None, foreign_key="job.id", unique=True)


class Media(SQLModel, table=True):
    __tablename__ = "media"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    owner_id: str = Field(foreign_key="app_user.id", index=True, max_length=26)
    filename: str = Field(sa_type=short_text(255))
    mime_type: str = Field(sa_type=short_text(64))
    width: int
    height: int
    size_bytes: int
    sha256: str = Field(sa_type=short_text(64))
    storage_key: str = Field(sa_type=short_text(255))
    """Path below the media folder of the data dir."""
    alt: str = Field(default="", sa_type=long_text())
    duration_seconds: float = Field(default=0, sa_column_kwargs={"server_default": sql("0")})
    """0: a picture."""
    codec: str = Field(default="", sa_type=short_text(24), sa_column_kwargs={"server_default": sql("''")})
    """Of a video, as people call it: H.264."""
    source_id: str | None = Field(default=None, max_length=26)
    """The picture that this one is a crop of."""
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class PostMedia(SQLModel, table=True):
    __tablename__ = "post_media"

    post_id: str = Field(foreign_key="post.id", primary_key=True, ondelete="CASCADE", max_length=26)
    media_id: str = Field(foreign_key="media.id", primary_key=True, index=True, max_length=26)
    position: int = 0
    part: int = 0
    alt: str = Field(default="", sa_type=long_text())
