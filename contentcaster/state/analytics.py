"""What the Analytics page shows: the view that the address asks for, and the numbers of that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import parse_qs, urlencode

import reflex as rx
from pydantic import Field

from contentcaster.clock import utc_now
from contentcaster.errors import InvalidInput
from contentcaster.security.permissions import Permission
from contentcaster.services import analytics
from contentcaster.services import analytics_drawing as drawing
from contentcaster.services.analytics_answers import Answer, act_words, answers, growth_sentence
from contentcaster.services.analytics_asked import NAMES, SPANS, USUAL, Asked, asked_of
from contentcaster.services.analytics_bots import BotEffect
from contentcaster.services.analytics_drawing import EMPTY_CHART, Chart, HeatRow, Kpi, ShareLine
from contentcaster.services.analytics_read import Everything, read_all
from contentcaster.services.analytics_scope import EVERYTHING, Scope
from contentcaster.services.analytics_views import Freshness, PostFigures
from contentcaster.services.views import ChannelView
from contentcaster.state.bridge import read
from contentcaster.state.forms import Form, text_of
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.page import page_load

VERSUS = {"": "the days before", "year": "the year before"}


@dataclass(frozen=True)
class PostLine:
    post_id: str
    text: str
    channel: ChannelView
    published_at: datetime
    engagements: str
    parts: str
    remote_url: str
    thumb_url: str
    alt: str


@dataclass(frozen=True)
class Network:
    """One to filter by."""

    id: str
    name: str


class AnalyticsState(rx.State):
    days: str = USUAL
    """Which of SPANS; "" for a period of its own."""
    first: str = ""
    last: str = ""
    versus: str = ""
    vs_first: str = ""
    vs_last: str = ""
    account_id: str = ""
    network: str = ""
    label: str = ""
    range_words: str = ""
    before_words: str = ""
    problem: str = ""
    """What is wrong with the view that the address asks for."""
    choices: list[ChannelView] = []
    networks: list[Network] = []
    labels: list[str] = []
    is_narrowed: bool = False
    answers: list[Answer] = []
    kpis: list[Kpi] = []
    chart: Chart = EMPTY_CHART
    zoom_query: str = ""
    """What stays in the address when a span of the chart is chosen."""
    heat: list[HeatRow] = []
    heat_posts: int = 0
    best_times: list[str] = []
    best: list[PostLine] = []
    worst: list[PostLine] = []
    by_network: list[ShareLine] = []
    by_channel: list[ShareLine] = []
    by_label: list[ShareLine] = []
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
    png: str = ""
    png_dark: str = ""
    query: dict[str, str] = {}
    """The words of the address of this view."""

    @page_load(Permission.VIEW_ANALYTICS)
    async def load(self) -> None:
        """Read everything that the address asks for."""
        words = {name: values[-1][:60] for name, values in parse_qs(self.router.url.query).items()}
        asked = self._asked(words)
        try:
            found = await read(read_all, asked)
        except InvalidInput as error:
            self.problem, asked = (
                f"{error.message} Shown instead: all of it.",
                replace(asked, scope=EVERYTHING),
            )
            found = await read(read_all, asked)
        self._show(found)

    @guarded(Permission.VIEW_ANALYTICS)
    async def choose_channel(self, account_id: Annotated[str, Field(max_length=26)]) -> Any:
        return self._go(channel=account_id, network="")

    @guarded(Permission.VIEW_ANALYTICS)
    async def choose_network(self, network: Annotated[str, Field(max_length=40)]) -> Any:
        return self._go(network=network, channel="")

    @guarded(Permission.VIEW_ANALYTICS)
    async def choose_label(self, label: Annotated[str, Field(max_length=40)]) -> Any:
        return self._go(label=label)

    @guarded(Permission.VIEW_ANALYTICS)
    async def choose_days(self, days: Annotated[str, Field(max_length=10)]) -> Any:
        return self._go(**{"days": days, "from": "", "to": "", "vs_from": "", "vs_to": ""})

    @guarded(Permission.VIEW_ANALYTICS)
    async def choose_versus(self, versus: Annotated[str, Field(max_length=10)]) -> Any:
        return self._go(vs=versus, vs_from="", vs_to="")

    @guarded(Permission.VIEW_ANALYTICS)
    async def choose_range(self, form: Form) -> Any:
        given = {name: text_of(form, name)[:20] for name in ("from", "to", "vs_from", "vs_to")}
        return self._go(
            days="", vs="" if given["vs_from"] or given["vs_to"] else self.query.get("vs", ""), **given
        )

    @guarded(Permission.VIEW_ANALYTICS)
    async def zoom(
        self, first: Annotated[str, Field(max_length=20)], last: Annotated[str, Field(max_length=20)]
    ) -> Any:
        """Only these days of the chart."""
        return self._go(**{"days": "", "from": first, "to": last, "vs": "", "vs_from": "", "vs_to": ""})

    def _go(self, **changes: str) -> Any:
        wanted = self.query | changes
        values = {name: wanted[name] for name in NAMES if wanted.get(name)}
        return rx.redirect("/analytics" + (f"?{urlencode(values)}" if values else ""))

    def _asked(self, words: dict[str, str]) -> Asked:
        """The view of the address; the usual one, with a sentence, if its days make no sense."""
        zone, self.problem = current_principal().timezone, ""
        try:
            return asked_of(words, zone)
        except InvalidInput as error:
            self.problem = f"{error.message} Shown instead: the last {USUAL} days."
        kept = {name: words.get(name, "") for name in ("channel", "network", "label")}
        return asked_of(kept, zone)

    def _show(self, found: Everything) -> None:
        summary, asked = found.summary, found.asked
        self._show_asked(asked)
        self.range_words = drawing.span(summary.first, summary.last)
        self.before_words = drawing.span(summary.before_first, summary.before_last)
        self.choices, self.labels = found.choices, found.label_choices
        named = {channel.platform: channel.platform_name for channel in found.choices}
        self.networks = [Network(*pair) for pair in sorted(named.items(), key=lambda pair: pair[1].lower())]
        self.answers = answers(found, utc_now())
        self.kpis, self.chart = drawing.kpis(summary, found.view_words), drawing.chart(found.points)
        self.heat = drawing.heat(found.cells)
        self.heat_posts = sum(cell.measured for cell in found.cells)
        self.best_times = [drawing.time_words(cell) for cell in analytics.best_times(found.cells)]
        self.best = [_line(post) for post in found.best]
        shown = {post.post_id for post in found.best}
        self.worst = [_line(post) for post in found.worst if post.post_id not in shown]
        self.by_network, self.by_channel, self.by_label, self.by_author = (
            drawing.share_lines(shares)
            for shares in (found.networks, found.channels, found.labels, found.authors)
        )
        self.bot_words = _bot_words(found.bots)
        self.fresh = found.fresh
        self.fresh_at = max((f.refreshed_at for f in found.fresh if f.refreshed_at), default=None)
        self.stale_count = sum(f.level == "warn" for f in found.fresh)
        self.has_posts = bool(summary.now.posts or summary.before.posts)
        self.is_own = not analytics.sees_all(current_principal())

    def _show_asked(self, asked: Asked) -> None:
        period, other, scope = asked.period, asked.other, asked.scope
        self.days, self.versus, self.query = asked.days, asked.versus, asked.query()
        self.first, self.last = period.first.isoformat(), period.last.isoformat()
        self.vs_first, self.vs_last = other.first.isoformat(), other.last.isoformat()
        self.account_id, self.network, self.label = scope.account_id, scope.network, scope.label
        self.is_narrowed = scope != Scope()
        own = {"channel": scope.account_id, "network": scope.network, "label": scope.label}
        self.zoom_query = urlencode({name: value for name, value in own.items() if value})
        words = {"account_id" if name == "channel" else name: value for name, value in self.query.items()}
        words |= {"from": self.first, "to": self.last, "timezone": period.zone}
        asked_words = urlencode(words)
        self.csv_days, self.csv_posts, self.png = (
            f"/api/v1/analytics/{name}?{asked_words}" for name in ("series.csv", "posts.csv", "series.png")
        )
        self.png_dark = self.png + "&theme=dark"


def _line(post: PostFigures) -> PostLine:
    return PostLine(
        post_id=post.post_id,
        text=post.text,
        channel=post.channel,
        published_at=post.published_at,
        engagements=drawing.number(post.engagements),
        parts=drawing.parts(post),
        remote_url=post.remote_url,
        thumb_url=post.thumb_url,
        alt=post.alt,
    )


def _bot_words(effect: BotEffect) -> list[str]:
    """Sentences; none if no bot did anything in the period."""
    if not effect.acts:
        return []
    return [
        f"{act_words(effect.acts)} went out.",
        growth_sentence("Channels with bots", effect.with_bots),
        growth_sentence("Channels without", effect.without_bots),
    ]


__all__ = ["SPANS", "VERSUS", "AnalyticsState", "PostLine", "ShareLine"]
