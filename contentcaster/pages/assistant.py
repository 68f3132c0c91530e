"""The assistant's set-up: the brand's voice, what it may cost, and what it was used for."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import (
    button,
    card,
    card_body,
    card_head,
    empty_state,
    notice,
    page_head,
    pill,
    stat,
)
from contentcaster.components.fields import field, text_area, text_input
from contentcaster.components.shell import NavItem
from contentcaster.components.tables import table
from contentcaster.pages.base import Page
from contentcaster.security.permissions import Permission
from contentcaster.services.assistant_ledger import PersonUse
from contentcaster.state.assistant import AssistantSetupState as S


def body() -> rx.Component:
    status = S.status
    return rx.fragment(
        page_head(
            "Assistant",
            rx.cond(
                status["is_offline"].to(bool),
                pill("offline stand-in", "warn"),
                rx.cond(
                    status["is_available"].to(bool), pill(status["model"].to(str), "ok"), pill("not set up", "warn")
                ),
            ),
        ),
        rx.cond(
            status["sentence"].to(str) != "",
            notice(status["sentence"].to(str), tone="warn", style={"margin_bottom": "16px"}),
        ),
        rx.el.div(
            rx.el.div(_numbers(), _people(), class_name="stack"),
            _form(),
            class_name="grid2 wide-panel",
        ),
    )  # fmt: skip


def _numbers() -> rx.Component:
    return rx.el.div(
        stat("Questions", S.uses, "last 30 days"),
        stat("Tokens", S.tokens.to_string(), "asked and answered"),
        stat("Cost", rx.fragment("$", S.cost_usd), "estimated from the prices here"),
        class_name="grid3",
    )


def _people() -> rx.Component:
    return card(
        card_head(rx.el.h2("Who used it")),
        rx.cond(
            S.people,
            table(
                ["Person", "Questions", "Failed", "Tokens", "Today", "Cost"],
                rx.foreach(S.people, _person),
                label="Use of the assistant in the last 30 days",
            ),
            empty_state("sparkles", "Not used yet", "It waits in the Studio, beside the text."),
        ),
    )


def _person(row: rx.Var[PersonUse]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(row.name, class_name="b"),
        rx.el.td(row.uses, class_name="num"),
        rx.el.td(row.failed, class_name="num"),
        rx.el.td(row.input_tokens + row.output_tokens, class_name="num"),
        rx.el.td(row.tokens_today, class_name="num"),
        rx.el.td("$", row.cost_usd.to(float).to_string(), class_name="num"),
    )


def _form() -> rx.Component:
    return card(
        card_head(rx.el.h2("How it writes, and how much")),
        card_body(
            rx.el.form(
                field(
                    "Brand voice",
                    text_area(
                        id="brand_voice",
                        default_value=S.brand_voice,
                        rows="7",
                        error=S.errors.get("brand_voice", "").to(str),
                        placeholder="Warm and to the point. We say “you”, never “the customer”. No exclamation marks.",
                    ),
                    for_="brand_voice",
                    help="Goes with every question, so keep secrets out of it.",
                    error=S.errors.get("brand_voice", "").to(str),
                ),
                _number("daily_tokens_per_person", "Tokens per person and day", "0 turns it off for people."),
                _number("daily_tokens_of_bots", "Tokens of all bots per day", "0: bots use templates only."),
                _number(
                    "input_usd_per_million",
                    "Price of a million tokens asked, US dollars",
                    "For the estimate only; the bill is Google's.",
                ),
                _number("output_usd_per_million", "Price of a million tokens answered, US dollars", ""),
                rx.el.div(button("Save", kind="p", type="submit"), class_name="row"),
                on_submit=S.save,
                class_name="stack",
                key=S.form_version.to_string(),
            )
        ),
    )


def _number(name: str, label: str, help: str) -> rx.Component:
    error = S.errors.get(name, "").to(str)
    return field(
        label,
        text_input(id=name, default_value=S.numbers.get(name, "").to(str), input_mode="decimal", error=error),
        for_=name,
        help=help,
        error=error,
    )


PAGE = Page(
    route="/assistant",
    title="Assistant",
    body=body,
    load=S.load,
    nav=NavItem("Assistant", "/assistant", "sparkles", (Permission.MANAGE_SETTINGS,), section="Automate"),
)
