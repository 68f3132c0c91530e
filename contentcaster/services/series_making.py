"""Making the posts of series ahead of time, each occurrence at most once however many workers do it."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.errors import ContentCasterError, Unavailable
from contentcaster.models import (
    MissedPolicy,
    OccurrenceState,
    Series,
    SeriesOccurrence,
    SeriesState,
    User,
)
from contentcaster.security import sessions
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import posts
from contentcaster.services.drafts import MediaDraft, PostDraft, TargetDraft
from contentcaster.services.recurrence import Occurrence
from contentcaster.services.schedule import Schedule
from contentcaster.services.series_views import coming_of, rows_of

AHEAD = timedelta(days=14)
"""How far ahead posts are made, so that people see and can change them."""

log = structlog.get_logger(__name__)


def make_due(database: Database, *, now: datetime | None = None) -> int:
    """Make the posts of all series that are due for it; how many. For a periodic task; harmless when doubled."""
    now = now or utc_now()
    with database.reading() as session:
        ids = list(
            session.execute(
                select(Series.id).where(Series.state == SeriesState.ACTIVE).order_by(Series.id)
            ).scalars()
        )
    made = 0
    for series_id in ids:
        made += _make_series(database, series_id, now)
    return made


def _make_series(database: Database, series_id: str, now: datetime) -> int:
    with database.reading() as session:
        series = session.get(Series, series_id)
        if series is None or series.state is not SeriesState.ACTIVE:
            return 0
        settled = rows_of(session, series_id, now)
        wanted = [
            occurrence
            for occurrence in due_of(series, now)
            if occurrence.wall_time not in settled
            or settled[occurrence.wall_time].state is OccurrenceState.REFUSED
        ]
        is_over = not wanted and next(coming_of(series, now), None) is None
    if is_over:
        _finish(database, series_id)
        return 0
    made = 0
    for occurrence in wanted:
        try:
            made += database.write(
                lambda session, occurrence=occurrence: _make_one(session, series_id, occurrence, now)
            )
        except IntegrityError:
            log.info("occurrence_made_elsewhere", series=series_id, occurrence=occurrence.wall_time)
    return made


def _make_one(session: Session, series_id: str, occurrence: Occurrence, now: datetime) -> int:
    series = session.execute(
        select(Series)
        .where(Series.id == series_id, Series.state == SeriesState.ACTIVE)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if series is None or occurrence not in due_of(series, now):
        return 0  # ended, or given another rule, since it was looked at
    author = author_of(session, series)
    if author is None:
        refuse(session, series, occurrence, "Its author cannot write posts any more.")
        return 0
    is_made = make(session, author, series, occurrence)
    note_change(session, series)
    return int(is_made)


def make(session: Session, author: Principal, series: Series, occurrence: Occurrence) -> bool:
    """The post of an occurrence, or a row that says why there is none."""
    row = session.get(SeriesOccurrence, (series.id, occurrence.wall_time), populate_existing=True)
    if row is not None and row.state is not OccurrenceState.REFUSED:
        return False
    try:
        with session.begin_nested():
            write_post(session, author, series, occurrence, row)
    except Unavailable:
        raise
    except ContentCasterError as error:
        refuse(session, series, occurrence, error.message)
        return False
    return True


def write_post(
    session: Session, author: Principal, series: Series, occurrence: Occurrence, row: SeriesOccurrence | None
) -> str:
    """The id of the new post of an occurrence. Raises as `posts.create_post`."""
    post = posts.create_post(
        session, author, draft_of_template(series.template), Schedule.at(occurrence.at, series.timezone)
    )
    row = row or SeriesOccurrence(
        series_id=series.id, wall_time=occurrence.wall_time, at=occurrence.at, state=OccurrenceState.MADE
    )
    row.state, row.post_id, row.post_version, row.note = OccurrenceState.MADE, post.id, post.version, ""
    session.add(row)
    session.flush()
    return post.id


def refuse(session: Session, series: Series, occurrence: Occurrence, reason: str) -> None:
    """Note, for people, why an occurrence has no post; it is tried again."""
    row = session.get(SeriesOccurrence, (series.id, occurrence.wall_time)) or SeriesOccurrence(
        series_id=series.id, wall_time=occurrence.wall_time, at=occurrence.at, state=OccurrenceState.REFUSED
    )
    if row.note == reason:
        return
    row.note = reason
    session.add(row)
    session.flush()
    note_change(session, series)


def _finish(database: Database, series_id: str) -> None:
    with database.transaction() as session:
        series = session.get(Series, series_id, with_for_update=True)
        if series is not None and series.state is SeriesState.ACTIVE:
            series.state = SeriesState.ENDED
            note_change(session, series)


def due_of(series: Series, now: datetime) -> list[Occurrence]:
    """Those whose posts should be there by now."""
    return list(itertools.takewhile(lambda each: each.at <= now + AHEAD, coming_of(series, now)))


def author_of(session: Session, series: Series) -> Principal | None:
    """Its author as they are today: a role that was taken away makes no more posts."""
    user = session.get(User, series.author_id, populate_existing=True)
    if user is None or not user.is_active:
        return None
    principal = sessions.principal_of(user)
    return principal if principal.can(Permission.COMPOSE) else None


def draft_of_template(template: dict[str, Any]) -> PostDraft:
    """The draft as it was kept; what this version does not know any more is left out."""
    kept = {name: template[name] for name in PostDraft.__dataclass_fields__ if name in template}
    return PostDraft(
        **kept
        | {
            "targets": tuple(TargetDraft(**target) for target in template["targets"]),
            "media": tuple(MediaDraft(**item) for item in template["media"]),
            "thread": tuple(template["thread"]),
            "labels": tuple(template["labels"]),
            "missed_policy": MissedPolicy(template.get("missed_policy", MissedPolicy.PUBLISH_LATE)),
        }
    )


def note_change(session: Session, series: Series) -> None:
    live.note(session, "series", "posts")
