"""Bots: what they may do, what they would do, what waits for a person, and the switch that stops them."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.components.basics import (
    avatar,
    button,
    card,
    card_head,
    empty_state,
    external_link,
    link_button,
    notice,
    page_head,
    pill,
)
from contentcaster.components.bots import rails_dialog, rule_dialog
from contentcaster.components.bots_charts import charts
from contentcaster.components.dialogs import confirm, dialog_close
from contentcaster.components.fields import field, text_area
from contentcaster.components.shell import NavItem, can
from contentcaster.components.sparkline import bars
from contentcaster.components.tables import table
from contentcaster.components.times import since
from contentcaster.pages.base import Page
from contentcaster.pages.bot_log import stop_switch
from contentcaster.security.permissions import Permission
from contentcaster.services.bots_views import ActView, CapView, ProspectView, RuleView, SimulatedAct
from contentcaster.state.bots import BotCard, ChannelCard
from contentcaster.state.bots import BotsState as S

MODES = (("dry_run", "Dry run"), ("approve", "Approve each"), ("automatic", "Automatic"))
POLICIES = {
    "allowed": ("allowed", "ok"),
    "opt_in_only": ("opt-in only", "warn"),
    "needs_person": ("needs a person", "acc"),
    "forbidden": ("forbidden", "bad"),
}


def body() -> rx.Component:
    return rx.fragment(
        page_head(
            "Bots",
            rx.cond(S.is_stopped, pill("stopped", "bad"), pill("rails on", "ok")),
            rx.el.span(
                link_button("Bot log", href="/bot-log", icon_name="activity"),
                rx.cond(can(Permission.MANAGE_BOTS), stop_switch(S.is_stopped, S.stop_all, S.resume_all)),
                class_name="row push wrap",
            ),
        ),
        rx.cond(
            S.is_stopped,
            notice(
                S.stopped_words,
                ". Nothing goes out until somebody resumes.", tone="bad", style={"margin_bottom": "14px"},
            ),
        ),
        rx.el.div(rx.foreach(S.cards, _bot), class_name="bot-grid gap"),
        rx.cond(S.waiting_count > 0, _inbox()),
        charts(),
        _rules(),
        rx.cond(S.find_count > 0, _finds()),
        rx.el.h2("Channels and what is left of their caps", class_name="section-title"),
        rx.cond(
            S.channels,
            rx.el.div(rx.foreach(S.channels, _channel), class_name="channel-grid"),
            card(
                empty_state(
                    "radio", "No channel yet", "Bots act through channels: connect one, then write a rule for it.",
                    link_button("Connect a channel", href="/channels", kind="p"),
                )
            ),
        ),
        rule_dialog(),
        rails_dialog(),
        _simulation(),
        _reply_dialog(),
    )  # fmt: skip


def _bot(item: rx.Var[BotCard]) -> rx.Component:
    state = item.state
    return card(
        rx.el.div(
            rx.el.h2(item.title),
            rx.el.span(
                rx.cond(
                    state.enabled > 0,
                    pill(rx.fragment(state.enabled, " of ", state.rules, " on"), "ok"),
                    pill("off"),
                ),
                class_name="push",
            ),
            class_name="row",
        ),
        rx.el.div(
            _fact(state.done_day, "last 24 h"),
            _fact(state.planned, "planned"),
            _fact(state.waiting, "waiting"),
            _fact(state.refused_day, "refused"),
            class_name="facts4",
        ),
        bars(item.bars, rx.Var.create("Acts per hour over the last 24 hours: ") + state.done_day.to_string()),
        rx.el.div(
            rx.el.span("24 h ago"),
            rx.el.span("per hour"),
            rx.el.span("now"),
            class_name="spark-legend xs faint",
        ),
        rx.cond(
            can(Permission.MANAGE_BOTS),
            button("New rule", kind="s", icon_name="plus", on_click=S.new_rule(state.bot)),
        ),
        class_name="bot-card",
        custom_attrs={"data-bot": state.bot},
    )


def _fact(value: Any, label: str) -> rx.Component:
    return rx.el.div(rx.el.div(value, class_name="fact-v num"), rx.el.div(label, class_name="xs faint"))


# Approval inbox


def _inbox() -> rx.Component:
    return card(
        card_head(
            rx.el.h2("Waiting for you"),
            pill(S.waiting_count, "acc"),
            rx.cond(
                can(Permission.MANAGE_BOTS),
                rx.el.span(
                    button("Choose all", kind="g s", on_click=S.choose_all),
                    button(
                        "Approve chosen", kind="p s", disabled=S.chosen.length() == 0, on_click=S.approve("")
                    ),
                    button("Reject chosen", kind="s", disabled=S.chosen.length() == 0, on_click=S.reject("")),
                    class_name="row push wrap",
                ),
            ),
        ),
        rx.el.ul(rx.foreach(S.waiting, _act), class_name="lines"),
        class_name="gap inbox",
    )


def _act(act: rx.Var[ActView]) -> rx.Component:
    return rx.el.li(
        rx.cond(
            can(Permission.MANAGE_BOTS),
            rx.el.input(
                type="checkbox",
                checked=S.chosen.contains(act.id),
                on_change=S.choose(act.id),
                aria_label=rx.Var.create("Choose: ") + act.action + " " + act.target,
                class_name="pick",
            ),
        ),
        rx.el.div(
            rx.el.div(
                rx.el.span(act.action, " ", act.handle, class_name="b"),
                rx.cond(act.is_ai, pill("drafted by assistant", "acc")), class_name="row wrap",
            ),
            rx.cond(act.target_text != "", rx.el.blockquote(act.target_text, class_name="sm muted clamp2 quoted")),
            rx.cond(act.text != "", rx.el.p(act.text, class_name="sm pre reply-text")),
            rx.el.div(
                act.why, " · ", act.rule_name, " · ", act.channel.handle, " · ", since(act.created_at),
                class_name="xs faint",
            ),
            class_name="line-main",
        ),
        rx.cond(
            can(Permission.MANAGE_BOTS),
            rx.el.div(
                rx.cond(act.action == "reply", button("Edit", kind="g s", on_click=S.edit_reply(act.id))),
                button("Approve", kind="s", on_click=S.approve(act.id)),
                button("Reject", kind="g s", on_click=S.reject(act.id)),
                class_name="row",
            ),
        ),
        class_name="line",
    )  # fmt: skip


def _reply_dialog() -> rx.Component:
    return rx.dialog.root(
        rx.dialog.content(
            rx.dialog.title("Change the reply", size="4"),
            rx.dialog.description(
                "Code checks it as it checks every reply: length, links, mentions, blocked words.", size="2",
                margin_bottom="14px",
            ),
            rx.el.form(
                field(
                    "Reply",
                    text_area(id="reply_text", default_value=S.reply_text, rows="4", error=S.reply_error),
                    for_="reply_text", error=S.reply_error,
                ),
                rx.el.div(
                    dialog_close(button("Not now")), button("Approve it so", kind="p", type="submit"),
                    class_name="row dialog-actions",
                ),
                on_submit=S.approve_reply,
                key=S.reply_id,
            ),
            class_name="dialog",
        ),
        open=S.reply_id != "",
        on_open_change=S.set_reply_open,
    )  # fmt: skip


# Rules


def _rules() -> rx.Component:
    return card(
        card_head(
            rx.el.h2("Rules"),
            rx.el.span("A new rule is off and in dry run", class_name="xs faint push hide-s"),
        ),
        rx.cond(
            S.rules,
            table(
                ["Rule", "Channel", "Mode", "On", "Last run", ""], rx.foreach(S.rules, _rule), label="Rules"
            ),
            empty_state(
                "bot",
                "No rules yet",
                "A finder looks for people and posts, engagement answers and likes, growth follows. Start with a "
                "finder in dry run: it only says what it would do.",
                rx.cond(
                    can(Permission.MANAGE_BOTS),
                    button("Write a finder rule", kind="p", on_click=S.new_rule("finder")),
                ),
            ),
        ),
        class_name="gap rules-card",
    )


def _rule(rule: rx.Var[RuleView]) -> rx.Component:
    manages = can(Permission.MANAGE_BOTS)
    return rx.el.tr(
        rx.el.td(
            rx.el.div(rule.name, class_name="b"),
            rx.el.div(rule.bot, " · ", rule.sentence, class_name="xs muted"),
            class_name="cell-rule",
        ),
        rx.el.td(
            rx.el.span(
                avatar(rule.channel.handle.to(str).replace("@", "")[0], rule.channel.platform),
                rx.el.span(rule.channel.handle, class_name="clip"), class_name="channel-label",
            ),
        ),
        rx.el.td(
            rx.el.select(
                *[rx.el.option(words, value=mode) for mode, words in MODES],
                value=rule.mode,
                on_change=lambda mode: S.set_mode(rule.id, mode),
                disabled=~manages,
                class_name="input filter",
                aria_label=rx.Var.create("Mode of ") + rule.name,
            )
        ),
        rx.el.td(
            rx.el.label(
                rx.el.input(
                    type="checkbox",
                    role="switch",
                    checked=rule.is_enabled,
                    on_change=lambda is_on: S.set_enabled(rule.id, is_on),
                    disabled=~manages,
                    aria_label=rule.name,
                ),
                rx.cond(rule.is_enabled, "on", "off"),
                class_name="check",
            )
        ),
        rx.el.td(
            rx.cond(
                rule.last_run_at,
                since(rule.last_run_at, class_name="nowrap"),
                rx.el.span("never", class_name="faint"),
            ),
            rx.el.div(rule.last_outcome, class_name="xs faint"),
            class_name="cell-last",
        ),
        rx.el.td(
            rx.el.div(
                button("Simulate", kind="s", on_click=S.simulate(rule.id)),
                rx.cond(
                    manages,
                    rx.fragment(
                        button("Run now", kind="g s", disabled=~rule.is_enabled, on_click=S.run_now(rule.id)),
                        button("Edit", kind="g s", on_click=S.edit_rule(rule.id)),
                        confirm(
                            button("Delete", kind="g s"),
                            title="Delete this rule?",
                            text="What it has planned is called off. What it did stays in the log.",
                            action="Delete",
                            on_confirm=S.delete_rule(rule.id),
                            kind="d",
                        ),
                    ),
                ),
                class_name="row",
            ),
            class_name="cell-actions",
        ),
        custom_attrs={"data-rule": rule.id},
    )  # fmt: skip


# What finders found


def _finds() -> rx.Component:
    return card(
        card_head(
            rx.el.h2("Found, and not used yet"),
            pill(S.find_count),
            rx.el.span("The best by score; rules take them from here", class_name="xs faint push hide-s"),
        ),
        rx.el.ul(rx.foreach(S.finds, _find), class_name="lines"),
        class_name="gap finds",
    )


def _find(item: rx.Var[ProspectView]) -> rx.Component:
    return rx.el.li(
        rx.el.span(item.score, class_name="find-score num", title="Score, from 0 to 100"),
        rx.el.div(
            rx.el.div(
                rx.el.span(item.handle, class_name="b clip"),
                pill(item.kind),
                class_name="row",
            ),
            rx.cond(item.text != "", rx.el.div(item.text, class_name="sm muted clamp2")),
            rx.el.div(
                item.source, " · ", item.why, " · for ", item.channel.handle, " · ", since(item.found_at),
                class_name="xs faint",
            ),
            class_name="line-main",
        ),
        rx.el.div(
            rx.cond(item.url != "", rx.el.span(external_link("Open", item.url), class_name="sm")),
            rx.cond(
                can(Permission.MANAGE_BOTS),
                button(
                    "Dismiss", kind="g s", on_click=S.dismiss_find(item.id),
                    aria_label=rx.Var.create("Dismiss ") + item.handle,
                ),
            ),
            class_name="row",
        ),
        class_name="line",
        custom_attrs={"data-find": item.id},
    )  # fmt: skip


def _simulation() -> rx.Component:
    return rx.dialog.root(
        rx.dialog.content(
            rx.dialog.title("What “", S.simulated_name, "” would do now", size="4"),
            rx.dialog.description(
                "Read from the network just now. Nothing was done.", size="2", margin_bottom="12px"
            ),
            rx.cond(
                S.simulated,
                rx.el.ul(rx.foreach(S.simulated, _simulated), class_name="lines simulated"),
                rx.el.p("Nothing: its sources gave nothing new.", class_name="muted"),
            ),
            rx.el.div(dialog_close(button("Close")), class_name="row dialog-actions"),
            class_name="dialog extra-wide",
        ),
        open=S.simulated_name != "",
        on_open_change=S.set_simulation_open,
    )


def _simulated(act: rx.Var[SimulatedAct]) -> rx.Component:
    return rx.el.li(
        rx.match(
            act.would,
            ("do", pill("would do", "ok")),
            ("ask", pill("would ask", "acc")),
            ("refuse", pill("refused", "bad")),
            pill("skipped"),
        ),
        rx.el.div(
            rx.el.div(rx.el.span(act.action, class_name="b"), " ", act.target),
            rx.cond(act.text != "", rx.el.p(act.text, class_name="sm pre reply-text")),
            rx.el.div(act.why, rx.cond(act.when != "", rx.fragment(" · ", act.when)), class_name="xs faint"),
            class_name="line-main",
        ),
        class_name="line",
    )


# Channels


def _channel(item: rx.Var[ChannelCard]) -> rx.Component:
    view = item.view
    return rx.el.section(
        rx.el.div(
            avatar(view.channel.handle.to(str).replace("@", "")[0], view.channel.platform, style={}),
            rx.el.div(
                rx.el.h2(view.channel.handle, class_name="clip"),
                rx.el.div(view.channel.platform_name, class_name="xs faint"),
                class_name="person-who",
            ),
            rx.el.span(
                rx.cond(
                    view.is_stopped,
                    pill("stopped", "bad"),
                    rx.cond(view.is_quiet_now, pill("quiet hours", "warn"), pill("may act", "ok")),
                ),
                class_name="push",
            ),
            class_name="row",
        ),
        rx.cond(
            view.is_stopped,
            rx.el.p(
                "Stopped by ", view.stopped_by, rx.cond(view.stop_reason != "", rx.fragment(": ", view.stop_reason)),
                class_name="sm paused-line",
            ),
        ),
        rx.el.div(rx.foreach(item.caps, _cap), class_name="caps"),
        rx.el.div(
            view.quiet, " · ", view.timezone,
            rx.cond(view.warm_up != "", rx.fragment(" · ", view.warm_up)), class_name="xs muted",
        ),
        rx.el.details(
            rx.el.summary("What ", view.channel.platform_name, " says of bots", class_name="xs"),
            rx.el.ul(rx.foreach(item.caps, _said), class_name="said"),
            class_name="fold-details",
        ),
        rx.cond(view.flag_note != "", rx.el.div(view.flag_note, class_name="xs faint")),
        rx.cond(
            view.may_flag & can(Permission.MANAGE_BOTS),
            rx.el.div(
                button(
                    "Mark as automated there", kind="g s", icon_name="bot",
                    on_click=S.flag_as_bot(view.channel.account_id),
                ),
                class_name="row",
            ),
        ),
        rx.cond(item.growth != "", bars(item.growth, item.growth_words)),
        rx.cond(item.growth_words != "", rx.el.div(item.growth_words, class_name="xs faint num")),
        rx.cond(
            can(Permission.MANAGE_BOTS),
            rx.el.div(
                button("Caps and quiet hours", kind="s", on_click=S.edit_rails(view.channel.account_id)),
                rx.cond(
                    view.is_stopped,
                    button("Resume", kind="p s push", on_click=S.resume_channel(view.channel.account_id)),
                    button("Stop", kind="d s push", on_click=S.stop_channel(view.channel.account_id)),
                ),
                class_name="row queue-foot",
            ),
        ),
        class_name="card channel-card",
        custom_attrs={"data-channel": view.channel.account_id},
    )  # fmt: skip


def _cap(cap: rx.Var[CapView]) -> rx.Component:
    return rx.el.div(
        rx.el.span(cap.action, class_name="b sm"),
        rx.match(
            cap.policy,
            *[
                (key, pill(words, tone, title=cap.policy_why + " " + cap.policy_source))
                for key, (words, tone) in POLICIES.items()
            ],
            pill(cap.policy),
        ),
        rx.el.span(cap.left, class_name="sm num cap-left"),
        rx.el.div(
            rx.el.i(style={"width": cap.share}), class_name="bar", custom_attrs={"aria-hidden": "true"}
        ),
        class_name="cap",
        custom_attrs={"data-action": cap.action},
    )


def _said(cap: rx.Var[CapView]) -> rx.Component:
    return rx.el.li(
        rx.el.span(cap.action, class_name="b"), ": ", cap.policy_why,
        rx.cond(cap.policy_source != "", rx.el.div(cap.policy_source, class_name="faint")),
        class_name="xs",
    )  # fmt: skip


PAGE = Page(
    route="/bots",
    title="Bots",
    body=body,
    load=S.load,
    topics=("bots",),
    refresh=S.refresh,
    nav=NavItem("Bots", "/bots", "bot", (Permission.VIEW_BOTS,), section="Automate", shortcut="g b"),
)
