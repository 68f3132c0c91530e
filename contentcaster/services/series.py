"""Posts that repeat: beginning a series, leaving one out, changing one alone, ending it.

series_making.py makes the posts of the coming days every few minutes. The key (series, wall time) of an occurrence's
row, written in the same transaction as its post, is what makes each occurrence at most one post, however many workers
run. Skipping is a row too, so a skipped one is never made. series_edit.py changes a whole series.
"""

from __future__ import annotations

import itertools
from dataclasses import asdict

from sqlalchemy import func, select
from sqlmodel import Session

from contentcaster.clock import utc_now
from contentcaster.errors import Conflict
from contentcaster.models import OccurrenceState, Post, Series, SeriesOccurrence, SeriesState, User
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import audit, posts, recurrence
from contentcaster.services import post_writing as writing
from contentcaster.services.drafts import PostDraft, clean_draft
from contentcaster.services.ids import is_id
from contentcaster.services.post_checks import load_materials
from contentcaster.services.recurrence import Occurrence
from contentcaster.services.schedule import Schedule
from contentcaster.services.series_making import author_of, due_of, make, note_change, write_post
from contentcaster.services.series_views import (
    PREVIEW,
    WAITING,
    OccurrenceView,
    SeriesView,
    find,
    is_there,
    not_found,
    open_series,
    scope,
    view_of,
)
from contentcaster.services.views import PostDetail

__all__ = [
    "OccurrenceView",
    "SeriesView",
    "create_series",
    "end_series",
    "get_series",
    "list_series",
    "make_now",
    "preview",
    "skip",
    "unskip",
]

MAX_SERIES = 200
"""Active ones per person."""


def preview(rule: str, first_wall_time: str, timezone: str, *, count: int = PREVIEW) -> list[Occurrence]:
    """The next occurrences of a rule that is being chosen. Raises InvalidInput as `recurrence.normalise`."""
    cleaned = recurrence.normalise(rule, first_wall_time, timezone)
    found = recurrence.occurrences(cleaned, first_wall_time, timezone, after=utc_now())
    return list(itertools.islice(found, count))


def create_series(
    session: Session,
    principal: Principal,
    draft: PostDraft,
    *,
    rule: str,
    first_wall_time: str,
    timezone: str,
) -> SeriesView:
    """A new series; the posts of the coming two weeks are made at once.

    Raises:
        InvalidInput: as `posts.create_post`, and field "rule".
        Conflict: the person has too many series already.
    """
    principal.require(Permission.COMPOSE)
    cleaned = recurrence.normalise(rule, first_wall_time, timezone)
    coming = next(recurrence.occurrences(cleaned, first_wall_time, timezone, after=utc_now()), None)
    if coming is None:
        raise recurrence.wrong("All its times have passed already. Choose a later first day.")
    materials = load_materials(session, principal, clean_draft(draft))
    writing.check_all(materials, Schedule.at(coming.at, timezone))
    active = select(func.count()).where(
        Series.author_id == principal.user_id, Series.state == SeriesState.ACTIVE
    )
    if session.execute(active).scalar_one() >= MAX_SERIES:
        raise Conflict(f"You have {MAX_SERIES} series already. End one first.")
    series = Series(
        author_id=principal.user_id,
        template=asdict(materials.draft),
        rule=cleaned,
        first_wall_time=first_wall_time[:16],
        timezone=timezone,
    )
    session.add(series)
    session.flush()
    audit.record(session, principal, "series.created", "series", series.id, {"rule": cleaned})
    for occurrence in due_of(series, utc_now()):
        make(session, principal, series, occurrence)
    note_change(session, series)
    return view_of(session, principal, series, principal.name)


def list_series(session: Session, principal: Principal, *, is_active: bool = True) -> list[SeriesView]:
    """The person's series, or everybody's for those who see all posts; newest first."""
    query = (
        select(Series, User.name)
        .join(User, User.id == Series.author_id)
        .where(Series.state == (SeriesState.ACTIVE if is_active else SeriesState.ENDED), *scope(principal))
        .order_by(Series.id.desc())
        .limit(100)
    )
    return [view_of(session, principal, series, name) for series, name in session.execute(query)]


def get_series(session: Session, principal: Principal, series_id: str) -> SeriesView:
    """One series. Raises NotFound."""
    query = select(Series, User.name).join(User, User.id == Series.author_id)
    row = None
    if is_id(series_id):
        row = session.execute(query.where(Series.id == series_id, *scope(principal))).one_or_none()
    if row is None:
        raise not_found()
    return view_of(session, principal, *row)


def skip(session: Session, principal: Principal, series_id: str, wall_time: str) -> SeriesView:
    """Take one occurrence out; a post that was made of it is cancelled.

    Raises:
        NotFound: no such series or occurrence. Conflict: its post has begun to go out.
    """
    series = open_series(session, principal, series_id)
    occurrence = find(series, wall_time)
    row = session.get(SeriesOccurrence, (series.id, wall_time), populate_existing=True)
    if row is None:
        row = SeriesOccurrence(
            series_id=series.id, wall_time=wall_time, at=occurrence.at, state=OccurrenceState.SKIPPED
        )
    elif row.state is OccurrenceState.SKIPPED:
        raise Conflict("It is left out already.")
    elif row.post_id is not None and is_there(session, row.post_id):
        posts.delete_post(session, principal, row.post_id)
    row.state, row.post_id, row.note = OccurrenceState.SKIPPED, None, ""
    session.add(row)
    audit.record(session, principal, "series.skipped", "series", series.id, {"occurrence": wall_time})
    return _changed(session, principal, series)


def unskip(session: Session, principal: Principal, series_id: str, wall_time: str) -> SeriesView:
    """Take a skipped occurrence in again. Raises NotFound; Conflict: it was not skipped."""
    series = open_series(session, principal, series_id)
    find(series, wall_time)
    row = session.get(SeriesOccurrence, (series.id, wall_time), populate_existing=True)
    if row is None or row.state is not OccurrenceState.SKIPPED:
        raise Conflict("It is not left out.")
    session.delete(row)
    session.flush()
    for occurrence in due_of(series, utc_now()):
        if occurrence.wall_time == wall_time:
            make(session, author_of(session, series) or principal, series, occurrence)
    return _changed(session, principal, series)


def make_now(session: Session, principal: Principal, series_id: str, wall_time: str) -> PostDetail:
    """The post of one occurrence, made now if it was not yet: to change this one alone.

    Raises:
        NotFound, InvalidInput as `posts.create_post`; Conflict: it was skipped.
    """
    series = open_series(session, principal, series_id)
    occurrence = find(series, wall_time)
    row = session.get(SeriesOccurrence, (series.id, wall_time), populate_existing=True)
    if row is not None and row.state is OccurrenceState.SKIPPED:
        raise Conflict("It is left out. Take it in again first.")
    if row is not None and row.post_id is not None and is_there(session, row.post_id):
        return posts.get_post(session, principal, row.post_id)
    author = author_of(session, series) or principal
    post_id = write_post(session, author, series, occurrence, row)
    note_change(session, series)
    return posts.get_post(session, principal, post_id)


def end_series(session: Session, principal: Principal, series_id: str) -> SeriesView:
    """No more posts come of it; those that were made and nobody changed are taken back.

    Raises:
        NotFound; Conflict: it has ended already.
    """
    series = open_series(session, principal, series_id)
    rows = session.execute(
        select(SeriesOccurrence, Post)
        .join(Post, Post.id == SeriesOccurrence.post_id)
        .where(
            SeriesOccurrence.series_id == series.id,
            SeriesOccurrence.at > utc_now(),
            Post.deleted_at.is_(None),
        )
    ).all()
    kept = 0
    for row, post in rows:
        if post.version > row.post_version or post.status not in WAITING:
            kept += 1
            continue
        try:
            with session.begin_nested():
                posts.delete_post(session, principal, post.id)
        except Conflict:
            kept += 1  # it has begun to go out
    series.state = SeriesState.ENDED
    audit.record(session, principal, "series.ended", "series", series.id, {"kept": kept})
    return _changed(session, principal, series)


def _changed(session: Session, principal: Principal, series: Series) -> SeriesView:
    series.version += 1
    series.updated_at = utc_now()
    session.add(series)
    session.flush()
    note_change(session, series)
    return get_series(session, principal, series.id)
