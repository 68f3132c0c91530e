"""Users: who may sign in, with which role."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import (
    avatar,
    button,
    card,
    card_foot,
    empty_state,
    icon,
    notice,
    page_head,
    pill,
)
from contentcaster.components.dialogs import confirm, dialog_close
from contentcaster.components.fields import checkbox, field, text_input
from contentcaster.components.invitations import invite_button, invite_dialog, open_invitations
from contentcaster.components.sessions import session_line
from contentcaster.components.shell import NavItem
from contentcaster.components.times import since
from contentcaster.models.user import Role
from contentcaster.pages.base import Page
from contentcaster.security.passwords import MIN_CHARACTERS
from contentcaster.security.permissions import Permission
from contentcaster.services.users import UserView
from contentcaster.state.users import MAX_ROWS, ROLE_WORDS
from contentcaster.state.users import UsersState as S


def body() -> rx.Component:
    return rx.fragment(
        page_head(
            "Users",
            pill(rx.fragment(S.active_count, " active"), "acc"),
            rx.el.span(_search(), _add_button(), invite_button(), class_name="row wrap push head-tools"),
        ),
        card(
            rx.cond(
                S.people,
                rx.el.ul(rx.foreach(S.people, _person), class_name="people"),
                empty_state("users", "Nobody matches", "Search for a part of a name or an email address."),
            ),
            rx.cond(
                S.has_more,
                card_foot(
                    rx.el.span(
                        f"The first {MAX_ROWS} are shown; search to find others.", class_name="sm muted"
                    )
                ),
            ),
        ),
        open_invitations(),
        invite_dialog(),
        _create_dialog(),
        _edit_dialog(),
        _password_dialog(),
        _sessions_dialog(),
    )


def _search() -> rx.Component:
    return rx.el.div(
        icon("search", 15),
        rx.el.input(
            type="search",
            class_name="input",
            placeholder="Search people",
            aria_label="Search people",
            default_value=S.search,
            on_change=S.set_search.debounce(250),
            custom_attrs={"data-shortcut": "/", "data-shortcut-focus": "", "aria-keyshortcuts": "/"},
        ),
        class_name="search",
    )


def _add_button() -> rx.Component:
    return button("Add a person", icon_name="user-plus", on_click=S.open_create)


def _person(person: rx.Var[UserView]) -> rx.Component:
    return rx.el.li(
        avatar(person.name.to(str)[0], "l me-av"),
        rx.el.div(
            rx.el.div(
                rx.el.span(person.name, class_name="b clip"),
                rx.cond(person.is_self, rx.el.span("you", class_name="tag")),
                class_name="row",
            ),
            rx.el.div(person.email, class_name="sm muted clip"),
            class_name="person-who",
        ),
        rx.el.div(
            _role_pill(person.role),
            rx.cond(person.needs_approval, rx.el.span("posts need approval", class_name="xs muted nowrap")),
            rx.cond(person.is_active, rx.fragment(), pill("Disabled", "bad")),
            rx.cond(
                person.has_second_factor, rx.el.span("2FA", class_name="tag", title="Two-factor sign-in")
            ),
            class_name="row wrap person-role",
        ),
        rx.el.div(
            rx.cond(
                person.last_seen_at,
                rx.fragment("seen ", since(person.last_seen_at)),
                "never signed in",
            ),
            class_name="sm muted num person-seen",
        ),
        rx.el.div(_person_actions(person), class_name="row person-acts"),
        class_name="person",
        custom_attrs={"data-email": person.email},
    )


def _role_pill(role: rx.Var[str]) -> rx.Component:
    tones = {Role.ADMIN: "acc", Role.CREATOR: "info"}
    return rx.match(
        role,
        *[(value.value, pill(words, tones.get(value, ""))) for value, (words, _) in ROLE_WORDS.items()],
        pill(role),
    )


def _person_actions(person: rx.Var[UserView]) -> rx.Component:
    label = rx.Var.create("Set a new password for ") + person.name.to(str)
    return rx.fragment(
        button("Edit", kind="s", on_click=S.open_edit(person.id)),
        button(
            icon("key-round", 14),
            kind="g s icon",
            aria_label=label,
            title="Set a new password",
            on_click=S.open_password(person.id),
        ),
        button(
            icon("monitor-smartphone", 14),
            kind="g s icon",
            aria_label=rx.Var.create("Sessions of ") + person.name.to(str),
            title="Where they are signed in",
            on_click=S.open_sessions(person.id),
        ),
        rx.cond(
            person.is_self,
            rx.el.span(class_name="icon-gap"),
            rx.cond(
                person.is_active,
                confirm(
                    button(icon("user-x", 14), kind="g s icon", aria_label="Disable", title="Disable"),
                    title=rx.fragment("Disable ", person.name, "?"),
                    text="They are signed out everywhere and cannot sign in. Their scheduled posts still go out.",
                    action="Disable",
                    on_confirm=S.set_active(person.id, False),
                    kind="d",
                ),
                button(
                    icon("user-check", 14),
                    kind="g s icon",
                    aria_label="Enable",
                    title="Enable",
                    on_click=S.set_active(person.id, True),
                ),
            ),
        ),
    )


# Dialogs


def _dialog(name: str, title: object, text: str, *children: rx.Component) -> rx.Component:
    return rx.dialog.root(
        rx.dialog.content(
            rx.dialog.title(title, size="4"),
            rx.dialog.description(text, size="2", color_scheme="gray", margin_bottom="14px"),
            *children,
            class_name="dialog wide",
        ),
        open=S.dialog == name,
        on_open_change=S.set_dialog_open,
    )


def _create_dialog() -> rx.Component:
    return _dialog(
        "create",
        "Add a person",
        "They sign in with this address and password, and can change the password in their profile.",
        rx.el.form(
            _input("Name", "name", auto_focus=True, auto_complete="off"),
            _input("Email", "email", type="email", auto_complete="off", help="They sign in with it."),
            _password_input("First password"),
            _roles(),
            _actions("Add"),
            on_submit=S.create,
            class_name="stack",
            no_validate=True,
        ),
    )


def _edit_dialog() -> rx.Component:
    return _dialog(
        "edit",
        rx.fragment("Edit ", S.subject_name),
        "A new role holds at once: the person is signed out everywhere and signs in again.",
        rx.el.form(
            _input("Name", "name", default_value=S.subject_name, auto_complete="off"),
            _roles(),
            _actions("Save"),
            on_submit=S.save,
            class_name="stack",
        ),
    )


def _password_dialog() -> rx.Component:
    return _dialog(
        "password",
        rx.fragment("New password for ", S.subject_name),
        "They are signed out everywhere. Give them the new password yourself; nothing is e-mailed.",
        rx.el.form(
            rx.el.input(type="hidden", auto_complete="username", value=S.subject_email, read_only=True),
            _password_input("New password", auto_focus=True),
            _actions("Set password"),
            on_submit=S.set_password,
            class_name="stack",
        ),
    )


def _sessions_dialog() -> rx.Component:
    return _dialog(
        "sessions",
        rx.fragment("Where ", S.subject_name, " is signed in"),
        "Signing out takes effect at once, in open tabs too.",
        rx.cond(
            S.sessions,
            rx.el.ul(
                rx.foreach(
                    S.sessions, lambda session: session_line(session, on_end=S.end_session(session.id))
                ),
                class_name="lines in-dialog",
            ),
            rx.el.p("Nowhere right now.", class_name="sm muted"),
        ),
        rx.cond(
            S.subject_has_second_factor,
            rx.el.div(
                rx.el.p("Lost phone and recovery codes?", class_name="sm muted"),
                confirm(
                    button("Take two-factor sign-in away", kind="s"),
                    title=rx.fragment("Take two-factor sign-in of ", S.subject_name, " away?"),
                    text="Make sure that it is them who asks. Their password alone then signs in.",
                    action="Take it away",
                    on_confirm=S.reset_second_factor,
                    kind="d",
                ),
                class_name="row wrap between",
            ),
        ),
        rx.el.div(
            dialog_close(button("Close")),
            rx.cond(S.sessions, button("Sign out everywhere", kind="d", on_click=S.sign_out)),
            class_name="row dialog-actions",
        ),
    )


def _input(label: str, name: str, *, help: str = "", **props: object) -> rx.Component:
    error = S.errors.get(name, "").to(str)
    return field(label, text_input(id=name, error=error, **props), for_=name, help=help, error=error)


def _password_input(label: str, **props: object) -> rx.Component:
    return _input(
        label,
        "password",
        type="password",
        auto_complete="new-password",
        help=f"At least {MIN_CHARACTERS} characters",
        **props,
    )


def _roles() -> rx.Component:
    error = S.errors.get("role", "").to(str)
    return rx.fragment(
        rx.el.fieldset(
            rx.el.legend("Role", class_name="label"),
            *[_role(value, *words) for value, words in ROLE_WORDS.items()],
            class_name="choices",
        ),
        rx.cond(error != "", rx.el.p(error, class_name="tone-bad sm", role="alert")),
        rx.el.div(
            checkbox(
                "An admin approves each of their posts first",
                id="needs_approval",
                default_checked=S.subject_needs_approval,
            ),
            class_name="only-creator",  # shown by the style sheet while that role is chosen
        ),
    )


def _role(value: Role, title: str, text: str) -> rx.Component:
    return rx.el.label(
        rx.el.input(type="radio", name="role", value=value.value, default_checked=S.role == value.value),
        rx.el.span(
            rx.el.span(title, class_name="b"),
            rx.el.span(text, class_name="xs muted"),
            class_name="network-words",
        ),
        class_name="choice",
    )


def _actions(action: str) -> rx.Component:
    return rx.fragment(
        rx.cond(S.form_error != "", notice(S.form_error, tone="bad", role="alert")),
        rx.el.div(
            dialog_close(button("Not now")),
            button(action, kind="p", type="submit"),
            class_name="row dialog-actions",
        ),
    )


PAGE = Page(
    route="/users",
    title="Users",
    body=body,
    load=S.load,
    topics=("users",),
    refresh=S.refresh,
    nav=NavItem("Users", "/users", "users", (Permission.MANAGE_USERS,), section="Run", shortcut="g u"),
)
