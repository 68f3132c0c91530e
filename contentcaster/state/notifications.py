"""The inbox: what a person was told, and what they want to be told."""

from __future__ import annotations

from typing import Annotated, Literal

import reflex as rx
from pydantic import Field

from contentcaster.models import NotificationKind
from contentcaster.security.permissions import Permission
from contentcaster.services import notifications
from contentcaster.services.notifications import NotificationView, PreferenceView
from contentcaster.state.bridge import read, write
from contentcaster.state.marks import guarded
from contentcaster.state.page import page_load

PAGE_SIZE = 30
MAX_SHOWN = 200

Id = Annotated[str, Field(max_length=26)]


class NotificationsState(rx.State):
    items: list[NotificationView] = []
    unread: int = 0
    is_unread_only: bool = False
    has_more: bool = False
    preferences: list[PreferenceView] = []
    can_mail: bool = False
    _wanted: int = PAGE_SIZE

    @page_load(Permission.OWN_PROFILE)
    async def load(self) -> None:
        """Arrive at the newest."""
        self._wanted = PAGE_SIZE
        await self._read()

    @page_load(Permission.OWN_PROFILE)
    async def refresh(self) -> None:
        """Something new, or read in another tab."""
        await self._read()

    async def _read(self) -> None:
        page = await read(
            notifications.list_notifications, unread_only=self.is_unread_only, limit=self._wanted
        )
        self.items, self.has_more = page.items, bool(page.next_cursor) and self._wanted < MAX_SHOWN
        self.unread = await read(notifications.count_unread)
        self.preferences = await read(notifications.list_preferences)
        self.can_mail = notifications.is_mail_set_up()

    @guarded(Permission.OWN_PROFILE)
    async def show(self, which: Literal["all", "unread"]) -> None:
        """All, or only what is unread."""
        self.is_unread_only, self._wanted = which == "unread", PAGE_SIZE
        await self._read()

    @guarded(Permission.OWN_PROFILE)
    async def show_more(self) -> None:
        """Older ones, below."""
        self._wanted = min(self._wanted + PAGE_SIZE, MAX_SHOWN)
        await self._read()

    @guarded(Permission.OWN_PROFILE)
    async def mark_read(self, notification_id: Id) -> None:
        """It was looked at."""
        await write(notifications.mark_read, [notification_id])
        await self._read()

    @guarded(Permission.OWN_PROFILE)
    async def mark_all_read(self) -> None:
        """All of them were."""
        await write(notifications.mark_read)
        await self._read()

    @guarded(Permission.OWN_PROFILE)
    async def choose(self, kind: NotificationKind, where: Literal["in_app", "email"], is_on: bool) -> None:
        """Want one kind in the inbox, by mail, both or not at all."""
        row = next((row for row in self.preferences if row.kind == kind.value), None)
        if row is None:
            return
        in_app, email = (is_on, row.email) if where == "in_app" else (row.in_app, is_on)
        await write(notifications.set_preference, kind, in_app=in_app, email=email)
        self.preferences = await read(notifications.list_preferences)
