"""Posts that repeat: each series with its coming occurrences, one left out or changed alone."""

from __future__ import annotations

from typing import Annotated, Any

import reflex as rx
from pydantic import Field

from contentcaster.errors import Conflict, InvalidInput, NotFound
from contentcaster.security.permissions import Permission
from contentcaster.services import series
from contentcaster.services.series_views import SeriesView
from contentcaster.state.bridge import read, write
from contentcaster.state.flash import flash
from contentcaster.state.marks import guarded
from contentcaster.state.page import page_load

_Id = Annotated[str, Field(max_length=26)]
_Wall = Annotated[str, Field(max_length=32)]


class RecurringState(rx.State):
    rows: list[SeriesView] = []
    show_ended: bool = False

    @page_load(Permission.COMPOSE)
    async def load(self) -> None:
        self.show_ended = False
        await self._read()

    @page_load(Permission.COMPOSE)
    async def refresh(self) -> None:
        await self._read()

    @guarded(Permission.COMPOSE)
    async def set_ended(self, value: bool) -> None:
        self.show_ended = value
        await self._read()

    @guarded(Permission.COMPOSE)
    async def skip(self, series_id: _Id, wall_time: _Wall) -> None:
        await self._do(series.skip, series_id, wall_time)

    @guarded(Permission.COMPOSE)
    async def unskip(self, series_id: _Id, wall_time: _Wall) -> None:
        await self._do(series.unskip, series_id, wall_time)

    @guarded(Permission.COMPOSE)
    async def edit(self, series_id: _Id, wall_time: _Wall) -> Any:
        """Change this one alone: its post is made now if it was not yet."""
        try:
            post = await write(series.make_now, series_id, wall_time)
        except (Conflict, InvalidInput, NotFound) as error:
            await flash(self, "bad", error.message)
            return None
        return rx.redirect(f"/studio?post={post.id}")

    @guarded(Permission.COMPOSE)
    async def end(self, series_id: _Id) -> None:
        await self._do(series.end_series, series_id)

    async def _do(self, service: Any, *arguments: str) -> None:
        try:
            await write(service, *arguments)
        except (Conflict, InvalidInput, NotFound) as error:
            await flash(self, "bad", error.message)
        await self._read()

    async def _read(self) -> None:
        self.rows = await read(series.list_series, is_active=not self.show_ended)
