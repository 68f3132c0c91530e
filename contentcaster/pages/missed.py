"""While we were down: posts that became due while nothing ran, and what becomes of them."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import (
    button,
    card,
    card_foot,
    empty_state,
    go_to,
    link_button,
    page_head,
    pill,
)
from contentcaster.components.dialogs import confirm, dialog_close
from contentcaster.components.fields import field, text_input
from contentcaster.components.posts import channel_avatars
from contentcaster.components.shell import can
from contentcaster.components.tables import table
from contentcaster.components.times import local_time, since
from contentcaster.pages.base import Page
from contentcaster.services.missed import MissedPost
from contentcaster.state.missed import DECIDE
from contentcaster.state.missed import MissedState as S
from contentcaster.state.shell import ShellState


def body() -> rx.Component:
    return rx.fragment(
        page_head(
            "While we were down",
            rx.cond(S.rows, pill(rx.fragment(S.rows.length(), " waiting"), "warn")),
            rx.el.span(
                "Nothing of these was sent. Nothing is, until you decide.", class_name="muted push hide-s"
            ),
        ),
        rx.cond(
            S.rows,
            card(
                rx.cond(can(*DECIDE), _acts()),
                table(
                    [rx.el.span("Choose", class_name="visually-hidden"), "Post", "Was due", "Channels", "By"],
                    rx.foreach(S.rows, _row),
                    label="Posts that missed their time",
                ),
                card_foot(rx.el.span("Times in ", ShellState.timezone, class_name="xs faint")),
                class_name="stacks",
            ),
            card(
                empty_state(
                    "circle-check",
                    "Nothing was missed",
                    "When publishing stood still at a post's time, and its author wants to be asked, it waits here "
                    "instead of going out late.",
                    link_button("Posts", href="/posts"),
                )
            ),
        ),
        _time_dialog(),
    )


def _acts() -> rx.Component:
    count = S.picked.length()
    is_none = count == 0
    return rx.el.div(
        rx.el.label(
            rx.el.input(
                type="checkbox",
                id="pick-all",
                checked=(count > 0) & (count == S.rows.length()),
                on_change=S.pick_all,
            ),
            rx.cond(is_none, "Choose all", rx.fragment(count, " chosen")),
            class_name="check sm",
        ),
        rx.el.span(
            confirm(
                button("Publish now", kind="p s", icon_name="send", disabled=is_none),
                title=rx.fragment("Publish ", count, rx.cond(count == 1, " post now?", " posts now?")),
                text="They go out late, the one that was due first first. Read them: some may no longer be true.",
                action="Publish now",
                on_confirm=S.publish_now,
            ),
            button("New time", kind="s", icon_name="calendar-clock", disabled=is_none, on_click=S.ask_time),
            confirm(
                button("Let go", kind="g s", disabled=is_none),
                title=rx.fragment("Let ", count, rx.cond(count == 1, " post go?", " posts go?")),
                text="Nothing of them is sent. Each stays under Posts and can be duplicated.",
                action="Let go",
                on_confirm=S.cancel,
                kind="d",
            ),
            class_name="row wrap push",
        ),
        class_name="card-head wrap",
    )


def _row(row: rx.Var[MissedPost]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(
            rx.cond(
                can(*DECIDE),
                rx.el.input(
                    type="checkbox",
                    class_name="pick",
                    checked=S.picked.contains(row.post_id),
                    on_change=lambda is_picked: S.pick(row.post_id, is_picked),
                    custom_attrs={"aria-label": rx.Var.create("Choose: ") + row.text.to(str)},
                ),
            )
        ),
        rx.el.td(
            go_to(
                rx.cond(row.text != "", rx.fragment("“", row.text, "”"), "(only an image)"),
                href=f"/posts/{row.post_id}",
                class_name="row-link clamp2",
            ),
            class_name="cell-post",
        ),
        rx.el.td(
            local_time(row.due_at, class_name="nowrap num"),
            rx.el.div(since(row.due_at), class_name="xs faint num nowrap"),
        ),
        rx.el.td(channel_avatars(row.channels)),
        rx.el.td(row.author, class_name="muted"),
        custom_attrs={"data-post": row.post_id},
    )


def _time_dialog() -> rx.Component:
    return rx.dialog.root(
        rx.dialog.content(
            rx.dialog.title("A new time", size="4"),
            rx.dialog.description(
                rx.fragment("For all that are chosen, in ", ShellState.timezone, "."),
                size="2",
                color_scheme="gray",
                margin_bottom="14px",
            ),
            rx.el.form(
                field(
                    "When",
                    text_input(id="new_time", type="datetime-local", required=True, error=S.time_error),
                    for_="new_time",
                    error=S.time_error,
                ),
                rx.el.div(
                    dialog_close(button("Not now")),
                    button("Schedule", kind="p", type="submit"),
                    class_name="row dialog-actions",
                ),
                on_submit=S.reschedule,
            ),
            class_name="dialog",
        ),
        open=S.is_asking_time,
        on_open_change=S.set_time_open,
    )


PAGE = Page(
    route="/missed",
    title="While we were down",
    body=body,
    load=S.load,
    topics=("failed_tasks", "posts"),
    refresh=S.refresh,
)
