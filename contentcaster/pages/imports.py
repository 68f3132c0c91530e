"""Import: posts from a CSV file, looked at row by row before anything is made."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import (
    button,
    card,
    card_body,
    card_foot,
    card_head,
    empty_state,
    link_button,
    notice,
    page_head,
    pill,
)
from contentcaster.components.csv_uploader import csv_uploader
from contentcaster.components.fields import field, select, text_input
from contentcaster.components.posts import channel_avatars
from contentcaster.components.tables import table
from contentcaster.pages.base import Page
from contentcaster.services.csv_import import RowReport
from contentcaster.services.csv_tables import FIELDS
from contentcaster.services.schedule import zone_names
from contentcaster.services.views import AccountView
from contentcaster.state.imports import Column
from contentcaster.state.imports import ImportState as S


def body() -> rx.Component:
    return rx.fragment(
        page_head(
            "Import posts",
            rx.cond(S.has_file, rx.el.span(S.filename, " · ", S.facts, class_name="sm muted clip")),
            rx.cond(S.has_file, button("Another file", kind="s push", on_click=S.start_over)),
        ),
        rx.match(
            S.state,
            ("imported", _done()),
            ("undone", _undone()),
            ("uploaded", rx.el.div(_columns(), _defaults(), _result(), class_name="stack")),
            _upload(),
        ),
    )


def _upload() -> rx.Component:
    return rx.el.div(
        card(card_body(csv_uploader(on_uploaded=S.uploaded), class_name="stack")),
        card(
            card_head(rx.el.h2("What the file should hold")),
            card_body(
                rx.el.p(
                    "A first line with column names, then one post per line. You say next which column is what; "
                    "nothing "
                    "is made before you have seen every row.",
                    class_name="sm muted",
                ),
                rx.el.pre(
                    "text,channels,date,time,labels\n"
                    '"Version 2 is out, with a calendar",@acme@social.example,2026-12-01,09:00,release\n'
                    '"Thank you all!","@acme@social.example, acme.example",2026-12-02,17:30,',
                    class_name="mono sample",
                    tab_index=0,
                    aria_label="Example of a file",
                ),
                class_name="stack",
            ),
        ),
        class_name="stack",
    )


def _columns() -> rx.Component:
    return card(
        card_head(rx.el.h2("Columns"), rx.el.span("guessed from their names", class_name="xs faint")),
        rx.el.ul(rx.foreach(S.columns, _column), class_name="import-columns"),
    )


def _column(column: rx.Var[Column]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.label(column.heading, html_for="column-" + column.number, class_name="b sm clip"),
            rx.el.div(column.samples, class_name="xs muted clip"),
            style={"min_width": "0"},
        ),
        rx.el.select(
            rx.el.option("Leave out", value=""),
            *[rx.el.option(each.title, value=each.name) for each in FIELDS],
            id="column-" + column.number,
            class_name="input",
            value=column.field,
            on_change=lambda name: S.set_column(column.number, name),
        ),
        class_name=rx.cond(column.field == "", "left-out", ""),
    )


def _defaults() -> rx.Component:
    return card(
        card_head(rx.el.h2("Where a row says nothing")),
        card_body(
            rx.el.fieldset(
                rx.el.legend("Channels", class_name="label"),
                rx.cond(
                    S.channels,
                    rx.el.div(rx.foreach(S.channels, _channel), class_name="row wrap"),
                    rx.el.p("No channel is connected yet.", class_name="sm muted"),
                ),
                class_name="plain-set",
            ),
            rx.el.div(
                field(
                    "Time zone",
                    text_input(
                        id="import-zone",
                        value=S.timezone,
                        on_change=S.set_timezone.debounce(500),
                        list="import-zones",
                        error=S.timezone_error,
                        auto_complete="off",
                    ),
                    for_="import-zone",
                    error=S.timezone_error,
                ),
                rx.el.datalist(*[rx.el.option(value=zone) for zone in zone_names()], id="import-zones"),
                field(
                    "Without a time",
                    select(
                        rx.el.option("Keep as a draft", value="draft"),
                        rx.el.option("Next free queue slot", value="queue"),
                        rx.el.option("Refuse the row", value="refuse"),
                        id="without-time",
                        value=S.without_time,
                        on_change=S.set_without_time,
                    ),
                    for_="without-time",
                ),
                field(
                    "Dates such as 3/4/2026",
                    select(
                        rx.el.option("as the file tells", value=""),
                        rx.el.option("day first: 3 April", value="dmy"),
                        rx.el.option("month first: March 4", value="mdy"),
                        id="date-order",
                        value=S.date_order,
                        on_change=S.set_date_order,
                    ),
                    for_="date-order",
                ),
                class_name="grid3",
            ),
            class_name="stack",
        ),
    )


def _channel(channel: rx.Var[AccountView]) -> rx.Component:
    return rx.el.label(
        rx.el.input(
            type="checkbox",
            checked=S.account_ids.contains(channel.id),
            on_change=lambda is_chosen: S.set_channel(channel.id, is_chosen),
        ),
        channel.platform_name,
        " ",
        channel.handle,
        class_name="check",
    )


def _result() -> rx.Component:
    return card(
        card_head(
            rx.el.h2("What would become of each row"),
            rx.cond(S.ok > 0, pill(rx.fragment(S.ok, " fine"), "ok")),
            rx.cond(S.to_look_at > 0, pill(rx.fragment(S.to_look_at, " to look at"), "warn")),
            rx.cond(S.wrong > 0, pill(rx.fragment(S.wrong, " to mend"), "bad")),
        ),
        rx.cond(
            S.problem != "",
            card_body(notice(S.problem, tone="warn", role="alert")),
            rx.fragment(
                table(
                    ["Line", "Post", "Channels", "When", "What to know"],
                    rx.foreach(S.rows, _row),
                    label="Rows of the file",
                    is_cards_when_narrow=True,
                ),
                rx.cond(
                    S.row_count > S.rows.length(),
                    rx.el.p(
                        "The first ",
                        S.rows.length(),
                        " are shown, those with problems on top.",
                        class_name="xs faint card-body",
                    ),
                ),
                _run(),
            ),
        ),
        id="dry-run",
        custom_attrs={"aria-live": "polite"},
    )


def _row(row: rx.Var[RowReport]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(row.line, class_name="num muted"),
        rx.el.td(rx.cond(row.text != "", row.text, "(no text)"), class_name="import-text"),
        rx.el.td(channel_avatars(row.channels)),
        rx.el.td(row.when, class_name="sm num"),
        rx.el.td(
            rx.cond(
                row.level == "ok",
                pill("fine", "ok"),
                rx.el.ul(
                    rx.foreach(row.messages, lambda said: rx.el.li(said)),
                    class_name=rx.cond(row.level == "stop", "sm tone-bad", "sm tone-warn"),
                ),
            )
        ),
        key=row.line.to_string(),
        custom_attrs={"data-level": row.level},
    )


def _run() -> rx.Component:
    count = S.ok + S.to_look_at
    return card_foot(
        rx.cond(
            S.wrong > 0,
            rx.el.p(
                "Mend these rows in the file and upload it again, or change a column above. "
                "All rows are imported, or none.",
                class_name="sm muted",
            ),
            rx.el.p(
                S.scheduled,
                " scheduled, ",
                S.drafts,
                " drafts. You can undo it afterwards.",
                class_name="sm muted",
            ),
        ),
        button(
            rx.cond(
                S.is_busy,
                "Importing …",
                rx.fragment("Import ", count, rx.cond(count == 1, " post", " posts")),
            ),
            kind="p push",
            id="run-import",
            disabled=(S.wrong > 0) | (count == 0) | S.is_busy,
            on_click=S.run,
        ),
    )


def _done() -> rx.Component:
    return card(
        empty_state(
            "circle-check",
            rx.fragment(S.imported, rx.cond(S.imported == 1, " post was imported", " posts were imported")),
            "They are among your posts now, each with its own time. Nothing else was changed.",
            link_button("Show the posts", href="/posts", kind="p"),
            link_button("See them in the calendar", href="/calendar"),
            button("Undo the import", kind="g", on_click=S.undo, disabled=S.is_busy),
        )
    )


def _undone() -> rx.Component:
    return card(
        empty_state(
            "undo-2",
            "This import is not there any more",
            "Its posts were deleted, or its file was replaced by newer uploads. Upload it again to import it.",
            button("Choose a file", kind="p", on_click=S.start_over),
        )
    )


PAGE = Page(route="/import", title="Import posts", body=body, load=S.load)
