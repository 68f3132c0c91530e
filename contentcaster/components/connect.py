"""The dialog that connects a channel: choose a network, then its own form, drawn from what its connector asks for."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import avatar, button, external_link, notice
from contentcaster.components.connect_oauth import oauth_form
from contentcaster.components.dialogs import dialog_close
from contentcaster.components.fields import checkbox, field, text_input
from contentcaster.services.views import CredentialField
from contentcaster.state.channels import ChannelsState as S
from contentcaster.state.channels import Network
from contentcaster.state.oauth import OAuthState


def connect_dialog() -> rx.Component:
    """Opened and filled by ChannelsState."""
    return rx.dialog.root(
        rx.dialog.content(
            rx.dialog.title(
                rx.cond(
                    S.reconnecting != "",
                    rx.fragment("Reconnect ", S.reconnecting),
                    rx.cond(S.platform == "", "Connect a channel", rx.fragment("Connect ", S.network_name)),
                ),
                size="4",
            ),
            rx.dialog.description(
                rx.cond(
                    S.platform == "",
                    "Which network is the account on?",
                    rx.cond(
                        _is_oauth(),
                        "You allow it at the network itself and come back here.",
                        "What you enter is checked at the network, kept encrypted, and never shown again.",
                    ),
                ),
                size="2",
                color_scheme="gray",
                margin_bottom="14px",
            ),
            rx.cond(S.platform == "", _choice(), rx.cond(_is_oauth(), _oauth(), _form())),
            class_name="dialog wide",
        ),
        open=S.is_connect_open,
        on_open_change=S.set_connect_open,
    )


def _is_oauth() -> rx.Var[bool]:
    return (OAuthState.wizard.platform != "") & ~OAuthState.is_pasting


def _oauth() -> rx.Component:
    back = rx.cond(
        S.reconnecting == "",
        button("Back", icon_name="arrow-left", kind="g", on_click=S.back),
        dialog_close(button("Not now")),
    )
    return oauth_form(is_new=S.reconnecting == "", back=back, reason=S.reconnect_reason)


def _choice() -> rx.Component:
    return rx.fragment(
        rx.el.ul(rx.foreach(S.networks, _network), class_name="network-grid"),
        rx.el.div(dialog_close(button("Not now")), class_name="row dialog-actions"),
    )


def _network(network: rx.Var[Network]) -> rx.Component:
    return rx.el.li(
        rx.el.button(
            avatar(network.initial, "l", style={"background": network.color}),
            rx.el.span(
                rx.el.span(network.name, class_name="b"),
                rx.el.span(network.summary, class_name="xs muted"),
                class_name="network-words",
            ),
            type="button",
            class_name="network",
            custom_attrs={"data-platform": network.platform},
            on_click=S.choose(network.platform),
        )
    )


def _form() -> rx.Component:
    return rx.el.form(
        rx.cond(S.reconnect_reason != "", notice(S.reconnect_reason, tone="bad")),
        rx.foreach(S.fields, _field),
        rx.cond(
            S.reconnecting == "",
            checkbox("Share it with all creators", id="is_shared", default_checked=True),
        ),
        rx.cond(
            S.docs_url != "", rx.el.p(external_link("Where do I find these?", S.docs_url), class_name="sm")
        ),
        rx.cond(S.form_error != "", notice(S.form_error, tone="bad", role="alert")),
        rx.el.div(
            rx.cond(
                OAuthState.is_pasting,
                button("Back", icon_name="arrow-left", kind="g", on_click=OAuthState.set_pasting(False)),
                rx.cond(
                    S.reconnecting == "",
                    button(
                        "Back", icon_name="arrow-left", kind="g", on_click=S.back, disabled=S.is_connecting
                    ),
                    dialog_close(button("Not now")),
                ),
            ),
            button(
                rx.cond(S.is_connecting, "Asking the network …", "Connect"),
                kind="p",
                type="submit",
                disabled=S.is_connecting,
            ),
            class_name="row dialog-actions",
        ),
        on_submit=S.connect,
        class_name="stack",
        auto_complete="off",
    )


def _field(item: rx.Var[CredentialField]) -> rx.Component:
    """Uncontrolled on purpose: what is typed lives in the browser's input and goes out once, with the form."""
    error = S.errors.get(item.name, "").to(str)
    return field(
        rx.fragment(item.title, rx.cond(item.is_required, "", rx.el.span(" (optional)", class_name="faint"))),
        text_input(
            id=item.name,
            type=rx.cond(item.is_secret, "password", "text"),
            placeholder=item.placeholder,
            default_value=S.defaults.get(item.name, "").to(str),
            auto_complete=rx.cond(item.is_secret, "new-password", "off"),
            spell_check=False,
            error=error,
        ),
        for_=item.name,
        help=item.help,
        error=error,
    )
