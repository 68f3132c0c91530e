"""Signing in: a native form, so that the answer can set the session cookie and load the console anew."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import button, card, notice
from contentcaster.components.fields import field, text_input
from contentcaster.components.native_form import native_form
from contentcaster.pages.base import PlainPage
from contentcaster.state.entrance import EntranceState


def body() -> rx.Component:
    return entrance(
        card(
            rx.el.h1("Sign in"),
            rx.cond(EntranceState.error != "", notice(EntranceState.error, tone="bad", role="alert")),
            rx.cond(EntranceState.notice != "", notice(EntranceState.notice, tone="ok", role="status")),
            rx.cond(rx.State.is_hydrated, _form(), rx.el.div(style={"height": "196px"})),
        ),
        rx.el.p(
            "No account? An admin can invite you.", class_name="sm muted", style={"text_align": "center"}
        ),
    )


def _form() -> rx.Component:
    return native_form(
        field(
            "Email",
            text_input(
                id="email", type="email", auto_complete="username", required=True,
                auto_focus=True, default_value=EntranceState.email,
            ),
            for_="email",
        ),
        field(
            "Password",
            text_input(id="password", type="password", auto_complete="current-password", required=True),
            for_="password",
        ),
        rx.cond(
            EntranceState.needs_code,
            field(
                "Code",
                text_input(id="otp", auto_complete="one-time-code", required=True, input_mode="text"),
                for_="otp",
                help="From your authenticator app, or one of your recovery codes.",
            ),
        ),
        rx.el.input(type="hidden", name="next", value=EntranceState.next, read_only=True),
        button("Sign in", kind="p", type="submit"),
        action="/auth/sign-in",
    )  # fmt: skip


def entrance(*children: rx.Component) -> rx.Component:
    """The quiet frame of the pages before sign-in."""
    return rx.el.div(
        rx.el.main(
            rx.el.div(rx.el.img(src="/favicon.svg", alt=""), "ContentCaster", class_name="brand"),
            *children,
            class_name="plain-card",
        ),
        class_name="plain",
    )


PAGE = PlainPage(route="/sign-in", title="Sign in", body=body, load=EntranceState.load)
