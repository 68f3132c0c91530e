"""Looking closer at a chart: what the pointer is on is read out, and dragging over days chooses them."""

from __future__ import annotations

from typing import Any

import reflex as rx


def _span(first: rx.Var[str], last: rx.Var[str]) -> tuple[rx.Var[str], rx.Var[str]]:
    return (first, last)


class _ChartZoom(rx.NoSSRComponent):
    library = "$/public/js/chart_zoom"
    is_default = False
    tag = "ChartZoom"
    on_zoom: rx.EventHandler[_span]  # type: ignore[type-arg,valid-type]


def chart_zoom(*children: Any, on_zoom: Any) -> rx.Component:
    """Around a chart whose days carry `data-first`, `data-last` (ISO) and `data-words`; `on_zoom` gets two days.

    For a mouse only: put links to the same spans into the table below the chart.
    """
    return _ChartZoom.create(*children, on_zoom=on_zoom)
