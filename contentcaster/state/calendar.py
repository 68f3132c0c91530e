"""The calendar: the posts of the days on screen, and moving one of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

import reflex as rx
from pydantic import Field

from contentcaster.clock import utc_now
from contentcaster.errors import Conflict, InvalidInput
from contentcaster.models import PostStatus
from contentcaster.security.permissions import Permission
from contentcaster.services import accounts, posts, slots
from contentcaster.services.schedule import Schedule, format_when, load_zone, resolve
from contentcaster.services.slots import SlotView
from contentcaster.services.views import AccountView, PostRow
from contentcaster.state.bridge import read, write
from contentcaster.state.flash import flash
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.page import page_load

MAX_POSTS = 2000
MAX_DAYS = 62
WORDS_SHOWN = 90

MOVABLE = (PostStatus.SCHEDULED, PostStatus.PENDING_QUEUE)

FILTERS: dict[str, tuple[str, tuple[PostStatus, ...]]] = {
    "": ("All posts", ()),
    "waiting": ("Waiting", (PostStatus.SCHEDULED, PostStatus.PENDING_QUEUE)),
    "published": ("Published", (PostStatus.PUBLISHED, PostStatus.PARTLY_PUBLISHED)),
    "attention": (
        "Needs attention",
        (PostStatus.FAILED, PostStatus.NEEDS_REVIEW, PostStatus.MISSED, PostStatus.PARTLY_PUBLISHED),
    ),
    "approval": ("Waiting for approval", (PostStatus.PENDING_APPROVAL,)),
    "drafts": ("Drafts with a planned time", (PostStatus.DRAFT,)),
}
"""Name -> title and statuses."""

Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
Id = Annotated[str, Field(max_length=64)]


class CalendarState(rx.State):
    entries: list[dict[str, Any]] = []
    channels: list[AccountView] = []
    filter: str = ""
    channel_id: str = ""
    color_by: str = "status"
    is_cut: bool = False
    """Whether more posts lie in these days than are shown."""
    ghosts: list[dict[str, Any]] = []
    """Free queue slots of these days: one per instant."""
    shows_slots: bool = True
    moved: str = ""
    """What the last drag did, while it can be undone."""
    _start: str = ""
    _end: str = ""
    _undo: tuple[str, str, str] = ("", "", "")
    """Post, the instant it had, its zone."""

    @page_load(Permission.COMPOSE)
    async def load(self) -> None:
        """Arrive; the calendar then says which days it shows."""
        self.channels = await read(accounts.list_accounts)
        self.moved, self.filter, self.channel_id = "", "", ""
        await self._read()

    @page_load(Permission.COMPOSE)
    async def refresh(self) -> None:
        """Somebody changed a post: draw the same days again."""
        await self._read()

    @guarded(Permission.COMPOSE)
    async def show_range(self, start: Day, end: Day) -> None:
        """The days from `start` up to, not including, `end`."""
        self._start, self._end = start, end
        await self._read()

    @guarded(Permission.COMPOSE)
    async def set_filter(self, value: Annotated[str, Field(max_length=20)]) -> None:
        """Only posts of one kind."""
        self.filter = value if value in FILTERS else ""
        await self._read()

    @guarded(Permission.COMPOSE)
    async def set_channel(self, value: Id) -> None:
        """Only posts on one channel."""
        self.channel_id = value
        await self._read()

    @guarded(Permission.COMPOSE)
    async def set_color_by(self, value: Literal["status", "channel"]) -> None:
        """What the colours mean."""
        self.color_by = value

    @guarded(Permission.COMPOSE)
    async def set_shows_slots(self, value: bool) -> None:
        """Whether free queue slots are drawn."""
        self.shows_slots = value
        await self._read()

    async def _read(self) -> None:
        if not self._start:
            return
        zone = current_principal().timezone
        first = date.fromisoformat(self._start)
        last = min(date.fromisoformat(self._end), first + timedelta(days=MAX_DAYS))
        rows = await read(
            posts.list_scheduled_between,
            _start_of(first, zone),
            _start_of(last, zone),
            status=FILTERS[self.filter][1],
            limit=MAX_POSTS,
        )
        self.is_cut = len(rows) == MAX_POSTS
        self.entries = [_entry(row) for row in rows if self._is_wanted(row)]
        free = []
        if self.shows_slots and self.filter in ("", "waiting"):
            free = await read(slots.list_free_between, _start_of(first, zone), _start_of(last, zone))
        self.ghosts = _ghosts([slot for slot in free if self.channel_id in ("", slot.account_id)])

    def _is_wanted(self, row: PostRow) -> bool:
        return not self.channel_id or any(each.account_id == self.channel_id for each in row.channels)

    @guarded(Permission.COMPOSE)
    async def move(self, post_id: Id, wall_time: Annotated[str, Field(max_length=20)], version: int) -> None:
        """A post was dragged to another time."""
        person = current_principal()
        before = await read(posts.get_post, post_id)
        try:
            # Dragging cannot ask which of two readings is meant when the clocks change: the first one.
            chosen = resolve(Schedule.wall(wall_time, person.timezone, fold=0), now=utc_now())
            when = Schedule.at(chosen.at, before.timezone)
            after = await write(posts.schedule_post, post_id, when, version=version)
        except (Conflict, InvalidInput) as error:
            await flash(self, "bad", f"Not moved. {error.message}")
            await self._read()
            return
        if before.scheduled_at is not None and after.scheduled_at is not None:
            self._undo = (post_id, before.scheduled_at.isoformat(), before.timezone)
            self.moved = f"Moved to {format_when(after.scheduled_at, person.timezone)}."
        await self._read()

    @guarded(Permission.COMPOSE)
    async def undo(self) -> None:
        """Put the last dragged post back."""
        post_id, instant, zone = self._undo
        self.moved, self._undo = "", ("", "", "")
        if not post_id:
            return
        try:
            await write(posts.schedule_post, post_id, Schedule.parse(instant, zone))
        except (Conflict, InvalidInput) as error:
            await flash(self, "bad", f"It stays where it is. {error.message}")
        else:
            await flash(self, "ok", "Put back where it was.")
        await self._read()

    @guarded(Permission.COMPOSE)
    async def forget_undo(self) -> None:
        """The move is meant."""
        self.moved = ""


def _start_of(day: date, zone: str) -> datetime:
    """Midnight there, as an instant."""
    return datetime.combine(day, time(), tzinfo=load_zone(zone)).astimezone(UTC)


def _ghosts(free: list[SlotView]) -> list[dict[str, Any]]:
    names: dict[str, list[str]] = {}
    for slot in free:
        name = f"{slot.channel.platform_name} {slot.channel.handle}"
        names.setdefault(slot.at.isoformat(), []).append(name)
    return [{"at": at, "names": ", ".join(found[:6]), "count": len(found)} for at, found in names.items()]


def _entry(row: PostRow) -> dict[str, Any]:
    """Little enough that two thousand of them are no burden."""
    return {
        "id": row.id,
        "text": " ".join(row.text.split())[:WORDS_SHOWN],
        "status": row.status,
        "at": row.scheduled_at.isoformat() if row.scheduled_at is not None else "",
        "version": row.version,
        "is_movable": row.status in MOVABLE,
        "channels": [
            {"color": each.color, "name": f"{each.platform_name} {each.handle}"} for each in row.channels
        ],
    }
