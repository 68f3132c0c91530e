"""The answers of services/analytics.py: frozen, without secrets. None is a number that nobody told, never 0."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from contentcaster.services.views import ChannelView


@dataclass(frozen=True)
class Figures:
    posts: int
    measured: int
    """Posts of which some engagement is known."""
    engagements: int | None
    likes: int | None
    reposts: int | None
    replies: int | None
    views: int | None
    per_post: float | None
    """Engagements per measured post."""


@dataclass(frozen=True)
class Summary:
    first: date
    last: date
    timezone: str
    now: Figures
    before: Figures
    before_first: date
    before_last: date
    followers: int | None
    followers_before: int | None
    """Of the same channels, at the end of the period before."""


@dataclass(frozen=True)
class DayPoint:
    day: date
    posts: int
    engagements: int | None
    """None: nothing went out that day, or nothing of it could be measured."""
    before_day: date | None
    """None: the period that it is compared with has fewer days."""
    before_posts: int
    before_engagements: int | None


@dataclass(frozen=True)
class Share:
    """A channel's or an author's part."""

    id: str
    name: str
    channel: ChannelView | None
    figures: Figures


@dataclass(frozen=True)
class PostFigures:
    post_id: str
    text: str
    channel: ChannelView
    published_at: datetime
    measured_at: datetime | None
    likes: int | None
    reposts: int | None
    replies: int | None
    views: int | None
    engagements: int | None
    remote_url: str
    thumb_url: str
    """Of its first picture; "" if it has none."""
    alt: str


@dataclass(frozen=True)
class HeatCell:
    weekday: int
    """0 is Monday."""
    hour: int
    posts: int
    measured: int
    per_post: float | None
    score: float | None
    """Per post, pulled towards the average where there are few posts: what to trust when choosing a time."""


@dataclass(frozen=True)
class Freshness:
    channel: ChannelView
    level: str
    """ok | warn | none; none: this network tells no numbers"""
    sentence: str
    refreshed_at: datetime | None
    meaning: str
    views: str
    """What this network calls a view; "" where it tells none."""
