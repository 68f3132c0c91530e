"""What surrounds every page: who is signed in, the counts in the sidebar, and the truthful heartbeat."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import reflex as rx

from contentcaster.clock import utc_now
from contentcaster.errors import Unavailable
from contentcaster.security.permissions import Permission
from contentcaster.services import home, notifications, operations
from contentcaster.services.views import SidebarCounts
from contentcaster.state.bridge import read
from contentcaster.state.marks import current_principal, guarded

COUNT_TOPICS = ("posts", "failed_tasks", "accounts", "users", "notifications")
"""What may change the sidebar's counts, or the person's own role and name."""

BEAT_TOPICS = ("heartbeat", "workers", "queues")


class ShellState(rx.State):
    """Loaded with every page; carries nothing that the page's person may not see."""

    name: str = ""
    initials: str = ""
    role: str = ""
    timezone: str = "UTC"
    permissions: list[str] = []
    counts: SidebarCounts = SidebarCounts(0, 0, 0, 0, 0)
    unread: int = 0
    """Notifications, for the bell."""
    beat_level: str = ""
    beat_at: str = ""
    beat_text: str = ""

    @guarded(Permission.OWN_PROFILE)
    async def load(self) -> None:
        """Fill the frame; runs with every page."""
        await self._read_counts()
        await self._read_beat()

    @guarded(Permission.OWN_PROFILE)
    async def recount(self) -> None:
        """Show the newest counts and the person's own data; runs when one of COUNT_TOPICS changes."""
        await self._read_counts()

    @guarded(Permission.OWN_PROFILE)
    async def beat(self) -> None:
        """Show the newest heartbeat; runs when a worker has written one."""
        await self._read_beat()

    async def _read_counts(self) -> None:
        person = current_principal()
        self.name = person.name
        self.initials = _initials(person.name)
        self.role = person.role.value.capitalize()
        self.timezone = person.timezone
        self.permissions = sorted(person.permissions)
        with suppress(Unavailable):  # the page itself says so
            self.counts = await read(home.get_sidebar_counts)
            self.unread = await read(notifications.count_unread)

    async def _read_beat(self) -> None:
        try:
            beat = await read(operations.get_heartbeat)
        except Unavailable:
            self.beat_level, self.beat_at, self.beat_text = "bad", "", "the database does not answer"
            return
        self.beat_level = beat.level
        age_seconds = beat.seconds_since_alive
        self.beat_at = (
            (utc_now() - timedelta(seconds=age_seconds)).isoformat() if age_seconds is not None else ""
        )
        if beat.level == "ok":
            # The browser counts the age up by itself (components.shell), so it is left out of the text.
            self.beat_text = f"lag {beat.lag_seconds:.1f} s · queue ok"
        else:
            self.beat_text = beat.sentence.removeprefix("Publishing: ")


def _initials(name: str) -> str:
    words = name.split() or ["?"]
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()
