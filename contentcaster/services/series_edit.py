"""Changing a whole series: its words, channels, rule, zone, from its next occurrence on.

What went out stays. Posts that wait and that nobody changed are rewritten or, where the new rule has no such day, taken
back. A post that a person changed, and a day that was left out, keep their day: a rule gives a day at most one post.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session

from contentcaster.clock import utc_now
from contentcaster.errors import ChangedMeanwhile, Conflict, ContentCasterError, Unavailable
from contentcaster.models import OccurrenceState, Post, Series, SeriesOccurrence, User
from contentcaster.security.permissions import Principal
from contentcaster.services import accounts, audit, media, posts, recurrence
from contentcaster.services import post_writing as writing
from contentcaster.services.drafts import PostDraft, clean_draft
from contentcaster.services.post_checks import load_materials
from contentcaster.services.recurrence import Occurrence
from contentcaster.services.schedule import Schedule, known_zone
from contentcaster.services.series_making import (
    author_of,
    draft_of_template,
    due_of,
    make,
    note_change,
    refuse,
)
from contentcaster.services.series_views import (
    WAITING,
    SeriesView,
    coming_of,
    is_there,
    open_series,
    view_of,
)
from contentcaster.services.views import MediaView


@dataclass(frozen=True)
class SeriesContent:
    """A series as it would be begun anew at its next occurrence: what an editor starts from."""

    id: str
    version: int
    draft: PostDraft
    """Without channels and pictures that are gone, or that the person may not use."""
    media: list[MediaView]
    """The pictures that `draft` names."""
    rule: str
    """COUNT is what is left of it."""
    first_wall_time: str
    """Of the next occurrence, in `timezone`."""
    timezone: str


@dataclass(frozen=True)
class SeriesChange:
    """What a change of a series did to the posts that wait."""

    series: SeriesView
    rewritten: int
    made: int
    taken_back: int
    kept: int
    """Posts that a person changed, or that have begun to go out: left as they are."""

    @property
    def sentence(self) -> str:
        """For people, with numbers only where there is something to count."""
        parts = [
            f"{_posts(count)} {what}"
            for count, what in (
                (self.rewritten, "rewritten"),
                (self.made, "added"),
                (self.taken_back, "taken back"),
            )
            if count
        ]
        kept = (
            f" {_posts(self.kept)} changed by hand or on the way out stayed as they are." if self.kept else ""
        )
        return f"The series is changed: {', '.join(parts) or 'no post had to be touched'}.{kept}"


def get_content(session: Session, principal: Principal, series_id: str) -> SeriesContent:
    """A series to be changed.

    Raises:
        NotFound: no such series, or not theirs to change. Conflict: it has ended, or nothing of it is to come.
    """
    series = open_series(session, principal, series_id, is_locked=False)
    coming = next(coming_of(series, utc_now()), None)
    if coming is None:
        raise Conflict("Nothing of this series is to come any more. Begin a new one in the Studio.")
    draft = draft_of_template(series.template)
    usable = accounts.usable_accounts(session, principal, [target.account_id for target in draft.targets])
    pictures = media.visible_media(session, principal, [item.id for item in draft.media])
    kept = replace(
        draft,
        targets=tuple(target for target in draft.targets if target.account_id in usable),
        media=tuple(item for item in draft.media if item.id in pictures),
    )
    return SeriesContent(
        id=series.id,
        version=series.version,
        draft=kept,
        media=[media.get_media(session, principal, item.id) for item in kept.media],
        rule=_rest_of_rule(series, coming),
        first_wall_time=coming.wall_time,
        timezone=known_zone(series.timezone),
    )


def update_series(
    session: Session,
    principal: Principal,
    series_id: str,
    draft: PostDraft,
    *,
    rule: str,
    first_wall_time: str,
    timezone: str,
    version: int,
) -> SeriesChange:
    """Let a series go on with these words, channels and times; `first_wall_time` is the first of the new ones.

    Raises:
        NotFound, InvalidInput: as `series.create_series`.
        Conflict: it has ended, or somebody changed it since `version`.
    """
    series = open_series(session, principal, series_id)
    if series.version != version:
        raise ChangedMeanwhile(
            "This series was changed by someone else since you opened it. Nothing was overwritten; what you typed is "
            "still here. Open it again from Recurring and discard what you typed to see their version."
        )
    author = author_of(session, series) or principal
    cleaned = recurrence.normalise(rule, first_wall_time, timezone)
    now = utc_now()
    first = next(recurrence.occurrences(cleaned, first_wall_time, timezone, after=now), None)
    if first is None:
        raise recurrence.wrong("All its times have passed already. Choose a later first day.")
    # Its posts are made in its author's name: what they may not use is said now, not at each post.
    materials = load_materials(session, author, clean_draft(draft))
    writing.check_all(materials, Schedule.at(first.at, timezone))
    series.template = asdict(materials.draft)
    series.rule, series.first_wall_time, series.timezone = cleaned, first_wall_time[:16], timezone
    series.version += 1
    series.updated_at = now
    session.add(series)
    session.flush()
    rewritten, taken_back, kept = _change_what_waits(session, principal, series, now)
    made = sum(make(session, author, series, occurrence) for occurrence in due_of(series, now))
    audit.record(session, principal, "series.changed", "series", series.id, {"rule": cleaned})
    note_change(session, series)
    name = session.get_one(User, series.author_id).name
    view = view_of(session, principal, series, name)
    return SeriesChange(view, rewritten, made, taken_back, kept)


def _change_what_waits(
    session: Session, principal: Principal, series: Series, now: datetime
) -> tuple[int, int, int]:
    """Bring what was made or left out so far in line with the new rule: rewritten, taken back, kept."""
    found = session.execute(
        select(SeriesOccurrence)
        .where(SeriesOccurrence.series_id == series.id, SeriesOccurrence.at > now)
        .order_by(SeriesOccurrence.at)
        .execution_options(populate_existing=True)
    )
    rows = list(found.scalars())
    by_day = _by_day(series, now, rows)
    rewritten = taken_back = kept = 0
    for row in rows:
        occurrence = by_day.get(row.wall_time[:10])
        post = session.get(Post, row.post_id, populate_existing=True) if row.post_id else None
        is_waiting = post is not None and post.deleted_at is None
        if row.state is OccurrenceState.REFUSED:
            session.delete(row)
        elif post is None or not is_waiting or post.version > row.post_version or post.status not in WAITING:
            kept += is_waiting
            _move(row, occurrence)
        elif occurrence is not None:
            if _rewrite(session, principal, series, row, occurrence):
                rewritten += 1
            else:
                kept += is_there(session, post.id)
        elif _take_back(session, principal, post):
            session.delete(row)
            taken_back += 1
        else:
            kept += 1
        session.flush()
    return rewritten, taken_back, kept


def _by_day(series: Series, now: datetime, rows: Iterable[SeriesOccurrence]) -> dict[str, Occurrence]:
    """Day -> its occurrence by the new rule, as far as there are rows."""
    last = max((row.wall_time[:10] for row in rows), default="")
    found: dict[str, Occurrence] = {}
    for occurrence in coming_of(series, now):
        if occurrence.wall_time[:10] > last:
            break
        found[occurrence.wall_time[:10]] = occurrence
    return found


def _move(row: SeriesOccurrence, occurrence: Occurrence | None) -> None:
    """Let a row stand for the new occurrence of its day, so that no second post is made for it."""
    if occurrence is not None:
        row.wall_time, row.at = occurrence.wall_time, occurrence.at


def _rewrite(
    session: Session, principal: Principal, series: Series, row: SeriesOccurrence, occurrence: Occurrence
) -> bool:
    """The waiting post of a day says and does what the series does now; False if it has begun to go out, or cannot."""
    post = session.get_one(Post, row.post_id)
    try:
        with session.begin_nested():
            written = posts.update_post(
                session,
                principal,
                post.id,
                draft_of_template(series.template),
                version=post.version,
                when=Schedule.at(occurrence.at, series.timezone),
            )
    except Unavailable:
        raise
    except Conflict:
        _move(row, occurrence)
        return False
    except ContentCasterError as error:
        # The old words must not go out either.
        if _take_back(session, principal, post):
            session.delete(row)
            session.flush()
            refuse(session, series, occurrence, error.message)
        return False
    _move(row, occurrence)
    row.post_version = written.version
    return True


def _take_back(session: Session, principal: Principal, post: Post) -> bool:
    """Whether the post could be removed: one that has begun to go out cannot."""
    try:
        with session.begin_nested():
            posts.delete_post(session, principal, post.id)
    except Conflict:
        return False
    return True


def _rest_of_rule(series: Series, coming: Occurrence) -> str:
    """The rule with COUNT as what is left from `coming` on."""
    parts = dict(part.split("=", 1) for part in series.rule.split(";"))
    if "COUNT" in parts:
        gone = sum(
            1
            for each in recurrence.occurrences(series.rule, series.first_wall_time, series.timezone)
            if each.wall_time < coming.wall_time
        )
        parts["COUNT"] = str(int(parts["COUNT"]) - gone)
    return ";".join(f"{name}={value}" for name, value in parts.items())


def _posts(count: int) -> str:
    return "1 post" if count == 1 else f"{count} posts"
