"""Importing posts from a CSV file: upload, say which column is what, look at every row, then all of it or nothing.

The file stays on the server from its upload on, so a closed laptop loses nothing. The import itself is one transaction
that looks at every row again; a second one of the same file is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.errors import Conflict, ContentCasterError, InvalidInput, NotFound
from contentcaster.models import (
    Account,
    ImportBatch,
    ImportState,
)
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import audit, csv_tables, posts
from contentcaster.services.csv_plan import (
    WITHOUT_TIME,
    Choices,
    RowPlan,
    counted,
    give_slots,
    order_of_dates,
    plan_rows,
    write_posts,
)
from contentcaster.services.csv_rows import (
    DATE_ORDERS,
)
from contentcaster.services.csv_tables import FIELD_NAMES, Table
from contentcaster.services.drafts import clean_text
from contentcaster.services.ids import is_id
from contentcaster.services.platforms import channel_view
from contentcaster.services.schedule import format_when, known_zone, load_zone
from contentcaster.services.views import BulkResult, ChannelView

_EXCERPT = 120
_KEEP = 20
"""Uploads kept per person."""


@dataclass(frozen=True)
class ImportView:
    id: str
    filename: str
    encoding: str
    delimiter: str
    """comma | semicolon | tab | vertical bar"""
    headings: list[str]
    samples: list[list[str]]
    """Per column its first values."""
    row_count: int
    choices: Choices
    state: str
    """uploaded | imported | undone"""
    imported: int
    created_at: datetime


@dataclass(frozen=True)
class RowReport:
    line: int
    text: str
    channels: list[ChannelView]
    when: str
    """For people: a time, "draft", "next free slot"."""
    level: str
    """ok | check | stop; a stop keeps all of the file from being imported."""
    messages: list[str]


@dataclass(frozen=True)
class ImportReport:
    rows: list[RowReport]
    """Those with something to say first, at most 200 of them."""
    ok: int
    to_look_at: int
    wrong: int
    drafts: int
    scheduled: int
    problem: str
    """What is wrong with the choices themselves, "" if nothing: then no row was looked at."""


# Upload


def store(session: Session, principal: Principal, *, filename: str, content: bytes) -> ImportView:
    """Keep an uploaded file and guess what its columns are.

    Raises:
        InvalidInput: field "file": not a table that can be read, with the line.
    """
    principal.require(Permission.COMPOSE)
    text, encoding = csv_tables.decode(content)
    delimiter = csv_tables.find_delimiter(text)
    table = csv_tables.parse(text, delimiter)
    columns = csv_tables.guess_columns(table.headings)
    choices = Choices(
        columns, timezone=known_zone(principal.timezone), date_order=order_of_dates(table, columns)
    )
    batch = ImportBatch(
        owner_id=principal.user_id,
        filename=clean_text(filename)[:255] or "posts.csv",
        content=text,
        encoding=encoding,
        delimiter=delimiter,
        row_count=len(table.rows),
        choices=asdict(choices),
    )
    session.add(batch)
    session.flush()
    _forget_old(session, principal)
    return _view(batch, table)


def get_import(session: Session, principal: Principal, import_id: str) -> ImportView:
    """An upload of the person's own. Raises NotFound."""
    batch = _own(session, principal, import_id)
    return _view(batch, _table(batch))


def set_choices(session: Session, principal: Principal, import_id: str, choices: Choices) -> ImportView:
    """Remember what the columns are. Raises InvalidInput, Conflict: imported already."""
    batch = _own(session, principal, import_id)
    _require_open(batch)
    table = _table(batch)
    batch.choices = asdict(_checked(choices, table))
    session.add(batch)
    session.flush()
    return _view(batch, table)


def check(session: Session, principal: Principal, import_id: str) -> ImportReport:
    """Look at every row as the import would, and keep nothing of it: the dry run."""
    batch = _own(session, principal, import_id)
    _require_open(batch)
    choices = Choices(**batch.choices)
    problem = _problem_of(choices)
    if problem:
        return ImportReport([], 0, 0, 0, 0, 0, problem)
    plans, usable = plan_rows(session, principal, _table(batch), choices)
    return _report(plans, usable)


def run_import(session: Session, principal: Principal, import_id: str) -> ImportView:
    """Make a post of every row, in one transaction: all or none.

    Raises:
        InvalidInput: a row cannot be imported (field "rows").
        Conflict: this file was imported already.
    """
    batch = _own(session, principal, import_id, is_locking=True)
    _require_open(batch)
    choices = Choices(**batch.choices)
    if problem := _problem_of(choices):
        raise InvalidInput(problem, field="columns")
    table = _table(batch)
    plans, _usable = plan_rows(session, principal, table, choices)
    wrong = [plan for plan in plans if plan.problems]
    if wrong:
        raise InvalidInput(
            f"Nothing was imported: {counted(len(wrong), 'row')} cannot be, the first in line {wrong[0].row.line}: "
            f"{wrong[0].problems[0]}",
            field="rows",
        )
    give_slots(session, principal, plans)
    batch.post_ids = write_posts(session, principal, plans)
    batch.state, batch.imported_at, batch.content = ImportState.IMPORTED, utc_now(), ""
    session.add(batch)
    audit.record(
        session,
        principal,
        "posts.imported",
        "import",
        batch.id,
        {"file": batch.filename, "posts": len(plans)},
    )
    live.note(session, "posts", "slots")
    return replace(_view(batch, Table(table.headings)), imported=len(plans))


def undo_import(database: Database, principal: Principal, import_id: str) -> BulkResult:
    """Delete the posts of an import that have not begun to go out; those that have stay and are named."""
    with database.transaction() as session:
        batch = _own(session, principal, import_id, is_locking=True)
        if batch.state is not ImportState.IMPORTED:
            raise Conflict("This import was undone already, or never made.")
        post_ids = list(batch.post_ids)
        batch.state = ImportState.UNDONE
        session.add(batch)
    done, problems = 0, []
    for post_id in post_ids:
        try:
            database.write(lambda session, post_id=post_id: posts.delete_post(session, principal, post_id))
            done += 1
        except NotFound:
            continue  # somebody deleted it before
        except ContentCasterError as error:
            problems.append(error.message)
    return BulkResult(done, len(problems), list(dict.fromkeys(problems))[:20])


# Views


def _report(plans: Sequence[RowPlan], usable: dict[str, Account]) -> ImportReport:
    wrong = sum(bool(plan.problems) for plan in plans)
    to_look_at = sum(bool(plan.checks) and not plan.problems for plan in plans)
    rank = sorted(plans, key=lambda plan: (not plan.problems, not plan.checks, plan.row.line))
    good = [plan for plan in plans if not plan.problems]
    drafts = sum(plan.time is None and not plan.is_queued for plan in good)
    return ImportReport(
        rows=[_row_report(plan, usable) for plan in rank[:200]],
        ok=len(plans) - wrong - to_look_at,
        to_look_at=to_look_at,
        wrong=wrong,
        drafts=drafts,
        scheduled=len(good) - drafts,
        problem="",
    )


def _row_report(plan: RowPlan, usable: dict[str, Account]) -> RowReport:
    when = "draft"
    if plan.time is not None:
        when = format_when(plan.time.at, plan.time.timezone)
    elif plan.is_queued:
        when = "next free slot"
    elif plan.problems:
        when = ""
    return RowReport(
        line=plan.row.line,
        text=" ".join(plan.draft.text.split())[:_EXCERPT],
        channels=[
            channel_view(usable[each.account_id]) for each in plan.draft.targets if each.account_id in usable
        ],
        when=when,
        level="stop" if plan.problems else "check" if plan.checks else "ok",
        messages=(plan.problems + plan.checks)[:6],
    )


def _view(batch: ImportBatch, table: Table) -> ImportView:
    return ImportView(
        id=batch.id,
        filename=batch.filename,
        encoding=batch.encoding,
        delimiter=csv_tables.DELIMITERS.get(batch.delimiter, batch.delimiter),
        headings=table.headings,
        samples=[
            [cell[:60] for cell in (row.cells[number] for row in table.rows[:20]) if cell.strip()][:3]
            for number in range(len(table.headings))
        ],
        row_count=batch.row_count,
        choices=Choices(**batch.choices),
        state=batch.state.value,
        imported=len(batch.post_ids),
        created_at=batch.created_at,
    )


# Choices


def _checked(choices: Choices, table: Table) -> Choices:
    columns = {number: name for number, name in choices.columns.items() if name}
    for number, name in columns.items():
        if not (number.isascii() and number.isdigit() and int(number) < len(table.headings)):
            raise InvalidInput("There is no such column.", field="columns")
        if name not in FIELD_NAMES:
            raise InvalidInput(f"A column cannot be {name[:40]!r}.", field="columns")
    load_zone(choices.timezone)
    if choices.without_time not in WITHOUT_TIME or choices.date_order not in DATE_ORDERS:
        raise InvalidInput("There is no such choice.", field="choices")
    account_ids = [account_id for account_id in dict.fromkeys(choices.account_ids) if is_id(account_id)]
    return replace(choices, columns=columns, account_ids=account_ids[:50])


def _problem_of(choices: Choices) -> str:
    used = list(choices.columns.values())
    if "text" not in used and "link" not in used:
        return "Say which column holds the text."
    twice = next((name for name in used if used.count(name) > 1), "")
    if twice:
        title = next(each.title for each in csv_tables.FIELDS if each.name == twice)
        return f"Two columns are “{title}”. Choose one."
    if "scheduled_at" in used and "date" in used:
        return "Choose either one column with date and time, or one with the date and one with the time."
    return ""


def _table(batch: ImportBatch) -> Table:
    if not batch.content:
        return Table([], [])
    return csv_tables.parse(batch.content, batch.delimiter)


def _own(session: Session, principal: Principal, import_id: str, *, is_locking: bool = False) -> ImportBatch:
    principal.require(Permission.COMPOSE)
    query = select(ImportBatch).where(ImportBatch.id == import_id, ImportBatch.owner_id == principal.user_id)
    if is_locking:
        query = query.with_for_update()
    batch: ImportBatch | None = None
    if is_id(import_id):
        batch = session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()
    if batch is None:
        raise NotFound("This import does not exist, or it is not yours. Upload the file again.")
    return batch


def _require_open(batch: ImportBatch) -> None:
    if batch.state is not ImportState.UPLOADED:
        raise Conflict("This file was imported already. Upload it again to import it once more.")


def _forget_old(session: Session, principal: Principal) -> None:
    """Only the newest uploads keep their file."""
    newest = (
        select(ImportBatch.id)
        .where(ImportBatch.owner_id == principal.user_id)
        .order_by(ImportBatch.id.desc())
        .limit(_KEEP)
    )
    kept = list(session.execute(newest).scalars())
    session.execute(
        update(ImportBatch)
        .where(
            ImportBatch.owner_id == principal.user_id,
            ImportBatch.id.not_in(kept),
            ImportBatch.content != "",
            ImportBatch.state == ImportState.UPLOADED,
        )
        .values(content="", state=ImportState.UNDONE)
        .execution_options(synchronize_session=False)
    )


def as_choices(values: dict[str, Any]) -> Choices:
    """Choices from a form or a request. Raises InvalidInput for what is none."""
    try:
        return Choices(**values)
    except TypeError:
        raise InvalidInput("There is no such choice.", field="choices") from None
