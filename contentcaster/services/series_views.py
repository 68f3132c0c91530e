"""What people see of a series: its rule in words and its coming ten occurrences; and who may see or change one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from contentcaster.clock import utc_now
from contentcaster.errors import Conflict, NotFound
from contentcaster.models import OccurrenceState, Post, PostStatus, Series, SeriesOccurrence, SeriesState
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import accounts, recurrence
from contentcaster.services.ids import is_id
from contentcaster.services.platforms import channel_view
from contentcaster.services.recurrence import Occurrence
from contentcaster.services.schedule import known_zone
from contentcaster.services.views import ChannelView

PREVIEW = 10
WAITING = (PostStatus.SCHEDULED, PostStatus.PENDING_QUEUE, PostStatus.PENDING_APPROVAL, PostStatus.DRAFT)
"""A post in one of these can still be taken back or rewritten."""


@dataclass(frozen=True)
class OccurrenceView:
    wall_time: str
    at: datetime
    state: str
    """planned | made | skipped | refused"""
    post_id: str
    """"" while there is no post."""
    post_status: str
    is_changed: bool
    """Whether a person changed its post since it was made."""
    note: str


@dataclass(frozen=True)
class SeriesView:
    id: str
    text: str
    channels: list[ChannelView]
    rule: str
    words: str
    """The rule in words."""
    timezone: str
    first_wall_time: str
    state: str
    """active | ended"""
    author_name: str
    next: list[OccurrenceView]
    """The coming ten."""
    problem: str
    """Why the next one could not be scheduled, "" if it could."""
    is_mine: bool
    """Whether the person who asked may change it."""
    version: int


def scope(principal: Principal) -> list[Any]:
    """Which series the person may see. Raises NotAllowed for people who see none."""
    if principal.can(Permission.VIEW_ALL_POSTS):
        return []
    principal.require(Permission.COMPOSE)
    return [Series.author_id == principal.user_id]


def may_change(principal: Principal, series: Series) -> bool:
    if not principal.can(Permission.COMPOSE):
        return False
    return series.author_id == principal.user_id or principal.can(Permission.EDIT_ALL_POSTS)


def open_series(session: Session, principal: Principal, series_id: str, *, is_locked: bool = True) -> Series:
    """An active series, locked, for somebody who may change it. Raises NotFound; Conflict: it has ended."""
    principal.require(Permission.COMPOSE)
    series: Series | None = None
    if is_id(series_id):
        query = select(Series).where(Series.id == series_id, *scope(principal))
        query = query.with_for_update() if is_locked else query
        found = session.execute(query.execution_options(populate_existing=True))
        series = found.scalar_one_or_none()
    if series is None or not may_change(principal, series):
        raise not_found()
    if series.state is not SeriesState.ACTIVE:
        raise Conflict("This series has ended.")
    return series


def not_found() -> NotFound:
    return NotFound("This series does not exist, or it is not yours.")


def coming_of(series: Series, now: datetime) -> Iterator[Occurrence]:
    """Its occurrences from `now` on."""
    return recurrence.occurrences(series.rule, series.first_wall_time, series.timezone, after=now)


def find(series: Series, wall_time: str) -> Occurrence:
    """The coming occurrence of that wall time. Raises NotFound."""
    for occurrence in coming_of(series, utc_now()):
        if occurrence.wall_time == wall_time:
            return occurrence
        if occurrence.wall_time > wall_time:
            break
    raise NotFound("This series has nothing to come at that time.")


def is_there(session: Session, post_id: str) -> bool:
    """Whether nobody has deleted the post."""
    post = session.get(Post, post_id, populate_existing=True)
    return post is not None and post.deleted_at is None


def rows_of(session: Session, series_id: str, now: datetime) -> dict[str, SeriesOccurrence]:
    """Wall time -> what became of an occurrence, of those that are to come and just went by."""
    rows = session.execute(
        select(SeriesOccurrence)
        .where(SeriesOccurrence.series_id == series_id, SeriesOccurrence.at >= now - timedelta(days=2))
        .execution_options(populate_existing=True)
    ).scalars()
    return {row.wall_time: row for row in rows}


def view_of(session: Session, principal: Principal, series: Series, author_name: str) -> SeriesView:
    now = utc_now()
    rows = rows_of(session, series.id, now)
    ids = [target["account_id"] for target in series.template["targets"]]
    found = accounts.rows_of(session, ids)
    coming = (
        list(itertools.islice(coming_of(series, now), PREVIEW)) if series.state is SeriesState.ACTIVE else []
    )
    of_posts = _posts(session, [row.post_id for row in rows.values() if row.post_id])
    occurrences = [_occurrence(each, rows.get(each.wall_time), of_posts) for each in coming]
    return SeriesView(
        id=series.id,
        text=" ".join(series.template["text"].split())[:280],
        channels=[channel_view(found[account_id]) for account_id in ids if account_id in found],
        rule=series.rule,
        words=recurrence.describe(series.rule, series.first_wall_time),
        timezone=known_zone(series.timezone),
        first_wall_time=series.first_wall_time,
        state=series.state.value,
        author_name=author_name,
        next=occurrences,
        problem=next((each.note for each in occurrences if each.state == OccurrenceState.REFUSED), ""),
        is_mine=may_change(principal, series),
        version=series.version,
    )


def _posts(session: Session, post_ids: list[str]) -> dict[str, tuple[str, int]]:
    rows = session.execute(
        select(Post.id, Post.status, Post.version).where(Post.id.in_(post_ids), Post.deleted_at.is_(None))
    )
    return {post_id: (status.value, version) for post_id, status, version in rows}


def _occurrence(
    occurrence: Occurrence, row: SeriesOccurrence | None, of_posts: dict[str, tuple[str, int]]
) -> OccurrenceView:
    view = OccurrenceView(occurrence.wall_time, occurrence.at, "planned", "", "", False, occurrence.note)
    if row is None:
        return view
    status, version = of_posts.get(row.post_id or "", ("", 0))
    note = row.note or occurrence.note
    if row.state is OccurrenceState.MADE and not status:
        note = "Its post was deleted."
    return replace(
        view,
        state=row.state.value,
        post_id=(row.post_id or "") if status else "",
        post_status=status,
        is_changed=version > row.post_version,
        note=note,
    )
