"""Notifications: the inbox, and what to be told of."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import (
    button,
    card,
    card_head,
    empty_state,
    go_to,
    icon,
    notice,
    page_head,
)
from contentcaster.components.times import since
from contentcaster.pages.base import Page
from contentcaster.services.notifications import NotificationView, PreferenceView
from contentcaster.state.notifications import NotificationsState as S

ICONS = {
    "post_failed": "circle-x",
    "team_post_failed": "circle-x",
    "needs_review": "circle-help",
    "approval_requested": "stamp",
    "approval_decided": "circle-check",
    "token_expiring": "key-round",
    "worker_down": "heart-pulse",
}


def body() -> rx.Component:
    return rx.fragment(
        page_head("Notifications", _views(), rx.el.div(_all_read(), class_name="push")),
        rx.el.div(_inbox(), _preferences(), class_name="grid2 inbox"),
    )


def _views() -> rx.Component:
    return rx.el.div(
        _view("All", "all", ~S.is_unread_only),
        _view("Unread", "unread", S.is_unread_only),
        class_name="row inbox-views",
        role="group",
        aria_label="Which to show",
    )


def _view(label: str, which: str, is_on: rx.Var[bool]) -> rx.Component:
    return rx.el.button(
        label,
        rx.cond((which == "unread") & (S.unread > 0), rx.el.span(S.unread, class_name="num")),
        type="button",
        class_name="chip",
        aria_pressed=rx.cond(is_on, "true", "false"),
        on_click=S.show(which),
    )


def _all_read() -> rx.Component:
    return rx.cond(
        S.unread > 0, button("Mark all as read", icon_name="check-check", on_click=S.mark_all_read)
    )


def _inbox() -> rx.Component:
    return card(
        rx.cond(
            S.items,
            rx.fragment(
                rx.el.ul(rx.foreach(S.items, _line), class_name="lines notes"),
                rx.cond(
                    S.has_more,
                    rx.el.div(button("Show older", kind="s", on_click=S.show_more), class_name="card-foot"),
                ),
            ),
            rx.cond(
                S.is_unread_only,
                empty_state("check-check", "All read", "What happens next appears here by itself."),
                empty_state(
                    "bell",
                    "Nothing to tell you yet",
                    "When a post fails, needs a look or waits for approval, you read it here, without reloading.",
                ),
            ),
        )
    )


def _line(item: rx.Var[NotificationView]) -> rx.Component:
    words = rx.fragment(
        rx.el.span(item.title, class_name=rx.cond(item.is_read, "note-title", "note-title b")),
        rx.cond(item.body != "", rx.el.span(item.body, class_name="sm muted clamp2")),
        rx.el.span(since(item.created_at), class_name="xs faint num"),
    )
    return rx.el.li(
        rx.match(
            item.kind,
            *[(kind, rx.el.span(icon(name, 18), class_name="note-icon " + kind)) for kind, name in ICONS.items()],
            icon("bell", 18),
        ),
        rx.cond(
            item.href != "",
            go_to(words, href=item.href, class_name="line-main", on_click=S.mark_read(item.id)),
            rx.el.div(words, class_name="line-main"),
        ),
        rx.cond(
            item.is_read,
            rx.fragment(),
            rx.el.button(
                icon("check", 15),
                rx.el.span("Mark as read: ", item.title, class_name="visually-hidden"),
                type="button",
                class_name="btn icon s g",
                on_click=S.mark_read(item.id),
                title="Mark as read",
            ),
        ),
        class_name=rx.cond(item.is_read, "line note", "line note unread"),
    )  # fmt: skip


def _preferences() -> rx.Component:
    return card(
        card_head(rx.el.h2("What to tell you")),
        rx.cond(
            S.can_mail,
            rx.fragment(),
            rx.el.div(
                notice(
                    "This server has no mail server yet. What you choose for mail counts once its operator sets "
                    "CONTENTCASTER_SMTP_URL."
                ),
                class_name="card-body",
            ),
        ),
        rx.cond(
            S.preferences,
            rx.el.div(
                rx.el.div(
                    rx.el.span(),
                    rx.el.span("Inbox"),
                    rx.el.span("Mail"),
                    class_name="wish wish-head xs faint b",
                    aria_hidden="true",
                ),
                rx.foreach(S.preferences, _wish),
            ),
            rx.el.div(
                rx.el.p(
                    "Your role is not told of anything: there is nothing to choose.", class_name="sm muted"
                ),
                class_name="card-body",
            ),
        ),
    )


def _wish(row: rx.Var[PreferenceView]) -> rx.Component:
    return rx.el.div(
        rx.el.div(
            rx.el.div(row.title, class_name="sm", style={"font_weight": "550"}),
            rx.el.div(row.help, class_name="xs muted"),
        ),
        _tick(row, "in_app", row.in_app, "in the inbox"),
        _tick(row, "email", row.email, "by mail"),
        class_name="wish",
    )


def _tick(row: rx.Var[PreferenceView], where: str, value: rx.Var[bool], words: str) -> rx.Component:
    return rx.el.label(
        rx.el.input(
            type="checkbox",
            checked=value,
            on_change=lambda is_on: S.choose(row.kind, where, is_on),
            id="wish-" + row.kind.to(str) + "-" + where,
        ),
        rx.el.span(row.title, ": ", words, class_name="visually-hidden"),
        class_name="check wish-tick",
    )


PAGE = Page(
    route="/notifications",
    title="Notifications",
    body=body,
    load=S.load,
    topics=("notifications",),
    refresh=S.refresh,
)
