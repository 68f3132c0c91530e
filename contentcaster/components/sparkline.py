"""Small pictures of numbers as SVG: no chart library on pages that need only a glance."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.state.drawing import HEIGHT, WIDTH


def bars(path: Any, label: Any) -> rx.Component:
    """Draws state.drawing.bars_path; `label` says the same in words."""
    return rx.el.svg(
        rx.el.path(d=path),
        view_box=f"0 0 {WIDTH} {HEIGHT}",
        preserve_aspect_ratio="none",
        class_name="spark",
        role="img",
        aria_label=label,
    )
