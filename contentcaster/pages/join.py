"""Accepting an invitation: the link's own page, before there is an account."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import button, card, link_button, notice
from contentcaster.components.fields import field, text_input
from contentcaster.components.native_form import native_form
from contentcaster.pages.base import PlainPage
from contentcaster.pages.sign_in import entrance
from contentcaster.security.passwords import MIN_CHARACTERS
from contentcaster.state.join import JoinState as S


def body() -> rx.Component:
    return entrance(
        card(
            rx.el.h1("Join ContentCaster"),
            rx.cond(S.error != "", notice(S.error, tone="bad", role="alert")),
            rx.cond(
                rx.State.is_hydrated,
                rx.cond(S.is_good, _offer(), link_button("To sign-in", href="/sign-in")),
                rx.el.div(style={"height": "320px"}),
            ),
        )
    )


def _offer() -> rx.Component:
    return rx.fragment(
        rx.el.p(
            S.invited_by,
            " invites you as ",
            rx.el.b(S.role),
            ". ",
            S.role_words,
            rx.cond(S.needs_approval, " An admin approves each of your posts first.", ""),
            class_name="muted sm",
        ),
        _form(),
    )


def _form() -> rx.Component:
    return native_form(
        rx.el.input(type="hidden", name="token", value=S.token, read_only=True),
        # Filled in by assets/console.js with the browser's own zone.
        rx.el.input(type="hidden", name="timezone", custom_attrs={"data-fill": "timezone"}),
        field(
            "Your name",
            text_input(
                id="name",
                auto_complete="name",
                required=True,
                max_length=120,
                auto_focus=True,
                default_value=S.name,
            ),
            for_="name",
        ),
        rx.cond(
            S.is_email_fixed,
            rx.el.div(
                rx.el.span("Email", class_name="label"),
                rx.el.p(S.email, class_name="b"),
                # Lets a password manager know for whom it keeps the password.
                rx.el.input(
                    type="hidden", name="email", auto_complete="username", value=S.email, read_only=True
                ),
                class_name="field",
            ),
            field(
                "Email",
                text_input(
                    id="email", type="email", auto_complete="username", required=True, default_value=S.email
                ),
                for_="email",
                help="You sign in with it.",
            ),
        ),
        field(
            "Password",
            text_input(
                id="password",
                type="password",
                auto_complete="new-password",
                required=True,
                min_length=MIN_CHARACTERS,
                max_length=256,
            ),
            for_="password",
            help=f"At least {MIN_CHARACTERS} characters. A few words in a row are easy to keep in mind.",
        ),
        button("Make my account and sign in", kind="p", type="submit"),
        action="/auth/join",
    )


PAGE = PlainPage(route="/join", title="Join", body=body, load=S.load)
