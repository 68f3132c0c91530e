"""Handing the numbers on: the dialog with links for people without an account, and the one of the mailed report."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import button, notice
from contentcaster.components.dialogs import confirm, dialog_close
from contentcaster.components.fields import field, select, text_input
from contentcaster.components.secrets import shown_once
from contentcaster.components.times import local_time, since
from contentcaster.services.analytics_share import MAX_TITLE_CHARACTERS, ShareView
from contentcaster.state.analytics import AnalyticsState
from contentcaster.state.analytics_sharing import CADENCES, DAYS
from contentcaster.state.analytics_sharing import SharingState as S


def share_button() -> rx.Component:
    return button("Share", icon_name="link", on_click=S.open_sharing)


def share_dialog() -> rx.Component:
    return rx.dialog.root(
        rx.dialog.content(rx.cond(S.link != "", _made(), _new()), class_name="dialog wide"),
        open=S.is_open,
        on_open_change=S.set_open,
    )


def _made() -> rx.Component:
    return shown_once(
        "The link",
        "Whoever has it sees this view without signing in, and can change nothing. It is shown only now.",
        S.link,
        id="share-link",
        label="Shared link",
        done="Done",
    )


def _new() -> rx.Component:
    error = S.errors.get("title", "").to(str)
    return rx.fragment(
        rx.dialog.title("Share this view", size="4"),
        rx.dialog.description(
            "A link for people without an account: ",
            AnalyticsState.range_words,
            rx.cond(AnalyticsState.days != "", ", moving on with the days", ""),
            rx.cond(AnalyticsState.is_narrowed, ", with the filters that are set now", ""),
            ". Texts of posts and their numbers are in it; authors and bots are not.",
            size="2",
            color_scheme="gray",
            margin_bottom="14px",
        ),
        rx.el.form(
            field(
                "Title",
                text_input(
                    id="share_title",
                    placeholder="Numbers for the board",
                    max_length=MAX_TITLE_CHARACTERS,
                    auto_complete="off",
                    error=error,
                ),
                for_="share_title",
                help="Stands above the numbers, and in your list of links.",
                error=error,
            ),
            field(
                "The link works for",
                select(
                    *[rx.el.option(words, value=days) for days, words in DAYS.items()],
                    id="share_days",
                    default_value="30",
                ),
                for_="share_days",
            ),
            rx.el.div(
                dialog_close(button("Not now")),
                button("Make the link", kind="p", type="submit"),
                class_name="row dialog-actions",
            ),
            on_submit=S.create,
            class_name="stack",
            no_validate=True,
        ),
        rx.cond(
            S.links,
            rx.fragment(
                rx.el.h3("Links that work now", class_name="sm b", style={"margin": "18px 0 8px"}),
                rx.el.ul(rx.foreach(S.links, _line), class_name="lines in-dialog", id="shared-links"),
            ),
        ),
    )


def _line(share: rx.Var[ShareView]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.div(share.title, class_name="b sm clip"),
            rx.el.div(
                share.owner_name,
                " · ends ",
                since(share.expires_at),
                rx.cond(
                    share.opened > 0,
                    rx.fragment(" · opened ", share.opened, "×, last ", since(share.opened_at)),
                    " · not opened yet",
                ),
                class_name="xs muted num",
            ),
            class_name="line-main",
        ),
        confirm(
            button("Revoke", kind="s"),
            title="Revoke this link?",
            text="It shows nothing any more, to anybody. You can make a new one.",
            action="Revoke",
            on_confirm=S.revoke(share.id),
            kind="d",
        ),
        class_name="line",
    )


def report_dialog() -> rx.Component:
    return rx.dialog.root(
        rx.dialog.content(
            rx.dialog.title("Report by mail", size="4"),
            rx.dialog.description(
                "The numbers of the last week or month, what worked and when to post next, to your own address.",
                size="2",
                color_scheme="gray",
                margin_bottom="14px",
            ),
            rx.cond(
                S.report.can_mail,
                rx.fragment(),
                notice(
                    "No mail server is set up (SMTP_URL), so nothing can be mailed. An operator can add one.",
                    tone="warn",
                ),
            ),
            rx.el.form(
                field(
                    "Send it",
                    select(
                        *[rx.el.option(words, value=cadence) for cadence, words in CADENCES.items()],
                        id="cadence",
                        default_value=S.report.cadence,
                        key=S.report.cadence,
                        error=S.report_problem,
                    ),
                    for_="cadence",
                    error=S.report_problem,
                ),
                rx.cond(
                    S.report.next_at,
                    rx.el.p("Next: ", local_time(S.report.next_at), class_name="sm muted"),
                ),
                rx.el.div(
                    dialog_close(button("Not now")),
                    button("Save", kind="p", type="submit"),
                    class_name="row dialog-actions",
                ),
                on_submit=S.save_report,
                class_name="stack",
            ),
            class_name="dialog",
        ),
        open=S.is_report_open,
        on_open_change=S.set_report_open,
    )
