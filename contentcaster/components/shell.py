"""The frame around every page: sidebar by role, top bar with the heartbeat, user menu, shortcut help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import reflex as rx
from reflex.style import set_color_mode

from contentcaster.components.basics import avatar, go_to, icon, kbd, link_button, ready_mark
from contentcaster.components.native_form import native_form
from contentcaster.components.palette import palette
from contentcaster.components.times import heartbeat
from contentcaster.components.toast import flash_toast
from contentcaster.security.permissions import Permission
from contentcaster.state.search import SearchState
from contentcaster.state.shell import ShellState


@dataclass(frozen=True)
class NavItem:
    """A line in the sidebar, shown to people who hold one of `permissions`."""

    label: str
    href: str
    icon: str
    permissions: tuple[Permission, ...]
    section: str = ""
    shortcut: str = ""
    """Typed anywhere on a page, e.g. "g p"."""
    count: Any = None
    """A number Var shown at the right while it is not 0."""
    is_count_bad: bool = False


NEW_POST = "/studio"

WRITING_KEYS = (
    ("Schedule, or ask for approval", "Ctrl+Enter"),
    ("Save the draft", "Ctrl+S"),
    ("Undo", "Ctrl+Z"),
    ("Redo", "Ctrl+Shift+Z"),
    ("Complete a @name or #tag", "↓+Enter"),
)
"""What the composer's own scripts listen to (assets/js/composer*.js); on a Mac, Command does the same."""

THEMES = (
    ("light", "Light theme", "sun"),
    ("dark", "Dark theme", "moon"),
    ("system", "Theme of the system", "monitor"),
)


def shell(body: rx.Component, *, title: str, route: str, nav: Sequence[NavItem]) -> rx.Component:
    """A whole page: `body` inside the frame."""
    return rx.el.div(
        rx.el.a("Skip to content", href="#content", class_name="skip"),
        _sidebar(nav, route),
        rx.el.button(
            class_name="scrim",
            custom_attrs={"data-drawer": "close", "aria-label": "Close the menu"},
            tab_index=-1,
        ),
        rx.el.div(
            _top_bar(title, nav),
            rx.el.main(body, id="content", class_name="main", tab_index=-1),
        ),
        _help(nav),
        flash_toast(),
        ready_mark(),
        class_name="app",
    )


def can(*permissions: Permission) -> rx.Var[bool]:
    """Whether the person may; for showing or hiding only, the handlers and services decide."""
    allowed = ShellState.permissions.contains(permissions[0].value)
    for permission in permissions[1:]:
        allowed = allowed | ShellState.permissions.contains(permission.value)
    return allowed


def _sidebar(nav: Sequence[NavItem], route: str) -> rx.Component:
    sections: dict[str, list[NavItem]] = {}
    for item in nav:
        sections.setdefault(item.section, []).append(item)
    return rx.el.div(
        go_to(rx.el.img(src="/favicon.svg", alt=""), "ContentCaster", href="/", class_name="brand"),
        rx.el.nav(*[_section(name, items, route) for name, items in sections.items()], aria_label="Main"),
        rx.el.div(_user_menu(), class_name="me"),
        # Outside the menu, which is gone by the time the browser would post it.
        native_form(action="/auth/sign-out", id="sign-out", hidden=True),
        class_name="side",
        id="sidebar",
    )


def _section(name: str, items: list[NavItem], route: str) -> rx.Component:
    lines = [rx.cond(can(*item.permissions), _nav_link(item, route)) for item in items]
    body = rx.el.div(*lines, class_name="nav")
    if not name:
        return body
    needed = tuple(dict.fromkeys(permission for item in items for permission in item.permissions))
    return rx.fragment(rx.cond(can(*needed), rx.el.div(name, class_name="nav-cap")), body)


def _nav_link(item: NavItem, route: str) -> rx.Component:
    is_here = route == item.href or (item.href != "/" and route.startswith(item.href + "/"))
    badge: Any = rx.fragment()
    if item.count is not None:
        badge = rx.cond(
            item.count > 0,
            rx.el.span(item.count, class_name="nav-count bad" if item.is_count_bad else "nav-count"),
        )
    return go_to(
        icon(item.icon),
        item.label,
        badge,
        href=item.href,
        class_name="nav-link on" if is_here else "nav-link",
        shortcut=item.shortcut,
        **({"aria_current": "page"} if is_here else {}),
    )


def _top_bar(title: str, nav: Sequence[NavItem]) -> rx.Component:
    return rx.el.header(
        rx.el.button(
            icon("menu", 18),
            type="button",
            class_name="btn icon g menu-button",
            custom_attrs={
                "data-drawer": "toggle",
                "aria-expanded": "false",
                "aria-controls": "sidebar",
                "aria-label": "Menu",
            },
        ),
        rx.el.span(title, class_name="crumb"),
        palette(
            pages=[
                {
                    "label": item.label,
                    "href": item.href,
                    "shortcut": item.shortcut,
                    "permissions": [permission.value for permission in item.permissions],
                }
                for item in nav
            ],
            permissions=ShellState.permissions,
            hits=SearchState.hits,
            answered=SearchState.answered,
            on_search=SearchState.find,
        ),
        heartbeat(),
        _bell(),
        rx.cond(
            can(Permission.COMPOSE),
            link_button(
                rx.el.span("New post", class_name="hide-s"), rx.el.span(kbd("C"), class_name="hide-s"),
                href=NEW_POST, kind="p", icon_name="plus", shortcut="c", aria_label="New post",
            ),
        ),
        class_name="top",
    )  # fmt: skip


def _bell() -> rx.Component:
    return go_to(
        icon("bell", 17),
        rx.cond(
            ShellState.unread > 0,
            rx.el.span(
                rx.cond(ShellState.unread > 99, "99+", ShellState.unread), class_name="bell-count num"
            ),
        ),
        rx.el.span(
            rx.cond(ShellState.unread > 0, " unread notifications", "Notifications"),
            class_name="visually-hidden",
        ),
        href="/notifications",
        class_name="btn icon g bell",
        shortcut="g i",
        title="Notifications",
    )


def _user_menu() -> rx.Component:
    return rx.dropdown_menu.root(
        rx.dropdown_menu.trigger(
            rx.el.button(
                avatar(ShellState.initials, "me-av l"),
                rx.el.span(
                    rx.el.span(ShellState.name, class_name="b clip", style={"display": "block"}),
                    rx.el.span(
                        ShellState.role,
                        " · ",
                        ShellState.timezone,
                        class_name="xs faint clip",
                        style={"display": "block"},
                    ),
                    style={"min_width": "0"},
                ),
                type="button",
                class_name="me-button",
                custom_attrs={"aria-label": "Your account"},
            )
        ),
        rx.dropdown_menu.content(
            rx.dropdown_menu.item(icon("user-round"), "Your profile", on_select=rx.redirect("/profile")),
            rx.dropdown_menu.item(icon("key-round"), "API keys", on_select=rx.redirect("/api-keys")),
            rx.dropdown_menu.separator(),
            *[
                rx.dropdown_menu.item(icon(name), label, on_select=set_color_mode(mode))
                for mode, label, name in THEMES
            ],
            rx.dropdown_menu.separator(),
            rx.dropdown_menu.item(icon("log-out"), "Sign out", custom_attrs={"data-submit": "sign-out"}),
            class_name="menu",
            side="top",
        ),
    )


def _help(nav: Sequence[NavItem]) -> rx.Component:
    lines = [rx.fragment(rx.el.dt("New post"), rx.el.dd(kbd("c")))]
    lines += [
        rx.cond(
            can(*item.permissions),
            rx.fragment(rx.el.dt(item.label), rx.el.dd(*[kbd(key) for key in item.shortcut.split()])),
        )
        for item in nav
        if item.shortcut
    ]
    lines.append(rx.fragment(rx.el.dt("Notifications"), rx.el.dd(kbd("g"), kbd("i"))))
    lines.append(rx.fragment(rx.el.dt("Search everything"), rx.el.dd(kbd("Ctrl"), kbd("K"))))
    lines.append(rx.fragment(rx.el.dt("This help"), rx.el.dd(kbd("?"))))
    writing = [
        rx.fragment(rx.el.dt(label), rx.el.dd(*[kbd(key) for key in keys.split("+")]))
        for label, keys in WRITING_KEYS
    ]
    return rx.dialog.root(
        rx.dialog.trigger(
            rx.el.button(
                "Keyboard shortcuts",
                type="button",
                class_name="visually-hidden",
                custom_attrs={"data-shortcut": "?"},
            )
        ),
        rx.dialog.content(
            rx.dialog.title("Keyboard shortcuts", size="4"),
            rx.dialog.description(
                "Type them anywhere except in a text field.",
                size="2",
                color_scheme="gray",
                margin_bottom="14px",
            ),
            rx.el.dl(*lines, class_name="keys"),
            rx.cond(
                can(Permission.COMPOSE),
                rx.fragment(
                    rx.el.h3("While you write in the Studio", class_name="keys-head"),
                    rx.el.dl(*writing, class_name="keys"),
                ),
            ),
            class_name="dialog",
        ),
    )
