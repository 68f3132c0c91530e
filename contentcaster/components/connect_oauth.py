"""The part of the connect dialog for networks that people allow in their own browser: app, rights, and off they go."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.components.basics import button, external_link, icon, notice
from contentcaster.components.fields import checkbox, field, text_input
from contentcaster.components.secrets import copy_button
from contentcaster.services.oauth_apps import ScopeView
from contentcaster.services.views import CredentialField
from contentcaster.state.oauth import OAuthState as O


def oauth_form(*, is_new: Any, back: rx.Component, reason: Any) -> rx.Component:
    """The wizard of `O.wizard`; `back` leads away from it, `reason` says why a channel needs a new login."""
    needs_app = O.wizard.needs_app & ((O.wizard.client_id == "") | O.is_editing_app)
    return rx.fragment(
        rx.cond(reason != "", notice(reason, tone="bad", style={"margin_bottom": "12px"})),
        rx.cond(needs_app, _app_form(back), _leave_form(is_new, back)),
    )


def _app_form(back: rx.Component) -> rx.Component:
    """First the operator's own app: what to register where, then its id and secret."""
    return rx.el.form(
        rx.el.p(
            "Only registered apps may post there. Make one of your own; it takes some minutes, once for all channels.",
        ),
        rx.el.ol(rx.foreach(O.wizard.app_steps, lambda step: rx.el.li(step)), class_name="steps sm"),
        rx.el.div(
            rx.el.div("Redirect URI to register", class_name="sm b", id="redirect-label"),
            rx.el.div(
                rx.el.code(
                    O.wizard.redirect_uri,
                    id="redirect-uri",
                    class_name="secret-text mono",
                    tab_index=0,
                    custom_attrs={"aria-labelledby": "redirect-label"},
                ),
                copy_button("redirect-uri", "redirect URI"),
                class_name="secret",
            ),
            class_name="stack tight",
        ),
        rx.cond(O.wizard.redirect_warning != "", notice(O.wizard.redirect_warning, tone="warn")),
        rx.cond(
            O.wizard.app_url != "",
            rx.el.p(external_link("Open the developer portal", O.wizard.app_url),
                    class_name="sm"),
        ),
        field(
            "Client ID",
            text_input(
                id="client_id", default_value=O.wizard.client_id, auto_complete="off", spell_check=False,
                error=O.errors.get("client_id", "").to(str),
            ),
            for_="client_id",
            error=O.errors.get("client_id", "").to(str),
        ),
        field(
            "Client secret",
            text_input(
                id="client_secret", type="password", auto_complete="new-password", spell_check=False,
                error=O.errors.get("client_secret", "").to(str),
            ),
            for_="client_secret",
            help="Kept encrypted and never shown again.",
            error=O.errors.get("client_secret", "").to(str),
        ),
        rx.cond(O.form_error != "", notice(O.form_error, tone="bad", role="alert")),
        rx.el.div(
            rx.cond(
                O.is_editing_app,
                button("Back", icon_name="arrow-left", kind="g", on_click=O.edit_app(False)),
                back,
            ),
            _paste_instead(),
            button("Save the app", kind="p", type="submit"),
            class_name="row dialog-actions",
        ),
        on_submit=O.save_app,
        class_name="stack",
        auto_complete="off",
    )  # fmt: skip


def _leave_form(is_new: Any, back: rx.Component) -> rx.Component:
    """Then what will be asked for, and the button that leaves."""
    return rx.el.form(
        rx.cond(O.form_error != "", notice(O.form_error, tone="bad", role="alert")),
        rx.cond(
            O.wizard.needs_app,
            rx.el.div(
                icon("badge-check"),
                rx.el.span("Your app ", rx.el.code(O.wizard.client_id, class_name="mono"), class_name="clip"),
                rx.el.span(button("Change", kind="g s", on_click=O.edit_app(True)), class_name="push"),
                class_name="row sm app-line",
            ),
        ),
        rx.foreach(O.wizard.fields, _field),
        rx.el.div(
            rx.el.p("You will be asked to allow:", class_name="sm b"),
            rx.el.ul(rx.foreach(O.wizard.scopes, _scope), class_name="asked-rights sm"),
            class_name="stack tight",
        ),
        rx.cond(is_new, checkbox("Share it with all creators", id="is_shared", default_checked=True)),
        rx.el.p(
            "No password is typed here, and the token stays encrypted on this server. ",
            O.wizard.media_note,
            class_name="xs muted",
        ),
        rx.cond(
            O.wizard.needs_app,
            rx.el.p(
                "An error page there instead of a question means that the client ID or the redirect URI is not "
                "what is registered.",
                class_name="xs muted",
            ),
        ),
        rx.el.div(
            back,
            _paste_instead(),
            button(
                rx.cond(
                    O.is_leaving,
                    "Asking the server …",
                    rx.fragment("Continue to ", rx.cond(O.wizard.needs_app, O.wizard.name, "your server")),
                ),
                kind="p",
                type="submit",
                disabled=O.is_leaving,
            ),
            class_name="row dialog-actions",
        ),
        on_submit=O.leave,
        class_name="stack",
        auto_complete="off",
    )


def _paste_instead() -> rx.Component:
    return button("Paste a token instead", kind="g", on_click=O.set_pasting(True))


def _scope(scope: rx.Var[ScopeView]) -> rx.Component:
    return rx.el.li(rx.el.code(scope.name, class_name="mono"), rx.el.span(scope.why, class_name="muted"))


def _field(item: rx.Var[CredentialField]) -> rx.Component:
    error = O.errors.get(item.name, "").to(str)
    return field(
        rx.fragment(item.title, rx.cond(item.is_required, "", rx.el.span(" (optional)", class_name="faint"))),
        text_input(
            id=item.name,
            placeholder=item.placeholder,
            default_value=O.defaults.get(item.name, "").to(str),
            auto_complete="off",
            spell_check=False,
            error=error,
        ),
        for_=item.name,
        help=item.help,
        error=error,
    )
