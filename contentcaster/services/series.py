"""Posts that repeat: a series, its coming occurrences, and the posts that are made of them ahead of time.

`make_due` runs every few minutes and makes the posts of the coming days. The key (series, wall time) of an
occurrence's row, written in the same transaction as its post, is what makes each occurrence at most one post,
however many workers run. Skipping is a row too, so a skipped one is never made.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.errors import Conflict, ContentCasterError, NotFound, Unavailable
from contentcaster.models import (
    MissedPolicy,
    OccurrenceState,
    Post,
    PostStatus,
    Series,
    SeriesOccurrence,
    SeriesState,
    User,
)
from contentcaster.security import sessions
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import accounts, audit, posts, recurrence
from contentcaster.services import post_writing as writing
from contentcaster.services.drafts import MediaDraft, PostDraft, TargetDraft, clean_draft
from contentcaster.services.ids import is_id
from contentcaster.services.platforms import channel_view
from contentcaster.services.post_checks import load_materials
from contentcaster.services.recurrence import Occurrence
from contentcaster.services.schedule import Schedule, known_zone
from contentcaster.services.views import ChannelView, PostDetail

AHEAD = timedelta(days=14)
"""How far ahead posts are made, so that people see and can change them."""

PREVIEW = 10
MAX_SERIES = 200
"""Active ones per person."""

log = structlog.get_logger(__name__)


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
        raise recurrence._wrong("All its times have passed already. Choose a later first day.")
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
    for occurrence in _due(series, utc_now()):
        _make(session, principal, series, occurrence)
    _note_change(session, series)
    return _view(session, principal, series, principal.name)


def list_series(session: Session, principal: Principal, *, is_active: bool = True) -> list[SeriesView]:
    """The person's series, or everybody's for those who see all posts; newest first."""
    query = (
        select(Series, User.name)
        .join(User, User.id == Series.author_id)
        .where(Series.state == (SeriesState.ACTIVE if is_active else SeriesState.ENDED), *_scope(principal))
        .order_by(Series.id.desc())
        .limit(100)
    )
    return [_view(session, principal, series, name) for series, name in session.execute(query)]


def get_series(session: Session, principal: Principal, series_id: str) -> SeriesView:
    """One series. Raises NotFound."""
    query = select(Series, User.name).join(User, User.id == Series.author_id)
    row = None
    if is_id(series_id):
        row = session.execute(query.where(Series.id == series_id, *_scope(principal))).one_or_none()
    if row is None:
        raise _not_found()
    return _view(session, principal, *row)


def skip(session: Session, principal: Principal, series_id: str, wall_time: str) -> SeriesView:
    """Take one occurrence out; a post that was made of it is cancelled.

    Raises:
        NotFound: no such series or occurrence. Conflict: its post has begun to go out.
    """
    series = _open(session, principal, series_id)
    occurrence = _find(series, wall_time)
    row = session.get(SeriesOccurrence, (series.id, wall_time), populate_existing=True)
    if row is None:
        row = SeriesOccurrence(
            series_id=series.id, wall_time=wall_time, at=occurrence.at, state=OccurrenceState.SKIPPED
        )
    elif row.state is OccurrenceState.SKIPPED:
        raise Conflict("It is left out already.")
    elif row.post_id is not None and _is_there(session, row.post_id):
        posts.delete_post(session, principal, row.post_id)
    row.state, row.post_id, row.note = OccurrenceState.SKIPPED, None, ""
    session.add(row)
    audit.record(session, principal, "series.skipped", "series", series.id, {"occurrence": wall_time})
    return _changed(session, principal, series)


def unskip(session: Session, principal: Principal, series_id: str, wall_time: str) -> SeriesView:
    """Take a skipped occurrence in again. Raises NotFound; Conflict: it was not skipped."""
    series = _open(session, principal, series_id)
    _find(series, wall_time)
    row = session.get(SeriesOccurrence, (series.id, wall_time), populate_existing=True)
    if row is None or row.state is not OccurrenceState.SKIPPED:
        raise Conflict("It is not left out.")
    session.delete(row)
    session.flush()
    for occurrence in _due(series, utc_now()):
        if occurrence.wall_time == wall_time:
            _make(session, _author(session, series) or principal, series, occurrence)
    return _changed(session, principal, series)


def make_now(session: Session, principal: Principal, series_id: str, wall_time: str) -> PostDetail:
    """The post of one occurrence, made now if it was not yet: to change this one alone.

    Raises:
        NotFound, InvalidInput as `posts.create_post`; Conflict: it was skipped.
    """
    series = _open(session, principal, series_id)
    occurrence = _find(series, wall_time)
    row = session.get(SeriesOccurrence, (series.id, wall_time), populate_existing=True)
    if row is not None and row.state is OccurrenceState.SKIPPED:
        raise Conflict("It is left out. Take it in again first.")
    if row is not None and row.post_id is not None and _is_there(session, row.post_id):
        return posts.get_post(session, principal, row.post_id)
    author = _author(session, series) or principal
    post_id = _write(session, author, series, occurrence, row)
    _note_change(session, series)
    return posts.get_post(session, principal, post_id)


def end_series(session: Session, principal: Principal, series_id: str) -> SeriesView:
    """No more posts come of it; those that were made and nobody changed are taken back.

    Raises:
        NotFound; Conflict: it has ended already.
    """
    series = _open(session, principal, series_id)
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
        if post.version > row.post_version or post.status not in _WAITING:
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


_WAITING = (PostStatus.SCHEDULED, PostStatus.PENDING_QUEUE, PostStatus.PENDING_APPROVAL, PostStatus.DRAFT)


# Making posts ahead of time


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
        settled = _rows(session, series_id, now)
        wanted = [
            occurrence
            for occurrence in _due(series, now)
            if occurrence.wall_time not in settled
            or settled[occurrence.wall_time].state is OccurrenceState.REFUSED
        ]
        is_over = not wanted and next(_coming(series, now), None) is None
    if is_over:
        _finish(database, series_id)
        return 0
    made = 0
    for occurrence in wanted:
        try:
            made += database.write(
                lambda session, occurrence=occurrence: _make_one(session, series_id, occurrence)
            )
        except IntegrityError:
            log.info("occurrence_made_elsewhere", series=series_id, occurrence=occurrence.wall_time)
    return made


def _make_one(session: Session, series_id: str, occurrence: Occurrence) -> int:
    series = session.execute(
        select(Series)
        .where(Series.id == series_id, Series.state == SeriesState.ACTIVE)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if series is None:
        return 0
    author = _author(session, series)
    if author is None:
        _refuse(session, series, occurrence, "Its author cannot write posts any more.")
        return 0
    is_made = _make(session, author, series, occurrence)
    _note_change(session, series)
    return int(is_made)


def _make(session: Session, author: Principal, series: Series, occurrence: Occurrence) -> bool:
    """The post of an occurrence, or a row that says why there is none."""
    row = session.get(SeriesOccurrence, (series.id, occurrence.wall_time), populate_existing=True)
    if row is not None and row.state is not OccurrenceState.REFUSED:
        return False
    try:
        with session.begin_nested():
            _write(session, author, series, occurrence, row)
    except Unavailable:
        raise
    except ContentCasterError as error:
        _refuse(session, series, occurrence, error.message)
        return False
    return True


def _write(
    session: Session, author: Principal, series: Series, occurrence: Occurrence, row: SeriesOccurrence | None
) -> str:
    post = posts.create_post(
        session, author, _draft(series.template), Schedule.at(occurrence.at, series.timezone)
    )
    row = row or SeriesOccurrence(
        series_id=series.id, wall_time=occurrence.wall_time, at=occurrence.at, state=OccurrenceState.MADE
    )
    row.state, row.post_id, row.post_version, row.note = OccurrenceState.MADE, post.id, post.version, ""
    session.add(row)
    session.flush()
    return post.id


def _refuse(session: Session, series: Series, occurrence: Occurrence, reason: str) -> None:
    row = session.get(SeriesOccurrence, (series.id, occurrence.wall_time)) or SeriesOccurrence(
        series_id=series.id, wall_time=occurrence.wall_time, at=occurrence.at, state=OccurrenceState.REFUSED
    )
    if row.note == reason:
        return
    row.note = reason
    session.add(row)
    session.flush()
    _note_change(session, series)


def _finish(database: Database, series_id: str) -> None:
    with database.transaction() as session:
        series = session.get(Series, series_id, with_for_update=True)
        if series is not None and series.state is SeriesState.ACTIVE:
            series.state = SeriesState.ENDED
            _note_change(session, series)


def _coming(series: Series, now: datetime) -> Iterable[Occurrence]:
    found = recurrence.occurrences(series.rule, series.first_wall_time, series.timezone, after=now)
    return iter(found)


def _due(series: Series, now: datetime) -> list[Occurrence]:
    return list(itertools.takewhile(lambda each: each.at <= now + AHEAD, _coming(series, now)))


def _author(session: Session, series: Series) -> Principal | None:
    """Its author as they are today: a role that was taken away makes no more posts."""
    user = session.get(User, series.author_id, populate_existing=True)
    if user is None or not user.is_active:
        return None
    principal = sessions.principal_of(user)
    return principal if principal.can(Permission.COMPOSE) else None


def _draft(template: dict[str, Any]) -> PostDraft:
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


# Reading


def _scope(principal: Principal) -> list[Any]:
    if principal.can(Permission.VIEW_ALL_POSTS):
        return []
    principal.require(Permission.COMPOSE)
    return [Series.author_id == principal.user_id]


def _may_change(principal: Principal, series: Series) -> bool:
    if not principal.can(Permission.COMPOSE):
        return False
    return series.author_id == principal.user_id or principal.can(Permission.EDIT_ALL_POSTS)


def _open(session: Session, principal: Principal, series_id: str) -> Series:
    """An active series, locked, for somebody who may change it."""
    principal.require(Permission.COMPOSE)
    series: Series | None = None
    if is_id(series_id):
        series = session.execute(
            select(Series)
            .where(Series.id == series_id, *_scope(principal))
            .with_for_update()
            .execution_options(populate_existing=True)
        ).scalar_one_or_none()
    if series is None or not _may_change(principal, series):
        raise _not_found()
    if series.state is not SeriesState.ACTIVE:
        raise Conflict("This series has ended.")
    return series


def _not_found() -> NotFound:
    return NotFound("This series does not exist, or it is not yours.")


def _find(series: Series, wall_time: str) -> Occurrence:
    for occurrence in _coming(series, utc_now()):
        if occurrence.wall_time == wall_time:
            return occurrence
        if occurrence.wall_time > wall_time:
            break
    raise NotFound("This series has nothing to come at that time.")


def _is_there(session: Session, post_id: str) -> bool:
    post = session.get(Post, post_id, populate_existing=True)
    return post is not None and post.deleted_at is None


def _rows(session: Session, series_id: str, now: datetime) -> dict[str, SeriesOccurrence]:
    rows = session.execute(
        select(SeriesOccurrence)
        .where(SeriesOccurrence.series_id == series_id, SeriesOccurrence.at >= now - timedelta(days=2))
        .execution_options(populate_existing=True)
    ).scalars()
    return {row.wall_time: row for row in rows}


def _changed(session: Session, principal: Principal, series: Series) -> SeriesView:
    series.version += 1
    series.updated_at = utc_now()
    session.add(series)
    session.flush()
    _note_change(session, series)
    return get_series(session, principal, series.id)


def _note_change(session: Session, series: Series) -> None:
    live.note(session, "series", "posts")


def _view(session: Session, principal: Principal, series: Series, author_name: str) -> SeriesView:
    now = utc_now()
    rows = _rows(session, series.id, now)
    ids = [target["account_id"] for target in series.template["targets"]]
    found = accounts.rows_of(session, ids)
    coming = (
        list(itertools.islice(_coming(series, now), PREVIEW)) if series.state is SeriesState.ACTIVE else []
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
        is_mine=_may_change(principal, series),
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
