"""The inbox of those who approve posts: what waits, what was said, one decision or many."""

from __future__ import annotations

from typing import Annotated, Literal

import reflex as rx
from pydantic import Field

from contentcaster.db import get_database
from contentcaster.errors import Conflict, InvalidInput, NotFound
from contentcaster.security.permissions import Permission
from contentcaster.services import approval, approving, posts
from contentcaster.services.views import BulkResult, PendingPostView
from contentcaster.state.bridge import in_thread, read, write
from contentcaster.state.flash import flash
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.page import page_load

PAGE_SIZE = 20
MAX_ROWS = 100

_Id = Annotated[str, Field(max_length=26)]
_Words = Annotated[str, Field(max_length=8000)]

Act = Literal["approve", "return", "comment"]
DONE = {
    "approve": "Approved. It goes out at its time.",
    "return": "Sent back. Its author reads your reason on the post.",
}


class ApprovalsState(rx.State):
    rows: list[PendingPostView] = []
    has_more: bool = False
    picked: dict[str, int] = {}
    """Post id -> the version that was on screen when it was ticked."""
    errors: dict[str, str] = {}
    taken: dict[str, int] = {}
    """Post id -> how many of this person's words about it were taken; a new number empties the field."""
    _wanted: int = PAGE_SIZE

    @page_load(Permission.APPROVE_POSTS)
    async def load(self) -> None:
        self._wanted = PAGE_SIZE
        self.picked, self.errors = {}, {}
        await self._read()

    @page_load(Permission.APPROVE_POSTS)
    async def refresh(self) -> None:
        """Something changed: what is being written stays."""
        await self._read()

    @guarded(Permission.APPROVE_POSTS)
    async def show_more(self) -> None:
        self._wanted = min(self._wanted + PAGE_SIZE, MAX_ROWS)
        await self._read()

    @guarded(Permission.APPROVE_POSTS)
    async def pick(self, post_id: _Id, version: int, is_picked: bool) -> None:
        rest = {key: value for key, value in self.picked.items() if key != post_id}
        self.picked = rest | ({post_id: version} if is_picked else {})

    @guarded(Permission.APPROVE_POSTS)
    async def pick_all(self, is_picked: bool) -> None:
        self.picked = {row.id: row.version for row in self.rows} if is_picked else {}

    @guarded(Permission.APPROVE_POSTS)
    async def act(self, post_id: _Id, version: int, name: Act, text: _Words) -> None:
        """`version` is the one that was on screen, not the newest that this State has read."""
        try:
            if name == "approve":
                await write(posts.approve_post, post_id, version=version)
            elif name == "return":
                await write(posts.reject_post, post_id, text, version=version)
            else:
                await write(approval.comment, post_id, text)
        except (Conflict, InvalidInput, NotFound) as error:
            await self._read()
            self._say(post_id, error.message)
            return
        self._say(post_id, "")
        self.taken = self.taken | {post_id: self.taken.get(post_id, 0) + 1}
        await self._read()
        if name != "comment":
            await flash(self, "ok", DONE[name])

    @guarded(Permission.APPROVE_POSTS)
    async def approve_picked(self) -> None:
        versions = list(self.picked.items())
        result: BulkResult = await in_thread(
            approving.approve_posts, get_database(), current_principal(), versions
        )
        self.picked = {}
        await self._read()
        done = f"{result.done} approved." if result.done != 1 else "1 post approved."
        if result.skipped:
            await flash(self, "warn", f"{done} {result.skipped} left waiting: {' '.join(result.problems)}")
        else:
            await flash(self, "ok", done)

    async def _read(self) -> None:
        page = await read(approval.list_pending, limit=self._wanted)
        self.rows, self.has_more = page.items, bool(page.next_cursor) and self._wanted < MAX_ROWS
        versions = {row.id: row.version for row in page.items}
        changed = [post_id for post_id, version in self.picked.items() if versions.get(post_id) != version]
        if changed:
            # What was ticked is not what stands there now: the tick is for other words.
            self.picked = {key: value for key, value in self.picked.items() if key not in changed}
            still_there = [post_id for post_id in changed if post_id in versions]
            for post_id in still_there:
                self._say(post_id, "It was changed since you chose it. Read it again.")

    def _say(self, post_id: str, sentence: str) -> None:
        rest = {key: value for key, value in self.errors.items() if key != post_id}
        self.errors = rest | ({post_id: sentence} if sentence else {})
