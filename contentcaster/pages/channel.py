"""One channel's page: how healthy its login is, what its network still allows, what went out and what comes next."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import (
    avatar,
    button,
    card,
    card_body,
    card_head,
    external_link,
    go_to,
    link_button,
    notice,
    page_head,
    pill,
)
from contentcaster.components.posts import post_excerpt
from contentcaster.components.status import status_pill
from contentcaster.components.times import local_time, since
from contentcaster.pages.base import Page
from contentcaster.services.channel_health import AttemptLine
from contentcaster.services.quotas import KnownLimitView
from contentcaster.services.token_warnings import BreakingPost
from contentcaster.services.views import PostRow
from contentcaster.state.channel import ChannelState as S
from contentcaster.state.channel import QuotaLine


def body() -> rx.Component:
    return rx.fragment(
        page_head(
            rx.fragment(S.platform_name, " · ", S.handle),
            rx.match(
                S.status,
                ("connected", pill("Connected", "ok")),
                ("reauthorise", pill("Needs login", "bad")),
                pill("Switched off"),
            ),
            rx.el.div(
                rx.cond(S.profile_url != "", external_link("Open it", S.profile_url)),
                rx.cond(
                    S.is_manageable,
                    rx.fragment(
                        button(
                            rx.cond(S.is_checking, "Asking …", "Check now"),
                            icon_name="activity",
                            disabled=S.is_checking,
                            on_click=S.check,
                        ),
                        link_button("Reconnect", href=_reconnect_href(), icon_name="key-round"),
                    ),
                ),
                class_name="row wrap push",
            ),
        ),
        rx.el.div(_troubles(), class_name="stack channel-troubles"),
        rx.el.div(
            rx.el.div(_quotas(), _recent(), class_name="stack"),
            rx.el.div(_about(), _waiting(), class_name="stack"),
            class_name="grid2",
        ),
    )


def _reconnect_href() -> rx.Var:
    return rx.Var.create("/channels?reconnect=") + rx.State.account_id.to(str)


def _troubles() -> rx.Component:
    return rx.fragment(
        rx.cond(
            S.status == "reauthorise",
            notice(
                rx.el.p(rx.cond(S.status_reason != "", S.status_reason, "The network refused its login.")),
                rx.el.p(
                    "Its posts are kept and nothing is sent until it is connected again.",
                    class_name="xs muted",
                ),
                tone="bad",
            ),
        ),
        rx.cond(S.status == "disabled", notice(S.status_reason, tone="warn")),
        rx.cond(
            S.login_sentence != "",
            rx.el.div(
                rx.cond(S.is_login_over, notice(*_ending(), tone="bad"), notice(*_ending(), tone="warn")),
                custom_attrs={"data-login": "ending"},
            ),
        ),
        rx.cond(
            S.pause_reason != "",
            rx.el.div(
                notice(S.pause_reason, " Posts that come due wait until then by themselves.", tone="warn"),
                custom_attrs={"data-quota": "paused"},
            ),
        ),
    )


def _ending() -> tuple[rx.Component, ...]:
    return (
        rx.el.div(
            rx.el.p(S.login_sentence),
            rx.cond(
                S.breaking,
                rx.el.ul(rx.foreach(S.breaking, _breaking), class_name="breaking sm"),
            ),
            rx.cond(
                S.breaking_more > 0,
                rx.el.p("and ", S.breaking_more, " more", class_name="xs muted"),
            ),
            style={"min_width": "0", "flex": "1"},
        ),
    )


def _breaking(post: rx.Var[BreakingPost]) -> rx.Component:
    return rx.el.li(
        go_to(
            rx.cond(post.text != "", post.text, "(no text)"),
            href=f"/posts/{post.post_id}",
            class_name="row-link clip",
        ),
        local_time(post.scheduled_at, class_name="muted nowrap num push"),
        class_name="row",
    )


def _quotas() -> rx.Component:
    return card(
        card_head(
            rx.el.h2("What the network allows"),
            rx.el.span(
                S.sends_last_hour,
                rx.cond(S.sends_last_hour == 1, " send", " sends"),
                " in the last hour · ",
                S.sends_last_day,
                " in the last day",
                class_name="xs muted num push",
            ),
        ),
        card_body(
            rx.cond(
                S.quotas,
                rx.el.ul(rx.foreach(S.quotas, _quota), class_name="quotas"),
                rx.el.p(
                    "No answer of this network has stated a limit yet. Each one that does is kept here.",
                    class_name="sm muted",
                ),
            ),
            rx.foreach(S.known_limits, _known_limit),
            class_name="stack",
        ),
    )


def _quota(line: rx.Var[QuotaLine]) -> rx.Component:
    quota = line.quota
    return rx.el.li(
        rx.el.div(
            rx.el.span(quota.title, class_name="b"),
            rx.cond(quota.window != "", rx.el.span("per ", quota.window, class_name="muted xs")),
            rx.cond(quota.is_shared, rx.el.span("shared by all channels there", class_name="tag")),
            rx.el.span(line.amount, class_name="num push nowrap"),
            class_name="row wrap",
        ),
        rx.el.div(
            rx.el.i(style={"width": line.width}),
            class_name="bar " + line.tone,
            role="img",
            aria_label=quota.title.to(str) + ": " + line.amount.to(str),
        ),
        rx.el.div(
            rx.cond(
                quota.is_outdated,
                "Free again; the next answer tells anew",
                rx.cond(
                    quota.resets_at,
                    rx.el.span(quota.left, " left, full again ", since(quota.resets_at)),
                    rx.el.span(quota.left, " left"),
                ),
            ),
            rx.el.span(
                "learned from ", rx.el.code(quota.learned_from), " ", since(quota.seen_at), class_name="push"
            ),
            class_name="row wrap xs faint num",
        ),
        custom_attrs={"data-quota": quota.name},
    )


def _known_limit(limit: rx.Var[KnownLimitView]) -> rx.Component:
    return rx.el.p(
        "By its documentation: ",
        limit.sentence,
        " ",
        external_link("Source", limit.source),
        class_name="xs muted",
    )


def _recent() -> rx.Component:
    return card(
        card_head(rx.el.h2("Latest sends and look-ups")),
        rx.cond(
            S.recent,
            rx.el.ul(rx.foreach(S.recent, _attempt), class_name="lines"),
            card_body(rx.el.p("Nothing has gone out through this channel yet.", class_name="sm muted")),
        ),
    )


def _attempt(line: rx.Var[AttemptLine]) -> rx.Component:
    return rx.el.li(
        rx.el.span(class_name="dot " + line.tone, style={"margin_top": "5px"}),
        rx.el.div(
            rx.cond(
                line.post_id != "",
                go_to(line.words, href=f"/posts/{line.post_id}", class_name="row-link"),
                rx.el.span(line.words, class_name="b"),
            ),
            rx.cond(line.message != "", rx.el.p(line.message, class_name="sm muted")),
            class_name="line-main",
        ),
        rx.el.div(
            rx.el.div(since(line.at), class_name="num nowrap"),
            rx.cond(line.http_status > 0, rx.el.div("HTTP ", line.http_status, class_name="num faint")),
            class_name="xs muted r",
        ),
        class_name="line",
    )


def _about() -> rx.Component:
    return card(
        card_head(avatar(S.initial, "xl", style={"background": S.color}), rx.el.h2(S.name)),
        card_body(
            rx.el.dl(
                _fact(
                    "Owner",
                    rx.fragment(
                        S.owner, rx.cond(S.is_shared, " · shared with all creators", " · not shared")
                    ),
                ),
                rx.cond(S.instance_url != "", _fact("Server", S.instance_url)),
                _fact("Login", _login()),
                _fact("Checked", rx.cond(S.checked_at, since(S.checked_at), "not yet")),
                _fact("Since", local_time(S.connected_at)),
                _fact("Text", S.text_limit),
                _fact("Pictures", S.image_limit),
                _fact("Videos", S.video_limit),
                class_name="channel-facts sm num",
            )
        ),
    )


def _login() -> rx.Component:
    return rx.cond(
        S.expires_at,
        rx.fragment(
            rx.cond(S.is_login_over, "ended ", "ends "),
            local_time(S.expires_at),
            " (",
            since(S.expires_at),
            ")",
        ),
        "lasts, or renews itself ahead of its end",
    )


def _fact(label: str, value: object) -> rx.Component:
    return rx.el.div(rx.el.dt(label), rx.el.dd(value))


def _waiting() -> rx.Component:
    return card(
        card_head(
            rx.el.h2("Next through it"),
            rx.cond(S.waiting_count > 0, rx.el.span(pill(S.waiting_count), class_name="push")),
        ),
        rx.cond(
            S.waiting,
            rx.el.ul(rx.foreach(S.waiting, _post), class_name="lines"),
            card_body(rx.el.p("No post waits to go out through it.", class_name="sm muted")),
        ),
    )


def _post(post: rx.Var[PostRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            post_excerpt(post),
            rx.el.div(
                local_time(post.scheduled_at), " · ", since(post.scheduled_at), class_name="xs muted num"
            ),
            class_name="line-main",
        ),
        status_pill(post.status),
        class_name="line",
    )


PAGE = Page(
    route="/channels/[account_id]",
    title="Channel",
    body=body,
    load=S.load,
    topics=("accounts", "quotas", "posts"),
)
