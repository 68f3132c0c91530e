"""What Home shows."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.security.permissions import Permission
from contentcaster.services import home
from contentcaster.services.views import AttentionItem, PostRow
from contentcaster.state.bridge import read
from contentcaster.state.marks import current_principal
from contentcaster.state.page import page_load


class HomeState(rx.State):
    today: list[PostRow] = []
    today_count: int = 0
    published_today: int = 0
    next_up: list[PostRow] = []
    """The post that goes out next; none or one."""
    attention: list[AttentionItem] = []
    attention_count: int = 0
    scheduled_count: int = 0
    channels_connected: int = 0
    has_home: bool = False

    @page_load(Permission.OWN_PROFILE)
    async def load(self) -> Any:
        """Read everything anew; people who run the machinery land where they work."""
        person = current_principal()
        self.has_home = person.can(Permission.COMPOSE)
        if not self.has_home:
            if person.can(Permission.VIEW_OPERATIONS):
                return rx.redirect("/failed-tasks")
            return rx.redirect("/analytics") if person.can(Permission.VIEW_ANALYTICS) else None
        view = await read(home.get_home)
        self.today, self.today_count = view.today, view.today_count
        self.published_today = view.published_today
        self.next_up = [view.next_up] if view.next_up is not None else []
        self.attention = view.attention
        self.attention_count = sum(item.count for item in view.attention)
        self.scheduled_count = view.counts.scheduled_posts
        self.channels_connected = view.channels_connected
        return None
