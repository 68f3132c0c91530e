"""The list of posts: a status filter, a search, and as many rows as were asked for."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qs

import reflex as rx
from pydantic import Field

from contentcaster.models.post import PostStatus
from contentcaster.security.permissions import Permission
from contentcaster.services import posts
from contentcaster.services.views import PostRow
from contentcaster.state.bridge import read
from contentcaster.state.marks import guarded
from contentcaster.state.page import page_load

PAGE_SIZE = 40
MAX_ROWS = 200
"""More rows than this are found faster by searching."""

_S = PostStatus
FILTERS: dict[str, tuple[str, tuple[PostStatus, ...]]] = {
    "all": ("All", ()),
    "scheduled": ("Scheduled", (_S.SCHEDULED, _S.PENDING_QUEUE, _S.PROCESSING, _S.RETRYING)),
    "attention": ("Needs attention", (_S.FAILED, _S.NEEDS_REVIEW, _S.PARTLY_PUBLISHED, _S.MISSED)),
    "approval": ("Waiting for approval", (_S.PENDING_APPROVAL,)),
    "published": ("Published", (_S.PUBLISHED,)),
    "drafts": ("Drafts", (_S.DRAFT,)),
    "cancelled": ("Cancelled", (_S.CANCELLED,)),
}
"""Name in the address -> title and statuses."""

READS_POSTS = (Permission.COMPOSE, Permission.VIEW_ALL_POSTS)


class PostsState(rx.State):
    rows: list[PostRow] = []
    counts: dict[str, int] = {}
    filter: str = "all"
    search: str = ""
    has_more: bool = False
    _wanted: int = PAGE_SIZE

    @page_load(*READS_POSTS)
    async def load(self) -> None:
        """Arrive: take filter and search from the address."""
        query = parse_qs(self.router.url.query)
        self.filter = _filter_of(query.get("status", ["all"])[-1])
        self.search = query.get("q", [""])[-1][:200]
        self._wanted = PAGE_SIZE
        await self._read()

    @page_load(*READS_POSTS)
    async def refresh(self) -> None:
        """Something changed: read the same rows again."""
        await self._read()

    @guarded(*READS_POSTS)
    async def set_filter(self, name: str) -> None:
        self.filter = _filter_of(name)
        self._wanted = PAGE_SIZE
        await self._read()

    @guarded(*READS_POSTS)
    async def set_search(self, text: Annotated[str, Field(max_length=200)]) -> None:
        self.search = text
        self._wanted = PAGE_SIZE
        await self._read()

    @guarded(*READS_POSTS)
    async def show_more(self) -> None:
        self._wanted = min(self._wanted + PAGE_SIZE, MAX_ROWS)
        await self._read()

    async def _read(self) -> None:
        statuses = tuple(status.value for status in FILTERS[self.filter][1])
        page = await read(posts.list_posts, status=statuses, search=self.search, limit=self._wanted)
        by_status = await read(posts.count_posts_by_status)
        self.rows = page.items
        self.has_more = bool(page.next_cursor) and self._wanted < MAX_ROWS
        self.counts = {name: _count(by_status, statuses) for name, (_, statuses) in FILTERS.items()}


def _filter_of(word: str) -> str:
    """A filter's name from its name or from a status word of the REST contract."""
    if word in FILTERS:
        return word
    for name, (_, statuses) in FILTERS.items():
        if word in statuses:
            return name
    return "all"


def _count(by_status: dict[str, int], statuses: tuple[PostStatus, ...]) -> int:
    if not statuses:
        return sum(by_status.values())
    return sum(by_status.get(status.value, 0) for status in statuses)
