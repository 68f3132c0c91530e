"""Posts that repeat, by a recurrence rule (RFC 5545) in a time zone."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read, run_write
from contentcaster.api.routes_posts import PostIn
from contentcaster.services import series, series_edit
from contentcaster.services.recurrence import Occurrence
from contentcaster.services.series_edit import SeriesChange, SeriesContent
from contentcaster.services.series_views import SeriesView
from contentcaster.services.views import PostDetail

router = APIRouter(prefix="/series", tags=["series"])

_EXAMPLE: dict[str, Any] = {
    "post": {"text": "Office hours today.", "targets": [{"account_id": "01jd5x8v3k9m2n4p6q8r0s2t4v"}]},
    "rule": "FREQ=WEEKLY;BYDAY=TU,TH;COUNT=10",
    "first": "2026-11-26T09:00",
    "timezone": "Europe/Berlin",
}


class RuleIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rule: str = Field(
        max_length=500, description="RRULE: FREQ, INTERVAL, COUNT, UNTIL, BYDAY, BYMONTHDAY, ..."
    )
    first: str = Field(max_length=32, description="Wall time of the first occurrence in `timezone`.")
    timezone: str = Field(max_length=64)


class SeriesIn(RuleIn):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    post: PostIn = Field(description="What each occurrence says; its own `scheduled_at` is not used.")


class SeriesChangeIn(SeriesIn):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE | {"version": 1}]})

    version: int = Field(description="Of the series as it was read; a newer one is not overwritten.")


@router.get("")
def list_series(
    principal: CurrentPrincipal, database: DatabaseDep, ended: Annotated[bool, Query()] = False
) -> list[SeriesView]:
    """Series you may see, with the coming ten occurrences of each."""
    return run_read(database, lambda s: series.list_series(s, principal, is_active=not ended))


@router.post("", status_code=201)
def create_series(body: SeriesIn, principal: CurrentPrincipal, database: DatabaseDep) -> SeriesView:
    """Begin a series; the posts of the coming two weeks are made at once."""
    return run_write(
        database,
        lambda s: series.create_series(
            s,
            principal,
            body.post.as_draft(),
            rule=body.rule,
            first_wall_time=body.first,
            timezone=body.timezone,
        ),
    )


@router.post("/preview")
def preview(body: RuleIn, _principal: CurrentPrincipal) -> list[Occurrence]:
    """The next ten occurrences of a rule, with what clock changes do to them. Keeps nothing."""
    return series.preview(body.rule, body.first, body.timezone)


@router.get("/{series_id}")
def get_series(series_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> SeriesView:
    """One series."""
    return run_read(database, lambda s: series.get_series(s, principal, series_id))


@router.get("/{series_id}/content")
def get_content(series_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> SeriesContent:
    """What a series says and how it goes on from its next occurrence: what a change of it starts from."""
    return run_read(database, lambda s: series_edit.get_content(s, principal, series_id))


@router.put("/{series_id}")
def update_series(
    series_id: str, body: SeriesChangeIn, principal: CurrentPrincipal, database: DatabaseDep
) -> SeriesChange:
    """Change a series from its next occurrence on; waiting posts that nobody changed are rewritten."""
    return run_write(
        database,
        lambda s: series_edit.update_series(
            s,
            principal,
            series_id,
            body.post.as_draft(),
            rule=body.rule,
            first_wall_time=body.first,
            timezone=body.timezone,
            version=body.version,
        ),
    )


@router.post("/{series_id}/end")
def end_series(series_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> SeriesView:
    """No more posts come of it; waiting ones that nobody changed are taken back."""
    return run_write(database, lambda s: series.end_series(s, principal, series_id))


@router.post("/{series_id}/occurrences/{wall_time}/skip")
def skip(series_id: str, wall_time: str, principal: CurrentPrincipal, database: DatabaseDep) -> SeriesView:
    """Leave one occurrence out."""
    return run_write(database, lambda s: series.skip(s, principal, series_id, wall_time))


@router.post("/{series_id}/occurrences/{wall_time}/unskip")
def unskip(series_id: str, wall_time: str, principal: CurrentPrincipal, database: DatabaseDep) -> SeriesView:
    """Take one in again."""
    return run_write(database, lambda s: series.unskip(s, principal, series_id, wall_time))


@router.post("/{series_id}/occurrences/{wall_time}/post")
def make_now(
    series_id: str, wall_time: str, principal: CurrentPrincipal, database: DatabaseDep
) -> PostDetail:
    """The post of one occurrence, made now if need be: change it with PATCH /posts/{id}."""
    return run_write(database, lambda s: series.make_now(s, principal, series_id, wall_time))
