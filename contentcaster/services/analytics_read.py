"""All numbers of one view, read at once: what the page, the shared page and the mailed report show."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from contentcaster.clock import utc_now
from contentcaster.platforms.metrics import VIEW_WORDS
from contentcaster.security.permissions import Principal
from contentcaster.services import analytics
from contentcaster.services.analytics_asked import Asked
from contentcaster.services.analytics_bots import BotEffect, bot_effect
from contentcaster.services.analytics_views import (
    DayPoint,
    Freshness,
    HeatCell,
    PostFigures,
    Share,
    Summary,
)
from contentcaster.services.views import ChannelView

SHOWN_POSTS = 5


@dataclass(frozen=True)
class Everything:
    asked: Asked
    summary: Summary
    points: list[DayPoint]
    cells: list[HeatCell]
    best: list[PostFigures]
    worst: list[PostFigures]
    networks: list[Share]
    channels: list[Share]
    labels: list[Share]
    authors: list[Share]
    """Empty for people who see only their own posts."""
    bots: BotEffect
    fresh: list[Freshness]
    choices: list[ChannelView]
    label_choices: list[str]
    cells_days: int = 0
    """Of how many days `cells` are, where not of the period."""

    @property
    def view_words(self) -> list[str]:
        """What the networks of this view call a view."""
        found = {
            share.channel.platform
            for share in self.channels
            if share.channel and share.figures.views is not None
        }
        return [f"{VIEW_WORDS.get(platform, 'views')} ({platform})" for platform in sorted(found)]


def read_all(session: Session, principal: Principal, asked: Asked) -> Everything:
    """Everything about the view.

    Raises:
        InvalidInput: there is no such channel, network or label.
    """
    scope = (session, principal, asked.period, asked.scope)
    channels = analytics.by_channel(*scope)
    return Everything(
        asked=asked,
        summary=analytics.summary(*scope, asked.against),
        points=analytics.series(*scope, asked.against),
        cells=analytics.heat_map(*scope),
        best=analytics.top_posts(*scope, limit=SHOWN_POSTS),
        worst=analytics.top_posts(*scope, order="worst", limit=SHOWN_POSTS),
        networks=analytics.by_network(channels),
        channels=channels,
        labels=analytics.by_label(*scope),
        authors=analytics.by_author(*scope) if analytics.sees_all(principal) else [],
        bots=bot_effect(*scope, asked.against),
        fresh=analytics.freshness(session, principal, utc_now()),
        choices=analytics.channels(session, principal),
        label_choices=analytics.labels(session, principal),
    )
