"""What is planned ahead: queue slots and who holds one, series of posts and their occurrences, imports."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Index
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


class SlotPlan(SQLModel, table=True):
    """A channel's weekly queue times. Its row is the lock under which slots are given out."""

    __tablename__ = "slot_plan"

    account_id: str = Field(foreign_key="account.id", primary_key=True, ondelete="CASCADE", max_length=26)
    timezone: str = Field(default="UTC", sa_type=short_text(64))
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    version: int = 1


class SlotTime(SQLModel, table=True):
    """One weekly time, by the clocks of the plan's zone."""

    __tablename__ = "slot_time"
    __table_args__ = (
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
        CheckConstraint("minute BETWEEN 0 AND 1439", name="minute"),
    )

    account_id: str = Field(
        foreign_key="slot_plan.account_id", primary_key=True, ondelete="CASCADE", max_length=26
    )
    weekday: int = Field(primary_key=True)
    """0 is Monday."""
    minute: int = Field(primary_key=True)
    """Minutes since midnight."""


class SlotBooking(SQLModel, table=True):
    """A slot that a post was put into; its key keeps two posts out of one slot.

    It counts only while the post still goes out at that time (services/slots.py): nothing has to give it back.
    """

    __tablename__ = "slot_booking"

    account_id: str = Field(foreign_key="account.id", primary_key=True, ondelete="CASCADE", max_length=26)
    at: datetime = Field(sa_type=UTCDateTime, primary_key=True)
    post_id: str = Field(foreign_key="post.id", index=True, ondelete="CASCADE", max_length=26)


class SeriesState(StrEnum):
    ACTIVE = "active"
    ENDED = "ended"


class Series(SQLModel, table=True):
    """A post that repeats: its content, its rule (RFC 5545) and the wall time of its first occurrence."""

    __tablename__ = "series"
    __table_args__ = (Index("ix_series_state_author", "state", "author_id"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    author_id: str = Field(foreign_key="app_user.id", index=True, max_length=26)
    template: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    """The draft that each occurrence is made of."""
    rule: str = Field(sa_type=short_text(500))
    first_wall_time: str = Field(sa_type=short_text(32))
    """By the clocks of `timezone`: 2026-11-26T09:00. Later ones keep the hour when the clocks change."""
    timezone: str = Field(sa_type=short_text(64))
    state: SeriesState = Field(default=SeriesState.ACTIVE, sa_type=text_enum(SeriesState))
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    version: int = 1


class OccurrenceState(StrEnum):
    MADE = "made"  # there is a post for it
    SKIPPED = "skipped"  # a person took it out
    REFUSED = "refused"  # it could not be scheduled; tried again until its time


class SeriesOccurrence(SQLModel, table=True):
    """One occurrence that something became of; its key is what makes each at most one post."""

    __tablename__ = "series_occurrence"

    series_id: str = Field(foreign_key="series.id", primary_key=True, ondelete="CASCADE", max_length=26)
    wall_time: str = Field(primary_key=True, max_length=32)
    """As the rule gives it, whatever was done to its post later."""
    at: datetime = Field(sa_type=UTCDateTime)
    state: OccurrenceState = Field(sa_type=text_enum(OccurrenceState))
    post_id: str | None = Field(
        default=None, foreign_key="post.id", index=True, ondelete="SET NULL", max_length=26
    )
    post_version: int = 0
    """Of the post as it was made; a higher one now means that a person changed it."""
    note: str = Field(default="", sa_type=long_text())
    """Why it was refused, for people."""


class ImportState(StrEnum):
    UPLOADED = "uploaded"
    IMPORTED = "imported"
    UNDONE = "undone"


class ImportBatch(SQLModel, table=True):
    """An uploaded table of posts: kept from upload to import, so that nothing is lost in between."""

    __tablename__ = "import_batch"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    owner_id: str = Field(foreign_key="app_user.id", index=True, max_length=26)
    filename: str = Field(sa_type=short_text(255))
    content: str = Field(sa_type=long_text())
    """The file as text; emptied once it was imported."""
    encoding: str = Field(default="utf-8", sa_type=short_text(20))
    delimiter: str = Field(default=",", sa_type=short_text(4))
    row_count: int = 0
    choices: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    """Which column is what, and what to do where a row says nothing."""
    state: ImportState = Field(default=ImportState.UPLOADED, sa_type=text_enum(ImportState))
    post_ids: list[str] = Field(default_factory=list, sa_type=json_type())
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    imported_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class PostWords(SQLModel, table=True):
    """All words of a post, its variants, thread and labels, for full-text search.

    Triggers keep it (see its migration), whoever writes a post; the index over it is each dialect's own.
    """

    __tablename__ = "post_words"

    id: int | None = Field(default=None, primary_key=True)
    post_id: str = Field(foreign_key="post.id", unique=True, ondelete="CASCADE", max_length=26)
    words: str = Field(default="", sa_type=long_text())
