"""Failed tasks: the groups, the one that is explained, and what an admin decides about them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from urllib.parse import parse_qs

import reflex as rx
from pydantic import Field

from contentcaster.errors import InvalidInput, NotFound
from contentcaster.security.permissions import Permission
from contentcaster.services import accounts, failed_edit, failed_tasks, missed, timeline
from contentcaster.services.views import (
    BulkResult,
    FailedGroupView,
    FailedTaskDetail,
    FailedTaskView,
    TimelineEntry,
)
from contentcaster.state.bridge import read, write
from contentcaster.state.flash import flash
from contentcaster.state.forms import Form, text_of
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.page import page_load

MAX_GROUPS, TASKS_PER_GROUP = 50, 20
"""After a long outage thousands may wait here; a browser is sent this many of them, and the buttons act on all."""

PAGE_SIZE = 50
MAX_ROWS = 200

Key = Annotated[str, Field(max_length=120)]


class FailedTasksState(rx.State):
    tab: str = "open"
    groups: list[FailedGroupView] = []
    settled: list[FailedTaskView] = []
    has_more: bool = False
    hidden_groups: int = 0
    failed_count: int = 0
    review_count: int = 0
    selected_id: int = 0
    selected: list[FailedTaskDetail] = []
    """The task that the panel explains; none or one."""
    entries: list[TimelineEntry] = []
    is_sheet_open: bool = False
    """On narrow screens the panel lies over the list, once somebody asked for it."""
    channel_urls: dict[str, str] = {}
    link_id: int = 0
    """The task whose link is being pasted; 0: the dialog is closed."""
    link_error: str = ""
    edit_id: int = 0
    """The task whose text is being changed; 0: the dialog is closed."""
    edit_text: str = ""
    edit_where: str = ""
    edit_error: str = ""
    missed_count: int = 0
    _wanted: int = PAGE_SIZE

    @page_load(Permission.VIEW_OPERATIONS)
    async def load(self) -> None:
        """Arrive: a link may name the task to explain (?task=12)."""
        asked = parse_qs(self.router.url.query).get("task", [""])[-1]
        self.link_id, self.edit_id, self.is_sheet_open, self._wanted = 0, 0, False, PAGE_SIZE
        if asked.isascii() and asked.isdigit() and len(asked) < 18:
            self.selected_id, self.is_sheet_open = int(asked), True
        await self._read()

    @page_load(Permission.VIEW_OPERATIONS)
    async def refresh(self) -> None:
        """Something changed: read again and keep what is selected and typed."""
        await self._read()

    @guarded(Permission.VIEW_OPERATIONS)
    async def follow(self) -> None:
        """Some post changed: perhaps the one that the panel explains."""
        if self.selected_id:
            await self._explain()

    @guarded(Permission.VIEW_OPERATIONS)
    async def show_tab(self, tab: Annotated[str, Field(pattern="^(open|settled)$")]) -> None:
        self.tab, self.selected_id, self._wanted = tab, 0, PAGE_SIZE
        await self._read()

    @guarded(Permission.VIEW_OPERATIONS)
    async def show_more(self) -> None:
        self._wanted = min(self._wanted + PAGE_SIZE, MAX_ROWS)
        await self._read()

    @guarded(Permission.VIEW_OPERATIONS)
    async def select(self, task_id: int) -> None:
        """Explain this one in the panel."""
        self.selected_id, self.is_sheet_open = task_id, True
        await self._explain()

    @guarded(Permission.VIEW_OPERATIONS)
    async def close_sheet(self) -> None:
        self.is_sheet_open = False

    @guarded(Permission.OPERATE)
    async def retry(self, task_id: int) -> None:
        await write(failed_tasks.retry_task, task_id)
        await self._after(task_id, "On its way again. The panel follows it.")

    @guarded(Permission.OPERATE)
    async def discard(self, task_id: int) -> None:
        await write(failed_tasks.discard_task, task_id)
        await self._after(task_id, "Let go. Nothing is sent; it stays in the settled list.")

    @guarded(Permission.OPERATE)
    async def retry_group(self, key: Key) -> None:
        await self._after_bulk(await write(failed_tasks.retry_group, key), "sent again")

    @guarded(Permission.OPERATE)
    async def discard_group(self, key: Key) -> None:
        await self._after_bulk(await write(failed_tasks.discard_group, key), "let go")

    @guarded(Permission.OPERATE)
    async def ask_link(self, task_id: int) -> None:
        self.link_id, self.link_error = task_id, ""

    @guarded(Permission.OPERATE)
    async def set_link_open(self, is_open: bool) -> None:
        if not is_open:
            self.link_id = 0

    @guarded(Permission.OPERATE)
    async def ask_edit(self, task_id: int) -> None:
        detail = await read(failed_tasks.get_failed_task, task_id)
        channel = detail.task.channel
        self.edit_where = f"{channel.platform_name} · {channel.handle}" if channel else "this channel"
        self.edit_id, self.edit_text, self.edit_error = task_id, detail.payload_text, ""

    @guarded(Permission.OPERATE)
    async def set_edit_open(self, is_open: bool) -> None:
        if not is_open:
            self.edit_id = 0

    @guarded(Permission.OPERATE)
    async def edit_and_retry(self, form: Form) -> None:
        """Send what was typed instead, to the one channel that failed."""
        task_id, text = self.edit_id, text_of(form, "edit_text")
        try:
            await write(failed_edit.edit_and_retry, task_id, text=text)
        except InvalidInput as error:
            self.edit_error, self.edit_text = error.fields.get("text", error.message), text
            return
        self.edit_id, self.edit_error = 0, ""
        await self._after(
            task_id, "Changed, and on its way again to this channel only. The panel follows it."
        )

    @guarded(Permission.OPERATE)
    async def resolve(self, form: Form) -> None:
        """A person looked: it is live, at this link."""
        task_id = self.link_id
        try:
            await write(failed_tasks.resolve_task, task_id, remote_url=text_of(form, "remote_url"))
        except InvalidInput as error:
            self.link_error = error.fields.get("remote_url", error.message)
            return
        self.link_id, self.link_error = 0, ""
        await self._after(task_id, "Noted as published, with its link. Nothing was sent.")

    async def _after(self, task_id: int, message: str) -> None:
        self.selected_id = task_id
        await self._read()
        await flash(self, "ok", message)

    async def _after_bulk(self, result: BulkResult, what: str) -> None:
        await self._read()
        posts = "1 post" if result.done == 1 else f"{result.done} posts"
        words = [f"{posts} {what}."]
        if result.skipped:
            words += [f"{result.skipped} left as they are:", *result.problems[:2]]
        await flash(self, "warn" if result.skipped else "ok", " ".join(words))

    async def _read(self) -> None:
        groups = await read(failed_tasks.list_groups)
        self.missed_count = await read(missed.count_missed)
        self.groups = [replace(group, tasks=group.tasks[:TASKS_PER_GROUP]) for group in groups[:MAX_GROUPS]]
        self.hidden_groups = max(0, len(groups) - MAX_GROUPS)
        self.review_count = sum(group.count for group in groups if group.is_review)
        self.failed_count = sum(group.count for group in groups) - self.review_count
        if self.tab == "settled":
            page = await read(failed_tasks.list_failed_tasks, is_open=False, limit=self._wanted)
            self.settled = page.items
            self.has_more = bool(page.next_cursor) and self._wanted < MAX_ROWS
        if self.review_count and current_principal().can(Permission.OPERATE):
            views = await read(accounts.list_accounts)
            self.channel_urls = {view.id: view.profile_url for view in views if view.profile_url}
        await self._explain()

    async def _explain(self) -> None:
        """Read what the panel shows; without a choice, the first of the list."""
        if not self.selected_id:
            shown = self.settled if self.tab == "settled" else [t for g in self.groups for t in g.tasks]
            self.selected_id = shown[0].id if shown else 0
        self.selected, self.entries = [], []
        if not self.selected_id:
            return
        try:
            detail = await read(failed_tasks.get_failed_task, self.selected_id)
            told = await read(timeline.get_timeline, detail.task.post_id) if detail.task.post_id else []
        except NotFound:
            self.selected_id = 0  # deleted with its post meanwhile
            return
        self.selected = [detail]
        self.entries = [_here(entry) for entry in told if entry.target_id in ("", detail.task.target_id)]


def _here(entry: TimelineEntry) -> TimelineEntry:
    """Without the pointer to the page that shows it."""
    return replace(entry, note="") if entry.kind == "failed" else entry
