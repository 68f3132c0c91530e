"""Calendar: what goes out when; dragged to another time, with undo."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import button, notice, page_head
from contentcaster.components.calendar import post_calendar
from contentcaster.components.fields import select
from contentcaster.components.shell import NavItem
from contentcaster.pages.base import Page
from contentcaster.security.permissions import Permission
from contentcaster.services.views import AccountView
from contentcaster.state.calendar import FILTERS, MAX_POSTS, CalendarState
from contentcaster.state.shell import ShellState


def body() -> rx.Component:
    return rx.fragment(
        page_head(
            "Calendar",
            rx.el.span("Times in ", ShellState.timezone, class_name="muted sm"),
            rx.el.div(
                rx.el.label(
                    rx.el.input(
                        type="checkbox",
                        id="calendar-slots",
                        checked=CalendarState.shows_slots,
                        on_change=CalendarState.set_shows_slots,
                    ),
                    "Free slots",
                    class_name="check sm",
                ),
                _channel_filter(),
                _status_filter(),
                _colours(),
                class_name="row wrap push",
            ),
        ),
        rx.el.div(_moved(), role="status", aria_live="polite"),
        rx.cond(
            CalendarState.is_cut,
            notice(
                f"Only the first {MAX_POSTS} posts of these days are shown. Choose a shorter view or a channel."
            ),
        ),
        post_calendar(
            posts=CalendarState.entries,
            slots=CalendarState.ghosts,
            color_by=CalendarState.color_by,
            on_range=CalendarState.show_range,
            on_move=CalendarState.move,
        ),
    )


def _channel_filter() -> rx.Component:
    return select(
        rx.el.option("All channels", value=""),
        rx.foreach(CalendarState.channels, _channel),
        id="calendar-channel",
        value=CalendarState.channel_id,
        on_change=CalendarState.set_channel,
        aria_label="Channel",
    )


def _channel(channel: rx.Var[AccountView]) -> rx.Component:
    return rx.el.option(channel.platform_name, " · ", channel.handle, value=channel.id)


def _status_filter() -> rx.Component:
    return select(
        *[rx.el.option(title, value=name) for name, (title, _) in FILTERS.items()],
        id="calendar-filter",
        value=CalendarState.filter,
        on_change=CalendarState.set_filter,
        aria_label="Which posts",
    )


def _colours() -> rx.Component:
    return select(
        rx.el.option("Colour: status", value="status"),
        rx.el.option("Colour: channel", value="channel"),
        id="calendar-colours",
        value=CalendarState.color_by,
        on_change=CalendarState.set_color_by,
        aria_label="Colours",
    )


def _moved() -> rx.Component:
    return rx.cond(
        CalendarState.moved != "",
        rx.el.div(
            rx.el.span(CalendarState.moved, class_name="b"),
            button("Undo", kind="s", on_click=CalendarState.undo),
            button("Keep", kind="s g", on_click=CalendarState.forget_undo),
            class_name="notice ok undo-bar",
            id="undo",
        ),
    )


PAGE = Page(
    route="/calendar",
    title="Calendar",
    body=body,
    load=CalendarState.load,
    topics=("posts", "slots"),
    refresh=CalendarState.refresh,
    nav=NavItem("Calendar", "/calendar", "calendar-days", (Permission.COMPOSE,), shortcut="g c"),
)
