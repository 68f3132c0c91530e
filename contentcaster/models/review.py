"""The conversation about a post that needs approval."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from contentcaster.clock import utc_now
from contentcaster.models.types import UTCDateTime, long_text, new_id, short_text, text_enum


class ReviewKind(StrEnum):
    REQUESTED = "requested"
    CHANGED = "changed"  # edited while it waits: whoever decides sees that it is not what they read
    APPROVED = "approved"
    RETURNED = "returned"
    COMMENT = "comment"


class PostReview(SQLModel, table=True):
    """One line of the conversation; lines are added, never changed."""

    __tablename__ = "post_review"
    __table_args__ = (Index("ix_post_review_post", "post_id", "created_at", "id"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    post_id: str = Field(foreign_key="post.id", ondelete="CASCADE", max_length=26)
    author_id: str | None = Field(default=None, foreign_key="app_user.id", ondelete="SET NULL", max_length=26)
    author_name: str = Field(sa_type=short_text(120))
    kind: ReviewKind = Field(sa_type=text_enum(ReviewKind))
    text: str = Field(default="", sa_type=long_text())
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
