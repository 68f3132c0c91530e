"""Channels: every login we post through, its health, and the dialog that connects another."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import (
    avatar,
    button,
    card,
    empty_state,
    external_link,
    go_to,
    icon,
    notice,
    page_head,
    pill,
)
from contentcaster.components.connect import connect_dialog
from contentcaster.components.dialogs import dialog_close
from contentcaster.components.fields import checkbox, field, text_input
from contentcaster.components.shell import NavItem, can
from contentcaster.components.times import local_time, since
from contentcaster.pages.base import Page
from contentcaster.security.permissions import Permission
from contentcaster.services.views import AccountView, PostRow
from contentcaster.state.channels import ChannelCard
from contentcaster.state.channels import ChannelsState as S
from contentcaster.state.shell import ShellState


def body() -> rx.Component:
    return rx.fragment(
        page_head(
            "Channels",
            rx.cond(S.connected_count > 0, pill(rx.fragment(S.connected_count, " connected"), "ok")),
            rx.cond(
                S.broken_count > 0,
                pill(
                    rx.fragment(
                        S.broken_count, rx.cond(S.broken_count == 1, " needs", " need"), " a new login"
                    ),
                    "bad",
                ),
            ),
            rx.cond(can(Permission.MANAGE_ACCOUNTS), rx.el.span(_connect_button(), class_name="push")),
        ),
        rx.cond(
            S.cards,
            rx.el.ul(rx.foreach(S.cards, _channel), class_name="channel-grid"),
            card(
                rx.cond(
                    can(Permission.MANAGE_ACCOUNTS),
                    empty_state(
                        "radio-tower",
                        "No channel yet",
                        "A channel is one account on one network. Connect the built-in sandbox first and try "
                        "everything without a real account.",
                        _connect_button(),
                    ),
                    empty_state(
                        "radio-tower",
                        "No channel is shared with you yet",
                        "An admin connects channels and shares them with creators. They appear here at once.",
                    ),
                )
            ),
        ),
        connect_dialog(),
        _rename_dialog(),
        _remove_dialog(),
    )


def _connect_button() -> rx.Component:
    return button("Connect a channel", kind="p", icon_name="plus", on_click=S.open_connect)


def _channel(item: rx.Var[ChannelCard]) -> rx.Component:
    account = item.account
    return rx.el.li(
        rx.el.div(
            avatar(item.initial, "xl", style={"background": account.color}),
            rx.el.div(
                rx.el.h2(
                    go_to(account.display_name, href=f"/channels/{account.id}", class_name="row-link"),
                    class_name="clip",
                ),
                rx.el.div(account.platform_name, " · ", account.handle, class_name="sm muted clip"),
                style={"min_width": "0", "flex": "1"},
            ),
            _status(account),
            class_name="row",
        ),
        rx.cond(account.status == "reauthorise", _needs_login(account)),
        rx.cond(
            account.status == "disabled",
            notice(account.status_reason, " Its posts wait and go out once it is on again.", tone="warn"),
        ),
        rx.cond(
            item.is_rate_limited,
            notice(
                "The network asked us to wait until ",
                local_time(account.rate_limited_until, "time"),
                ".",
                tone="warn",
            ),
        ),
        _facts(item),
        rx.el.div(
            rx.cond(account.is_manageable, _check_button(account)),
            rx.cond(account.profile_url != "", external_link("Open it", account.profile_url)),
            rx.cond(account.is_manageable, rx.el.span(_menu(account), class_name="push")),
            class_name="row channel-foot",
        ),
        class_name="card channel-card",
        custom_attrs={"data-channel": account.handle, "data-status": account.status},
    )


def _status(account: rx.Var[AccountView]) -> rx.Component:
    return rx.match(
        account.status,
        ("connected", pill("Connected", "ok")),
        ("reauthorise", pill("Needs login", "bad")),
        pill("Switched off"),
    )


def _needs_login(account: rx.Var[AccountView]) -> rx.Component:
    return notice(
        rx.el.p(
            rx.cond(account.status_reason != "", account.status_reason, "The network refused its login.")
        ),
        rx.el.p("Its posts are kept and nothing is sent until it is connected again.", class_name="xs muted"),
        rx.cond(
            account.is_manageable,
            rx.el.div(
                button("Reconnect", kind="p s", on_click=S.open_reconnect(account.id)),
                style={"margin_top": "8px"},
            ),
            rx.el.p("An admin can reconnect it.", class_name="xs"),
        ),
        tone="bad",
    )


def _facts(item: rx.Var[ChannelCard]) -> rx.Component:
    account = item.account
    return rx.el.dl(
        _fact(
            "Owner",
            rx.fragment(
                account.owner_name, rx.cond(account.is_shared, " · shared with all creators", " · not shared")
            ),
        ),
        _fact("Login", _expiry(item)),
        _fact("Checked", rx.cond(account.checked_at, since(account.checked_at), "not yet")),
        _fact(
            "Waiting",
            rx.cond(
                account.scheduled_count > 0,
                rx.fragment(
                    account.scheduled_count, rx.cond(account.scheduled_count == 1, " post", " posts")
                ),
                "no post",
            ),
        ),
        _fact("Limits", item.limits),
        rx.cond(account.granted_scopes, _fact("Rights", account.granted_scopes.join(", "))),
        class_name="channel-facts sm num",
    )


def _expiry(item: rx.Var[ChannelCard]) -> rx.Component:
    expires = item.account.token_expires_at
    return rx.cond(
        expires,
        rx.cond(
            item.is_expired,
            rx.el.span("expired ", since(expires), class_name="tone-bad"),
            rx.el.span("expires ", since(expires), class_name=rx.cond(item.is_expiring, "tone-warn b", "")),
        ),
        "does not expire",
    )


def _fact(label: str, value: object) -> rx.Component:
    return rx.el.div(rx.el.dt(label), rx.el.dd(value))


def _check_button(account: rx.Var[AccountView]) -> rx.Component:
    is_checking = S.checking.contains(account.id)
    return button(
        rx.cond(is_checking, "Asking …", "Check now"),
        kind="s",
        icon_name="activity",
        disabled=is_checking,
        on_click=S.check(account.id),
    )


def _menu(account: rx.Var[AccountView]) -> rx.Component:
    item = rx.dropdown_menu.item
    return rx.dropdown_menu.root(
        rx.dropdown_menu.trigger(
            button(icon("ellipsis"), kind="g s icon", aria_label="More for this channel", title="More")
        ),
        rx.dropdown_menu.content(
            item(icon("pencil"), "Rename", on_select=S.ask_name(account.id)),
            rx.cond(
                account.is_shared,
                item(icon("lock"), "Stop sharing", on_select=S.set_shared(account.id, False)),
                item(icon("users"), "Share with all creators", on_select=S.set_shared(account.id, True)),
            ),
            item(icon("key-round"), "Reconnect", on_select=S.open_reconnect(account.id)),
            rx.cond(
                account.status == "disabled",
                item(icon("power"), "Switch on", on_select=S.set_enabled(account.id, True)),
                item(icon("power-off"), "Switch off", on_select=S.set_enabled(account.id, False)),
            ),
            rx.dropdown_menu.separator(),
            item(icon("trash-2"), "Remove …", color="red", on_select=S.ask_remove(account.id)),
            class_name="menu",
            align="end",
        ),
    )


def _rename_dialog() -> rx.Component:
    return rx.dialog.root(
        rx.dialog.content(
            rx.dialog.title("Rename this channel", size="4"),
            rx.dialog.description(
                "The name colleagues see here. Nothing changes on the network.",
                size="2",
                color_scheme="gray",
                margin_bottom="14px",
            ),
            rx.el.form(
                field(
                    "Name",
                    text_input(
                        id="display_name",
                        default_value=S.renaming_name,
                        auto_focus=True,
                        auto_complete="off",
                        error=S.rename_error,
                    ),
                    for_="display_name",
                    error=S.rename_error,
                ),
                rx.el.div(
                    dialog_close(button("Not now")),
                    button("Rename", kind="p", type="submit"),
                    class_name="row dialog-actions",
                ),
                on_submit=S.rename,
            ),
            class_name="dialog",
        ),
        open=S.renaming_id != "",
        on_open_change=S.set_rename_open,
    )


def _remove_dialog() -> rx.Component:
    return rx.dialog.root(
        rx.dialog.content(
            rx.dialog.title("Remove ", S.removing_name, "?", size="4"),
            rx.dialog.description(
                "Its login is forgotten. What it published stays on the network and in the history here.",
                size="2",
                color_scheme="gray",
                margin_bottom="14px",
            ),
            rx.el.form(
                rx.cond(S.removing_count > 0, _dependants()),
                rx.cond(S.remove_error != "", notice(S.remove_error, tone="bad", role="alert")),
                rx.el.div(
                    dialog_close(button("Keep it")),
                    button("Remove the channel", kind="d", type="submit"),
                    class_name="row dialog-actions",
                ),
                on_submit=S.remove,
                class_name="stack",
            ),
            class_name="dialog",
        ),
        open=S.removing_id != "",
        on_open_change=S.set_remove_open,
    )


def _dependants() -> rx.Component:
    shown = S.removing_posts.length()
    return rx.el.div(
        rx.el.p(
            rx.cond(S.removing_count == 1, "1 post waits", rx.fragment(S.removing_count, " posts wait")),
            " to go out through it:",
            class_name="sm b",
        ),
        rx.el.ul(rx.foreach(S.removing_posts, _dependant), class_name="dependants sm"),
        rx.cond(
            S.removing_count > shown,
            rx.el.p("and ", S.removing_count - shown, " more", class_name="xs muted"),
        ),
        checkbox("Cancel them on this channel", id="is_cancelling"),
        class_name="stack tight",
    )


def _dependant(post: rx.Var[PostRow]) -> rx.Component:
    return rx.el.li(
        rx.el.span(rx.cond(post.text != "", post.text, "(no text)"), class_name="clip"),
        local_time(post.scheduled_at, class_name="muted nowrap num push"),
        class_name="row",
    )


PAGE = Page(
    route="/channels",
    title="Channels",
    body=body,
    load=S.load,
    topics=("accounts",),
    refresh=S.refresh,
    nav=NavItem(
        "Channels",
        "/channels",
        "radio-tower",
        (Permission.VIEW_ACCOUNTS,),
        section="Run",
        shortcut="g n",
        count=ShellState.counts.channels_broken,
        is_count_bad=True,
    ),
)
