"""First run: the one-time link makes the first admin. There is no default password."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import button, card, notice
from contentcaster.components.fields import field, text_input
from contentcaster.components.native_form import native_form
from contentcaster.pages.base import PlainPage
from contentcaster.pages.sign_in import entrance
from contentcaster.state.entrance import EntranceState


def body() -> rx.Component:
    return entrance(
        card(
            rx.el.div(
                rx.el.h1("Welcome. Make the first admin"),
                rx.el.p(
                    "This link works once. Everything else is set up from inside the console.",
                    class_name="muted",
                ),
                class_name="stack tight",
            ),
            rx.cond(EntranceState.error != "", notice(EntranceState.error, tone="bad", role="alert")),
            rx.cond(rx.State.is_hydrated, _form(), rx.el.div(style={"height": "280px"})),
        )
    )


def _form() -> rx.Component:
    name = text_input(
        id="name",
        auto_complete="name",
        required=True,
        max_length=120,
        auto_focus=True,
        default_value=EntranceState.name,
    )
    email = text_input(
        id="email", type="email", auto_complete="username", required=True, default_value=EntranceState.email
    )
    password = text_input(
        id="password",
        type="password",
        auto_complete="new-password",
        required=True,
        min_length=12,
        max_length=256,
    )
    return native_form(
        rx.el.input(type="hidden", name="token", value=EntranceState.token, read_only=True),
        # Filled in by assets/console.js with the browser's own zone.
        rx.el.input(type="hidden", name="timezone", custom_attrs={"data-fill": "timezone"}),
        field("Your name", name, for_="name"),
        field("Email", email, for_="email"),
        field(
            "Password",
            password,
            for_="password",
            help="At least 12 characters. A few words in a row are easy to keep in mind.",
        ),
        button("Create the admin and sign in", kind="p", type="submit"),
        action="/auth/setup",
    )


PAGE = PlainPage(route="/setup", title="First run", body=body, load=EntranceState.load)
