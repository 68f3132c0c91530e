"""The status of a post or target, in words and colour; the same everywhere."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.models.post import PostStatus

WORDS: dict[PostStatus, tuple[str, str]] = {
    PostStatus.DRAFT: ("Draft", ""),
    PostStatus.PENDING_APPROVAL: ("Waiting for approval", "acc"),
    PostStatus.SCHEDULED: ("Scheduled", "info"),
    PostStatus.PENDING_QUEUE: ("Saved, waiting for the queue", "warn"),
    PostStatus.PROCESSING: ("Processing", "acc busy"),
    PostStatus.RETRYING: ("Trying again", "warn busy"),
    PostStatus.PUBLISHED: ("Published", "ok"),
    PostStatus.PARTLY_PUBLISHED: ("Partly published", "warn"),
    PostStatus.FAILED: ("Failed", "bad"),
    PostStatus.NEEDS_REVIEW: ("Needs review", "warn"),
    PostStatus.MISSED: ("Missed", "bad"),
    PostStatus.CANCELLED: ("Cancelled", ""),
}
"""Status -> (words, tone)."""


def status_pill(status: Any) -> rx.Component:
    """A pill for a status Var (or value); `data-status` carries the contract's word for tests and styles."""
    if isinstance(status, str):
        words, tone = WORDS[PostStatus(status)]
        return _pill(words, tone, status)
    return rx.match(
        status,
        *[(value.value, _pill(words, tone, value.value)) for value, (words, tone) in WORDS.items()],
        _pill(status, "", ""),
    )


def _pill(words: Any, tone: str, status: str) -> rx.Component:
    return rx.el.span(words, class_name=f"pill {tone}".strip(), custom_attrs={"data-status": status})
