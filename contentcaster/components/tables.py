"""Tables and timelines."""

from __future__ import annotations

from typing import Any

import reflex as rx


def table(headings: list[Any], *rows: Any, label: str, is_cards_when_narrow: bool = False) -> rx.Component:
    """A table; `rows` are rx.el.tr or rx.foreach of them.

    On a narrow screen it scrolls sideways, or becomes one block per row with `is_cards_when_narrow`.
    """
    return rx.el.div(
        rx.el.table(
            rx.el.thead(rx.el.tr(*[rx.el.th(heading, scope="col") for heading in headings])),
            rx.el.tbody(*rows),
            class_name="table cards" if is_cards_when_narrow else "table",
            aria_label=label,
        ),
        class_name="table-wrap",
        tab_index=0,
        role="region",
        aria_label=label,
    )


def timeline(*entries: Any) -> rx.Component:
    """What happened, oldest first; entries are timeline_entry or rx.foreach of them."""
    return rx.el.ol(*entries, class_name="tl sm")


def timeline_entry(*children: Any, tone: Any = "") -> rx.Component:
    """One step; tone: ok, warn, bad, info or empty for what is still to come."""
    return rx.el.li(*children, class_name=tone)
