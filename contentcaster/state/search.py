"""The search of the top bar."""

from __future__ import annotations

from typing import Annotated

import reflex as rx
from pydantic import Field

from contentcaster.security.permissions import Permission
from contentcaster.services import search
from contentcaster.services.search import SearchHit
from contentcaster.state.bridge import read
from contentcaster.state.marks import guarded


class SearchState(rx.State):
    hits: list[SearchHit] = []
    answered: str = ""
    """The query that `hits` answer, so that a late answer is not shown for newer words."""

    @guarded(Permission.OWN_PROFILE)
    async def find(self, query: Annotated[str, Field(max_length=search.MAX_QUERY_LENGTH)]) -> None:
        self.hits = await read(search.find, query)
        self.answered = query
