"""Approvals: posts that wait for a decision, with all that would go out."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import (
    button,
    card,
    card_body,
    card_foot,
    empty_state,
    go_to,
    icon,
    page_head,
    pill,
)
from contentcaster.components.dialogs import confirm
from contentcaster.components.posts import channel_avatar, channel_avatars
from contentcaster.components.reviews import APPROVE, COMMENT, SEND_BACK, conversation, review_box
from contentcaster.components.shell import NavItem
from contentcaster.components.times import local_time, since
from contentcaster.pages.base import Page
from contentcaster.security.permissions import Permission
from contentcaster.services.views import PendingPostView, PostMediaView, VariantView
from contentcaster.state.approvals import ApprovalsState as S
from contentcaster.state.shell import ShellState


def body() -> rx.Component:
    return rx.fragment(
        page_head(
            "Approvals",
            rx.cond(S.rows, pill(rx.el.span(S.rows.length(), " waiting"), "acc")),
            rx.cond(S.rows, _bulk()),
        ),
        rx.cond(
            S.rows,
            rx.el.ul(rx.foreach(S.rows, _post), class_name="stack approvals", aria_label="Posts that wait"),
            card(
                empty_state(
                    "circle-check",
                    "Nothing waits for you",
                    "Posts of people who need approval appear here. Give a Creator that rule under Users.",
                )
            ),
        ),
        rx.cond(S.has_more, card_foot(button("Show more", on_click=S.show_more))),
    )


def _bulk() -> rx.Component:
    count = S.picked.length()
    return rx.el.div(
        rx.el.label(
            rx.el.input(
                type="checkbox",
                id="pick-all",
                checked=(count > 0) & (count == S.rows.length()),
                on_change=S.pick_all,
            ),
            "All on this page",
            class_name="check sm",
        ),
        rx.cond(
            count > 0,
            confirm(
                button("Approve ", count, kind="p", icon_name="check"),
                title="Approve what you chose?",
                text="Each goes out at its time. One that was changed since you chose it is left waiting.",
                action="Approve them",
                on_confirm=S.approve_picked,
            ),
        ),
        class_name="row push",
    )


def _post(post: rx.Var[PendingPostView]) -> rx.Component:
    return rx.el.li(
        card(
            rx.el.div(
                rx.el.input(
                    type="checkbox",
                    class_name="pick",
                    checked=S.picked.contains(post.id),
                    on_change=lambda is_picked: S.pick(post.id, post.version, is_picked),
                    custom_attrs={"aria-label": "Choose this post of " + post.author_name.to(str)},
                ),
                channel_avatars(post.channels),
                rx.el.span(post.author_name, class_name="b sm"),
                rx.el.span(
                    "for ",
                    rx.cond(post.scheduled_at, local_time(post.scheduled_at, "datetime")),
                    " ",
                    ShellState.timezone,
                    rx.cond(post.scheduled_at, rx.fragment(" · ", since(post.scheduled_at))),
                    class_name="sm muted num",
                ),
                go_to("Open", href=f"/posts/{post.id}", class_name="btn s g push"),
                class_name="card-head wrap",
            ),
            card_body(_content(post), conversation(post.reviews), class_name="stack"),
            _decide(post),
        ),
        custom_attrs={"data-post": post.id},
    )


def _content(post: rx.Var[PendingPostView]) -> rx.Component:
    return rx.fragment(
        rx.cond(
            post.content_warning != "",
            rx.el.p(icon("eye-off", 14), " ", post.content_warning, class_name="sm muted"),
        ),
        rx.el.p(rx.cond(post.text != "", post.text, "(no text)"), class_name="post-text pre"),
        rx.foreach(
            post.thread,
            lambda part, index: rx.el.div(
                rx.el.div("Part ", index + 2, class_name="xs faint b"),
                rx.el.p(part, class_name="post-text pre"),
                class_name="part-of",
            ),
        ),
        rx.cond(
            post.first_comment != "",
            rx.el.div(
                rx.el.div("First comment", class_name="xs faint b"),
                rx.el.p(post.first_comment, class_name="post-text pre"),
                class_name="part-of",
            ),
        ),
        rx.cond(post.media, rx.el.div(rx.foreach(post.media, _thumb), class_name="thumbs")),
        rx.foreach(post.variants, _variant),
        rx.cond(post.visibility != "public", rx.el.p("Visibility: ", post.visibility, class_name="xs muted")),
    )


def _variant(variant: rx.Var[VariantView]) -> rx.Component:
    return rx.el.div(
        rx.el.div(
            channel_avatar(variant.channel),
            rx.el.span("Own text on ", variant.channel.platform_name, class_name="xs faint b"),
            class_name="row",
        ),
        rx.el.p(variant.text, class_name="post-text pre"),
        class_name="part-of",
    )


def _thumb(image: rx.Var[PostMediaView]) -> rx.Component:
    return rx.el.a(
        rx.el.img(
            src=image.thumb_url, alt=rx.cond(image.alt != "", image.alt, "No alt text"), loading="lazy"
        ),
        rx.cond(image.duration_seconds > 0, rx.el.span(icon("play", 13), class_name="thumb-play")),
        href=image.full_url,
        target="_blank",
        rel="noopener",
    )


def _decide(post: rx.Var[PendingPostView]) -> rx.Component:
    return review_box(
        APPROVE,
        SEND_BACK,
        COMMENT,
        id="words-" + post.id.to(str),
        label="A word to the author",
        placeholder="What should change, and why. Needed to send it back.",
        error=S.errors.get(post.id, "").to(str),
        taken=S.taken.get(post.id, 0).to(int),
        on_act=lambda name, text: S.act(post.id, post.version, name, text),
    )


PAGE = Page(
    route="/approvals",
    title="Approvals",
    body=body,
    load=S.load,
    refresh=S.refresh,
    topics=("posts",),
    nav=NavItem(
        "Approvals",
        "/approvals",
        "clipboard-check",
        (Permission.APPROVE_POSTS,),
        shortcut="g v",
        count=ShellState.counts.awaiting_approval,
    ),
)
