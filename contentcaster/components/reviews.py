"""The conversation about a post: who asked, what was said, who decided."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.components.basics import avatar
from contentcaster.components.times import since
from contentcaster.services.views import PostReviewView

_DID: dict[str, tuple[str, str]] = {
    "requested": ("asked for approval", "acc"),
    "changed": ("changed it", "warn"),
    "approved": ("approved it", "ok"),
    "returned": ("sent it back", "bad"),
    "comment": ("wrote", ""),
}
"""Kind of the line -> what its author did, and its tone."""


def conversation(reviews: Any, *, label: str = "Conversation") -> rx.Component:
    """The lines, oldest first; nothing while there are none."""
    return rx.cond(
        reviews,
        rx.el.ol(rx.foreach(reviews, _line), class_name="talk", aria_label=label),
    )


APPROVE = {"name": "approve", "words": "Approve", "kind": "p"}
SEND_BACK = {"name": "return", "words": "Send back", "kind": ""}
COMMENT = {"name": "comment", "words": "Only comment", "kind": "g"}


def _named(name: rx.Var[str], text: rx.Var[str]) -> tuple[rx.Var[str], rx.Var[str]]:
    return (name, text)


class _Box(rx.NoSSRComponent):
    library = "$/public/js/review_box"
    is_default = False
    tag = "ReviewBox"
    field_id: rx.Var[str]
    label: rx.Var[str]
    placeholder: rx.Var[str]
    acts: rx.Var[list[dict[str, str]]]
    error: rx.Var[str]
    taken: rx.Var[int]
    on_act: rx.EventHandler[_named]  # type: ignore[type-arg,valid-type]


def review_box(
    *acts: dict[str, str], id: Any, label: str, error: Any, taken: Any, on_act: Any, placeholder: str = ""
) -> rx.Component:
    """A field and a button for each act; `on_act` gets the act's name and the text.

    `error` is said at the field and what was typed stays; a new number in `taken` empties it.
    """
    return _Box.create(
        field_id=id,
        label=label,
        placeholder=placeholder,
        acts=list(acts),
        error=error,
        taken=taken,
        on_act=on_act,
    )


def _line(review: rx.Var[PostReviewView]) -> rx.Component:
    return rx.el.li(
        avatar(review.author_name.to(str)[0].upper(), "me-av"),
        rx.el.div(
            rx.el.div(
                rx.el.b(review.author_name),
                " ",
                rx.match(
                    review.kind,
                    *[
                        (kind, rx.el.span(words, class_name=f"did {tone}".strip()))
                        for kind, (words, tone) in _DID.items()
                    ],
                    rx.el.span(review.kind),
                ),
                rx.el.span(" · ", since(review.at), class_name="faint num"),
                class_name="xs",
            ),
            rx.cond(review.text != "", rx.el.p(review.text, class_name="pre sm")),
            class_name="talk-words",
        ),
        custom_attrs={"data-kind": review.kind},
    )
