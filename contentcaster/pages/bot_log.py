"""Bot log: what the bots did, would do or must not do, and why; live."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import (
    FILE_LINK,
    button,
    card,
    card_foot,
    empty_state,
    external_link,
    icon,
    link_button,
    notice,
    page_head,
    pill,
)
from contentcaster.components.dialogs import confirm, dialog_close
from contentcaster.components.shell import NavItem, can
from contentcaster.components.tables import table, timeline, timeline_entry
from contentcaster.components.times import local_time
from contentcaster.pages.base import Page
from contentcaster.security.permissions import Permission
from contentcaster.services.bots_explain import Step
from contentcaster.state.bot_log import ACTIONS, BOTS, OUTCOMES, SPANS, Choice, LogRow
from contentcaster.state.bot_log import BotLogState as S
from contentcaster.state.shell import ShellState


def body() -> rx.Component:
    return rx.fragment(
        page_head(
            "Bot log",
            rx.cond(
                S.is_stopped,
                pill("stopped", "bad"),
                rx.cond(S.page == 1, pill("live", "ok"), pill(rx.fragment("page ", S.page))),
            ),
            rx.el.span(S.line_count, " · last 24 h: ", S.last_day, class_name="sm muted num"),
            rx.el.span(
                rx.el.a(
                    icon("download"),
                    "Export CSV",
                    href=S.export_url,
                    class_name="btn",
                    custom_attrs=FILE_LINK,
                ),
                rx.cond(
                    can(Permission.MANAGE_BOTS),
                    stop_switch(S.is_stopped, S.stop_all, S.resume_all),
                    rx.el.span("read-only for you", class_name="sm muted hide-s"),
                ),
                class_name="row push wrap",
            ),
        ),
        rx.cond(
            S.is_stopped,
            notice(
                S.stopped_words,
                ". Nothing goes out until somebody resumes; what waited was called off.",
                tone="bad",
                style={"margin_bottom": "14px"},
            ),
        ),
        _filters(),
        card(
            rx.cond(
                S.rows,
                rx.el.div(
                    table(
                        ["Time", "Bot", "Action", "Target", "Outcome", "Why", "Budget"],
                        rx.foreach(S.rows, _row),
                        label="Bot log",
                    ),
                    class_name="bot-log",
                ),
                empty_state(
                    "scroll-text",
                    "No lines here",
                    "Every act of a bot leaves a line: what, whom, why, and what is left of its caps. Nothing matches "
                    "this filter, or no rule has run yet.",
                    button("Show everything", on_click=S.clear),
                    link_button("Rules", href="/bots", kind="g"),
                ),
            ),
            rx.cond((S.page > 1) | (S.next_cursor != ""), _pager()),
        ),
        _explain_dialog(),
    )


def stop_switch(is_stopped: rx.Var, stop: object, resume: object) -> rx.Component:
    """The kill switch for all bots; shown to those who may use it."""
    return rx.cond(
        is_stopped,
        confirm(
            button("Resume bots", kind="p", icon_name="play"),
            title="Let the bots act again?",
            text="Enabled rules run again in their modes, within the caps. What was called off is not caught up.",
            action="Resume",
            on_confirm=resume,
        ),
        confirm(
            button("Stop all bots", kind="d", icon_name="octagon-pause"),
            title="Stop all bots now?",
            text="Everything that waits is called off within a second. A request on its way at this moment still ends. "
            "Posts are not touched.",
            action="Stop all bots",
            on_confirm=stop,
            kind="d",
        ),
    )


def _filters() -> rx.Component:
    return rx.el.div(
        rx.el.div(
            icon("search", 15),
            rx.el.input(
                type="search",
                class_name="input",
                placeholder="Filter text…",
                aria_label="Text in target, reason, rule or channel",
                default_value=S.text,
                on_change=S.set_text.debounce(250),
                auto_complete="off",
                custom_attrs={"data-shortcut": "/", "data-shortcut-focus": "", "aria-keyshortcuts": "/"},
            ),
            class_name="search",
        ),
        _select("Bot", S.bot, S.set_bot, list(BOTS.items())),
        _choices("Rule", S.rule_id, S.set_rule, S.rules),
        _choices("Channel", S.account_id, S.set_channel, S.channels),
        _select("Action", S.action, S.set_action, [(action, action) for action in ACTIONS]),
        _select("Outcome", S.outcome, S.set_outcome, [(key, words) for key, (words, _) in OUTCOMES.items()]),
        rx.el.select(
            *[rx.el.option(words, value=hours) for hours, words in SPANS.items()],
            value=S.hours,
            on_change=S.set_hours,
            class_name="input filter",
            aria_label="Time",
        ),
        class_name="row wrap filters bot-filters",
    )


def _select(label: str, value: rx.Var, handler: object, options: list[tuple[str, str]]) -> rx.Component:
    return rx.el.select(
        rx.el.option(f"{label}: any", value=""),
        *[rx.el.option(words, value=key) for key, words in options],
        value=value,
        on_change=handler,
        class_name=rx.cond(value != "", "input filter on", "input filter"),
        aria_label=label,
    )


def _choices(label: str, value: rx.Var, handler: object, options: rx.Var) -> rx.Component:
    return rx.el.select(
        rx.el.option(f"{label}: any", value=""),
        rx.foreach(options, _option),
        value=value,
        on_change=handler,
        class_name=rx.cond(value != "", "input filter on", "input filter"),
        aria_label=label,
    )


def _option(choice: rx.Var[Choice]) -> rx.Component:
    return rx.el.option(choice.label, value=choice.value)


def _row(row: rx.Var[LogRow]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(
            local_time(row.at, "seconds", class_name="mono nowrap"),
            rx.cond(row.is_old, rx.el.div(local_time(row.at, "date", class_name="xs faint nowrap"))),
            class_name="cell-log-time",
        ),
        rx.el.td(row.bot, class_name="b nowrap cell-log-bot"),
        rx.el.td(row.action, class_name="nowrap cell-log-action"),
        rx.el.td(
            rx.el.button(
                row.target, class_name="text-button row-link clip", type="button", on_click=S.explain(row.id)
            ),
            rx.cond(row.channel != "", rx.el.div(row.channel, class_name="xs faint clip")),
            class_name="cell-log-target",
        ),
        rx.el.td(
            pill(row.words, row.tone, custom_attrs={"data-outcome": row.outcome}), class_name="cell-log-outcome"
        ),
        rx.el.td(
            row.why,
            rx.cond(
                row.rule_name != "",
                rx.el.div(row.rule_name, rx.cond(row.actor != "ContentCaster", rx.fragment(" · by ", row.actor)),
                          class_name="xs faint"),
                rx.cond(row.actor != "ContentCaster", rx.el.div("by ", row.actor, class_name="xs faint")),
            ),
            class_name="muted cell-log-why",
        ),
        rx.el.td(row.budget, class_name="faint nowrap num cell-log-budget"),
        key=row.id,
    )  # fmt: skip


def _pager() -> rx.Component:
    return card_foot(
        button("Newer", icon_name="arrow-left", kind="s", disabled=S.page == 1, on_click=S.newer),
        rx.el.span("Page ", S.page, class_name="sm muted num"),
        button("Older", icon("arrow-right"), kind="s", disabled=S.next_cursor == "", on_click=S.older),
        rx.el.span("Times in ", ShellState.timezone, class_name="xs faint push"),
    )


def _explain_dialog() -> rx.Component:
    return rx.dialog.root(
        rx.dialog.content(
            rx.dialog.title("Explain this act", size="4"),
            rx.foreach(S.explained, _explained),
            timeline(rx.foreach(S.steps, _step)),
            rx.el.div(dialog_close(button("Close")), class_name="row dialog-actions"),
            class_name="dialog wide",
        ),
        open=S.explained.length() > 0,
        on_open_change=S.set_explain_open,
    )


def _explained(row: rx.Var[LogRow]) -> rx.Component:
    return rx.el.div(
        rx.el.div(rx.el.b(row.bot), " ", row.action, " ", pill(row.words, row.tone), class_name="row wrap"),
        rx.el.div(row.target, class_name="sm pre"),
        rx.el.div(row.channel, class_name="xs faint"),
        rx.cond(row.target_url != "", external_link("Open on the network", row.target_url)),
        class_name="stack tight explain-head",
    )


def _step(step: rx.Var[Step]) -> rx.Component:
    return timeline_entry(
        rx.el.div(rx.el.span(step.title, class_name="b"), class_name="row wrap"),
        rx.el.div(step.text, class_name="muted pre"),
        local_time(step.at, "precise", class_name="xs faint num"),
        tone=step.tone,
    )


PAGE = Page(
    route="/bot-log",
    title="Bot log",
    body=body,
    load=S.load,
    topics=("bot_log",),
    refresh=S.refresh,
    nav=NavItem(
        "Bot log", "/bot-log", "activity", (Permission.VIEW_BOT_LOG,), section="Understand", shortcut="g o"
    ),
)
