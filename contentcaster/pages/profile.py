"""Your profile: name, zone, password, and where you are signed in."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import (
    button,
    card,
    card_body,
    card_head,
    link_button,
    page_head,
    pill,
)
from contentcaster.components.dialogs import confirm
from contentcaster.components.fields import field, select, text_input
from contentcaster.components.second_factor import must_set_up_notice, second_factor_card
from contentcaster.components.sessions import session_line
from contentcaster.pages.base import Page
from contentcaster.security.passwords import MIN_CHARACTERS
from contentcaster.services.schedule import zone_names
from contentcaster.state.profile import ProfileState as S


def body() -> rx.Component:
    return rx.fragment(
        page_head("Your profile", pill(S.role, "acc")),
        must_set_up_notice(),
        rx.el.div(_you(), _password(), second_factor_card(), _api_keys(), _sessions(), class_name="profile"),
    )


def _you() -> rx.Component:
    name_error, zone_error = S.errors.get("name", "").to(str), S.errors.get("timezone", "").to(str)
    return card(
        card_head(rx.el.h2("You")),
        card_body(
            rx.el.form(
                field(
                    "Name",
                    text_input(id="name", default_value=S.name, auto_complete="name", error=name_error),
                    for_="name",
                    help="Colleagues see it beside your posts.",
                    error=name_error,
                ),
                field(
                    "Time zone",
                    select(
                        *[rx.el.option(zone, value=zone) for zone in zone_names()],
                        id="timezone",
                        default_value=S.timezone,
                        error=zone_error,
                    ),
                    for_="timezone",
                    help="Times are shown in it, and new posts are scheduled in it.",
                    error=zone_error,
                ),
                rx.el.p(S.email, " · ", S.role_words, class_name="sm muted"),
                rx.cond(
                    S.needs_approval,
                    rx.el.p(
                        "An admin approves each of your posts before it is scheduled.", class_name="sm muted"
                    ),
                ),
                rx.el.div(button("Save", kind="p", type="submit"), class_name="row"),
                on_submit=S.save,
                class_name="stack",
                key=S.email,
            )
        ),
    )


def _password() -> rx.Component:
    return card(
        card_head(rx.el.h2("Password")),
        card_body(
            rx.el.form(
                rx.el.input(type="hidden", auto_complete="username", value=S.email, read_only=True),
                _secret("Current password", "current_password", "current-password"),
                _secret(
                    "New password",
                    "new_password",
                    "new-password",
                    help=f"At least {MIN_CHARACTERS} characters; a few words in a row are easy to keep in mind.",
                ),
                _secret("New password again", "repeated", "new-password"),
                rx.el.div(
                    button("Change password", kind="p", type="submit"),
                    rx.el.span("Signs you out everywhere else", class_name="xs muted"),
                    class_name="row wrap",
                ),
                on_submit=S.change_password,
                class_name="stack",
                key=S.password_form.to_string(),
            )
        ),
    )


def _secret(label: str, name: str, complete: str, help: str = "") -> rx.Component:
    error = S.password_errors.get(name, "").to(str)
    return field(
        label,
        text_input(id=name, type="password", auto_complete=complete, error=error),
        for_=name,
        help=help,
        error=error,
    )


def _api_keys() -> rx.Component:
    return card(
        card_head(rx.el.h2("API keys")),
        card_body(
            rx.el.p(
                "For programs that act as you, with only the permissions you choose, until they expire.",
                class_name="sm muted",
            ),
            rx.el.div(link_button("Your API keys", href="/api-keys", icon_name="key-round")),
            class_name="stack",
        ),
    )


def _sessions() -> rx.Component:
    return card(
        card_head(
            rx.el.h2("Where you are signed in"),
            rx.cond(
                S.sessions.length() > 1,
                rx.el.span(
                    confirm(
                        button("Sign out everywhere else", kind="s"),
                        title="Sign out everywhere else?",
                        text="Every other browser and API client has to sign in again. This one stays.",
                        action="Sign out",
                        on_confirm=S.end_others,
                    ),
                    class_name="push",
                ),
            ),
        ),
        rx.el.ul(
            rx.foreach(S.sessions, lambda session: session_line(session, on_end=S.end(session.id))),
            class_name="lines",
        ),
        class_name="profile-sessions",
    )


PAGE = Page(
    route="/profile",
    title="Your profile",
    body=body,
    load=S.load,
    topics=("users",),
    refresh=S.refresh,
)
