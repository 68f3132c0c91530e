"""What the Studio's time picker asks the server: hints for a time, and what a rule comes to."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import reflex as rx
from pydantic import Field

from contentcaster.errors import InvalidInput
from contentcaster.security.permissions import Permission
from contentcaster.services import planning_hints, recurrence, series
from contentcaster.state.bridge import in_thread, read
from contentcaster.state.marks import guarded

_Ids = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=60)]
_Zone = Annotated[str, Field(max_length=80)]


class PlanningState(rx.State):
    hints: dict[str, Any] = {}
    preview: dict[str, Any] = {}
    """`rule` names what it belongs to; `items` or a `problem`."""

    @guarded(Permission.COMPOSE)
    async def look(self, account_ids: _Ids, zone: _Zone) -> None:
        """The next free slot and the best hour for a post on these channels."""
        self.hints = asdict(await read(planning_hints.look, account_ids, zone))

    @guarded(Permission.COMPOSE)
    async def show_rule(
        self,
        rule: Annotated[str, Field(max_length=600)],
        first: Annotated[str, Field(max_length=40)],
        zone: _Zone,
    ) -> None:
        """The next ten by this rule."""
        key = f"{rule}|{first}|{zone}"
        try:
            found = await in_thread(series.preview, rule, first, zone)
            words = recurrence.describe(recurrence.normalise(rule, first, zone), first)
        except InvalidInput as error:
            self.preview = {"key": key, "items": [], "words": "", "problem": error.message}
            return
        items = [{"at": each.at.isoformat(), "note": each.note} for each in found]
        problem = "" if items else "All its times have passed already. Choose a later first day."
        self.preview = {"key": key, "items": items, "words": words, "problem": problem}
