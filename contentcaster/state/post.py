"""One post: what it says, how far each channel has come, and why."""

from __future__ import annotations

from typing import Annotated, Any

import reflex as rx
from pydantic import Field

from contentcaster.errors import Conflict, InvalidInput
from contentcaster.security.permissions import Permission
from contentcaster.services import approval, post_labels, posts, timeline
from contentcaster.services.views import (
    PostDetail,
    PostMediaView,
    PostReviewView,
    PreflightItem,
    TargetView,
    TimelineEntry,
)
from contentcaster.state.approvals import DONE, Act
from contentcaster.state.bridge import read, write
from contentcaster.state.flash import flash
from contentcaster.state.forms import Form, text_of
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.page import page_load


class PostState(rx.State):
    text: str = ""
    thread: list[str] = []
    first_comment: str = ""
    status: str = ""
    author_name: str = ""
    scheduled_at: str = ""
    timezone: str = ""
    targets: list[TargetView] = []
    media: list[PostMediaView] = []
    entries: list[TimelineEntry] = []
    problems: list[PreflightItem] = []
    """What the look half an hour before its time found."""
    labels: list[str] = []
    labels_error: str = ""
    can_label: bool = False
    is_editable: bool = False
    is_cancellable: bool = False
    is_deletable: bool = False
    locked_reason: str = ""
    reviews: list[PostReviewView] = []
    review_state: str = ""
    review_error: str = ""
    review_taken: int = 0
    can_talk: bool = False
    version: int = 0

    @page_load(Permission.VIEW_TIMELINE)
    async def load(self) -> None:
        """Read post and timeline; runs again with each change of this post."""
        post = await read(posts.get_post, self._id)
        self.entries = await read(timeline.get_timeline, self._id)
        self.reviews = await read(approval.list_reviews, self._id)
        self._show(post)

    @guarded(Permission.COMPOSE, Permission.EDIT_ALL_POSTS)
    async def publish_now(self) -> None:
        self._show(await write(posts.publish_now, self._id, version=self.version))
        await flash(self, "ok", "On its way. This page follows it.")

    @guarded(Permission.COMPOSE, Permission.EDIT_ALL_POSTS)
    async def cancel(self) -> None:
        self._show(await write(posts.cancel_post, self._id))
        await flash(self, "ok", "Cancelled. Nothing more goes out; duplicate it to use its text again.")

    @guarded(Permission.COMPOSE, Permission.EDIT_ALL_POSTS)
    async def delete(self) -> Any:
        await write(posts.delete_post, self._id)
        await flash(self, "ok", "Deleted here. What is on a network stays there.")
        return rx.redirect("/posts")

    @guarded(Permission.COMPOSE)
    async def duplicate(self) -> Any:
        copy = await write(posts.duplicate_post, self._id)
        await flash(self, "ok", "Copied to a new draft.")
        return rx.redirect(f"/studio?post={copy.id}")

    @guarded(Permission.COMPOSE, Permission.APPROVE_POSTS)
    async def review(self, version: int, name: Act, text: Annotated[str, Field(max_length=8000)]) -> None:
        """Decide on the version that was on screen, or say something about it."""
        self.review_error = ""
        try:
            if name == "approve":
                self._show(await write(posts.approve_post, self._id, version=version))
            elif name == "return":
                self._show(await write(posts.reject_post, self._id, text, version=version))
            else:
                await write(approval.comment, self._id, text)
        except (Conflict, InvalidInput) as error:
            self.review_error = error.message
            return
        self.review_taken += 1
        self.reviews = await read(approval.list_reviews, self._id)
        if name != "comment":
            await flash(self, "ok", DONE[name])

    @guarded(Permission.COMPOSE)
    async def save_labels(self, form: Form) -> None:
        """Label the post, also once it is out."""
        wanted = [label.strip().removeprefix("#") for label in text_of(form, "labels").split(",")]
        try:
            self.labels = await write(post_labels.set_labels, self._id, wanted)
        except InvalidInput as error:
            self.labels_error = error.message
            return
        self.labels_error = ""
        await flash(self, "ok", "Labels saved.")

    @property
    def _id(self) -> str:
        return str(self.post_id)[:64]

    def _show(self, post: PostDetail) -> None:
        self.text, self.thread, self.status = post.text, post.thread, post.status
        self.first_comment = post.first_comment
        self.author_name, self.timezone = post.author_name, post.timezone
        self.scheduled_at = post.scheduled_at.isoformat() if post.scheduled_at else ""
        self.targets, self.media, self.labels = post.targets, post.media, post.labels
        self.problems = post.problems
        self.is_editable, self.is_cancellable = post.is_editable, post.is_cancellable
        self.is_deletable, self.locked_reason = post.is_deletable, post.locked_reason
        self.version, self.review_state = post.version, post.review_state
        person = current_principal()
        self.can_label = person.can(Permission.COMPOSE) and (
            person.can(Permission.EDIT_ALL_POSTS) or post.author_id == person.user_id
        )
        self.can_talk = person.can(Permission.APPROVE_POSTS) or (
            person.can(Permission.COMPOSE) and post.author_id == person.user_id
        )
