"""Posts: all of them with their live status, found by their words, many changed at once."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.components.address import address
from contentcaster.components.basics import (
    FILE_LINK,
    button,
    card,
    card_foot,
    empty_state,
    icon,
    link_button,
    page_head,
)
from contentcaster.components.dialogs import confirm
from contentcaster.components.fields import select
from contentcaster.components.posts import channel_avatars, post_excerpt, post_extras, post_when
from contentcaster.components.shell import NavItem, can
from contentcaster.components.status import status_pill
from contentcaster.components.tables import table
from contentcaster.pages.base import Page
from contentcaster.security.permissions import Permission
from contentcaster.services.bulk import Act, Refusal
from contentcaster.services.views import AccountView, PostRow
from contentcaster.state.posts import FILTERS, READS_POSTS, PostsState
from contentcaster.state.shell import ShellState

SHIFTS = (
    ("A week earlier", -7, 0),
    ("A day earlier", -1, 0),
    ("An hour earlier", 0, -60),
    ("An hour later", 0, 60),
    ("A day later", 1, 0),
    ("A week later", 7, 0),
)
"""Title, days, minutes."""


def body() -> rx.Component:
    return rx.fragment(
        address(PostsState.address),
        page_head("Posts", _search(), _channel_filter(), _label_filter(), _more()),
        rx.el.div(_told(), role="status", aria_live="polite"),
        card(
            _tabs(),
            rx.cond(PostsState.picked.length() > 0, _bulk_bar()),
            rx.cond(PostsState.rows, _table(), _empty()),
            rx.cond((PostsState.page > 1) | PostsState.has_older, _pager()),
        ),
    )


def _search() -> rx.Component:
    return rx.el.div(
        icon("search", 15),
        rx.el.input(
            type="search",
            class_name="input",
            placeholder="Search words and labels",
            aria_label="Search posts",
            default_value=PostsState.search,
            on_change=PostsState.set_search.debounce(250),
            custom_attrs={"data-shortcut": "/", "data-shortcut-focus": "", "aria-keyshortcuts": "/"},
        ),
        class_name="search push",
    )


def _channel_filter() -> rx.Component:
    return rx.cond(
        PostsState.channels.length() > 1,
        select(
            rx.el.option("All channels", value=""),
            rx.foreach(PostsState.channels, _channel),
            id="posts-channel",
            value=PostsState.account_id,
            on_change=PostsState.set_channel,
            aria_label="Channel",
            style={"max_width": "200px"},
        ),
    )


def _label_filter() -> rx.Component:
    return rx.cond(
        PostsState.labels,
        select(
            rx.el.option("All labels", value=""),
            # One that no post carries any more, or that came with the address.
            rx.cond(
                (PostsState.label != "") & ~PostsState.labels.contains(PostsState.label),
                rx.el.option("#", PostsState.label, value=PostsState.label),
            ),
            rx.foreach(PostsState.labels, lambda label: rx.el.option("#", label, value=label)),
            id="posts-label",
            value=PostsState.label,
            on_change=PostsState.set_label,
            aria_label="Label",
            style={"max_width": "170px"},
        ),
    )


def _channel(channel: rx.Var[AccountView]) -> rx.Component:
    return rx.el.option(channel.platform_name, " · ", channel.handle, value=channel.id)


def _more() -> rx.Component:
    """Files in and out."""
    return rx.el.div(
        rx.cond(
            can(Permission.COMPOSE), link_button("Import", href="/import", kind="s", icon_name="file-up")
        ),
        rx.cond(
            PostsState.rows,
            rx.el.a(
                icon("file-down"),
                "CSV",
                href="/api/v1/posts/export?format=csv&" + PostsState.export_query,
                class_name="btn s g",
                custom_attrs=FILE_LINK | {"aria-label": "Export these posts as CSV"},
            ),
        ),
        rx.cond(
            PostsState.rows,
            rx.el.a(
                icon("file-down"),
                "JSON",
                href="/api/v1/posts/export?format=json&" + PostsState.export_query,
                class_name="btn s g",
                custom_attrs=FILE_LINK | {"aria-label": "Export these posts as JSON"},
            ),
        ),
        class_name="row",
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


def _bulk_bar() -> rx.Component:
    count = PostsState.picked.length()
    return rx.el.div(
        rx.el.span(count, rx.cond(count == 1, " post chosen", " posts chosen"), class_name="b sm nowrap"),
        button("Choose all that match", kind="s g", on_click=PostsState.pick_all),
        button("None", kind="s g", on_click=PostsState.pick_none),
        rx.el.div(
            _shift_menu(),
            _act("Add to queue", "list-plus", Act.QUEUE),
            _act("Schedule as planned", "calendar-check", Act.SCHEDULE),
            confirm(
                button("Publish now", kind="s", icon_name="zap", disabled=PostsState.is_busy),
                title=rx.fragment("Publish ", count, rx.cond(count == 1, " post now?", " posts now?")),
                text="They go to all their channels within seconds, whatever time was planned. It cannot be undone.",
                action="Publish now",
                on_confirm=PostsState.act(Act.PUBLISH.value, 0, 0),
            ),
            _act("Duplicate", "copy", Act.DUPLICATE),
            rx.cond(can(Permission.APPROVE_POSTS), _act("Approve", "check", Act.APPROVE)),
            rx.cond(can(Permission.OPERATE), _act("Try again", "rotate-ccw", Act.RETRY)),
            confirm(
                button("Cancel", kind="s", icon_name="ban", disabled=PostsState.is_busy),
                title="Cancel what you chose?",
                text="Nothing more goes out of these posts. You can undo it afterwards.",
                action="Cancel them",
                on_confirm=PostsState.act(Act.CANCEL.value, 0, 0),
            ),
            _act("Delete drafts", "trash-2", Act.DELETE, kind="s d"),
            class_name="row wrap push bulk-acts",
        ),
        class_name="bulk-bar wrap",
        id="bulk",
        role="region",
        aria_label="What to do with the chosen posts",
        custom_attrs={"aria-busy": rx.cond(PostsState.is_busy, "true", "false")},
    )


def _act(title: Any, icon_name: str, act: Act, kind: str = "s") -> rx.Component:
    return button(
        title,
        kind=kind,
        icon_name=icon_name,
        disabled=PostsState.is_busy,
        on_click=PostsState.act(act.value, 0, 0),
    )


def _shift_menu() -> rx.Component:
    return rx.dropdown_menu.root(
        rx.dropdown_menu.trigger(
            button("Move", kind="s", icon_name="calendar-clock", disabled=PostsState.is_busy)
        ),
        rx.dropdown_menu.content(
            *[
                rx.dropdown_menu.item(title, on_select=PostsState.act(Act.SHIFT.value, days, minutes))
                for title, days, minutes in SHIFTS
            ],
            class_name="menu",
        ),
    )


def _told() -> rx.Component:
    told = PostsState.told
    return rx.cond(
        told.tone != "",
        rx.el.div(
            icon("info"),
            rx.el.div(
                rx.el.p(told.message, class_name="b"),
                rx.cond(
                    told.refused.length() > 0,
                    rx.el.ul(rx.foreach(told.refused, _refusal), class_name="refusals sm"),
                ),
                rx.cond(told.more_refused > 0, rx.el.p("and ", told.more_refused, " more", class_name="sm")),
                style={"flex": "1", "min_width": "0"},
            ),
            rx.cond(told.can_undo, button("Undo", kind="s", on_click=PostsState.undo)),
            button(
                icon("x", 14), kind="s g icon", on_click=PostsState.dismiss, aria_label="Dismiss this message"
            ),
            class_name="notice told " + told.tone.to(str),
            id="told",
        ),
    )


def _refusal(item: rx.Var[Refusal]) -> rx.Component:
    return rx.el.li(
        rx.cond(item.text != "", rx.el.span("“", item.text, "” ", class_name="b")),
        item.reason,
    )


def _table() -> rx.Component:
    return table(
        [
            rx.cond(can(Permission.COMPOSE), _pick_page(), ""),
            "Post",
            "Channels",
            rx.fragment("When (", ShellState.timezone, ")"),
            "Status",
            "Author",
        ],
        rx.foreach(PostsState.rows, _row),
        label="Posts",
        is_cards_when_narrow=True,
    )


def _pick_page() -> rx.Component:
    return rx.el.input(
        type="checkbox",
        id="pick-page",
        checked=PostsState.picked.length() >= PostsState.rows.length(),
        on_change=PostsState.pick_page,
        custom_attrs={"aria-label": "Choose all posts on this page"},
    )


def _row(post: rx.Var[PostRow]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(
            rx.cond(
                can(Permission.COMPOSE),
                rx.el.input(
                    type="checkbox",
                    class_name="pick",
                    checked=PostsState.picked.contains(post.id),
                    on_change=lambda is_picked: PostsState.pick(post.id, post.version, is_picked),
                    custom_attrs={"aria-label": "Choose “" + post.text.to(str)[:60] + "”"},
                ),
            ),
            class_name="pick-cell",
        ),
        rx.el.td(post_excerpt(post), post_extras(post), style={"min_width": "220px"}),
        rx.el.td(channel_avatars(post.channels)),
        rx.el.td(post_when(post)),
        rx.el.td(status_pill(post.status)),
        rx.el.td(post.author_name, class_name="muted nowrap hide-s"),
        key=post.id,
    )


def _pager() -> rx.Component:
    return card_foot(
        button(
            "Newer",
            kind="s",
            icon_name="chevron-left",
            disabled=PostsState.page == 1,
            on_click=PostsState.show_newer,
        ),
        rx.el.span("Page ", PostsState.page, class_name="sm muted num"),
        button(
            "Older",
            kind="s",
            icon_name="chevron-right",
            disabled=~PostsState.has_older,
            on_click=PostsState.show_older,
        ),
    )


def _empty() -> rx.Component:
    return rx.cond(
        (PostsState.search != "") | (PostsState.filter != "all") | (PostsState.account_id != ""),
        empty_state("search", "Nothing here", "No post matches this filter and search."),
        empty_state(
            "send",
            "No posts yet",
            "Write once, send to many networks. Drafts, scheduled and published posts all appear here.",
            rx.cond(
                can(Permission.COMPOSE), link_button("New post", href="/studio", kind="p", icon_name="plus")
            ),
            rx.cond(
                can(Permission.COMPOSE), link_button("Import a CSV file", href="/import", icon_name="file-up")
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
