"""Loading a page: its data, or a panel that says why there is none."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import reflex as rx
from reflex_base.event import EventHandler

from contentcaster.errors import ContentCasterError, NotSignedIn, Unavailable
from contentcaster.security.permissions import Permission
from contentcaster.state.flash import flash
from contentcaster.state.marks import guarded

_LOAD_MARK = "__contentcaster_page_load__"


class PageState(rx.State):
    """Whether the page of this tab could be shown; the frame reads it (pages/base.py)."""

    problem: str = ""
    problem_code: str = ""
    problem_path: str = ""
    _loaded_path: str = ""

    def _show_problem(self, error: ContentCasterError) -> None:
        self.problem = error.message
        self.problem_code = error.code
        self.problem_path = self.router.url.path

    def _show_body(self) -> None:
        self.problem = ""
        self._loaded_path = self.router.url.path

    @property
    def _has_body(self) -> bool:
        return self._loaded_path == self.router.url.path and not self.problem


def page_load(*permissions: Permission) -> Callable[[Callable[..., Any]], Any]:
    """Mark an async method as the one that fills a page, on arrival and whenever one of its topics changes.

    A typed error becomes the page's content instead of a passing message. While the database is away, what is
    already on screen stays there.
    """

    def decorate(fn: Callable[..., Any]) -> Any:
        @functools.wraps(fn)
        async def load(self: rx.State) -> Any:
            try:
                result = await fn(self)
            except NotSignedIn:
                raise
            except ContentCasterError as error:
                await show_problem(self, error)
                return None
            (await self.get_state(PageState))._show_body()
            return result

        setattr(load, _LOAD_MARK, True)
        return guarded(*permissions)(load)

    return decorate


def is_page_load(handler: EventHandler) -> bool:
    """Whether the handler fills a page."""
    return bool(getattr(handler.fn, _LOAD_MARK, False))


async def show_problem(state: Any, error: ContentCasterError) -> None:
    """Put the error where the page would be, or say it in passing if the page is already there."""
    page = await state.get_state(PageState)
    if isinstance(error, Unavailable) and page._has_body:
        await flash(state, "warn", error.message)
    else:
        page._show_problem(error)
