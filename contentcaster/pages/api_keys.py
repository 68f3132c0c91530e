"""API keys: for programs that act as a person, with at most the permissions given to the key."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import (
    button,
    card,
    card_foot,
    empty_state,
    notice,
    page_head,
    pill,
)
from contentcaster.components.dialogs import confirm, dialog_close
from contentcaster.components.fields import checkbox, field, select, text_input
from contentcaster.components.secrets import shown_once
from contentcaster.components.shell import NavItem, can
from contentcaster.components.tables import table
from contentcaster.components.times import local_time, since
from contentcaster.pages.base import Page
from contentcaster.security.permissions import Permission
from contentcaster.services.api_keys import ApiKeyView
from contentcaster.state.api_keys import LIFETIMES
from contentcaster.state.api_keys import ApiKeysState as S


def body() -> rx.Component:
    return rx.fragment(
        page_head(
            "API keys",
            rx.el.span(
                rx.cond(can(Permission.MANAGE_USERS), _whose()),
                button("New key", kind="p", icon_name="key-round", on_click=S.open_new),
                class_name="row wrap push head-tools",
            ),
        ),
        card(
            rx.cond(
                S.keys,
                table(
                    ["Key", "May", "Used", "Expires", rx.el.span("Actions", class_name="visually-hidden")],
                    rx.foreach(S.keys, _row),
                    label="API keys",
                ),
                empty_state(
                    "key-round",
                    "No keys yet",
                    "A key lets a program act as you, with only the permissions you choose, until it expires.",
                    button("Make the first one", on_click=S.open_new),
                ),
            ),
            card_foot(
                rx.el.span(
                    "A program sends it as ",
                    rx.el.code("Authorization: Bearer cck_…", class_name="mono"),
                    ". What can be called: ",
                    rx.el.a("the API's own description", href="/api/docs", class_name="link"),
                    class_name="sm muted",
                )
            ),
            class_name="stacks",
        ),
        _dialog(),
    )


def _whose() -> rx.Component:
    return rx.el.select(
        rx.el.option("My keys", value="mine"),
        rx.el.option("Everybody's keys", value="all"),
        value=rx.cond(S.is_everyones, "all", "mine"),
        on_change=lambda value: S.show_everyones(value == "all"),
        class_name="input narrow",
        aria_label="Whose keys",
    )


def _row(key: rx.Var[ApiKeyView]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(
            rx.el.div(key.name, class_name="b"),
            rx.el.div(key.hint, "…", class_name="xs faint mono"),
            rx.cond(S.is_everyones, rx.el.div(key.owner, class_name="xs muted")),
            class_name="cell-what",
        ),
        rx.el.td(
            rx.el.span(
                rx.foreach(key.permissions, lambda name: rx.el.span(name, class_name="tag")),
                class_name="row wrap tags",
            ),
        ),
        rx.el.td(
            rx.cond(
                key.last_used_at,
                rx.fragment(since(key.last_used_at), rx.el.div(key.last_used_ip, class_name="xs faint mono")),
                rx.el.span("never", class_name="muted"),
            ),
            class_name="nowrap num",
        ),
        rx.el.td(
            rx.cond(key.is_active, local_time(key.expires_at, "day"), pill("Ended", "bad")),
            class_name="nowrap num",
        ),
        rx.el.td(
            confirm(
                button("Revoke", kind="s"),
                title=rx.fragment("Revoke ", key.name, "?"),
                text="Whatever uses this key is refused at once. It cannot be brought back.",
                action="Revoke",
                on_confirm=S.revoke(key.id),
                kind="d",
            )
        ),
        custom_attrs={"data-key": key.name},
    )


def _dialog() -> rx.Component:
    return rx.dialog.root(
        rx.dialog.content(rx.cond(S.made != "", _made(), _new()), class_name="dialog wide"),
        open=S.is_open,
        on_open_change=S.set_open,
    )


def _made() -> rx.Component:
    return shown_once(
        "Your new key",
        "Copy it now: only its hash is kept, so it cannot be shown again.",
        S.made,
        id="new-key",
        label="API key",
    )


def _new() -> rx.Component:
    name_error = S.errors.get("name", "").to(str)
    days_error = S.errors.get("expires_in_days", "").to(str)
    scope_error = S.errors.get("permissions", "").to(str)
    return rx.fragment(
        rx.dialog.title("New API key", size="4"),
        rx.dialog.description(
            "It acts as you and never gets more than you choose here, nor more than you may do yourself.",
            size="2",
            color_scheme="gray",
            margin_bottom="14px",
        ),
        rx.el.form(
            field(
                "Name",
                text_input(
                    id="key_name",
                    auto_complete="off",
                    auto_focus=True,
                    placeholder="CI server",
                    error=name_error,
                ),
                for_="key_name",
                help="What uses it, so that you know later.",
                error=name_error,
            ),
            rx.el.fieldset(
                rx.el.legend("It may", class_name="label"),
                rx.foreach(
                    S.choices,
                    lambda choice: checkbox(choice[1], id="scope_" + choice[0].to(str)),
                ),
                class_name="scopes",
            ),
            rx.cond(scope_error != "", notice(scope_error, tone="bad", role="alert")),
            field(
                "Expires in",
                select(
                    *[rx.el.option(words, value=days) for days, words in LIFETIMES.items()],
                    id="expires_in_days",
                    default_value="90",
                    error=days_error,
                ),
                for_="expires_in_days",
                error=days_error,
            ),
            rx.el.div(
                dialog_close(button("Not now")),
                button("Make the key", kind="p", type="submit"),
                class_name="row dialog-actions",
            ),
            on_submit=S.create,
            class_name="stack",
        ),
    )


PAGE = Page(
    route="/api-keys",
    title="API keys",
    body=body,
    load=S.load,
    topics=("users",),
    refresh=S.refresh,
    nav=NavItem(
        "API keys", "/api-keys", "key-round", (Permission.MANAGE_USERS,), section="Run", shortcut="g k"
    ),
)
