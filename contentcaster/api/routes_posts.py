"""Posts: write, schedule, change, cancel, and what happened to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read, run_write
from contentcaster.db import Database
from contentcaster.errors import ChangedMeanwhile, InvalidInput, PreconditionFailed
from contentcaster.models import MissedPolicy
from contentcaster.security.permissions import Principal
from contentcaster.services import approval, approving, idempotency, posts, preflight, slots, timeline
from contentcaster.services.drafts import MediaDraft, PostDraft, TargetDraft, draft_of
from contentcaster.services.schedule import Schedule
from contentcaster.services.views import (
    BulkResult,
    PendingPostView,
    PostDetail,
    PostReviewView,
    PostRow,
    PreflightItem,
    TimelineEntry,
)

router = APIRouter(prefix="/posts", tags=["posts"])

NEXT_SLOT = "next_slot"

_EXAMPLE: dict[str, Any] = {
    "text": "We rebuilt our release notes so that people actually read them.",
    "targets": [
        {"account_id": "01jd5x8v3k9m2n4p6q8r0s2t4v"},
        {"account_id": "01jd5x9w7y1z3a5c7e9g1h3j5k", "text": "Shorter for this network."},
    ],
    "scheduled_at": "2026-11-26T09:00",
    "timezone": "Europe/Berlin",
    "labels": ["release"],
}


class TargetIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    account_id: str = Field(max_length=26)
    text: str | None = Field(default=None, description="Instead of the post's text, on this channel.")
    options: dict[str, Any] = Field(default_factory=dict)


class MediaIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str = Field(max_length=26)
    alt: str | None = Field(default=None, description="Absent: the alt text it was uploaded with.")


class ThreadPartIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str
    media: list[MediaIn] = Field(default_factory=list)


class PostIn(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    text: str = ""
    targets: list[TargetIn] = Field(default_factory=list)
    scheduled_at: str | None = Field(
        default=None,
        description='RFC 3339; without an offset the wall time in `timezone`; "now"; "next_slot": the next free queue '
        "slot of its channels; absent: a draft.",
    )
    timezone: str | None = Field(default=None, description="IANA name; absent: your own.")
    fold: int | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Which of the two when the clocks are set back: 0 first, 1 second.",
    )
    media: list[MediaIn] = Field(default_factory=list)
    thread: list[str | ThreadPartIn] = Field(default_factory=list, description="The parts after the first.")
    labels: list[str] = Field(default_factory=list)
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="visibility, language, content_warning, link_tags (off), campaign; for all channels.",
    )
    first_comment: str = Field(
        default="", description="A reply to the last part, on the networks that take one."
    )
    missed_policy: MissedPolicy = Field(
        default=MissedPolicy.PUBLISH_LATE,
        description="If nothing could publish at its time: as soon as possible, held for a person, or skipped.",
    )

    def as_draft(self) -> PostDraft:
        return PostDraft(
            text=self.text,
            targets=_targets(self.targets),
            media=_media(self.media, self.thread),
            thread=_thread(self.thread),
            labels=tuple(self.labels),
            options=self.options,
            missed_policy=self.missed_policy,
            first_comment=self.first_comment,
        )

    def as_schedule(self, principal: Principal) -> Schedule | None:
        if self.scheduled_at is None:
            return None
        return Schedule.parse(self.scheduled_at, self.timezone or principal.timezone, self.fold)


class PostPatch(BaseModel):
    """What is absent stays. `scheduled_at` null makes it a draft again."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"text": "Better words.", "version": 1}]}
    )

    version: int | None = Field(default=None, description="The version you read; or send it as If-Match.")
    text: str | None = None
    targets: list[TargetIn] | None = None
    scheduled_at: str | None = None
    timezone: str | None = None
    fold: int | None = Field(default=None, ge=0, le=1)
    media: list[MediaIn] | None = None
    thread: list[str | ThreadPartIn] | None = None
    labels: list[str] | None = None
    options: dict[str, Any] | None = None
    missed_policy: MissedPolicy | None = None
    first_comment: str | None = None


class Rejection(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field(description="What should change; the author reads it.")
    version: int | None = Field(default=None, description="The version you read; absent: whatever it is now.")


class Approval(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"version": 2}]})

    version: int | None = Field(default=None, description="The version you read; or send it as If-Match.")


class ApprovedVersion(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str = Field(max_length=26)
    version: int


class BulkApproval(BaseModel):
    model_config = ConfigDict(extra="forbid")

    posts: list[ApprovedVersion] = Field(max_length=100)


class Comment(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "Which launch?"}]})

    text: str


class PendingPage(BaseModel):
    items: list[PendingPostView]
    next_cursor: str = Field(description="Send it as `cursor` for the next page; empty on the last one.")


class PostPage(BaseModel):
    items: list[PostRow]
    next_cursor: str = Field(description="Send it as `cursor` for the next page; empty on the last one.")


@router.get("")
def list_posts(
    principal: CurrentPrincipal,
    database: DatabaseDep,
    status: Annotated[list[str] | None, Query(description="Once or several times.")] = None,
    search: Annotated[str, Query(max_length=200)] = "",
    account_id: Annotated[str, Query(max_length=26)] = "",
    label: Annotated[str, Query(max_length=40, description="Exactly this label.")] = "",
    cursor: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PostPage:
    """Posts you may see, newest first."""
    page = run_read(
        database,
        lambda session: posts.list_posts(
            session,
            principal,
            status=status or (),
            search=search,
            account_id=account_id,
            label=label,
            cursor=cursor,
            limit=limit,
        ),
    )
    return PostPage(items=page.items, next_cursor=page.next_cursor)


@router.post("", status_code=201)
def create_post(
    body: PostIn,
    principal: CurrentPrincipal,
    database: DatabaseDep,
    response: Response,
    idempotency_key: Annotated[
        str | None, Header(description="A repeat with the same key and body makes no second post.")
    ] = None,
) -> PostDetail:
    """Keep a draft, schedule it, or (`scheduled_at` "now") publish it."""
    if idempotency_key is None:
        post = run_write(database, lambda session: _create(session, principal, body))
    else:
        post, is_repeat = _create_once(database, principal, body, idempotency_key)
        if is_repeat:
            response.headers["Idempotent-Replayed"] = "true"
    response.headers["Location"] = f"/api/v1/posts/{post.id}"
    return _tagged(response, post)


@router.post("/preflight")
def check_draft(body: PostIn, principal: CurrentPrincipal, database: DatabaseDep) -> list[PreflightItem]:
    """What would stop this post, what to look at, and what is in order. Keeps nothing."""
    return run_read(
        database,
        lambda session: preflight.check_draft(
            session, principal, body.as_draft(), _time_to_check(session, principal, body)
        ),
    )


@router.get("/pending")
def list_pending(
    principal: CurrentPrincipal,
    database: DatabaseDep,
    cursor: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> PendingPage:
    """Posts that wait for your approval, those that are due first on top, with all that would go out (Admin)."""
    page = run_read(
        database, lambda session: approval.list_pending(session, principal, cursor=cursor, limit=limit)
    )
    return PendingPage(items=page.items, next_cursor=page.next_cursor)


@router.post("/approve")
def approve_posts(body: BulkApproval, principal: CurrentPrincipal, database: DatabaseDep) -> BulkResult:
    """Approve several, each in the version named; one that was changed since is left waiting and said (Admin)."""
    versions = [(item.id, item.version) for item in body.posts]
    return approving.approve_posts(database, principal, versions)


@router.get("/{post_id}")
def get_post(
    post_id: str, principal: CurrentPrincipal, database: DatabaseDep, response: Response
) -> PostDetail:
    """One post with the state of each of its targets."""
    return _tagged(response, run_read(database, lambda session: posts.get_post(session, principal, post_id)))


@router.patch("/{post_id}")
def update_post(
    post_id: str,
    body: PostPatch,
    principal: CurrentPrincipal,
    database: DatabaseDep,
    response: Response,
    if_match: Annotated[str | None, Header(description='The ETag you read, e.g. "3".')] = None,
) -> PostDetail:
    """Change a post that has not begun to go out."""
    version = body.version if if_match is None else _version_of(if_match)
    with _precondition(if_match):
        return _tagged(response, run_write(database, lambda s: _patch(s, principal, post_id, body, version)))


@router.delete("/{post_id}", status_code=204)
def delete_post(post_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> Response:
    """Remove a post here; what waits is cancelled, what is on the networks stays there."""
    run_write(database, lambda session: posts.delete_post(session, principal, post_id))
    return Response(status_code=204)


@router.post("/{post_id}/cancel")
def cancel_post(
    post_id: str, principal: CurrentPrincipal, database: DatabaseDep, response: Response
) -> PostDetail:
    """Stop what has not been sent."""
    return _tagged(
        response, run_write(database, lambda session: posts.cancel_post(session, principal, post_id))
    )


@router.post("/{post_id}/duplicate", status_code=201)
def duplicate_post(
    post_id: str, principal: CurrentPrincipal, database: DatabaseDep, response: Response
) -> PostDetail:
    """A new draft with the same content."""
    return _tagged(
        response, run_write(database, lambda session: posts.duplicate_post(session, principal, post_id))
    )


@router.post("/{post_id}/approve")
def approve_post(
    post_id: str,
    principal: CurrentPrincipal,
    database: DatabaseDep,
    response: Response,
    body: Approval | None = None,
    if_match: Annotated[str | None, Header(description='The ETag you read, e.g. "3".')] = None,
) -> PostDetail:
    """Schedule a post that waits for approval, if it still is the version that you read (Admin)."""
    version = _version_of(if_match) if if_match is not None else body.version if body else None
    if version is None:
        raise InvalidInput("Send the version that you read, as `version` or If-Match.", field="version")
    with _precondition(if_match):
        return _tagged(
            response,
            run_write(database, lambda s: posts.approve_post(s, principal, post_id, version=version)),
        )


@router.post("/{post_id}/reject")
def reject_post(
    post_id: str, body: Rejection, principal: CurrentPrincipal, database: DatabaseDep, response: Response
) -> PostDetail:
    """Give a post that waits for approval back as a draft (Admin)."""
    return _tagged(
        response,
        run_write(
            database,
            lambda session: posts.reject_post(session, principal, post_id, body.reason, version=body.version),
        ),
    )


@router.get("/{post_id}/reviews")
def list_reviews(post_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> list[PostReviewView]:
    """What was said and decided about a post, oldest first."""
    return run_read(database, lambda session: approval.list_reviews(session, principal, post_id))


@router.post("/{post_id}/reviews", status_code=201)
def comment(
    post_id: str, body: Comment, principal: CurrentPrincipal, database: DatabaseDep
) -> PostReviewView:
    """Say something about a post, to its author and to those who approve."""
    return run_write(database, lambda session: approval.comment(session, principal, post_id, body.text))


@router.get("/{post_id}/timeline")
def get_timeline(post_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> list[TimelineEntry]:
    """Everything that happened to a post, oldest first."""
    return run_read(database, lambda session: timeline.get_timeline(session, principal, post_id))


def _time_to_check(session: Session, principal: Principal, body: PostIn) -> Schedule | None:
    if body.scheduled_at == NEXT_SLOT:
        slot = slots.next_free(session, principal, [target.account_id for target in body.targets])
        return Schedule.at(slot.at, slot.timezone)
    return body.as_schedule(principal)


def _create(session: Session, principal: Principal, body: PostIn) -> PostDetail:
    if body.scheduled_at == NEXT_SLOT:
        return slots.create_in_queue(session, principal, body.as_draft())
    return posts.create_post(session, principal, body.as_draft(), body.as_schedule(principal))


def _create_once(database: Database, principal: Principal, body: PostIn, key: str) -> tuple[PostDetail, bool]:
    request_hash = idempotency.fingerprint(body.model_dump(mode="json"))

    def create(session: Session) -> tuple[PostDetail, bool]:
        earlier = idempotency.find_earlier(session, principal, key, request_hash)
        if earlier is not None:
            return posts.get_post(session, principal, earlier), True
        post = _create(session, principal, body)
        idempotency.remember(session, principal, key, request_hash, post.id)
        return post, False

    try:
        return run_write(database, create)
    except IntegrityError:
        # The same request at the same moment was first; now its key is there to be found.
        return run_write(database, create)


def _patch(
    session: Session, principal: Principal, post_id: str, body: PostPatch, version: int | None
) -> PostDetail:
    current = posts.get_post(session, principal, post_id)
    version = current.version if version is None else version
    given = body.model_fields_set
    draft = _patched_draft(draft_of(current), body)
    if body.scheduled_at == NEXT_SLOT:
        return slots.update_into_queue(session, principal, post_id, draft, version=version)
    when = _patched_schedule(principal, current, body)
    if (
        not given
        & {"text", "targets", "media", "thread", "labels", "options", "missed_policy", "first_comment"}
        and "scheduled_at" in given
    ):
        if when is None:
            return posts.unschedule_post(session, principal, post_id, version=version)
        return posts.schedule_post(session, principal, post_id, when, version=version)
    updated = posts.update_post(session, principal, post_id, draft, version=version, when=when)
    if "scheduled_at" in given and when is None:
        return posts.unschedule_post(session, principal, post_id)
    return updated


def _patched_draft(draft: PostDraft, body: PostPatch) -> PostDraft:
    if body.text is not None:
        draft = replace(draft, text=body.text)
    if body.targets is not None:
        draft = replace(draft, targets=_targets(body.targets))
    if body.labels is not None:
        draft = replace(draft, labels=tuple(body.labels))
    if body.options is not None:
        draft = replace(draft, options=body.options)
    if body.first_comment is not None:
        draft = replace(draft, first_comment=body.first_comment)
    if body.missed_policy is not None:
        draft = replace(draft, missed_policy=body.missed_policy)
    if body.thread is not None:
        of_parts = _media([], body.thread)
        first = tuple(item for item in draft.media if item.part == 0)
        draft = replace(draft, thread=_thread(body.thread), media=first + of_parts)
    if body.media is not None:
        of_parts = tuple(item for item in draft.media if item.part > 0)
        draft = replace(draft, media=_media(body.media, []) + of_parts)
    return draft


def _patched_schedule(principal: Principal, current: PostDetail, body: PostPatch) -> Schedule | None:
    if body.scheduled_at is not None:
        zone = body.timezone or (current.timezone if current.scheduled_at else principal.timezone)
        return Schedule.parse(body.scheduled_at, zone, body.fold)
    if body.timezone is not None and "scheduled_at" not in body.model_fields_set:
        raise InvalidInput("Send scheduled_at together with timezone.", field="scheduled_at")
    return None


def _targets(targets: list[TargetIn]) -> tuple[TargetDraft, ...]:
    return tuple(TargetDraft(target.account_id, target.text, target.options) for target in targets)


def _thread(thread: list[str | ThreadPartIn]) -> tuple[str, ...]:
    return tuple(part if isinstance(part, str) else part.text for part in thread)


def _media(media: list[MediaIn], thread: list[str | ThreadPartIn]) -> tuple[MediaDraft, ...]:
    found = [MediaDraft(item.id, item.alt, 0) for item in media]
    for number, part in enumerate(thread, start=1):
        if not isinstance(part, str):
            found += [MediaDraft(item.id, item.alt, number) for item in part.media]
    return tuple(found)


@contextmanager
def _precondition(if_match: str | None) -> Iterator[None]:
    """A version that came as If-Match and is not the current one answers 412 (RFC 9110, 13.1.1), not 409."""
    try:
        yield
    except ChangedMeanwhile as error:
        if if_match is None:
            raise
        raise PreconditionFailed(error.message, details=error.details) from None


def _version_of(if_match: str) -> int:
    text = if_match.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidInput('If-Match takes the ETag of the post, e.g. "3".', field="If-Match")
    return int(text)


def _tagged(response: Response, post: PostDetail) -> PostDetail:
    response.headers["ETag"] = f'"{post.version}"'
    return post
