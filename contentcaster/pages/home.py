"""Home: what goes out today, what needs a person, what comes next."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import (
    card,
    card_body,
    card_head,
    empty_state,
    go_to,
    icon,
    link_button,
    page_head,
    pill,
    stat,
)
from contentcaster.components.posts import channel_avatars, post_excerpt
from contentcaster.components.shell import NavItem
from contentcaster.components.status import status_pill
from contentcaster.components.times import local_time, since
from contentcaster.pages.base import Page
from contentcaster.security.permissions import Permission
from contentcaster.services.views import AttentionItem, PostRow
from contentcaster.state.home import HomeState
from contentcaster.state.shell import ShellState


def body() -> rx.Component:
    return rx.cond(HomeState.has_home, _home(), _nothing_for_this_role())


def _home() -> rx.Component:
    return rx.fragment(
        page_head(
            "Home", rx.el.span("Nothing is sent twice, nothing is lost.", class_name="muted push hide-s")
        ),
        rx.cond(HomeState.channels_connected == 0, _first_steps()),
        rx.el.div(
            stat("On today's schedule", HomeState.today_count, "sent ones included"),
            stat("Published today", HomeState.published_today),
            stat("Scheduled in all", HomeState.scheduled_count),
            stat(
                "Needs a person",
                HomeState.attention_count,
                rx.cond(HomeState.attention_count == 0, "all quiet", "see the list"),
            ),
            class_name="grid3",
            style={"margin_bottom": "18px"},
        ),
        rx.el.div(_today(), rx.el.div(_attention(), _next_up(), class_name="stack"), class_name="grid2"),
    )


def _today() -> rx.Component:
    return card(
        card_head(
            rx.el.h2("Today"),
            rx.el.span(ShellState.timezone, class_name="xs faint"),
            link_button("All posts", href="/posts", kind="g s push"),
        ),
        rx.cond(
            HomeState.today,
            rx.el.ul(rx.foreach(HomeState.today, _today_line), class_name="lines"),
            empty_state(
                "calendar-clock",
                "Nothing goes out today",
                "Write a post and give it a time today; it appears here and turns to Published without a reload.",
                link_button("New post", href="/studio", kind="p", icon_name="plus"),
            ),
        ),
    )


def _today_line(post: rx.Var[PostRow]) -> rx.Component:
    return rx.el.li(
        local_time(post.scheduled_at, "time", class_name="mono line-time"),
        rx.el.div(
            post_excerpt(post),
            rx.el.div(channel_avatars(post.channels), class_name="xs"),
            class_name="line-main",
        ),
        status_pill(post.status),
        class_name="line",
    )


def _attention() -> rx.Component:
    return card(
        card_head(
            rx.el.h2("Needs attention"),
            rx.cond(HomeState.attention_count > 0, pill(HomeState.attention_count, "warn push")),
        ),
        rx.cond(
            HomeState.attention,
            rx.el.ul(rx.foreach(HomeState.attention, _attention_line), class_name="lines"),
            card_body(
                rx.el.p("Nothing. Every channel is connected and nothing has failed.", class_name="muted sm")
            ),
        ),
    )


def _attention_line(item: rx.Var[AttentionItem]) -> rx.Component:
    return rx.el.li(
        rx.el.span(class_name="dot " + item.level, style={"margin_top": "5px"}),
        rx.el.div(
            go_to(item.title, href=item.href, class_name="row-link"),
            rx.el.p(item.sentence, class_name="sm muted"),
            class_name="line-main",
        ),
        icon("chevron-right"),
        class_name="line",
    )


def _next_up() -> rx.Component:
    return card(
        card_head(rx.el.h2("Next up")),
        rx.cond(
            HomeState.next_up,
            rx.foreach(
                HomeState.next_up,
                lambda post: card_body(
                    post_excerpt(post),
                    rx.el.div(
                        channel_avatars(post.channels),
                        local_time(post.scheduled_at),
                        rx.el.span(since(post.scheduled_at), class_name="faint push"),
                        class_name="row sm muted",
                        style={"margin_top": "10px"},
                    ),
                ),
            ),
            card_body(rx.el.p("No post waits for its time.", class_name="muted sm")),
        ),
    )


def _first_steps() -> rx.Component:
    return card(
        card_head(rx.el.h2("Three steps to the first post")),
        rx.el.ol(
            _step(
                "1",
                "Connect a channel",
                "The sandbox network is built in: try everything without a real account.",
                "/channels",
            ),
            _step("2", "Write a post", "Counters show what each network allows while you type.", "/studio"),
            _step(
                "3", "Schedule it a minute ahead and watch", "Its page explains every step, live.", "/posts"
            ),
            class_name="lines",
        ),
        style={"margin_bottom": "18px"},
    )


def _step(number: str, title: str, text: str, href: str) -> rx.Component:
    return rx.el.li(
        rx.el.span(number, class_name="av", style={"background": "var(--accent)"}),
        rx.el.div(
            go_to(title, href=href, class_name="row-link"),
            rx.el.p(text, class_name="sm muted"),
            class_name="line-main",
        ),
        icon("chevron-right"),
        class_name="line",
    )


def _nothing_for_this_role() -> rx.Component:
    return card(
        empty_state(
            "chart-line",
            "Welcome",
            "Your role reads analytics. There are no figures yet; they appear here once posts have gone out.",
        )
    )


PAGE = Page(
    route="/",
    title="Home",
    body=body,
    load=HomeState.load,
    topics=("posts", "failed_tasks", "accounts", "queues"),
    nav=NavItem("Home", "/", "house", (Permission.COMPOSE,), shortcut="g h"),
)
