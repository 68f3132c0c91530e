"""Inviting people: the dialog with its link, and the list of invitations that are open."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import button, card, card_head, notice, pill
from contentcaster.components.dialogs import confirm, dialog_close
from contentcaster.components.fields import checkbox, field, select, text_input
from contentcaster.components.secrets import shown_once
from contentcaster.components.times import since
from contentcaster.models.user import Role
from contentcaster.services.invitations import InvitationView
from contentcaster.state.invitations import InvitationsState as S
from contentcaster.state.users import ROLE_WORDS

_DAYS = {"1": "A day", "7": "A week", "30": "30 days"}


def invite_button() -> rx.Component:
    return button("Invite", kind="p", icon_name="mail-plus", on_click=S.open_new)


def open_invitations() -> rx.Component:
    """Nothing while nobody is invited."""
    return rx.cond(
        S.open_ones,
        card(
            card_head(rx.el.h2("Invited"), pill(S.open_ones.length(), "info")),
            rx.el.ul(rx.foreach(S.open_ones, _line), class_name="lines", id="invitations"),
            style={"margin_top": "16px"},
        ),
    )


def _line(item: rx.Var[InvitationView]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.div(rx.cond(item.email != "", item.email, "Whoever has the link"), class_name="b sm clip"),
            rx.el.div(
                rx.match(
                    item.role, *[(role.value, words) for role, (words, _) in ROLE_WORDS.items()], item.role
                ),
                " · invited by ",
                item.created_by,
                " ",
                since(item.created_at),
                " · ends ",
                since(item.expires_at),
                class_name="xs muted num",
            ),
            class_name="line-main",
        ),
        confirm(
            button("Revoke", kind="s"),
            title="Revoke this invitation?",
            text="The link opens nothing any more. You can invite them again.",
            action="Revoke",
            on_confirm=S.revoke(item.id),
            kind="d",
        ),
        class_name="line",
    )


def invite_dialog() -> rx.Component:
    return rx.dialog.root(
        rx.dialog.content(rx.cond(S.link != "", _made(), _new()), class_name="dialog wide"),
        open=S.is_open,
        on_open_change=S.set_open,
    )


def _made() -> rx.Component:
    return shown_once(
        "The invitation",
        "It works once: whoever opens it first makes the account, so give it only to them. It is shown only now.",
        S.link,
        id="invitation-link",
        label="Invitation link",
        notes=[
            rx.cond(S.mailed_to != "", notice("Mailed to ", S.mailed_to, ".", tone="ok", role="status")),
            rx.cond(
                S.mail_problem != "",
                notice(
                    "It could not be mailed: ", S.mail_problem, " Give them the link yourself.", tone="warn"
                ),
            ),
        ],
        done="Done",
    )


def _new() -> rx.Component:
    email_error = S.errors.get("email", "").to(str)
    role_error = S.errors.get("role", "").to(str)
    return rx.fragment(
        rx.dialog.title("Invite somebody", size="4"),
        rx.dialog.description(
            "They make their own account, with a password that only they know.",
            size="2",
            color_scheme="gray",
            margin_bottom="14px",
        ),
        rx.el.form(
            field(
                "Email",
                text_input(
                    id="invite_email", type="email", auto_complete="off", auto_focus=True, error=email_error
                ),
                for_="invite_email",
                help=rx.cond(
                    S.can_mail,
                    "They get the link by mail. Leave it empty for a link that you hand over yourself.",
                    "Optional: then only this address can join. There is no mail server, so hand the link over.",
                ),
                error=email_error,
            ),
            rx.el.fieldset(
                rx.el.legend("Role", class_name="label"),
                *[_role(role, *words) for role, words in ROLE_WORDS.items()],
                class_name="choices",
            ),
            rx.cond(role_error != "", rx.el.p(role_error, class_name="tone-bad sm", role="alert")),
            rx.el.div(
                checkbox("An admin approves each of their posts first", id="invite_needs_approval"),
                class_name="only-creator",
            ),
            field(
                "The link works for",
                select(
                    *[rx.el.option(words, value=days) for days, words in _DAYS.items()],
                    id="invite_days",
                    default_value="7",
                ),
                for_="invite_days",
            ),
            rx.el.div(
                dialog_close(button("Not now")),
                button("Make the invitation", kind="p", type="submit"),
                class_name="row dialog-actions",
            ),
            on_submit=S.create,
            class_name="stack",
            no_validate=True,
        ),
    )


def _role(value: Role, title: str, text: str) -> rx.Component:
    return rx.el.label(
        rx.el.input(type="radio", name="role", value=value.value, default_checked=value is Role.CREATOR),
        rx.el.span(
            rx.el.span(title, class_name="b"),
            rx.el.span(text, class_name="xs muted"),
            class_name="network-words",
        ),
        class_name="choice",
    )
