"""Two-factor sign-in on the profile page: its card, and the dialogs for setting up, new codes and turning off."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.components.basics import button, card, card_body, card_head, notice, pill
from contentcaster.components.dialogs import dialog_close
from contentcaster.components.fields import field, text_input
from contentcaster.components.secrets import copy_button, secret_to_copy
from contentcaster.components.times import local_time
from contentcaster.state.second_factor import SecondFactorState as S


def must_set_up_notice() -> rx.Component:
    """For somebody whose role requires it: why nothing else is open, and how it opens."""
    return rx.cond(
        S.is_required & ~S.is_on,
        notice(
            rx.el.b("Your role needs two-factor sign-in. "),
            "Set it up below; it takes a minute and an authenticator app. Everything else opens right after.",
            tone="warn",
            role="alert",
            style={"margin_bottom": "16px", "max_width": "980px"},
        ),
    )


def second_factor_card() -> rx.Component:
    return card(
        card_head(
            rx.el.h2("Two-factor sign-in"),
            rx.el.span(rx.cond(S.is_on, pill("On", "ok"), pill("Off")), class_name="push"),
        ),
        card_body(rx.cond(S.is_on, _on(), _off()), class_name="stack"),
        _dialogs(),
        id="second-factor",
    )


def _on() -> rx.Component:
    return rx.fragment(
        rx.el.p("On since ", local_time(S.since_at), ".", class_name="sm"),
        rx.cond(
            S.codes_left > 2,
            rx.el.p(S.codes_left, " recovery codes left.", class_name="sm muted"),
            notice(
                rx.cond(S.codes_left == 0, "No recovery code is left", "Few recovery codes are left"),
                ": without them and without the phone, only an admin lets you in again.",
                tone="warn",
            ),
        ),
        rx.el.div(
            button("New recovery codes", on_click=S.open_renew),
            button("Turn off", kind="g", on_click=S.open_off),
            class_name="row wrap",
        ),
    )


def _off() -> rx.Component:
    return rx.fragment(
        rx.el.p(
            "Besides your password, sign-in then asks for a code from an app on your phone. A stolen password "
            "alone opens nothing.",
            class_name="sm muted",
        ),
        rx.el.div(button("Set up", kind="p", icon_name="shield-check", on_click=S.begin)),
    )


def _dialogs() -> rx.Component:
    return rx.dialog.root(
        rx.dialog.content(
            rx.match(
                S.dialog,
                ("setup", _setup()),
                ("codes", _codes()),
                ("renew", _renew()),
                ("off", _turn_off()),
                rx.fragment(),
            ),
            class_name="dialog wide",
        ),
        open=S.dialog != "",
        on_open_change=S.set_open,
    )


def _setup() -> rx.Component:
    return rx.fragment(
        *_head(
            "Set up two-factor sign-in",
            "Scan the picture with an authenticator app, then enter the code that it shows.",
        ),
        rx.el.form(
            rx.el.div(
                rx.el.svg(
                    rx.el.path(d=S.qr_path),
                    view_box=S.qr_view,
                    class_name="qr",
                    role="img",
                    aria_label="QR code for your authenticator app",
                    custom_attrs={"shapeRendering": "crispEdges"},
                ),
                rx.el.div(
                    rx.el.p("No camera? Type this key into the app:", class_name="sm muted"),
                    secret_to_copy(S.secret, id="otp-secret", label="Key for the authenticator app"),
                    rx.el.p(
                        "It is shown only now. Whoever has it can make your codes.", class_name="xs faint"
                    ),
                    class_name="stack tight",
                ),
                class_name="qr-row",
            ),
            _code("setup_code", "Code from the app", auto_focus=True),
            _actions("Turn on"),
            on_submit=S.confirm,
            class_name="stack",
        ),
    )


def _codes() -> rx.Component:
    return rx.fragment(
        *_head(
            "Your recovery codes",
            "Each one signs you in once when the phone is not at hand. They are shown only now.",
        ),
        rx.el.ul(
            rx.foreach(S.codes, lambda code: rx.el.li(code, class_name="mono")),
            class_name="codes",
            id="recovery-codes",
        ),
        rx.el.div(
            copy_button("recovery-codes", "recovery codes", "Copy all"),
            dialog_close(button("I have kept them", kind="p")),
            class_name="row dialog-actions between",
        ),
    )


def _renew() -> rx.Component:
    return rx.fragment(
        *_head("New recovery codes", "The codes you have now stop working."),
        rx.el.form(
            _code("renew_code", "Code from the app", auto_focus=True),
            _actions("Make new codes"),
            on_submit=S.renew,
            class_name="stack",
        ),
    )


def _turn_off() -> rx.Component:
    error = S.errors.get("password", "").to(str)
    return rx.fragment(
        *_head("Turn two-factor sign-in off?", "Your password alone then opens everything you may do here."),
        rx.el.form(
            field(
                "Your password",
                text_input(id="off_password", type="password", auto_complete="current-password", error=error),
                for_="off_password",
                error=error,
            ),
            _code("off_code", "Code from the app, or a recovery code"),
            _actions("Turn off", kind="d"),
            on_submit=S.turn_off,
            class_name="stack",
        ),
    )


def _head(title: str, text: str) -> list[rx.Component]:
    return [
        rx.dialog.title(title, size="4"),
        rx.dialog.description(text, size="2", color_scheme="gray", margin_bottom="14px"),
    ]


def _code(id: str, label: str, **props: Any) -> rx.Component:
    error = S.errors.get("code", "").to(str)
    return field(
        label,
        text_input(id=id, auto_complete="one-time-code", input_mode="text", error=error, **props),
        for_=id,
        error=error,
    )


def _actions(action: str, kind: str = "p") -> rx.Component:
    return rx.el.div(
        dialog_close(button("Not now")),
        button(action, kind=kind, type="submit"),
        class_name="row dialog-actions",
    )
