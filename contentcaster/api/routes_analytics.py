"""Numbers of published posts: sums, days, posts, hours. A count that no network told is null, never 0."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read
from contentcaster.services import analytics
from contentcaster.services.analytics_period import Period, period_of
from contentcaster.services.analytics_views import DayPoint, Figures, PostFigures

router = APIRouter(prefix="/analytics", tags=["analytics"])


class SummaryOut(BaseModel):
    first: date
    last: date
    timezone: str
    now: Figures
    before: Figures = Field(description="The same number of days right before.")
    before_first: date
    before_last: date
    followers: int | None
    followers_before: int | None = Field(description="On the eve of the period, of the same channels.")


class SeriesOut(BaseModel):
    items: list[DayPoint]


class PostsOut(BaseModel):
    items: list[PostFigures]


def _period(
    principal: CurrentPrincipal,
    first: Annotated[str, Query(alias="from", max_length=20, description="First day, ISO.")] = "",
    last: Annotated[str, Query(alias="to", max_length=20, description="Last day, included.")] = "",
    timezone: Annotated[str, Query(max_length=64, description="Where days begin; absent: your zone.")] = "",
) -> Period:
    return period_of(first, last, timezone or principal.timezone)


PeriodDep = Annotated[Period, Depends(_period)]
AccountId = Annotated[str, Query(max_length=26, description="Only this channel.")]


@router.get("/summary")
def get_summary(
    principal: CurrentPrincipal, database: DatabaseDep, period: PeriodDep, account_id: AccountId = ""
) -> SummaryOut:
    """The period's figures beside those of the period before. Absent days: the last 30."""
    found = run_read(database, lambda s: analytics.summary(s, principal, period, account_id))
    return SummaryOut.model_validate(asdict(found))


@router.get("/series")
def get_series(
    principal: CurrentPrincipal, database: DatabaseDep, period: PeriodDep, account_id: AccountId = ""
) -> SeriesOut:
    """One point per day of the zone, beside the day of the period before."""
    return SeriesOut(items=run_read(database, lambda s: analytics.series(s, principal, period, account_id)))


@router.get("/posts")
def get_posts(
    principal: CurrentPrincipal,
    database: DatabaseDep,
    period: PeriodDep,
    account_id: AccountId = "",
    order: Annotated[str, Query(max_length=10, description="best or worst")] = "best",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> PostsOut:
    """Measured posts with the most, or the fewest, engagements."""
    found = run_read(
        database,
        lambda s: analytics.top_posts(s, principal, period, account_id, order=order, limit=limit),
    )
    return PostsOut(items=found)


@router.get("/series.csv", response_class=Response)
def get_series_csv(
    principal: CurrentPrincipal, database: DatabaseDep, period: PeriodDep, account_id: AccountId = ""
) -> Response:
    """The same days as a table; a number that is missing is an empty field."""
    points = run_read(database, lambda s: analytics.series(s, principal, period, account_id))
    heads = ["day", "posts", "engagements", "day_before", "posts_before", "engagements_before"]
    rows = [
        [p.day, p.posts, p.engagements, p.before_day, p.before_posts, p.before_engagements] for p in points
    ]
    return _csv(f"engagements-{period.first}-{period.last}.csv", heads, rows)


@router.get("/posts.csv", response_class=Response)
def get_posts_csv(
    principal: CurrentPrincipal, database: DatabaseDep, period: PeriodDep, account_id: AccountId = ""
) -> Response:
    """The hundred best posts as a table."""
    posts = run_read(database, lambda s: analytics.top_posts(s, principal, period, account_id, limit=100))
    heads = ["published_at", "channel", "text", "engagements", "likes", "reposts", "replies", "views", "url"]
    rows = [
        [
            p.published_at.isoformat(), f"{p.channel.platform_name} {p.channel.handle}", p.text, p.engagements,
            p.likes, p.reposts, p.replies, p.views, p.remote_url,
        ]
        for p in posts
    ]  # fmt: skip
    return _csv(f"posts-{period.first}-{period.last}.csv", heads, rows)


def _csv(name: str, heads: list[str], rows: list[list[object]]) -> Response:
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(heads)
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return Response(
        "\ufeff" + written.getvalue(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


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
