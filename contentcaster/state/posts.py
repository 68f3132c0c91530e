"""The list of posts: filters in the address, pages by key, and one act on the posts that were ticked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import parse_qs, urlencode

import reflex as rx
from pydantic import Field

from contentcaster.db import get_database
from contentcaster.errors import ContentCasterError, InvalidInput, NotSignedIn
from contentcaster.models.post import PostStatus
from contentcaster.security.permissions import Permission
from contentcaster.services import accounts, bulk, post_labels, posts
from contentcaster.services.bulk import Act, BulkOutcome, Refusal, UndoStep
from contentcaster.services.views import AccountView, PostRow
from contentcaster.state.bridge import in_thread, read
from contentcaster.state.flash import flash
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.page import page_load

PAGE_SIZE = 50

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

_Id = Annotated[str, Field(max_length=26)]


@dataclass(frozen=True)
class Told:
    """What became of the last act."""

    tone: str = ""
    """"": nothing to tell."""
    message: str = ""
    refused: list[Refusal] = field(default_factory=list)
    more_refused: int = 0
    can_undo: bool = False


class PostsState(rx.State):
    rows: list[PostRow] = []
    counts: dict[str, int] = {}
    channels: list[AccountView] = []
    filter: str = "all"
    search: str = ""
    account_id: str = ""
    label: str = ""
    labels: list[str] = []
    page: int = 1
    has_older: bool = False
    address: str = ""
    export_query: str = ""
    picked: dict[str, int] = {}
    """Post id -> the version that was on screen when it was ticked."""
    told: Told = Told()
    is_busy: bool = False
    _cursors: list[str] = [""]
    """Where each page up to this one begins."""
    _next: str = ""
    _undo: list[UndoStep] = []

    @page_load(*READS_POSTS)
    async def load(self) -> None:
        """Arrive: take filter and search from the address."""
        query = parse_qs(self.router.url.query)
        self.filter = _filter_of(query.get("status", ["all"])[-1])
        self.search = query.get("q", [""])[-1][:200]
        self.account_id = query.get("channel", [""])[-1][:26]
        self.label = query.get("label", [""])[-1][:40]
        self.labels = await read(post_labels.choices)
        self.picked, self.told = {}, Told()
        can_see = current_principal().can(Permission.VIEW_ACCOUNTS)
        self.channels = await read(accounts.list_accounts) if can_see else []
        self._from_the_top()
        await self._read()

    @page_load(*READS_POSTS)
    async def refresh(self) -> None:
        """Something changed: read the same rows again."""
        await self._read()

    @guarded(*READS_POSTS)
    async def set_filter(self, name: Annotated[str, Field(max_length=40)]) -> None:
        self.filter = _filter_of(name)
        await self._show_from_the_top()

    @guarded(*READS_POSTS)
    async def set_search(self, text: Annotated[str, Field(max_length=200)]) -> None:
        self.search = text
        await self._show_from_the_top()

    @guarded(*READS_POSTS)
    async def set_channel(self, account_id: _Id) -> None:
        self.account_id = account_id
        await self._show_from_the_top()

    @guarded(*READS_POSTS)
    async def set_label(self, label: Annotated[str, Field(max_length=40)]) -> None:
        self.label = label
        await self._show_from_the_top()

    @guarded(*READS_POSTS)
    async def show_older(self) -> None:
        if self._next:
            self._cursors = [*self._cursors, self._next]
            await self._read()

    @guarded(*READS_POSTS)
    async def show_newer(self) -> None:
        self._cursors = self._cursors[:-1] or [""]
        await self._read()

    @guarded(Permission.COMPOSE)
    async def pick(self, post_id: _Id, version: int, is_picked: bool) -> None:
        rest = {key: value for key, value in self.picked.items() if key != post_id}
        self.picked = rest | ({post_id: version} if is_picked else {})

    @guarded(Permission.COMPOSE)
    async def pick_page(self, is_picked: bool) -> None:
        ids = {row.id for row in self.rows}
        rest = {key: value for key, value in self.picked.items() if key not in ids}
        self.picked = rest | ({row.id: row.version for row in self.rows} if is_picked else {})

    @guarded(Permission.COMPOSE)
    async def pick_all(self) -> None:
        """Everything that this filter and search finds, up to what one act takes."""
        found: dict[str, int] = {}
        cursor = ""
        while len(found) < bulk.MAX_AT_ONCE:
            page = await read(posts.list_posts, cursor=cursor, limit=200, **self._wanted())
            found |= {row.id: row.version for row in page.items}
            cursor = page.next_cursor
            if not cursor:
                break
        self.picked = dict(list(found.items())[: bulk.MAX_AT_ONCE])

    @guarded(Permission.COMPOSE)
    async def pick_none(self) -> None:
        self.picked = {}

    @guarded(Permission.COMPOSE, Permission.APPROVE_POSTS, Permission.OPERATE)
    async def act(self, name: Act, days: int = 0, minutes: int = 0) -> Any:
        """Do it with what is ticked; say what was refused, and why."""
        chosen = list(self.picked.items())
        if not chosen:
            return
        self.is_busy = True
        yield
        try:
            outcome: BulkOutcome = await in_thread(
                bulk.run, get_database(), current_principal(), name, chosen, days=days, minutes=minutes
            )
        except NotSignedIn:
            raise
        except ContentCasterError as error:
            self.is_busy = False
            await flash(self, "bad", error.message)
            return
        refused = {each.post_id for each in outcome.refused}
        self.picked = {key: value for key, value in self.picked.items() if key in refused}
        self._undo = outcome.undo
        self.told = _told(name, outcome, is_undoable=bool(outcome.undo))
        self.is_busy = False
        await self._read()

    @guarded(Permission.COMPOSE)
    async def undo(self) -> None:
        steps, self._undo = self._undo, []
        outcome: BulkOutcome = await in_thread(bulk.undo, get_database(), current_principal(), steps)
        message = (
            f"{_many(len(outcome.done))} put back as {'it was' if len(outcome.done) == 1 else 'they were'}."
        )
        self.told = _tell("ok" if not outcome.refused else "warn", message, outcome, is_undoable=False)
        await self._read()

    @guarded(Permission.COMPOSE)
    async def dismiss(self) -> None:
        self.told, self._undo = Told(), []

    def _from_the_top(self) -> None:
        self._cursors, self._next = [""], ""

    async def _show_from_the_top(self) -> None:
        self._from_the_top()
        await self._read()

    def _address(self) -> str:
        pairs = {
            "status": "" if self.filter == "all" else self.filter,
            "q": self.search,
            "channel": self.account_id,
            "label": self.label,
        }
        return urlencode({name: value for name, value in pairs.items() if value})

    def _wanted(self) -> dict[str, Any]:
        statuses = tuple(status.value for status in FILTERS[self.filter][1])
        return {
            "status": statuses,
            "search": self.search,
            "account_id": self.account_id,
            "label": self.label,
        }

    async def _read(self) -> None:
        wanted = self._wanted()
        try:
            page = await read(posts.list_posts, cursor=self._cursors[-1], limit=PAGE_SIZE, **wanted)
        except InvalidInput:
            self._from_the_top()
            page = await read(posts.list_posts, limit=PAGE_SIZE, **wanted)
        by_status = await read(posts.count_posts_by_status)
        self.rows, self._next = page.items, page.next_cursor
        self.has_older, self.page = bool(page.next_cursor), len(self._cursors)
        self.counts = {name: _count(by_status, statuses) for name, (_, statuses) in FILTERS.items()}
        self.address = self._address()
        pairs = [("status", status) for status in wanted["status"]] + [("search", self.search)]
        self.export_query = urlencode([pair for pair in pairs if pair[1]])


_DONE = {
    Act.SHIFT: "moved",
    Act.CANCEL: "cancelled",
    Act.DELETE: "deleted",
    Act.DUPLICATE: "copied as a draft",
    Act.SCHEDULE: "scheduled",
    Act.QUEUE: "put into the queue",
    Act.PUBLISH: "on the way out",
    Act.APPROVE: "approved",
    Act.RETRY: "being tried again",
}
_SHOWN_REFUSALS = 8


def _told(act: Act, outcome: BulkOutcome, *, is_undoable: bool) -> Told:
    verb = _DONE[act]
    if act in (Act.SCHEDULE, Act.PUBLISH) and current_principal().needs_approval:
        verb = "sent for approval"
    done = f"{_many(len(outcome.done))} {verb}." if outcome.done else "Nothing was changed."
    tone = "ok" if not outcome.refused else "warn" if outcome.done else "bad"
    return _tell(tone, done, outcome, is_undoable=is_undoable)


def _tell(tone: str, message: str, outcome: BulkOutcome, *, is_undoable: bool) -> Told:
    if outcome.refused:
        message += (
            f" {_many(len(outcome.refused))} left as {'it is' if len(outcome.refused) == 1 else 'they are'}:"
        )
    return Told(
        tone=tone,
        message=message,
        refused=outcome.refused[:_SHOWN_REFUSALS],
        more_refused=max(0, len(outcome.refused) - _SHOWN_REFUSALS),
        can_undo=is_undoable,
    )


def _many(count: int) -> str:
    return "1 post" if count == 1 else f"{count} posts"


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
