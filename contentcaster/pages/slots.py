"""Queue slots: when each channel likes to post, week by week."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import (
    avatar,
    button,
    card,
    card_body,
    empty_state,
    icon,
    link_button,
    notice,
    page_head,
)
from contentcaster.components.fields import select, text_input
from contentcaster.components.shell import NavItem
from contentcaster.components.times import local_time, since
from contentcaster.pages.base import Page
from contentcaster.security.permissions import Permission
from contentcaster.services.schedule import zone_names
from contentcaster.state.slots import DAYS, Day, Week
from contentcaster.state.slots import SlotsState as S


def body() -> rx.Component:
    return rx.fragment(
        page_head("Queue slots"),
        rx.el.p(
            "Weekly times at which a channel posts. “Add to queue” in the Studio takes the next one that is free; two "
            "people who ask at once never get the same.",
            class_name="sm muted lead",
        ),
        rx.cond(
            S.weeks,
            rx.el.ul(rx.foreach(S.weeks, _week), class_name="stack", aria_label="Channels"),
            card(
                empty_state(
                    "list-plus",
                    "No channel to plan for yet",
                    "Connect a channel first; then give it the times at which it likes to post.",
                    link_button("Channels", href="/channels", kind="p"),
                )
            ),
        ),
        rx.el.datalist(*[rx.el.option(value=zone) for zone in zone_names()], id="slot-zones"),
    )


def _week(week: rx.Var[Week]) -> rx.Component:
    return rx.el.li(
        card(
            rx.el.div(
                avatar(week.initial, "l", style={"background": week.color}),
                rx.el.div(
                    rx.el.h2(week.platform_name, " · ", week.handle, class_name="clip"),
                    rx.el.div(_next(week), class_name="sm muted num"),
                    style={"min_width": "0", "flex": "1"},
                ),
                rx.cond(week.is_manageable, _zone(week), rx.el.span(week.timezone, class_name="sm muted")),
                class_name="card-head wrap",
            ),
            card_body(
                rx.cond(
                    week.error != "",
                    rx.el.p(icon("circle-alert", 14), week.error, class_name="error", role="alert"),
                ),
                rx.cond(
                    week.count > 0,
                    rx.el.ol(
                        rx.foreach(week.days, lambda day: _day(week, day)),
                        class_name="slot-week",
                        aria_label="Slots of the week",
                    ),
                ),
                rx.foreach(week.notes, lambda said: notice(said, tone="info")),
                rx.cond(week.is_manageable, _add(week)),
                class_name="stack",
            ),
        ),
        custom_attrs={"data-channel": week.handle},
    )


def _next(week: rx.Var[Week]) -> rx.Component:
    return rx.cond(
        week.count == 0,
        "No slots yet: posts on this channel cannot be queued.",
        rx.cond(
            week.next_free_at,
            rx.fragment(
                week.count,
                " a week · next free ",
                local_time(week.next_free_at),
                ", ",
                since(week.next_free_at),
            ),
            rx.fragment(week.count, " a week · all taken for a year"),
        ),
    )


def _zone(week: rx.Var[Week]) -> rx.Component:
    return rx.el.div(
        rx.el.label("Time zone", html_for="zone-" + week.account_id, class_name="xs muted"),
        rx.el.input(
            id="zone-" + week.account_id,
            class_name="input",
            default_value=week.timezone,
            list="slot-zones",
            auto_complete="off",
            on_blur=lambda zone: S.set_zone(week.account_id, zone),
            key=week.account_id + week.timezone,
        ),
        class_name="slot-zone",
    )


def _day(week: rx.Var[Week], day: rx.Var[Day]) -> rx.Component:
    return rx.el.li(
        rx.el.div(day.name.to(str)[:3], class_name="xs muted b slot-day", title=day.name),
        rx.foreach(
            day.times,
            lambda time: rx.el.span(
                time,
                rx.cond(
                    week.is_manageable,
                    rx.el.button(
                        icon("x", 12),
                        type="button",
                        on_click=S.remove(week.account_id, day.weekday, time),
                        custom_attrs={"aria-label": "Remove " + day.name.to(str) + " " + time.to(str)},
                    ),
                ),
                class_name="slot num",
            ),
        ),
        rx.cond(day.times.length() == 0, rx.el.span("–", class_name="faint xs")),
    )


def _add(week: rx.Var[Week]) -> rx.Component:
    return rx.el.form(
        rx.el.input(type="hidden", name="account_id", value=week.account_id, read_only=True),
        text_input(
            id="time-" + week.account_id,
            name="time",
            type="time",
            default_value="09:00",
            required=True,
            aria_label="Time",
        ),
        select(
            *[rx.el.option(title, value=name) for name, (title, _days) in DAYS.items()],
            id="days-" + week.account_id,
            name="days",
            default_value="work",
            aria_label="Days",
        ),
        button("Add slots", kind="s", icon_name="plus", type="submit"),
        rx.cond(week.count > 0, button("Remove all", kind="s g push", on_click=S.clear(week.account_id))),
        on_submit=S.add,
        class_name="row wrap slot-add",
    )


PAGE = Page(
    route="/slots",
    title="Queue slots",
    body=body,
    load=S.load,
    refresh=S.refresh,
    topics=("slots", "posts", "accounts"),
    nav=NavItem("Queue slots", "/slots", "list-plus", (Permission.COMPOSE,), shortcut="g t"),
)
