"""A post's page: what it says, each channel's state live, and its timeline ("Explain this post")."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.components.basics import (
    button,
    card,
    card_body,
    card_head,
    external_link,
    go_to,
    icon,
    link_button,
    notice,
    page_head,
)
from contentcaster.components.dialogs import confirm
from contentcaster.components.explain import explain_entry
from contentcaster.components.posts import channel_avatar
from contentcaster.components.reviews import APPROVE, COMMENT, SEND_BACK, conversation, review_box
from contentcaster.components.shell import can
from contentcaster.components.status import status_pill
from contentcaster.components.tables import timeline
from contentcaster.components.times import local_time, since
from contentcaster.models.post import PostStatus
from contentcaster.pages.base import Page
from contentcaster.security.permissions import Permission
from contentcaster.services.views import PostMediaView, TargetView
from contentcaster.state.post import PostState
from contentcaster.state.shell import ShellState


def body() -> rx.Component:
    return rx.fragment(
        page_head(
            "Post",
            status_pill(PostState.status),
            _when(),
            rx.el.div(_actions(), class_name="row wrap push"),
        ),
        _approval(),
        _problems(),
        rx.el.div(rx.el.div(_content(), _targets(), class_name="stack"), _explain(), class_name="grid2"),
    )


def _when() -> rx.Component:
    return rx.cond(
        PostState.scheduled_at != "",
        rx.el.span(
            local_time(PostState.scheduled_at, "datetime"),
            " ",
            ShellState.timezone,
            rx.el.span(" · ", since(PostState.scheduled_at), class_name="faint"),
            class_name="muted sm num",
        ),
    )


def _actions() -> rx.Component:
    edits = can(Permission.COMPOSE, Permission.EDIT_ALL_POSTS)
    return rx.cond(
        edits,
        rx.fragment(
            rx.cond(
                PostState.is_editable,
                rx.fragment(
                    link_button("Edit", href=_edit_href(), icon_name="pencil", shortcut="e"),
                    confirm(
                        button("Publish now", icon_name="zap"),
                        title="Publish now?",
                        text="It goes out to all its channels as soon as a worker takes it, within a second or two.",
                        action="Publish now",
                        on_confirm=PostState.publish_now,
                    ),
                ),
            ),
            button("Duplicate", icon_name="copy", kind="g", on_click=PostState.duplicate),
            rx.cond(
                PostState.is_cancellable,
                confirm(
                    button("Cancel post", kind="d"),
                    title="Cancel this post?",
                    text="What has not been sent is not sent. What is already on a network stays there.",
                    action="Cancel post",
                    on_confirm=PostState.cancel,
                    kind="d",
                ),
            ),
            rx.cond(
                PostState.is_deletable,
                confirm(
                    button("Delete", kind="g", icon_name="trash-2"),
                    title="Delete this post?",
                    text="It disappears from the console, with its timeline. What is on a network stays there.",
                    action="Delete",
                    on_confirm=PostState.delete,
                    kind="d",
                ),
            ),
        ),
    )


def _edit_href() -> rx.Var:
    return rx.Var.create("/studio?post=") + rx.State.post_id.to(str)


def _approval() -> rx.Component:
    """Where the post stands with those who approve, and the words about it."""
    waits = PostState.status == PostStatus.PENDING_APPROVAL.value
    returned = (PostState.status == PostStatus.DRAFT.value) & (PostState.review_state == "returned")
    return rx.cond(
        waits | (PostState.reviews.length() > 0),
        card(
            card_head(
                rx.el.h2("Approval"),
                rx.cond(waits, rx.el.span(status_pill(PostState.status), class_name="push")),
            ),
            card_body(
                rx.cond(
                    waits,
                    rx.el.p("Nothing of it is sent before an admin has approved it.", class_name="sm muted"),
                ),
                rx.cond(
                    returned,
                    notice(
                        rx.el.b("Sent back. "),
                        "Change it and ask again; what to change stands below.",
                        tone="warn",
                    ),
                ),
                conversation(PostState.reviews, label="Approval"),
                class_name="stack",
            ),
            rx.cond(PostState.can_talk, _talk(waits)),
            id="approval",
            class_name="gap",
        ),
    )


def _talk(waits: rx.Var[bool]) -> rx.Component:
    common: dict[str, Any] = {
        "id": "review-words",
        "error": PostState.review_error,
        "taken": PostState.review_taken,
        "on_act": lambda name, text: PostState.review(PostState.version, name, text),
    }
    return rx.cond(
        waits & can(Permission.APPROVE_POSTS),
        review_box(APPROVE, SEND_BACK, COMMENT, label="A word to the author", **common),
        review_box(COMMENT | {"words": "Comment", "kind": ""}, label="Comment", **common),
    )


def _problems() -> rx.Component:
    """What the look half an hour before its time found."""
    return rx.el.div(
        rx.foreach(
            PostState.problems,
            lambda item: rx.cond(
                item.level == "stop", notice(item.sentence, tone="bad"), notice(item.sentence, tone="warn")
            ),
        ),
        class_name="stack tight post-problems",
        custom_attrs={"data-problems": ""},
    )


def _content() -> rx.Component:
    return card(
        card_body(
            rx.el.p(
                rx.cond(PostState.text != "", PostState.text, "(no text yet)"), class_name="post-text pre"
            ),
            rx.foreach(
                PostState.thread,
                lambda part, index: rx.el.div(
                    rx.el.div("Part ", index + 2, class_name="xs faint b"),
                    rx.el.p(part, class_name="post-text pre"),
                    style={"border_top": "1px solid var(--line)", "padding_top": "10px"},
                ),
            ),
            rx.cond(
                PostState.first_comment != "",
                rx.el.div(
                    rx.el.div("First comment", class_name="xs faint b"),
                    rx.el.p(PostState.first_comment, class_name="post-text pre"),
                    style={"border_top": "1px solid var(--line)", "padding_top": "10px"},
                ),
            ),
            rx.cond(PostState.media, rx.el.div(rx.foreach(PostState.media, _thumb), class_name="thumbs")),
            rx.el.div(
                "by ",
                PostState.author_name,
                rx.foreach(PostState.labels, _label),
                class_name="xs faint",
            ),
            rx.cond(PostState.can_label, _labels()),
            rx.cond(PostState.locked_reason != "", rx.el.p(PostState.locked_reason, class_name="sm muted")),
            class_name="stack",
        )
    )


def _label(label: rx.Var[str]) -> rx.Component:
    address = "/posts?label=" + rx.Var(f"encodeURIComponent({label!s})").to(str)
    return rx.el.span(" · ", go_to("#", label, href=address, class_name="link"))


def _labels() -> rx.Component:
    """Also once the post is out: labels are for the overview, no network is told of them."""
    return rx.el.details(
        rx.el.summary("Change labels", class_name="xs link"),
        rx.el.form(
            rx.el.input(
                name="labels",
                default_value=PostState.labels.join(", "),
                aria_label="Labels, separated by commas",
                placeholder="release, hiring",
                max_length=900,
                class_name="input",
            ),
            button("Save", kind="s", type="submit"),
            key=PostState.labels.join(","),
            on_submit=PostState.save_labels,
            class_name="row",
            style={"margin_top": "8px"},
        ),
        rx.cond(PostState.labels_error != "", rx.el.p(PostState.labels_error, class_name="tone-bad sm")),
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


def _targets() -> rx.Component:
    return card(
        card_head(rx.el.h2("Channels")),
        rx.cond(
            PostState.targets,
            rx.el.ul(rx.foreach(PostState.targets, _target)),
            card_body(rx.el.p("No channel chosen yet. Edit the post to choose some.", class_name="muted sm")),
        ),
    )


def _target(target: rx.Var[TargetView]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            channel_avatar(target.channel),
            rx.el.span(target.channel.platform_name, " · ", target.channel.handle, class_name="b sm clip"),
            rx.cond(
                target.is_comment,
                rx.el.span("first comment", class_name="xs faint nowrap"),
                rx.cond(target.part > 0, rx.el.span("part ", target.part + 1, class_name="xs faint nowrap")),
            ),
            rx.el.span(status_pill(target.status), class_name="push"),
            class_name="row",
        ),
        rx.el.div(
            rx.cond(
                target.published_at,
                rx.el.span("Published ", local_time(target.published_at, "precise")),
                rx.cond(
                    target.next_action_at,
                    rx.el.span(
                        rx.cond(target.attempts > 0, "Next try ", "Due "),
                        since(target.next_action_at),
                        class_name="num",
                    ),
                ),
            ),
            rx.cond(target.remote_url != "", external_link("See it there", target.remote_url)),
            rx.cond(
                target.attempts > 1,
                rx.el.span(target.attempts, " of ", target.max_attempts, " tries", class_name="num"),
            ),
            class_name="row wrap xs muted",
        ),
        rx.cond(target.error != "", rx.el.p(target.error, class_name="sm", style={"color": "var(--bad)"})),
        rx.cond(
            target.failed_task_id & can(Permission.VIEW_OPERATIONS),
            go_to(
                "Open the failed task",
                href=f"/failed-tasks?task={target.failed_task_id}",
                class_name="link sm",
            ),
        ),
        rx.cond(
            target.own_text,
            rx.el.details(
                rx.el.summary("Own text for this channel"),
                rx.el.p(target.text, class_name="sm pre", style={"margin_top": "6px"}),
                class_name="more",
            ),
        ),
        class_name="target",
        custom_attrs={"data-target-status": target.status},
    )


def _explain() -> rx.Component:
    return card(
        card_head(
            rx.el.h2("Explain this post"), rx.el.span(status_pill(PostState.status), class_name="push")
        ),
        card_body(
            rx.cond(
                PostState.entries,
                timeline(
                    rx.foreach(
                        PostState.entries,
                        lambda entry: explain_entry(entry, is_channel_shown=PostState.targets.length() > 1),
                    )
                ),
                rx.el.p("Nothing has happened yet. Give it channels and a time.", class_name="muted sm"),
            )
        ),
    )


PAGE = Page(
    route="/posts/[post_id]",
    title="Post",
    body=body,
    load=PostState.load,
    topics=("post:{post_id}",),
)
