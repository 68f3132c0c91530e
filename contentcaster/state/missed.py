"""While we were down: the posts that wait for a decision, and which of them are chosen."""

from __future__ import annotations

from typing import Annotated

import reflex as rx
from pydantic import Field

from contentcaster.errors import InvalidInput
from contentcaster.security.permissions import Permission
from contentcaster.services import missed
from contentcaster.services.missed import MissedPost
from contentcaster.services.schedule import Schedule
from contentcaster.services.views import BulkResult
from contentcaster.state.bridge import read, write
from contentcaster.state.flash import flash
from contentcaster.state.forms import Form, text_of
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.page import page_load

DECIDE = (Permission.OPERATE, Permission.COMPOSE)
Id = Annotated[str, Field(max_length=64)]


class MissedState(rx.State):
    rows: list[MissedPost] = []
    picked: list[str] = []
    is_asking_time: bool = False
    time_error: str = ""

    @page_load(Permission.VIEW_OPERATIONS, Permission.COMPOSE)
    async def load(self) -> None:
        self.picked, self.is_asking_time = [], False
        await self._read()

    @page_load(Permission.VIEW_OPERATIONS, Permission.COMPOSE)
    async def refresh(self) -> None:
        """Something changed: read again and keep what is chosen."""
        await self._read()

    @guarded(*DECIDE)
    async def pick(self, post_id: Id, is_picked: bool) -> None:
        kept = [one for one in self.picked if one != post_id]
        self.picked = [*kept, post_id] if is_picked else kept

    @guarded(*DECIDE)
    async def pick_all(self, is_picked: bool) -> None:
        self.picked = [row.post_id for row in self.rows] if is_picked else []

    @guarded(*DECIDE)
    async def publish_now(self) -> None:
        await self._after(await write(missed.publish_now, self.picked), "on its way now", "on their way now")

    @guarded(*DECIDE)
    async def cancel(self) -> None:
        await self._after(await write(missed.cancel, self.picked), "let go", "let go")

    @guarded(*DECIDE)
    async def ask_time(self) -> None:
        self.is_asking_time, self.time_error = True, ""

    @guarded(*DECIDE)
    async def set_time_open(self, is_open: bool) -> None:
        if not is_open:
            self.is_asking_time = False

    @guarded(*DECIDE)
    async def reschedule(self, form: Form) -> None:
        """A new time for all that are chosen, in the person's zone."""
        try:
            when = Schedule.wall(text_of(form, "new_time"), current_principal().timezone)
            result = await write(missed.reschedule, self.picked, when)
        except InvalidInput as error:
            self.time_error = error.message
            return
        if not result.done and result.problems:
            self.time_error = result.problems[0]
            return
        self.is_asking_time = False
        await self._after(result, "has a new time", "have a new time")

    async def _after(self, result: BulkResult, one: str, many: str) -> None:
        self.picked = []
        await self._read()
        words = [f"1 post {one}." if result.done == 1 else f"{result.done} posts: {many}."]
        if result.skipped:
            words += [f"{result.skipped} left as they are:", *result.problems[:2]]
        await flash(self, "warn" if result.skipped else "ok", " ".join(words))

    async def _read(self) -> None:
        self.rows = await read(missed.list_missed)
        waiting = {row.post_id for row in self.rows}
        self.picked = [post_id for post_id in self.picked if post_id in waiting]
