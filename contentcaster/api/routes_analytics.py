"""Numbers of published posts: sums, days, posts, hours. A count that no network told is null, never 0."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read
from contentcaster.services import analytics, analytics_drawing
from contentcaster.services.analytics_asked import Asked, asked_of
from contentcaster.services.analytics_png import draw_series
from contentcaster.services.analytics_views import DayPoint, Figures, HeatCell, PostFigures, Share

router = APIRouter(prefix="/analytics", tags=["analytics"])


class SummaryOut(BaseModel):
    first: date
    last: date
    timezone: str
    now: Figures
    before: Figures = Field(description="The period that it is compared with.")
    before_first: date
    before_last: date
    followers: int | None
    followers_before: int | None = Field(description="At the end of the other period, of the same channels.")


class SeriesOut(BaseModel):
    items: list[DayPoint]


class PostsOut(BaseModel):
    items: list[PostFigures]


class ShareOut(BaseModel):
    id: str
    name: str
    figures: Figures


class SharesOut(BaseModel):
    items: list[ShareOut]


class HoursOut(BaseModel):
    items: list[HeatCell] = Field(
        description="168 hours of the week, Monday 00:00 first, by the zone's clocks."
    )
    best: list[HeatCell] = Field(description="Those to trust most when choosing a time.")


def _asked(
    principal: CurrentPrincipal,
    days: Annotated[str, Query(max_length=10, description="7, 30, 90, 365, or month: the last one.")] = "",
    first: Annotated[str, Query(alias="from", max_length=20, description="First day, ISO.")] = "",
    last: Annotated[str, Query(alias="to", max_length=20, description="Last day, included.")] = "",
    vs: Annotated[
        str, Query(max_length=10, description="Compare with: before (the days right before) or year.")
    ] = "",
    vs_from: Annotated[str, Query(max_length=20, description="First day to compare with, ISO.")] = "",
    vs_to: Annotated[str, Query(max_length=20, description="Last day to compare with.")] = "",
    account_id: Annotated[str, Query(max_length=26, description="Only this channel.")] = "",
    network: Annotated[str, Query(max_length=40, description="Only this network.")] = "",
    label: Annotated[str, Query(max_length=40, description="Only posts with this label.")] = "",
    timezone: Annotated[str, Query(max_length=64, description="Where days begin; absent: your zone.")] = "",
) -> Asked:
    values = {
        "days": days, "from": first, "to": last, "vs": vs, "vs_from": vs_from, "vs_to": vs_to,
        "channel": account_id, "network": network, "label": label,
    }  # fmt: skip
    return asked_of(values, timezone or principal.timezone)


AskedDep = Annotated[Asked, Depends(_asked)]


@router.get("/summary")
def get_summary(principal: CurrentPrincipal, database: DatabaseDep, asked: AskedDep) -> SummaryOut:
    """The period's figures beside those of another. Absent days: the last 30, beside the 30 before them."""
    found = run_read(
        database, lambda s: analytics.summary(s, principal, asked.period, asked.scope, asked.against)
    )
    return SummaryOut.model_validate(asdict(found))


@router.get("/series")
def get_series(principal: CurrentPrincipal, database: DatabaseDep, asked: AskedDep) -> SeriesOut:
    """One point per day of the zone, beside the same day of the other period."""
    return SeriesOut(items=_points(principal, database, asked))


@router.get("/posts")
def get_posts(
    principal: CurrentPrincipal,
    database: DatabaseDep,
    asked: AskedDep,
    order: Annotated[str, Query(max_length=10, description="best or worst")] = "best",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> PostsOut:
    """Measured posts with the most, or the fewest, engagements."""
    found = run_read(
        database,
        lambda s: analytics.top_posts(s, principal, asked.period, asked.scope, order=order, limit=limit),
    )
    return PostsOut(items=found)


@router.get("/by/{part}")
def get_shares(
    part: Literal["network", "channel", "label", "author"],
    principal: CurrentPrincipal,
    database: DatabaseDep,
    asked: AskedDep,
) -> SharesOut:
    """The figures by network, channel, label or author, most engagement first. Labels overlap: do not add them up."""
    views = {
        "channel": analytics.by_channel,
        "label": analytics.by_label,
        "author": analytics.by_author,
        "network": lambda *scope: analytics.by_network(analytics.by_channel(*scope)),
    }
    found: list[Share] = run_read(database, lambda s: views[part](s, principal, asked.period, asked.scope))
    return SharesOut(items=[ShareOut(id=share.id, name=share.name, figures=share.figures) for share in found])


@router.get("/hours")
def get_hours(principal: CurrentPrincipal, database: DatabaseDep, asked: AskedDep) -> HoursOut:
    """Engagement per post by hour of the week, and the hours to trust most."""
    cells = run_read(database, lambda s: analytics.heat_map(s, principal, asked.period, asked.scope))
    return HoursOut(items=cells, best=analytics.best_times(cells))


@router.get("/series.csv", response_class=Response)
def get_series_csv(principal: CurrentPrincipal, database: DatabaseDep, asked: AskedDep) -> Response:
    """The same days as a table; a number that is missing is an empty field."""
    heads = ["day", "posts", "engagements", "day_before", "posts_before", "engagements_before"]
    rows = [
        [p.day, p.posts, p.engagements, p.before_day, p.before_posts, p.before_engagements]
        for p in _points(principal, database, asked)
    ]
    return _csv(f"engagements-{asked.period.first}-{asked.period.last}.csv", heads, rows)


@router.get("/series.png", response_class=Response)
def get_series_png(
    principal: CurrentPrincipal,
    database: DatabaseDep,
    asked: AskedDep,
    theme: Literal["light", "dark"] = "light",
) -> Response:
    """The chart of the days as a picture, 1200 by 600, with its title, days and zone."""
    points = _points(principal, database, asked)
    scope = asked.scope
    channels = run_read(database, lambda s: analytics.channels(s, principal)) if scope.account_id else []
    names = [channel.handle for channel in channels if channel.account_id == scope.account_id]
    words = [*names, scope.network, f"#{scope.label}" if scope.label else ""]
    other = asked.other
    content = draw_series(
        points,
        title=f"Engagements per {analytics_drawing.line_of(points).unit}",
        note=" · ".join(word for word in words if word),
        zone=asked.period.zone,
        before=analytics_drawing.span(other.first, other.last),
        theme=theme,
    )
    return _file(content, "image/png", f"engagements-{asked.period.first}-{asked.period.last}.png")


@router.get("/posts.csv", response_class=Response)
def get_posts_csv(principal: CurrentPrincipal, database: DatabaseDep, asked: AskedDep) -> Response:
    """The hundred best posts as a table."""
    posts = run_read(
        database, lambda s: analytics.top_posts(s, principal, asked.period, asked.scope, limit=100)
    )
    heads = ["published_at", "channel", "text", "engagements", "likes", "reposts", "replies", "views", "url"]
    rows = [
        [
            p.published_at.isoformat(), f"{p.channel.platform_name} {p.channel.handle}", p.text, p.engagements,
            p.likes, p.reposts, p.replies, p.views, p.remote_url,
        ]
        for p in posts
    ]  # fmt: skip
    return _csv(f"posts-{asked.period.first}-{asked.period.last}.csv", heads, rows)


def _points(principal: CurrentPrincipal, database: DatabaseDep, asked: Asked) -> list[DayPoint]:
    return run_read(
        database, lambda s: analytics.series(s, principal, asked.period, asked.scope, asked.against)
    )


def _csv(name: str, heads: list[str], rows: list[list[object]]) -> Response:
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(heads)
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return _file(("\ufeff" + written.getvalue()).encode(), "text/csv; charset=utf-8", name)


def _file(content: bytes, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, date | datetime):
        return value.isoformat()
    text = str(value)
    # Spreadsheets take these for formulas: a post's text must not run in one (OWASP, CSV injection).
    return (
        "'" + text if isinstance(value, str) and text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
    )
