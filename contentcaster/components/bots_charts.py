"""The pictures of the Bots page: acts per day by kind, and what became of the last day."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import card, card_head
from contentcaster.components.sparkline import bars
from contentcaster.services.bots_charts import OutcomeShare
from contentcaster.state.bots import ActionChart
from contentcaster.state.bots import BotsState as S


def charts() -> rx.Component:
    """Nothing before the first act or line."""
    return rx.cond(
        S.charts.length() + S.outcomes.length() > 0,
        rx.el.div(
            rx.cond(
                S.charts,
                card(
                    card_head(rx.el.h2("What went out"), rx.el.span("14 days", class_name="xs faint push")),
                    rx.el.div(rx.foreach(S.charts, _action), class_name="bot-grid chart-body"),
                    class_name="chart-acts",
                ),
            ),
            rx.cond(
                S.outcomes,
                card(
                    card_head(
                        rx.el.h2("What became of it"), rx.el.span("last 24 h", class_name="xs faint push")
                    ),
                    rx.el.ul(rx.foreach(S.outcomes, _outcome), class_name="outcome-bars"),
                    class_name="chart-outcomes",
                ),
            ),
            class_name="charts2 gap",
        ),
    )


def _action(chart: rx.Var[ActionChart]) -> rx.Component:
    return rx.el.div(
        rx.el.div(
            rx.el.span(chart.series.action, class_name="b sm"),
            rx.el.span(chart.series.total, class_name="num sm push"),
            class_name="row",
        ),
        bars(chart.bars, chart.words),
        custom_attrs={"data-chart": chart.series.action},
    )


def _outcome(item: rx.Var[OutcomeShare]) -> rx.Component:
    return rx.el.li(
        rx.el.span(item.outcome, class_name="sm"),
        rx.el.span(
            rx.el.i(style={"width": item.share}), class_name="bar", custom_attrs={"aria-hidden": "true"}
        ),
        rx.el.span(item.count, class_name="num sm"),
        custom_attrs={"data-outcome": item.outcome},
    )
