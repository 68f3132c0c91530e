"""What a page is, and how it becomes a route: one module per page, each with a `PAGE`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import reflex as rx
from reflex_base.event import EventHandler

from contentcaster.components.basics import card, empty_state, link_button, ready_mark
from contentcaster.components.shell import NavItem, shell
from contentcaster.state.hub import Interest, hub
from contentcaster.state.page import PageState
from contentcaster.state.shell import BEAT_TOPICS, COUNT_TOPICS, ShellState

COUNT_DELAY_SECONDS = 0.5


@dataclass(frozen=True)
class Page:
    """A console page inside the frame."""

    route: str
    title: str
    body: Callable[[], rx.Component]
    load: EventHandler
    """Made with @page_load: fills the page's State on arrival and again when a topic changes."""
    topics: tuple[str, ...] = ()
    """Live topics that make the page load again; `post:{post_id}` takes its value from the address."""
    refresh: EventHandler | None = None
    """Runs instead of `load` on a topic, e.g. to keep a filter or what is typed."""
    nav: NavItem | None = None


@dataclass(frozen=True)
class PlainPage:
    """A page without the frame, for people who are not signed in."""

    route: str
    title: str
    body: Callable[[], rx.Component]
    load: EventHandler | None = None


def register(app: rx.App, pages: Sequence[Page], plain_pages: Sequence[PlainPage]) -> None:
    """Add all pages to the app, their lines to the sidebar and their topics to the live hub."""
    nav = [page.nav for page in pages if page.nav is not None]
    for page in pages:
        app.add_page(
            _framed(page, nav),
            route=page.route,
            title=f"{page.title} · ContentCaster",
            on_load=[ShellState.load, page.load],
        )
        if page.topics:
            hub.declare(Interest(page.route, page.topics, page.refresh or page.load))
    # After the pages: what a tab shows is refreshed in the order of these declarations.
    hub.declare(Interest("*", COUNT_TOPICS, ShellState.recount, delay_seconds=COUNT_DELAY_SECONDS))
    hub.declare(Interest("*", BEAT_TOPICS, ShellState.beat))
    for plain in plain_pages:
        app.add_page(
            _plain(plain), route=plain.route, title=f"{plain.title} · ContentCaster", on_load=plain.load
        )


def _framed(page: Page, nav: Sequence[NavItem]) -> Callable[[], rx.Component]:
    # wraps() keeps the page's own module name, by which Reflex decides what is compiled into one chunk.
    @functools.wraps(page.body)
    def framed() -> rx.Component:
        content = rx.cond(PageState.problem != "", _problem(), page.body())
        return shell(
            rx.cond(rx.State.is_hydrated, content, _skeleton()), title=page.title, route=page.route, nav=nav
        )

    return framed


def _plain(page: PlainPage) -> Callable[[], rx.Component]:
    @functools.wraps(page.body)
    def with_mark() -> rx.Component:
        return rx.fragment(page.body(), ready_mark())

    return with_mark


def _problem() -> rx.Component:
    return card(
        empty_state(
            "circle-alert",
            PageState.problem,
            rx.match(
                PageState.problem_code,
                (
                    "unavailable",
                    "Posts that are already queued keep going out. This page comes back by itself.",
                ),
                ("not_found", "It may have been deleted, or it belongs to somebody else."),
                "",
            ),
            rx.el.a("Try again", href=PageState.problem_path, class_name="btn"),
            link_button("Home", href="/", kind="g"),
        ),
        role="alert",
    )


def _skeleton() -> rx.Component:
    return rx.el.div(
        *[rx.el.i() for _ in range(5)],
        class_name="skeleton",
        custom_attrs={"aria-busy": "true", "aria-label": "Loading"},
    )
