"""The Studio: where posts are written, looked over and given their time."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.assistant import assistant_bridge
from contentcaster.components.basics import card, card_body, card_head, go_to, notice, pill
from contentcaster.components.composer import (
    composer_bridge,
    composer_channels,
    composer_editor,
    composer_library,
    composer_notices,
    composer_preview,
    composer_schedule,
)
from contentcaster.components.reviews import conversation
from contentcaster.components.shell import NavItem
from contentcaster.pages.base import Page
from contentcaster.security.permissions import Permission
from contentcaster.services.views import PreflightItem
from contentcaster.state.planning import PlanningState
from contentcaster.state.studio import StudioState
from contentcaster.state.studio_library import LibraryState


def body() -> rx.Component:
    return rx.fragment(
        rx.el.h1(
            rx.cond(
                StudioState.is_series, "Edit series", rx.cond(StudioState.is_new, "New post", "Edit post")
            ),
            class_name="visually-hidden",
        ),
        composer_bridge(
            document=StudioState.document,
            accounts=StudioState.channels,
            ack=StudioState.ack,
            max_upload_bytes=StudioState.max_upload_bytes,
            max_video_bytes=StudioState.max_video_bytes,
            on_sync=StudioState.sync,
            on_submit=StudioState.submit,
        ),
        composer_library(
            snippets=LibraryState.snippets,
            words=LibraryState.words,
            snippet_answer=LibraryState.snippet_answer,
            tags_answer=LibraryState.tags_answer,
            on_load=LibraryState.load,
            on_save=LibraryState.save,
            on_delete=LibraryState.delete,
            on_tags=LibraryState.set_tags,
        ),
        assistant_bridge(),
        rx.el.div(
            rx.el.div(
                _of_series(),
                composer_notices(),
                _review(),
                composer_channels(),
                composer_editor(),
                _preflight(),
                _refused(),
                composer_schedule(
                    hints=PlanningState.hints,
                    preview=PlanningState.preview,
                    on_look=PlanningState.look,
                    on_rule=PlanningState.show_rule,
                ),
                class_name="stack studio-main",
            ),
            composer_preview(),
            class_name="grid2 studio",
        ),
    )


def _of_series() -> rx.Component:
    return rx.cond(
        StudioState.is_series,
        notice(
            rx.el.b("You are changing a whole series. "),
            "It goes on like this from its next post on. Posts that wait are rewritten; what went out, and what "
            "somebody changed by hand, stays as it is. Nothing happens before you save. ",
            go_to("Back to Recurring", href="/recurring", class_name="link"),
            id="of-series",
        ),
    )


def _review() -> rx.Component:
    """What was said about the post that is being changed."""
    state = StudioState.review_state
    return rx.cond(
        StudioState.reviews,
        rx.el.details(
            rx.el.summary(
                rx.match(
                    state,
                    ("returned", rx.fragment(rx.el.b("Sent back. "), "What to change, then ask again:")),
                    (
                        "approved",
                        rx.fragment(rx.el.b("Approved. "), "A change of it may need approval again."),
                    ),
                    rx.fragment(rx.el.b("Waits for approval. "), "Whoever decides sees that you changed it."),
                )
            ),
            conversation(StudioState.reviews),
            class_name=rx.cond(state == "returned", "notice warn review", "notice info review"),
            open=state == "returned",
            id="review",
        ),
    )


def _preflight() -> rx.Component:
    return card(
        card_head(rx.el.h2("Preflight"), _verdict()),
        card_body(
            rx.cond(
                StudioState.preflight,
                rx.el.ul(rx.foreach(StudioState.preflight, _line), class_name="stack tight"),
                rx.el.p(
                    "Write something: channels, lengths, pictures and times are checked while you type.",
                    class_name="sm muted",
                ),
            )
        ),
        id="preflight",
        custom_attrs={"aria-live": "polite"},
    )


def _verdict() -> rx.Component:
    stops = StudioState.preflight.to(list[PreflightItem])
    return rx.cond(
        StudioState.is_checked,
        rx.cond(
            StudioState.stop_count > 0,
            pill(rx.el.span(StudioState.stop_count, " to fix"), "bad"),
            rx.cond(
                StudioState.check_count > 0,
                pill(rx.el.span(StudioState.check_count, " to look at"), "warn"),
                rx.cond(stops, pill("ready", "ok")),
            ),
        ),
    )


def _line(item: rx.Var[PreflightItem]) -> rx.Component:
    tone = rx.match(item.level, ("ok", "ok"), ("check", "warn"), "bad")
    words = rx.match(item.level, ("ok", "ok"), ("check", "check"), "stop")
    return rx.el.li(
        pill(words, tone),
        rx.el.span(item.sentence),
        class_name="preflight-line sm",
        custom_attrs={"data-level": item.level},
    )


def _refused() -> rx.Component:
    """After a try that was refused; what is wrong stands at the fields and in the preflight."""
    return rx.cond(
        StudioState.is_refused,
        notice(
            rx.el.b("Nothing was sent or scheduled. "),
            "Mend what is marked in red, then try again. What you wrote is kept.",
            tone="bad",
            role="alert",
            id="refused",
        ),
    )


PAGE = Page(
    route="/studio",
    title="Studio",
    body=body,
    load=StudioState.load,
    topics=("accounts",),
    refresh=StudioState.refresh,
    nav=NavItem("Studio", "/studio", "square-pen", (Permission.COMPOSE,), shortcut="g s"),
)
