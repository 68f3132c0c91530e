"""Recurring: posts that repeat by a rule, with what comes next."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import (
    button,
    card,
    card_body,
    empty_state,
    go_to,
    icon,
    link_button,
    notice,
    page_head,
    pill,
)
from contentcaster.components.dialogs import confirm
from contentcaster.components.posts import channel_avatars
from contentcaster.components.shell import NavItem
from contentcaster.components.status import status_pill
from contentcaster.components.times import local_time, since
from contentcaster.pages.base import Page
from contentcaster.security.permissions import Permission
from contentcaster.services.series_views import OccurrenceView, SeriesView
from contentcaster.state.recurring import RecurringState as S
from contentcaster.state.shell import ShellState


def body() -> rx.Component:
    return rx.fragment(
        page_head(
            "Recurring posts",
            rx.el.span("Times in ", ShellState.timezone, class_name="sm muted"),
            rx.el.label(
                rx.el.input(type="checkbox", id="show-ended", checked=S.show_ended, on_change=S.set_ended),
                "Ended ones",
                class_name="check sm push",
            ),
            link_button("New post", href="/studio", kind="s", icon_name="plus"),
        ),
        rx.cond(
            S.rows,
            rx.el.ul(rx.foreach(S.rows, _series), class_name="stack", aria_label="Series"),
            card(
                empty_state(
                    "repeat",
                    rx.cond(S.show_ended, "No series has ended yet", "Nothing repeats yet"),
                    "Write a post in the Studio and choose how it repeats. Its posts are made two weeks ahead, so "
                    "that you can read, change or leave out each of them.",
                    link_button("Open the Studio", href="/studio", kind="p"),
                )
            ),
        ),
    )


def _series(item: rx.Var[SeriesView]) -> rx.Component:
    return rx.el.li(
        card(
            rx.el.div(
                channel_avatars(item.channels),
                rx.el.div(
                    rx.el.h2(rx.cond(item.text != "", item.text, "(no text)"), class_name="clamp2"),
                    rx.el.div(
                        icon("repeat", 13),
                        rx.el.span(item.words, class_name="b"),
                        rx.el.span(" ", item.timezone, " · by ", item.author_name),
                        class_name="sm muted row wrap series-words",
                    ),
                    style={"min_width": "0", "flex": "1"},
                ),
                rx.cond(
                    (item.state == "active") & item.is_mine & item.next,
                    link_button(
                        "Edit",
                        href=f"/studio?series={item.id}",
                        kind="s",
                        icon_name="pencil",
                        aria_label="Edit this series",
                    ),
                ),
                rx.cond(
                    (item.state == "active") & item.is_mine,
                    confirm(
                        button("End", kind="s", icon_name="circle-stop"),
                        title="End this series?",
                        text="No more posts come of it. Posts that wait and nobody changed are taken back; changed "
                        "ones and "
                        "what went out stay.",
                        action="End the series",
                        on_confirm=S.end(item.id),
                        kind="d",
                    ),
                    rx.cond(item.state != "active", pill("Ended")),
                ),
                class_name="card-head",
            ),
            rx.cond(
                item.problem != "",
                card_body(
                    notice(rx.el.b("The next one is not scheduled: "), item.problem, tone="bad", role="alert")
                ),
            ),
            rx.cond(
                item.next,
                rx.el.ol(
                    rx.foreach(item.next, lambda each: _occurrence(item, each)),
                    class_name="occurrences",
                    aria_label="The coming ones",
                ),
                rx.cond(item.state == "active", rx.el.p("Nothing to come.", class_name="sm muted card-body")),
            ),
        ),
        custom_attrs={"data-series": item.id},
    )


def _occurrence(item: rx.Var[SeriesView], each: rx.Var[OccurrenceView]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            local_time(each.at, class_name="num nowrap b"),
            since(each.at, class_name="xs faint num"),
            class_name="occurrence-when",
        ),
        rx.el.div(
            rx.match(
                each.state,
                ("made", rx.cond(each.post_status != "", status_pill(each.post_status), pill("Deleted"))),
                ("skipped", pill("Left out")),
                ("refused", pill("Not scheduled", "bad")),
                pill("Planned", "info"),
            ),
            rx.cond(each.is_changed, rx.el.span("changed by hand", class_name="xs muted")),
            rx.cond(each.note != "", rx.el.span(each.note, class_name="xs muted")),
            class_name="row wrap occurrence-state",
        ),
        rx.cond(item.is_mine & (item.state == "active"), _acts(item, each)),
        class_name=rx.cond(each.state == "skipped", "occurrence is-skipped", "occurrence"),
        custom_attrs={"data-state": each.state, "data-at": each.wall_time},
    )


def _acts(item: rx.Var[SeriesView], each: rx.Var[OccurrenceView]) -> rx.Component:
    return rx.el.div(
        rx.match(
            each.state,
            ("skipped", button("Take in again", kind="s g", on_click=S.unskip(item.id, each.wall_time))),
            rx.fragment(
                button("Change this one", kind="s g", on_click=S.edit(item.id, each.wall_time)),
                button("Leave out", kind="s g", on_click=S.skip(item.id, each.wall_time)),
            ),
        ),
        rx.cond(each.post_id != "", go_to("Open", href=f"/posts/{each.post_id}", class_name="btn s g")),
        class_name="row",
        style={"gap": "2px"},
    )


PAGE = Page(
    route="/recurring",
    title="Recurring posts",
    body=body,
    load=S.load,
    refresh=S.refresh,
    topics=("series", "posts"),
    nav=NavItem("Recurring", "/recurring", "repeat", (Permission.COMPOSE,), shortcut="g r"),
)
