"""Small parts that every page is made of. They take values or Vars and know no State.

Tones: "" (neutral), "ok", "warn", "bad", "info", "acc".
"""

from __future__ import annotations

from typing import Any

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

Child = Any
"""A component, a Var or plain text."""


FILE_LINK = {"download": "", "reloadDocument": True}
"""Attributes of a link to a file: without them the console's router takes the address for one of its pages."""


def ready_mark() -> rx.Component:
    """Says, to scripts and tests, when a page can be used: hydrated, connected, its first data there."""
    return rx.el.span(
        id="ready", hidden=True, custom_attrs={"data-ready": rx.cond(rx.State.is_hydrated, "yes", "no")}
    )


def icon(name: str, size: int = 16) -> rx.Component:
    """A Lucide icon; decoration only, so hidden from screen readers."""
    return rx.icon(name, size=size, stroke_width=1.75, custom_attrs={"aria-hidden": "true"})


def card(*children: Child, **props: Any) -> rx.Component:
    return rx.el.section(*children, **_classes("card", props))


def card_head(*children: Child) -> rx.Component:
    return rx.el.div(*children, class_name="card-head")


def card_body(*children: Child, **props: Any) -> rx.Component:
    return rx.el.div(*children, **_classes("card-body", props))


def card_foot(*children: Child) -> rx.Component:
    return rx.el.div(*children, class_name="card-foot")


def row(*children: Child, **props: Any) -> rx.Component:
    return rx.el.div(*children, **_classes("row", props))


def stack(*children: Child, **props: Any) -> rx.Component:
    return rx.el.div(*children, **_classes("stack", props))


def page_head(title: Child, *children: Child) -> rx.Component:
    """The page's only h1, with what belongs beside it."""
    return rx.el.div(rx.el.h1(title), *children, class_name="page-head")


def pill(text: Child, tone: Any = "", **props: Any) -> rx.Component:
    """A short state with a dot; `tone` may be a Var."""
    classes: Any = ("pill " + tone) if isinstance(tone, str) else "pill " + tone.to(str)
    return rx.el.span(text, class_name=classes, **props)


def button(
    *children: Child, kind: str = "", icon_name: str = "", shortcut: str = "", **props: Any
) -> rx.Component:
    """A push button; `kind` is any of p (primary), g (ghost), d (destructive), s (small), icon."""
    return rx.el.button(
        *_with_icon(icon_name, children),
        class_name=f"btn {kind}".strip(),
        type=props.pop("type", "button"),
        **_shortcut(shortcut, props),
    )


def link_button(
    *children: Child, href: Any, kind: str = "", icon_name: str = "", shortcut: str = "", **props: Any
) -> rx.Component:
    """A link that looks like a button: for going somewhere, not for doing something."""
    return go_to(
        *_with_icon(icon_name, children),
        href=href,
        class_name=f"btn {kind}".strip(),
        shortcut=shortcut,
        **props,
    )


def go_to(*children: Child, href: Any, shortcut: str = "", **props: Any) -> rx.Component:
    """A link to another page of the console, followed without reloading."""
    return ReactRouterLink.create(*children, to=href, **_shortcut(shortcut, props))


def external_link(text: Child, href: Any) -> rx.Component:
    """A link to another site, in a new tab; says so to screen readers."""
    return rx.el.a(
        text,
        rx.el.span(" (opens in a new tab)", class_name="visually-hidden"),
        " ↗",
        href=href,
        target="_blank",
        rel="noopener noreferrer",
        class_name="link",
    )


def kbd(keys: str) -> rx.Component:
    return rx.el.kbd(keys, class_name="kbd", custom_attrs={"aria-hidden": "true"})


def avatar(initials: Child, platform: Any = "", **props: Any) -> rx.Component:
    """Initials on a network's colour; `platform` may be a Var."""
    classes: Any = f"av {platform}" if isinstance(platform, str) else "av " + platform.to(str)
    return rx.el.span(initials, class_name=classes, custom_attrs={"aria-hidden": "true"}, **props)


def empty_state(icon_name: str, title: Child, text: Child, *actions: Child) -> rx.Component:
    """What a list shows while it has nothing: what would be here, and how to get it here."""
    return rx.el.div(
        rx.el.div(icon(icon_name, 20), class_name="icon"),
        rx.el.h2(title),
        rx.el.p(text),
        rx.el.div(*actions, class_name="row") if actions else rx.fragment(),
        class_name="empty",
    )


def notice(*children: Child, tone: str = "info", **props: Any) -> rx.Component:
    """A sentence or two that stays on the page."""
    names = {"info": "info", "ok": "circle-check", "warn": "triangle-alert", "bad": "circle-alert"}
    return rx.el.div(icon(names[tone]), rx.el.div(*children), class_name=f"notice {tone}", **props)


def stat(label: Child, value: Child, note: Child = "") -> rx.Component:
    """One number that matters, in a card."""
    return card(
        rx.el.div(label, class_name="sm muted"),
        rx.el.div(value, class_name="v num"),
        rx.el.div(note, class_name="xs faint"),
        class_name="stat",
    )


def _with_icon(name: str, children: tuple[Child, ...]) -> list[Child]:
    return [icon(name), *children] if name else list(children)


def _shortcut(keys: str, props: dict[str, Any]) -> dict[str, Any]:
    """`data-shortcut` for assets/console.js, and aria-keyshortcuts for screen readers."""
    if not keys:
        return props
    attributes = {"data-shortcut": keys, "aria-keyshortcuts": keys}
    return props | {"custom_attrs": attributes | props.get("custom_attrs", {})}


def _classes(base: str, props: dict[str, Any]) -> dict[str, Any]:
    """The props with `base` put before their own class_name."""
    extra = props.get("class_name", "")
    joined = f"{base} {extra}".strip() if isinstance(extra, str) else f"{base} " + extra.to(str)
    return props | {"class_name": joined}
