"""Audit log: who did what, when, from where."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import button, card, card_foot, empty_state, go_to, icon, page_head
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
        rx.el.div(_kind(), _actor(), class_name="row wrap filters"),
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
