"""The bot log: append-only lines, pages that stay quick with millions of them, export, retention.

Ids grow with time, so a page is "the next N below this id". What the log is filtered by is one number in each line, its
facet; a filter fits some facets, and its page is the merge of the newest lines of each. Text is found by a full-text
index of each dialect. A common word is met within the newest lines; a rare one has few hits to sort.
"""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    cast,
    delete,
    func,
    insert,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.errors import InvalidInput
from contentcaster.models import BotLog, BotLogFacet
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services.bots_log_search import find_words, newest_of, plan_for_each
from contentcaster.services.views import Page

TOPIC = "bot_log"
DIMENSIONS = ("bot", "rule_id", "account_id", "action", "outcome")
"""What a line is filtered by; together they are its facet."""
OUTCOMES = (
    "done", "planned", "waiting", "would_do", "skipped", "refused", "rejected", "snoozed", "failed", "in_doubt",
    "found", "stopped", "resumed", "changed",
)  # fmt: skip
MAX_EXPORT_LINES = 100_000
_MAX_LIMIT = 200
_EXPORT_CHUNK = 2000
_PRUNE_BATCH = {"postgresql": 5000, "sqlite": 250}
"""Lines in one transaction. On SQLite nobody sends while it lasts, and each line leaves the full-text index too."""
_PRUNE_PAUSE_SECONDS = 0.02
_WORD = re.compile(r"[^\W_]+", re.UNICODE)


@dataclass(frozen=True, kw_only=True)
class Line:
    """What a bot did or did not do, and why."""

    bot: str
    action: str
    outcome: str
    why: str = ""
    target: str = ""
    target_url: str = ""
    detail: str = ""
    budget: str = ""
    rule_id: str = ""
    rule_name: str = ""
    account_id: str = ""
    channel: str = ""
    actor: str = "ContentCaster"
    job_id: int | None = None
    act_id: str = ""
    at: datetime = field(default_factory=utc_now)


@dataclass(frozen=True)
class LogView:
    id: int
    at: datetime
    bot: str
    rule_id: str
    rule_name: str
    account_id: str
    channel: str
    action: str
    target: str
    target_url: str
    outcome: str
    detail: str
    why: str
    budget: str
    actor: str
    job_id: int
    """0: no job."""
    act_id: str


@dataclass(frozen=True, kw_only=True)
class LogFilter:
    """Empty fields keep everything; `hours` looks back from now."""

    bot: str = ""
    rule_id: str = ""
    account_id: str = ""
    action: str = ""
    outcome: str = ""
    text: str = ""
    hours: int = 0


@dataclass(frozen=True)
class LogSummary:
    lines: int
    """About: the span of ids, which is exact until lines are pruned out of order."""
    last_day: dict[str, int]


def write(session: Session, lines: Sequence[Line]) -> None:
    """Append lines in this transaction and announce them."""
    if not lines:
        return
    facets = _facets_of(session, lines)
    session.execute(insert(BotLog), [_row(line) | {"facet": facets[_dimensions(line)]} for line in lines])
    live.note(session, TOPIC)


def _dimensions(line: Line) -> tuple[str, ...]:
    return tuple(getattr(line, name) for name in DIMENSIONS)


def _facets_of(session: Session, lines: Sequence[Line]) -> dict[tuple[str, ...], int]:
    """Combination -> its number, for all combinations of these lines; new ones are numbered."""
    wanted = sorted({_dimensions(line) for line in lines})
    columns = [getattr(BotLogFacet, name) for name in DIMENSIONS]
    query = select(BotLogFacet.id, *columns).where(tuple_(*columns).in_(wanted))

    def known() -> dict[tuple[str, ...], int]:
        return {tuple(row[1:]): row[0] for row in session.execute(query)}

    found = known()
    if missing := [combination for combination in wanted if combination not in found]:
        # Two at once, in the same order: the second waits for the first one's commit and finds its numbers.
        dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
        session.execute(
            dialect.insert(BotLogFacet).on_conflict_do_nothing(),
            [dict(zip(DIMENSIONS, combination, strict=True)) for combination in missing],
        )
        found = known()
    return found


def _row(line: Line) -> dict[str, Any]:
    values = asdict(line)
    for name, length in (
        ("target", 255),
        ("detail", 40),
        ("budget", 60),
        ("channel", 255),
        ("rule_name", 120),
    ):
        values[name] = one_line(values[name], length)
    values["why"], values["target_url"] = one_line(line.why, 1000), line.target_url[:1000]
    return values


def one_line(value: str, length: int) -> str:
    """Strangers' text on one line: no control characters, no forged line of a log."""
    flat = " ".join("".join(ch if ch.isprintable() else " " for ch in value).split())
    return flat if len(flat) <= length else flat[: length - 1] + "…"


def list_lines(
    session: Session,
    principal: Principal,
    wanted: LogFilter | None = None,
    *,
    cursor: str = "",
    limit: int = 50,
) -> Page[LogView]:
    """The newest lines first. Raises InvalidInput for a cursor or outcome that is none."""
    principal.require(Permission.VIEW_BOT_LOG)
    limit = max(1, min(limit, _MAX_LIMIT))
    rows = _find(session, wanted or LogFilter(), _below(cursor), limit + 1)
    views = [_view(row) for row in rows[:limit]]
    return Page(views, str(views[-1].id) if len(rows) > limit else "")


def summarise(session: Session, principal: Principal, *, now: datetime | None = None) -> LogSummary:
    """The head of the page: how many lines there are, and what the last 24 hours brought."""
    principal.require(Permission.VIEW_BOT_LOG)
    # One at a time: SQLite looks at the end of an index only for a single aggregate.
    oldest = session.execute(select(func.min(BotLog.id))).scalar()
    newest = session.execute(select(func.max(BotLog.id))).scalar()
    lines = newest - oldest + 1 if newest is not None and oldest is not None else 0
    first = _first_id(session, (now or utc_now()) - timedelta(hours=24))
    return LogSummary(lines, {} if first is None else count_outcomes(session, first))


def count_outcomes(session: Session, first_id: int) -> dict[str, int]:
    """Outcome -> how many lines from that id on; counted along the index of facets alone."""
    counted = (
        select(func.count())
        .where(BotLog.facet == BotLogFacet.id, BotLog.id >= first_id)
        .correlate(BotLogFacet)
        .scalar_subquery()
    )
    rows = session.execute(select(BotLogFacet.outcome, func.sum(counted)).group_by(BotLogFacet.outcome))
    return {outcome: int(count) for outcome, count in rows if count}


@dataclass(frozen=True)
class HourCount:
    bot: str
    action: str
    outcome: str
    hours_ago: int
    count: int


def count_hours(session: Session, *, hours: int, now: datetime) -> list[HourCount]:
    """How many lines of each bot, action and outcome each of the last hours brought."""
    first = _first_id(session, now - timedelta(hours=hours))
    if first is None:
        return []
    if session.get_bind().dialect.name == "postgresql":
        seconds: Any = func.extract("epoch", BotLog.at)
    else:
        seconds = cast(func.strftime("%s", BotLog.at), Integer)
    ago = cast(func.floor((now.timestamp() - seconds) / 3600), Integer).label("ago")
    names = (BotLogFacet.bot, BotLogFacet.action, BotLogFacet.outcome)
    rows = session.execute(
        select(*names, ago, func.count())
        .join(BotLog, BotLog.facet == BotLogFacet.id)
        .where(BotLog.id >= first)
        .group_by(*names, ago)
    )
    return [HourCount(bot, act, out, min(max(0, at), hours - 1), lines) for bot, act, out, at, lines in rows]


def export_csv(database: Database, principal: Principal, wanted: LogFilter) -> Iterator[str]:
    """The lines that match as CSV, newest first, in pieces; cells that a spreadsheet would run are made text."""
    principal.require(Permission.VIEW_BOT_LOG)
    names = [name for name in LogView.__dataclass_fields__ if name != "act_id"]
    yield _csv([names])
    below: int | None = None
    for _ in range(MAX_EXPORT_LINES // _EXPORT_CHUNK):
        with database.reading() as session:
            rows = _find(session, wanted, below, _EXPORT_CHUNK)
        if not rows:
            return
        yield _csv([[safe_cell(getattr(_view(row), name)) for name in names] for row in rows])
        below = rows[-1].id


def safe_cell(value: Any) -> str:
    """A cell as text: what starts like a formula gets an apostrophe in front (OWASP, CSV injection)."""
    cell = value.isoformat() if isinstance(value, datetime) else str(value)
    return "'" + cell if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def prune(database: Database, *, keep_days: int, now: datetime | None = None) -> int:
    """Delete lines older than that in small batches, oldest first; returns how many."""
    before = (now or utc_now()) - timedelta(days=keep_days)
    removed, batch = 0, _PRUNE_BATCH[database.engine.dialect.name]
    while True:
        with database.transaction() as session:
            old = select(BotLog.id).where(BotLog.at < before).order_by(BotLog.at, BotLog.id).limit(batch)
            result = session.execute(
                delete(BotLog).where(BotLog.id.in_(old)).execution_options(synchronize_session=False)
            )
        count = int(result.rowcount)
        removed += count
        if count < batch:
            return removed
        time.sleep(_PRUNE_PAUSE_SECONDS)


# Finding


def _find(session: Session, wanted: LogFilter, below: int | None, limit: int) -> Sequence[Any]:
    if wanted.outcome and wanted.outcome not in OUTCOMES:
        raise InvalidInput("There is no such outcome.", field="outcome")
    plan_for_each(session)
    first: int | None = None
    if wanted.hours:
        first = _first_id(session, utc_now() - timedelta(hours=min(wanted.hours, 24 * 366)))
        if first is None:
            return []
    words = _WORD.findall(wanted.text.lower()[:200])[:8]
    if wanted.text.strip() and not words:
        return []
    facets = _fitting_facets(session, wanted)
    if facets is not None and not facets:
        return []
    if words:
        return find_words(session, _COLUMNS, words, facets, first, below, limit)
    if facets is not None:
        return newest_of(session, _COLUMNS, facets, first, below, limit)
    query = select(*_COLUMNS).order_by(BotLog.id.desc()).limit(limit)
    if first is not None:
        query = query.where(BotLog.id >= first)
    if below is not None:
        query = query.where(BotLog.id < below)
    return session.execute(query).all()


def _fitting_facets(session: Session, wanted: LogFilter) -> list[int] | None:
    """The facets that fit a filter; None if it filters by none of them."""
    filters = [getattr(BotLogFacet, name) == value for name in DIMENSIONS if (value := getattr(wanted, name))]
    return list(session.execute(select(BotLogFacet.id).where(*filters)).scalars()) if filters else None


def _first_id(session: Session, since: datetime) -> int | None:
    """The id of the first line from that time on."""
    found: int | None = session.execute(
        select(BotLog.id).where(BotLog.at >= since).order_by(BotLog.at, BotLog.id).limit(1)
    ).scalar()
    return found


def _below(cursor: str) -> int | None:
    if not cursor:
        return None
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise InvalidInput("This cursor is not from an earlier answer. Start without one.", field="cursor")
    return int(cursor)


def _view(row: Any) -> LogView:
    values = dict(row._mapping)
    values["job_id"] = values["job_id"] or 0
    return LogView(**values)


def _csv(rows: Sequence[Sequence[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows(rows)
    return buffer.getvalue()


_COLUMNS: tuple[ColumnElement[Any], ...] = tuple(
    getattr(BotLog, name) for name in LogView.__dataclass_fields__
)
