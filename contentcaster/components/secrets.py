"""A new secret, shown once: to copy, with the warning that belongs to it."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.components.basics import button, icon
from contentcaster.components.dialogs import dialog_close


def shown_once(
    title: Any, text: Any, value: Any, *, id: str, label: str, notes: Any = (), done: str = "I have kept it"
) -> rx.Component:
    """The content of a dialog that shows a new secret for the only time (state/once.py forgets it on the server)."""
    return rx.fragment(
        rx.dialog.title(title, size="4"),
        rx.dialog.description(text, size="2", color_scheme="gray", margin_bottom="14px"),
        *notes,
        secret_to_copy(value, id=id, label=label),
        rx.el.div(dialog_close(button(done, kind="p")), class_name="row dialog-actions"),
    )


def secret_to_copy(value: Any, *, id: str, label: str) -> rx.Component:
    """The secret in one line with a copy button (assets/console.js does the copying)."""
    return rx.el.div(
        rx.el.code(value, id=id, class_name="secret-text mono", aria_label=label, tab_index=0),
        copy_button(id, label),
        class_name="secret",
    )


def copy_button(target_id: str, label: str, words: str = "Copy") -> rx.Component:
    """Copies the text of the element with this id."""
    return button(
        icon("copy", 14),
        rx.el.span(words, custom_attrs={"data-copy-words": "Copied"}),
        kind="s",
        custom_attrs={"data-copy": target_id, "aria-label": f"Copy: {label}"},
    )
