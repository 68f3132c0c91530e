"""What Home shows."""

from __future__ import annotations

import reflex as rx

from contentcaster.security.permissions import Permission
from contentcaster.state.page import page_load


class HomeState(rx.State):
    @page_load(Permission.OWN_PROFILE)
    async def load(self) -> None:
        """Read everything anew."""
