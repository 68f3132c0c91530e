"""Failed tasks: what did not go out, why, and what to do; "Explain this post" beside it."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.components.basics import (
    button,
    card,
    card_body,
    card_foot,
    card_head,
    empty_state,
    go_to,
    icon,
    link_button,
    notice,
    page_head,
    pill,
)
from contentcaster.components.dialogs import confirm, dialog_close
from contentcaster.components.explain import channel_label, explain_entry
from contentcaster.components.fields import field, text_area, text_input
from contentcaster.components.shell import NavItem, can
from contentcaster.components.status import status_pill
from contentcaster.components.tables import table, timeline
from contentcaster.components.times import local_time, since
from contentcaster.pages.base import Page
from contentcaster.security.permissions import Permission
from contentcaster.services.views import FailedGroupView, FailedTaskDetail, FailedTaskView
from contentcaster.state.failed_tasks import FailedTasksState as S
from contentcaster.state.hub import Interest, hub
from contentcaster.state.shell import ShellState


def body() -> rx.Component:
    return rx.fragment(
        page_head(
            "Failed tasks",
            rx.cond(S.failed_count > 0, pill(rx.fragment(S.failed_count, " open"), "bad")),
            rx.cond(
                S.review_count > 0, pill(_counted(S.review_count, "needs review", "need review"), "warn")
            ),
            rx.el.span(
                rx.cond(
                    can(Permission.OPERATE),
                    "Nothing here was sent twice. Retries go only to the channels that failed.",
                    "Read only: an admin retries and settles.",
                ),
                class_name="muted push hide-s",
            ),
        ),
        rx.cond(S.missed_count > 0, _missed_notice()),
        rx.el.div(
            _tab("open", "Open"), _tab("settled", "Settled"), class_name="tabs plain-tabs", role="tablist"
        ),
        rx.el.div(
            rx.el.div(rx.cond(S.tab == "open", _open(), _settled()), class_name="stack"),
            rx.foreach(S.selected, _panel),
            class_name=rx.cond(S.selected, "grid2 wide-panel", "stack"),
        ),
        _link_dialog(),
        _edit_dialog(),
    )


def _counted(count: rx.Var[int], one: str, many: str) -> rx.Component:
    return rx.fragment(count, " ", rx.cond(count == 1, one, many))


def _tab(name: str, title: str) -> rx.Component:
    is_on = S.tab == name
    return rx.el.button(
        title,
        type="button",
        role="tab",
        class_name=rx.cond(is_on, "tab on", "tab"),
        custom_attrs={"aria-selected": rx.cond(is_on, "true", "false")},
        on_click=S.show_tab(name),
    )


# Open


def _open() -> rx.Component:
    return rx.cond(
        S.groups,
        rx.fragment(
            rx.foreach(S.groups, _group),
            rx.cond(
                S.hidden_groups > 0,
                rx.el.p(
                    S.hidden_groups,
                    " more groups appear once some of these are settled.",
                    class_name="sm muted",
                ),
            ),
        ),
        card(
            empty_state(
                "circle-check",
                "Nothing has failed",
                "A post that a network refuses, or that could not be sent after four tries, stops here with its "
                "history and with what to do. Nothing is dropped in silence.",
                link_button("Posts", href="/posts"),
            )
        ),
    )


def _group(group: rx.Var[FailedGroupView]) -> rx.Component:
    return rx.el.section(
        card_head(
            pill(group.title, rx.cond(group.is_review, "warn", "bad")),
            rx.el.h2(channel_label(group.channel), class_name="group-title"),
            rx.el.span(_counted(group.count, "post", "posts"), class_name="sm muted nowrap"),
            rx.cond(can(Permission.OPERATE), _group_actions(group)),
        ),
        rx.cond(group.advice != "", card_body(rx.el.p(group.advice, class_name="sm muted advice"))),
        rx.cond(
            group.is_review,
            rx.el.ul(rx.foreach(group.tasks, _review)),
            rx.el.div(
                table(_columns(), rx.foreach(group.tasks, _row), label=group.title), class_name="failed-table"
            ),
        ),
        rx.cond(
            group.count > group.tasks.length(),
            card_foot(
                rx.el.span(
                    "The newest ",
                    group.tasks.length(),
                    " are listed; the buttons above act on all ",
                    group.count,
                    ".",
                    class_name="sm muted",
                )
            ),
        ),
        class_name="card",
        custom_attrs={"data-reason": group.reason},
    )


def _columns() -> list[Any]:
    actions = rx.el.span("Actions", class_name="visually-hidden")
    return ["Post", "Due", rx.el.span("Tries", title="How often it was tried"), "Answer", actions]


def _group_actions(group: rx.Var[FailedGroupView]) -> rx.Component:
    many = group.count > 1
    return rx.el.span(
        rx.cond(
            group.is_reconnect_advised & group.channel,
            link_button(
                "Reconnect channel", href=f"/channels?reconnect={group.channel.account_id}", kind="s"
            ),  # type: ignore[union-attr]
        ),
        rx.cond(
            many & ~group.is_review,
            confirm(
                button(
                    rx.cond(group.count == 2, "Retry both", rx.fragment("Retry all ", group.count)),
                    kind="p s",
                ),
                title=rx.fragment("Send ", group.count, " posts again?"),
                text="They go out now, the oldest first, each to the one channel that failed.",
                action="Send them",
                on_confirm=S.retry_group(group.key),
            ),
        ),
        rx.cond(
            many,
            confirm(
                button(icon("x", 14), kind="g s icon", aria_label="Let all go", title="Let all go"),
                title=rx.fragment("Let ", group.count, " posts go?"),
                text="Nothing is sent. They stay in the settled list, and each post can be duplicated.",
                action="Let them go",
                on_confirm=S.discard_group(group.key),
                kind="d",
            ),
        ),
        class_name="row wrap push",
    )


def _row(task: rx.Var[FailedTaskView]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(_excerpt(task), class_name="cell-post"),
        rx.el.td(_due(task), class_name="cell-due"),
        rx.el.td(task.attempts, class_name="num cell-tries"),
        rx.el.td(_answer(task), class_name="cell-answer"),
        rx.el.td(rx.cond(can(Permission.OPERATE), _row_actions(task)), class_name="cell-actions"),
        class_name=rx.cond(S.selected_id == task.id, "is-selected", ""),
    )


def _excerpt(task: rx.Var[FailedTaskView]) -> rx.Component:
    return rx.el.button(
        rx.cond(task.text != "", rx.fragment("“", task.text, "”"), "(only an image)"),
        type="button",
        class_name="row-link text-button clamp2",
        title="Explain this post",
        custom_attrs={
            "aria-pressed": rx.cond(S.selected_id == task.id, "true", "false"),
            "aria-controls": "explain",
        },
        on_click=S.select(task.id),
    )


def _due(task: rx.Var[FailedTaskView]) -> rx.Component:
    return rx.fragment(
        local_time(task.scheduled_at, "seconds", class_name="mono"),
        rx.el.div(since(task.scheduled_at), class_name="xs faint num nowrap"),
    )


def _answer(task: rx.Var[FailedTaskView]) -> rx.Component:
    return rx.el.span(
        rx.cond(task.http_status, rx.fragment(rx.el.span(task.http_status, class_name="b num"), " · ")),
        task.message,
        class_name="muted",
    )


def _row_actions(task: rx.Var[FailedTaskView]) -> rx.Component:
    return rx.el.span(
        button("Retry", kind="s", on_click=S.retry(task.id)),
        rx.cond(
            task.target_id != "",
            button(
                icon("pencil", 14),
                kind="g s icon",
                aria_label="Change the text and send it again",
                title="Edit and retry",
                on_click=S.ask_edit(task.id),
            ),
        ),
        _discard(task, button(icon("x", 14), kind="g s icon", aria_label="Let it go", title="Let it go")),
        class_name="row",
    )


def _discard(task: rx.Var[FailedTaskView], trigger: rx.Component) -> rx.Component:
    return confirm(
        trigger,
        title="Let this post go?",
        text="Nothing is sent to this channel any more. It stays in the settled list with its history.",
        action="Let it go",
        on_confirm=S.discard(task.id),
        kind="d",
    )


def _review(task: rx.Var[FailedTaskView]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            _excerpt(task),
            rx.el.span("due ", local_time(task.scheduled_at), class_name="sm muted nowrap num"),
            class_name="row wrap between",
        ),
        rx.el.p(task.message, " ", rx.el.b("Is it there?"), class_name="sm"),
        rx.cond(can(Permission.OPERATE), _review_actions(task)),
        class_name=rx.cond(S.selected_id == task.id, "target is-selected", "target"),
    )


def _review_actions(task: rx.Var[FailedTaskView]) -> rx.Component:
    url = S.channel_urls[task.channel.account_id]  # type: ignore[union-attr]
    return rx.el.div(
        rx.cond(
            task.channel,
            rx.cond(
                url,
                rx.el.a(
                    "Open the channel ↗",
                    href=url,
                    target="_blank",
                    rel="noopener noreferrer",
                    class_name="btn",
                ),
            ),
        ),
        button("It is live: paste the link", kind="p", on_click=S.ask_link(task.id)),
        confirm(
            button("Not there: send again"),
            title="It is not there: send it again?",
            text="Look on the channel first. If the first one did arrive, everybody sees a second one.",
            action="Not there, send it",
            on_confirm=S.retry(task.id),
        ),
        _discard(task, button("Drop", kind="g")),
        class_name="row wrap",
    )


# Settled


def _settled() -> rx.Component:
    return card(
        rx.cond(
            S.settled,
            rx.fragment(
                rx.el.div(
                    table(
                        ["Post", "Channel", "Cause", "What became of it", "When"],
                        rx.foreach(S.settled, _settled_row),
                        label="Settled failed tasks",
                    ),
                    class_name="stacks",
                ),
                rx.cond(S.has_more, card_foot(button("Show more", on_click=S.show_more))),
            ),
            empty_state(
                "history",
                "Nothing settled yet",
                "What was retried, confirmed with a link or let go is kept here, with who decided it and when.",
            ),
        )
    )


def _settled_row(task: rx.Var[FailedTaskView]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(_excerpt(task), class_name="cell-post"),
        rx.el.td(channel_label(task.channel), class_name="nowrap"),
        rx.el.td(task.title, class_name="muted"),
        rx.el.td(
            rx.match(
                task.resolution,
                ("retried", pill("Sent again", "info")),
                ("published", pill("Confirmed live", "ok")),
                ("discarded", pill("Let go")),
                pill(task.resolution),
            ),
            rx.cond(task.resolved_by != "", rx.el.div("by ", task.resolved_by, class_name="xs faint")),
        ),
        rx.el.td(local_time(task.resolved_at), class_name="nowrap num muted"),
        class_name=rx.cond(S.selected_id == task.id, "is-selected", ""),
    )


# The panel


def _panel(detail: rx.Var[FailedTaskDetail]) -> rx.Component:
    task = detail.task
    return rx.el.section(
        card_head(
            rx.el.h2("Explain this post"),
            rx.el.span(rx.cond(detail.post_status != "", status_pill(detail.post_status)), class_name="push"),
            button(icon("x"), kind="g s icon sheet-close", aria_label="Close", on_click=S.close_sheet),
        ),
        card_body(
            rx.el.p(
                rx.cond(task.text != "", rx.fragment("“", task.text, "”"), "(only an image)"),
                class_name="sm clamp2",
            ),
            rx.el.p(
                channel_label(task.channel),
                " · ",
                go_to("job ", task.job_id, href=f"/jobs/{task.job_id}", class_name="link nowrap"),
                class_name="sm muted row wrap",
            ),
            timeline(rx.foreach(S.entries, explain_entry)),
            rx.el.p("Times in ", ShellState.timezone, class_name="xs faint"),
            class_name="stack",
        ),
        rx.cond(
            task.post_id != "",
            card_foot(go_to("Open the post's page", href=f"/posts/{task.post_id}", class_name="link sm")),
        ),
        id="explain",
        aria_label="Explain this post",
        class_name=rx.cond(S.is_sheet_open, "card explain open", "card explain"),
    )


def _missed_notice() -> rx.Component:
    return notice(
        rx.el.div(
            rx.el.span(
                rx.el.b(
                    S.missed_count,
                    rx.cond(S.missed_count == 1, " post became due", " posts became due"),
                    " while nothing ran",
                ),
                " and waits for your word.",
            ),
            link_button("Decide over them", href="/missed", kind="s"),
            class_name="row wrap between",
        ),
        tone="warn",
        style={"margin_bottom": "14px"},
    )


def _edit_dialog() -> rx.Component:
    return rx.dialog.root(
        rx.dialog.content(
            rx.dialog.title("Edit and retry", size="4"),
            rx.dialog.description(
                rx.fragment(
                    "Only ", S.edit_where, " gets this text. What is out on other channels stays as it is."
                ),
                size="2",
                color_scheme="gray",
                margin_bottom="14px",
            ),
            rx.el.form(
                field(
                    "Text for this channel",
                    text_area(
                        id="edit_text", default_value=S.edit_text, rows=8, auto_focus=True, error=S.edit_error
                    ),
                    for_="edit_text",
                    error=S.edit_error,
                ),
                rx.el.div(
                    dialog_close(button("Not now")),
                    button("Save and send", kind="p", type="submit"),
                    class_name="row dialog-actions",
                ),
                on_submit=S.edit_and_retry,
                key=S.edit_id.to_string(),
            ),
            class_name="dialog wide",
        ),
        open=S.edit_id != 0,
        on_open_change=S.set_edit_open,
    )


def _link_dialog() -> rx.Component:
    return rx.dialog.root(
        rx.dialog.content(
            rx.dialog.title("Where is it?", size="4"),
            rx.dialog.description(
                "Paste the link of the post on the network. It is then noted as published; nothing is sent.",
                size="2",
                color_scheme="gray",
                margin_bottom="14px",
            ),
            rx.el.form(
                field(
                    "Link of the post",
                    text_input(
                        id="remote_url",
                        type="text",
                        input_mode="url",
                        placeholder="https://",
                        auto_complete="off",
                        auto_focus=True,
                        error=S.link_error,
                    ),
                    for_="remote_url",
                    error=S.link_error,
                ),
                rx.el.div(
                    dialog_close(button("Not now")),
                    button("It is live there", kind="p", type="submit"),
                    class_name="row dialog-actions",
                ),
                on_submit=S.resolve,
            ),
            class_name="dialog",
        ),
        open=S.link_id != 0,
        on_open_change=S.set_link_open,
    )


# Any post's change only re-reads the panel: after a retry it follows the post to Published.
hub.declare(Interest("/failed-tasks", ("posts",), S.follow))

PAGE = Page(
    route="/failed-tasks",
    title="Failed tasks",
    body=body,
    load=S.load,
    topics=("failed_tasks",),
    refresh=S.refresh,
    nav=NavItem(
        "Failed tasks",
        "/failed-tasks",
        "octagon-alert",
        (Permission.VIEW_OPERATIONS,),
        section="Run",
        shortcut="g f",
        count=ShellState.counts.failed_open,
        is_count_bad=True,
    ),
)
