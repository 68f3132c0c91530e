"""Numbers of published posts over time, and the rollup that the Analytics page reads.

Raw: `MetricSnapshot` (a post's counts at one slot of its schedule) and `FollowerDay`. Derived, always rebuildable:
the latest counts in `MetricPost`, and their sums per quarter of an hour in `MetricRollup`. A NULL count means that the
network did not tell; it is never 0.

Time is kept as quarters of an hour since 1970 (`bucket`): every zone's days and hours begin at one of them, so one
rollup is exact for every reader, and the arithmetic is whole numbers on both databases.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Column, Date, Index, Integer, text
from sqlmodel import Field, SQLModel

from contentcaster.clock import utc_now
from contentcaster.models.job import BigId, Job
from contentcaster.models.types import UTCDateTime, json_type, long_text, new_id, short_text, text_enum

QUARTER_SECONDS = 900

_UNPRUNED_SQL = text("pruned_at IS NULL")
_PUBLISHED_SQL = text("state = 'published'")
# The collector finds what was published since its last look without reading the whole ledger.
Index(
    "ix_job_published",
    Job.__table__.c.ended_at,  # type: ignore[attr-defined]
    postgresql_where=_PUBLISHED_SQL,
    sqlite_where=_PUBLISHED_SQL,
)


class MetricPost(SQLModel, table=True):
    """One published post on one channel: when to ask for its counts next, and the latest that are known."""

    __tablename__ = "metric_post"
    __table_args__ = (
        Index("ix_metric_post_due", "next_at", "account_id"),
        Index("ix_metric_post_bucket", "bucket", "account_id"),
        Index("ix_metric_post_engagements", "engagements", "job_id"),
        Index("ix_metric_post_ended", "ended_at"),
        Index(
            "ix_metric_post_unpruned",
            "published_at",
            postgresql_where=_UNPRUNED_SQL,
            sqlite_where=_UNPRUNED_SQL,
        ),
    )

    job_id: int = Field(
        sa_column=Column(BigId, primary_key=True, autoincrement=False),
    )
    account_id: str = Field(foreign_key="account.id", ondelete="CASCADE", max_length=26)
    post_id: str = Field(foreign_key="post.id", ondelete="CASCADE", index=True, max_length=26)
    author_id: str = Field(sa_type=short_text(26))
    remote_id: str = Field(sa_type=short_text(400))
    published_at: datetime = Field(sa_type=UTCDateTime)
    """When it left, which is what a person planned; the proof may have come later."""
    ended_at: datetime = Field(sa_type=UTCDateTime)
    bucket: int = Field(sa_type=Integer)
    next_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """None: the schedule has run out."""
    measured_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    pruned_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """When its snapshots were thinned out to the newest of each kind of count."""
    likes: int | None = Field(default=None, sa_type=BigInteger)
    reposts: int | None = Field(default=None, sa_type=BigInteger)
    replies: int | None = Field(default=None, sa_type=BigInteger)
    views: int | None = Field(default=None, sa_type=BigInteger)
    engagements: int | None = Field(default=None, sa_type=BigInteger)
    """Likes, reposts and replies that are known; None if none of them is."""


class MetricSnapshot(SQLModel, table=True):
    """A post's counts at one slot of its schedule; one row per slot, however often it is collected."""

    __tablename__ = "metric_snapshot"

    job_id: int = Field(sa_column=Column(BigId, primary_key=True, autoincrement=False))
    slot: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    taken_at: datetime = Field(sa_type=UTCDateTime)
    likes: int | None = Field(default=None, sa_type=BigInteger)
    reposts: int | None = Field(default=None, sa_type=BigInteger)
    replies: int | None = Field(default=None, sa_type=BigInteger)
    views: int | None = Field(default=None, sa_type=BigInteger)


class MetricRollup(SQLModel, table=True):
    """Sums over the posts of one author on one channel that went out in one quarter of an hour."""

    __tablename__ = "metric_rollup"

    bucket: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    account_id: str = Field(primary_key=True, foreign_key="account.id", ondelete="CASCADE", max_length=26)
    author_id: str = Field(primary_key=True, max_length=26)
    posts: int = 0
    measured: int = 0
    """Posts of which at least one kind of engagement is known."""
    engagements: int = Field(default=0, sa_type=BigInteger)
    likes: int = Field(default=0, sa_type=BigInteger)
    reposts: int = Field(default=0, sa_type=BigInteger)
    replies: int = Field(default=0, sa_type=BigInteger)
    views: int = Field(default=0, sa_type=BigInteger)
    views_measured: int = 0


ALL = ""
"""In the place of a channel or an author: the sum over all of them."""

HALF_HOUR_SECONDS = 1800


class MetricHalfHour(SQLModel, table=True):
    """Sums of the rollup per half hour, by channel and author, by either, and over all (`ALL`).

    A year of a busy installation has as many quarters with posts as it has posts; of these there are few enough to be
    read for any view. All zones but a handful have their midnight at a half hour; those read the rollup itself.
    """

    __tablename__ = "metric_half_hour"
    __table_args__ = (
        Index("ix_metric_half_hour_author", "author_id", "half_hour"),
        Index("ix_metric_half_hour_time", "half_hour"),
    )

    account_id: str = Field(primary_key=True, max_length=26)
    author_id: str = Field(primary_key=True, max_length=26)
    half_hour: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    posts: int = 0
    measured: int = 0
    engagements: int = Field(default=0, sa_type=BigInteger)
    likes: int = Field(default=0, sa_type=BigInteger)
    reposts: int = Field(default=0, sa_type=BigInteger)
    replies: int = Field(default=0, sa_type=BigInteger)
    views: int = Field(default=0, sa_type=BigInteger)
    views_measured: int = 0


class PostLabel(SQLModel, table=True):
    """The labels of a post once more, one row each, to find posts by."""

    __tablename__ = "post_label"

    label: str = Field(sa_type=short_text(40), primary_key=True)
    post_id: str = Field(
        foreign_key="post.id", primary_key=True, ondelete="CASCADE", index=True, max_length=26
    )


class MetricLabel(SQLModel, table=True):
    """Sums over the posts that carry a label, per quarter of an hour: by channel and author, by either, over all.

    A post counts once under each of its labels, so these are never added up across labels.
    """

    __tablename__ = "metric_label"
    __table_args__ = (
        Index("ix_metric_label_bucket", "bucket", "label"),
        Index("ix_metric_label_author", "label", "author_id", "bucket"),
        Index("ix_metric_label_account", "account_id", "author_id", "bucket"),
    )

    label: str = Field(sa_type=short_text(40), primary_key=True)
    account_id: str = Field(primary_key=True, max_length=26)
    author_id: str = Field(primary_key=True, max_length=26)
    bucket: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    posts: int = 0
    measured: int = 0
    engagements: int = Field(default=0, sa_type=BigInteger)
    likes: int = Field(default=0, sa_type=BigInteger)
    reposts: int = Field(default=0, sa_type=BigInteger)
    replies: int = Field(default=0, sa_type=BigInteger)
    views: int = Field(default=0, sa_type=BigInteger)
    views_measured: int = 0


class FollowerDay(SQLModel, table=True):
    """Followers of a channel, once per UTC day."""

    __tablename__ = "follower_day"

    account_id: str = Field(primary_key=True, foreign_key="account.id", ondelete="CASCADE", max_length=26)
    day: date = Field(sa_column=Column(Date, primary_key=True))
    taken_at: datetime = Field(sa_type=UTCDateTime)
    followers: int | None = Field(default=None, sa_type=BigInteger)


class MetricChannel(SQLModel, table=True):
    """How fresh a channel's numbers are; locked by whoever changes its rollup."""

    __tablename__ = "metric_channel"

    account_id: str = Field(primary_key=True, foreign_key="account.id", ondelete="CASCADE", max_length=26)
    refreshed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    failed_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    problem: str = Field(default="", sa_type=long_text())
    """A sentence for people; "" after the next success."""
    failures: int = 0
    not_before: datetime | None = Field(default=None, sa_type=UTCDateTime)
    """After a failure or a rate limit: asked again then."""


class AnalyticsShare(SQLModel, table=True):
    """A link that shows one view of the numbers to whoever has it, until it ends. Only its hash is kept."""

    __tablename__ = "analytics_share"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    token_hash: str = Field(sa_type=short_text(64), unique=True)
    owner_id: str = Field(foreign_key="app_user.id", ondelete="CASCADE", index=True, max_length=26)
    """Whose view it is: the link never shows more than this person may see now."""
    title: str = Field(sa_type=short_text(120))
    view: dict[str, Any] = Field(default_factory=dict, sa_type=json_type())
    """What the address of the page asked for: the period, what it is compared with, channel, network, label."""
    timezone: str = Field(sa_type=short_text(64))
    created_at: datetime = Field(default_factory=utc_now, sa_type=UTCDateTime)
    expires_at: datetime = Field(sa_type=UTCDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UTCDateTime)
    opened: int = 0
    opened_at: datetime | None = Field(default=None, sa_type=UTCDateTime)


class ReportCadence(StrEnum):
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class AnalyticsReport(SQLModel, table=True):
    """A person who gets the numbers by mail; no row: they do not."""

    __tablename__ = "analytics_report"

    user_id: str = Field(primary_key=True, foreign_key="app_user.id", ondelete="CASCADE", max_length=26)
    cadence: ReportCadence = Field(sa_type=text_enum(ReportCadence))
    next_at: datetime = Field(sa_type=UTCDateTime, index=True)
