"""What the Analytics page shows: the period and channel of the address, and the numbers of that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import parse_qs, urlencode

import reflex as rx
from pydantic import Field
from sqlmodel import Session

from contentcaster.clock import utc_now
from contentcaster.errors import InvalidInput
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import analytics
from contentcaster.services.analytics_bots import BotEffect, Growth, bot_effect
from contentcaster.services.analytics_period import Period, period_of
from contentcaster.services.analytics_views import DayPoint, Freshness, HeatCell, PostFigures, Share, Summary
from contentcaster.services.views import ChannelView
from contentcaster.state import analytics_drawing as drawing
from contentcaster.state.analytics_drawing import EMPTY_CHART, Chart, HeatRow, Kpi
from contentcaster.state.bridge import read
from contentcaster.state.forms import Form, text_of
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.page import page_load

SPANS = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "One year"}
_DEFAULT_DAYS = "30"
_SHOWN_POSTS = 5


@dataclass(frozen=True)
class PostLine:
    post_id: str
    text: str
    channel: ChannelView
    published_at: datetime
    engagements: str
    parts: str
    remote_url: str


@dataclass(frozen=True)
class ShareLine:
    name: str
    note: str
    value: str
    width: str
    channel: ChannelView | None


@dataclass(frozen=True)
class _Everything:
    summary: Summary
    points: list[DayPoint]
    cells: list[HeatCell]
    best: list[PostFigures]
    worst: list[PostFigures]
    channels: list[Share]
    authors: list[Share]
    bots: BotEffect
    fresh: list[Freshness]
    choices: list[ChannelView]


class AnalyticsState(rx.State):
    days: str = _DEFAULT_DAYS
    """Which of SPANS; "" for a period of its own."""
    first: str = ""
    last: str = ""
    account_id: str = ""
    range_words: str = ""
    before_words: str = ""
    problem: str = ""
    """What is wrong with the period that the address asks for."""
    choices: list[ChannelView] = []
    kpis: list[Kpi] = []
    chart: Chart = EMPTY_CHART
    heat: list[HeatRow] = []
    heat_posts: int = 0
    best_times: list[str] = []
    best: list[PostLine] = []
    worst: list[PostLine] = []
    by_channel: list[ShareLine] = []
    by_author: list[ShareLine] = []
    bot_words: list[str] = []
    fresh: list[Freshness] = []
    fresh_at: datetime | None = None
    stale_count: int = 0
    has_posts: bool = False
    is_own: bool = False
    """Only the person's own posts are counted."""
    csv_days: str = ""
    csv_posts: str = ""

    @page_load(Permission.VIEW_ANALYTICS)
    async def load(self) -> None:
        """Read everything that the address asks for."""
        asked = {name: values[-1][:40] for name, values in parse_qs(self.router.url.query).items()}
        period = self._period(asked)
        account_id = asked.get("channel", "")
        try:
            found = await read(_everything, period=period, account_id=account_id)
        except InvalidInput as error:
            self.problem, account_id = error.message, ""
            found = await read(_everything, period=period, account_id="")
        self.first, self.last, self.account_id = period.first.isoformat(), period.last.isoformat(), account_id
        self._show(found)
        query = urlencode(
            {"from": self.first, "to": self.last, "timezone": period.zone, "account_id": account_id}
        )
        self.csv_days, self.csv_posts = (
            f"/api/v1/analytics/{name}.csv?{query}" for name in ("series", "posts")
        )

    @guarded(Permission.VIEW_ANALYTICS)
    async def choose_channel(self, account_id: Annotated[str, Field(max_length=26)]) -> Any:
        return rx.redirect(self._address(account_id=account_id))

    @guarded(Permission.VIEW_ANALYTICS)
    async def choose_days(self, days: Annotated[str, Field(max_length=4)]) -> Any:
        return rx.redirect(self._address(days=days))

    @guarded(Permission.VIEW_ANALYTICS)
    async def choose_range(self, form: Form) -> Any:
        first, last = text_of(form, "from")[:20], text_of(form, "to")[:20]
        return rx.redirect(self._address(first=first, last=last))

    def _period(self, asked: dict[str, str]) -> Period:
        """The period of the address; the usual one, with a sentence, if that makes no sense."""
        zone, self.problem = current_principal().timezone, ""
        today = period_of("", "", zone).last
        try:
            if asked.get("from") or asked.get("to"):
                self.days = ""
                return period_of(asked.get("from", ""), asked.get("to", ""), zone, today=today)
        except InvalidInput as error:
            self.problem = f"{error.message} Shown instead: the last {_DEFAULT_DAYS} days."
        days = asked.get("days", _DEFAULT_DAYS)
        self.days = days if days in SPANS and not self.problem else _DEFAULT_DAYS
        return Period(today - timedelta(days=int(self.days) - 1), today, zone)

    def _address(self, **changes: str) -> str:
        account_id = changes.get("account_id", self.account_id)
        query: dict[str, str] = {}
        if "first" in changes:
            query = {"from": changes["first"], "to": changes["last"]}
        elif changes.get("days", self.days):
            query = {"days": changes.get("days", self.days)}
        else:
            query = {"from": self.first, "to": self.last}
        if account_id:
            query["channel"] = account_id
        return "/analytics?" + urlencode(query)

    def _show(self, found: _Everything) -> None:
        summary = found.summary
        self.range_words = drawing.span(summary.first, summary.last)
        self.before_words = drawing.span(summary.before_first, summary.before_last)
        self.choices = found.choices
        self.kpis, self.chart = drawing.kpis(summary), drawing.chart(found.points)
        self.heat = drawing.heat(found.cells)
        self.heat_posts = sum(cell.measured for cell in found.cells)
        self.best_times = [drawing.time_words(cell) for cell in analytics.best_times(found.cells)]
        self.best = [_line(post) for post in found.best]
        shown = {post.post_id for post in found.best}
        self.worst = [_line(post) for post in found.worst if post.post_id not in shown]
        self.by_channel, self.by_author = _shares(found.channels), _shares(found.authors)
        self.bot_words = _bot_words(found.bots)
        self.fresh = found.fresh
        self.fresh_at = max((f.refreshed_at for f in found.fresh if f.refreshed_at), default=None)
        self.stale_count = sum(f.level == "warn" for f in found.fresh)
        self.has_posts = bool(summary.now.posts or summary.before.posts)
        self.is_own = not analytics.sees_all(current_principal())


def _everything(session: Session, principal: Principal, *, period: Period, account_id: str) -> _Everything:
    scope = (session, principal, period, account_id)
    return _Everything(
        summary=analytics.summary(*scope),
        points=analytics.series(*scope),
        cells=analytics.heat_map(*scope),
        best=analytics.top_posts(*scope, limit=_SHOWN_POSTS),
        worst=analytics.top_posts(*scope, order="worst", limit=_SHOWN_POSTS),
        channels=analytics.by_channel(*scope),
        authors=analytics.by_author(*scope) if analytics.sees_all(principal) else [],
        bots=bot_effect(*scope),
        fresh=analytics.freshness(session, principal, utc_now()),
        choices=analytics.channels(session, principal),
    )


def _line(post: PostFigures) -> PostLine:
    parts = [
        (post.likes, "likes"),
        (post.reposts, "reposts"),
        (post.replies, "replies"),
        (post.views, "views"),
    ]
    return PostLine(
        post_id=post.post_id,
        text=post.text,
        channel=post.channel,
        published_at=post.published_at,
        engagements=drawing.number(post.engagements),
        parts=" · ".join(f"{value:,} {name}" for value, name in parts if value is not None),
        remote_url=post.remote_url,
    )


def _shares(shares: list[Share]) -> list[ShareLine]:
    highest = max((share.figures.engagements or 0 for share in shares), default=0)
    return [
        ShareLine(
            name=share.name,
            note=f"{share.figures.posts:,} posts, {drawing.number(share.figures.per_post)} per post",
            value=drawing.number(share.figures.engagements),
            width=f"{(share.figures.engagements or 0) / highest * 100:.0f}%" if highest else "0%",
            channel=share.channel,
        )
        for share in shares[:12]
    ]


def _bot_words(effect: BotEffect) -> list[str]:
    """Sentences; none if no bot did anything in the period."""
    if not effect.acts:
        return []
    acts = ", ".join(f"{count:,} {action}s" for action, count in sorted(effect.acts.items()))
    return [f"{acts.replace('replys', 'replies')} went out.", *_growth_words(effect)]


def _growth_words(effect: BotEffect) -> list[str]:
    return [
        _growth_sentence("Channels with bots", effect.with_bots),
        _growth_sentence("Channels without", effect.without_bots),
    ]


def _growth_sentence(name: str, growth: Growth) -> str:
    if growth.now is None or growth.before is None:
        return f"{name}: followers are not known for both ends of this period."
    change = growth.now - growth.before
    share = f" ({change / growth.before * 100:+.1f}%)" if growth.before else ""
    return f"{name}: {growth.before:,} followers became {growth.now:,}{share}."
