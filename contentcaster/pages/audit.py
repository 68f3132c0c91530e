"""Audit log: who did what, when, from where."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.components.basics import (
    FILE_LINK,
    button,
    card,
    card_foot,
    empty_state,
    go_to,
    icon,
    notice,
    page_head,
)
from contentcaster.components.shell import NavItem
from contentcaster.components.tables import table
from contentcaster.components.times import local_time, since
from contentcaster.pages.base import Page
from contentcaster.security.permissions import Permission
from contentcaster.state.audit import KINDS, AuditRow
from contentcaster.state.audit import AuditState as S
from contentcaster.state.shell import ShellState


def body() -> rx.Component:
    return rx.fragment(
        page_head(
            "Audit log",
            rx.el.span(
                "Written with each act, never changed. Times in ",
                ShellState.timezone,
                class_name="muted push hide-s",
            ),
        ),
        rx.el.div(
            _kind(),
            _actor(),
            _day("From day", S.since_day, S.set_since),
            _day("To day", S.until_day, S.set_until),
            rx.el.span(
                button("Verify", icon_name="shield-check", on_click=S.verify),
                rx.el.a(
                    icon("download"), "Export", href=S.export_href, class_name="btn", custom_attrs=FILE_LINK
                ),
                class_name="row push",
            ),
            class_name="row wrap filters",
        ),
        rx.cond(S.verdict != "", _verdict()),
        card(
            rx.cond(
                S.rows,
                table(
                    ["When", "Who", "What", "On", "Details", "From"],
                    rx.foreach(S.rows, _row),
                    label="Audit log",
                ),
                empty_state(
                    "scroll-text",
                    "Nothing to show",
                    "No act matches this filter. Sign-ins and changes of people, channels and queues are noted here.",
                ),
            ),
            rx.cond((S.page > 1) | (S.next_cursor != ""), _pager()),
            class_name="stacks",
        ),
    )


def _verdict() -> rx.Component:
    words = rx.fragment(
        rx.el.b(rx.cond(S.is_intact, "Intact. ", "Not intact. ")),
        S.verdict,
        rx.cond(
            S.mark != "",
            rx.el.div(
                "Keep this mark on another machine; ",
                rx.el.code("contentcaster audit verify --expect", class_name="mono"),
                " then also notices an older copy of the whole database: ",
                rx.el.code(S.mark, class_name="mono secret-text"),
                class_name="xs muted",
            ),
        ),
    )
    style = {"margin_bottom": "14px"}
    return rx.cond(
        S.is_intact,
        notice(words, tone="ok", role="status", style=style),
        notice(words, tone="bad", role="alert", style=style),
    )


def _day(label: str, value: rx.Var[str], on_change: Any) -> rx.Component:
    return rx.el.input(
        type="date", class_name="input day", aria_label=label, title=label, value=value, on_change=on_change
    )


def _kind() -> rx.Component:
    return rx.el.select(
        *[rx.el.option(title, value=kind) for kind, title in KINDS.items()],
        value=S.kind,
        on_change=S.set_kind,
        class_name="input narrow",
        aria_label="Kind of act",
    )


def _actor() -> rx.Component:
    return rx.el.div(
        icon("search", 15),
        rx.el.input(
            type="search",
            class_name="input",
            placeholder="Email of the person",
            aria_label="By whom: the whole email address",
            default_value=S.actor,
            on_change=S.set_actor.debounce(300),
            auto_complete="off",
            custom_attrs={"data-shortcut": "/", "data-shortcut-focus": "", "aria-keyshortcuts": "/"},
        ),
        class_name="search",
    )


def _row(row: rx.Var[AuditRow]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(
            local_time(row.at, class_name="nowrap num"),
            rx.el.div(since(row.at), class_name="xs faint num nowrap"),
        ),
        rx.el.td(row.actor, class_name="cell-who"),
        rx.el.td(
            rx.el.div(row.what, class_name="b"),
            rx.el.div(row.action, class_name="xs faint mono"),
            class_name="cell-what",
        ),
        rx.el.td(
            rx.cond(row.href != "", go_to(row.subject, href=row.href, class_name="link"), row.subject),
            class_name="cell-subject",
        ),
        rx.el.td(row.details, class_name="muted cell-subject"),
        rx.el.td(row.ip, class_name="mono faint nowrap"),
    )


def _pager() -> rx.Component:
    return card_foot(
        button("Newer", icon_name="arrow-left", kind="s", disabled=S.page == 1, on_click=S.newer),
        rx.el.span("Page ", S.page, class_name="sm muted num"),
        button("Older", icon("arrow-right"), kind="s", disabled=S.next_cursor == "", on_click=S.older),
    )


PAGE = Page(
    route="/audit",
    title="Audit log",
    body=body,
    load=S.load,
    topics=("posts", "failed_tasks", "accounts", "queues", "users"),
    refresh=S.refresh,
    nav=NavItem(
        "Audit log", "/audit", "scroll-text", (Permission.VIEW_AUDIT,), section="Run", shortcut="g l"
    ),
)
