"""Questions before something that cannot be undone, and dialogs with content. Focus and Escape are Radix's."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.components.basics import button


def confirm(
    trigger: rx.Component, *, title: Any, text: Any, action: Any, on_confirm: Any, kind: str = "p"
) -> rx.Component:
    """Ask first: `trigger` opens it, `action` names what will happen ("Cancel the post"), `kind="d"` if it destroys."""
    return rx.alert_dialog.root(
        rx.alert_dialog.trigger(trigger),
        rx.alert_dialog.content(
            rx.alert_dialog.title(title, size="4"),
            rx.alert_dialog.description(text, size="2"),
            rx.el.div(
                rx.alert_dialog.cancel(button("Not now")),
                rx.alert_dialog.action(button(action, kind=kind, on_click=on_confirm)),
                class_name="row",
                style={"justify_content": "flex-end", "margin_top": "18px"},
            ),
            class_name="dialog",
        ),
    )


def dialog(
    trigger: rx.Component, *children: Any, title: Any, text: Any = "", **root_props: Any
) -> rx.Component:
    """A dialog with content; pass open= and on_open_change= to control it from a State."""
    return rx.dialog.root(
        rx.dialog.trigger(trigger),
        rx.dialog.content(
            rx.dialog.title(title, size="4"),
            rx.dialog.description(text, size="2", color_scheme="gray", margin_bottom="14px"),
            *children,
            class_name="dialog",
        ),
        **root_props,
    )


def dialog_close(child: rx.Component) -> rx.Component:
    return rx.dialog.close(child)
