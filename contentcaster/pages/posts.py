"""Posts: all of them with their live status."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import button, card, card_foot, empty_state, icon, link_button, page_head
from contentcaster.components.posts import channel_avatars, post_excerpt, post_extras, post_when
from contentcaster.components.shell import NavItem, can
from contentcaster.components.status import status_pill
from contentcaster.components.tables import table
from contentcaster.pages.base import Page
from contentcaster.security.permissions import Permission
from contentcaster.services.views import PostRow
from contentcaster.state.posts import FILTERS, MAX_ROWS, READS_POSTS, PostsState
from contentcaster.state.shell import ShellState


def body() -> rx.Component:
    return rx.fragment(
        page_head("Posts", _search()),
        card(
            _tabs(),
            rx.cond(PostsState.rows, _table(), _empty()),
            rx.cond(PostsState.has_more, card_foot(button("Show more", on_click=PostsState.show_more))),
        ),
        rx.cond(
            PostsState.rows.length() >= MAX_ROWS,
            rx.el.p(f"The newest {MAX_ROWS} are shown; search to find older ones.", class_name="sm muted"),
        ),
    )


def _search() -> rx.Component:
    return rx.el.div(
        icon("search", 15),
        rx.el.input(
            type="search",
            class_name="input",
            placeholder="Search text or labels",
            aria_label="Search posts",
            default_value=PostsState.search,
            on_change=PostsState.set_search.debounce(250),
            custom_attrs={"data-shortcut": "/", "data-shortcut-focus": "", "aria-keyshortcuts": "/"},
        ),
        class_name="search push",
    )


def _tabs() -> rx.Component:
    return rx.el.div(
        *[_tab(name, title) for name, (title, _) in FILTERS.items()], class_name="tabs", role="tablist"
    )


def _tab(name: str, title: str) -> rx.Component:
    count = PostsState.counts.get(name, 0).to(int)
    is_on = PostsState.filter == name
    return rx.el.button(
        title,
        rx.cond(count > 0, rx.el.span(count, class_name="nav-count", style={"margin_left": "6px"})),
        type="button",
        role="tab",
        class_name=rx.cond(is_on, "tab on", "tab"),
        custom_attrs={"aria-selected": rx.cond(is_on, "true", "false")},
        on_click=PostsState.set_filter(name),
    )


def _table() -> rx.Component:
    return table(
        ["Post", "Channels", rx.fragment("When (", ShellState.timezone, ")"), "Status", "Author"],
        rx.foreach(PostsState.rows, _row),
        label="Posts",
        is_cards_when_narrow=True,
    )


def _row(post: rx.Var[PostRow]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(post_excerpt(post), post_extras(post), style={"min_width": "220px"}),
        rx.el.td(channel_avatars(post.channels)),
        rx.el.td(post_when(post)),
        rx.el.td(status_pill(post.status)),
        rx.el.td(post.author_name, class_name="muted nowrap hide-s"),
        key=post.id,
    )


def _empty() -> rx.Component:
    return rx.cond(
        (PostsState.search != "") | (PostsState.filter != "all"),
        empty_state("search", "Nothing here", "No post matches this filter and search."),
        empty_state(
            "send",
            "No posts yet",
            "Write once, send to many networks. Drafts, scheduled and published posts all appear here.",
            rx.cond(
                can(Permission.COMPOSE), link_button("New post", href="/studio", kind="p", icon_name="plus")
            ),
        ),
    )


PAGE = Page(
    route="/posts",
    title="Posts",
    body=body,
    load=PostsState.load,
    refresh=PostsState.refresh,
    topics=("posts",),
    nav=NavItem(
        "Posts", "/posts", "send", READS_POSTS, shortcut="g p", count=ShellState.counts.scheduled_posts
    ),
)
