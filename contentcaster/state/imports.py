"""Importing posts: the uploaded table, what its columns are, and what would become of every row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import parse_qs

import reflex as rx
from pydantic import Field

from contentcaster.db import get_database
from contentcaster.errors import Conflict, InvalidInput, NotFound
from contentcaster.models import AccountStatus
from contentcaster.security.permissions import Permission
from contentcaster.services import accounts, csv_import
from contentcaster.services.csv_import import ImportReport, ImportView, RowReport
from contentcaster.services.csv_plan import Choices
from contentcaster.services.views import AccountView, BulkResult
from contentcaster.state.bridge import in_thread, read, write
from contentcaster.state.flash import flash
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.page import page_load

_Word = Annotated[str, Field(max_length=80)]


@dataclass(frozen=True)
class Column:
    number: str
    heading: str
    samples: str
    field: str
    """"": left out."""


class ImportState(rx.State):
    has_file: bool = False
    filename: str = ""
    facts: str = ""
    """What the file turned out to be."""
    row_count: int = 0
    columns: list[Column] = []
    rows: list[RowReport] = []
    problem: str = ""
    ok: int = 0
    to_look_at: int = 0
    wrong: int = 0
    drafts: int = 0
    scheduled: int = 0
    channels: list[AccountView] = []
    account_ids: list[str] = []
    timezone: str = "UTC"
    timezone_error: str = ""
    without_time: str = "draft"
    date_order: str = ""
    state: str = ""
    """"" | uploaded | imported | undone"""
    imported: int = 0
    is_busy: bool = False
    _id: str = ""

    @page_load(Permission.COMPOSE)
    async def load(self) -> None:
        """Start anew, or go on with the upload that the address names."""
        self._forget()
        listed = await read(accounts.list_channels_for_compose)
        self.channels = [each for each in listed if each.status == AccountStatus.CONNECTED]
        import_id = parse_qs(self.router.url.query).get("id", [""])[-1][:26]
        if import_id:
            try:
                await self._show(await read(csv_import.get_import, import_id))
            except NotFound as error:
                await flash(self, "warn", error.message)

    @guarded(Permission.COMPOSE)
    async def uploaded(self, import_id: Annotated[str, Field(max_length=26)]) -> Any:
        """The file is on the server: the address keeps it through a reload."""
        return rx.redirect(f"/import?id={import_id}", replace=True)

    @guarded(Permission.COMPOSE)
    async def set_column(self, number: _Word, name: _Word) -> None:
        # The same thing cannot be two columns: the newer choice wins.
        columns = {
            each.number: "" if each.field == name and name else each.field for each in self.columns
        } | {number: name}
        await self._choose(columns=columns)

    @guarded(Permission.COMPOSE)
    async def set_channel(self, account_id: _Word, is_chosen: bool) -> None:
        rest = [each for each in self.account_ids if each != account_id]
        await self._choose(account_ids=[*rest, account_id] if is_chosen else rest)

    @guarded(Permission.COMPOSE)
    async def set_timezone(self, zone: _Word) -> None:
        self.timezone = zone
        await self._choose(timezone=zone)

    @guarded(Permission.COMPOSE)
    async def set_without_time(self, choice: _Word) -> None:
        await self._choose(without_time=choice)

    @guarded(Permission.COMPOSE)
    async def set_date_order(self, choice: _Word) -> None:
        await self._choose(date_order=choice)

    @guarded(Permission.COMPOSE)
    async def run(self) -> Any:
        """Make the posts: all or none."""
        self.is_busy = True
        yield
        try:
            view = await write(csv_import.run_import, self._id)
        except (InvalidInput, Conflict) as error:
            self.is_busy = False
            await flash(self, "bad", error.message)
            if isinstance(error, InvalidInput):
                await self._look_over()
            return
        self.is_busy = False
        self.state, self.imported, self.rows = view.state, view.imported, []

    @guarded(Permission.COMPOSE)
    async def undo(self) -> Any:
        """Delete what was imported, as far as it has not gone out."""
        self.is_busy = True
        yield
        try:
            result: BulkResult = await in_thread(
                csv_import.undo_import, get_database(), current_principal(), self._id
            )
        except Conflict as error:
            self.is_busy = False
            await flash(self, "bad", error.message)
            return
        self.is_busy, self.state = False, "undone"
        if result.skipped:
            said = f"{result.done} deleted; {result.skipped} stay: {' '.join(result.problems)}"
            await flash(self, "warn", said)
        else:
            await flash(self, "ok", f"Undone: {result.done} imported posts were deleted.")

    @guarded(Permission.COMPOSE)
    async def start_over(self) -> Any:
        return rx.redirect("/import", replace=True)

    def _forget(self) -> None:
        self.has_file, self.columns, self.rows, self.state, self._id = False, [], [], "", ""
        self.problem, self.timezone_error, self.is_busy, self.imported = "", "", False, 0

    async def _show(self, view: ImportView) -> None:
        self._id, self.has_file, self.state = view.id, True, view.state
        self.filename, self.row_count, self.imported = view.filename, view.row_count, view.imported
        self.facts = f"{view.row_count:,} rows, separated by {view.delimiter}, {view.encoding.upper()}"
        choices = view.choices
        self.columns = [
            Column(str(number), heading, " · ".join(samples), choices.columns.get(str(number), ""))
            for number, (heading, samples) in enumerate(zip(view.headings, view.samples, strict=True))
        ]
        self.account_ids, self.timezone = choices.account_ids, choices.timezone
        self.without_time, self.date_order = choices.without_time, choices.date_order
        if self.state == "uploaded":
            await self._look_over()

    async def _choose(self, **changes: Any) -> None:
        now = Choices(
            columns={each.number: each.field for each in self.columns if each.field},
            account_ids=self.account_ids,
            timezone=self.timezone,
            without_time=self.without_time,
            date_order=self.date_order,
        )
        self.timezone_error = ""
        try:
            view = await write(csv_import.set_choices, self._id, replace(now, **changes))
        except InvalidInput as error:
            self.timezone_error = error.fields.get("timezone", "")
            if not self.timezone_error:
                await flash(self, "bad", error.message)
            return
        await self._show(view)

    async def _look_over(self) -> None:
        report: ImportReport = await read(csv_import.check, self._id)
        self.rows, self.problem = report.rows, report.problem
        self.ok, self.to_look_at, self.wrong = report.ok, report.to_look_at, report.wrong
        self.drafts, self.scheduled = report.drafts, report.scheduled
