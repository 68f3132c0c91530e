"""One act on many posts: each in a transaction of its own, so that one that cannot be holds up no other.

The outcome names what was refused and why, and what an undo would have to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import select, update
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.errors import Conflict, ContentCasterError, InvalidInput, NotFound, Unavailable
from contentcaster.models import FailedTask, Job, Post, PostStatus
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import audit, failed_tasks, posts, slots
from contentcaster.services.ids import is_id
from contentcaster.services.schedule import Schedule, load_zone
from contentcaster.services.views import PostDetail

MAX_AT_ONCE = 500
_WAITING = (PostStatus.SCHEDULED, PostStatus.PENDING_QUEUE, PostStatus.PENDING_APPROVAL)
_DELETABLE = (PostStatus.DRAFT, PostStatus.CANCELLED, PostStatus.MISSED)
_EXCERPT = 60


class Act(StrEnum):
    SHIFT = "shift"  # by days (the hour stays, also when the clocks change) and minutes
    CANCEL = "cancel"
    DELETE = "delete"  # drafts and what was cancelled or missed
    DUPLICATE = "duplicate"
    SCHEDULE = "schedule"  # drafts, at the time they were planned for; asks for approval where that is needed
    QUEUE = "queue"  # the next free slots, in the order given
    PUBLISH = "publish"  # now, whatever time was planned
    APPROVE = "approve"
    RETRY = "retry"


@dataclass(frozen=True)
class Refusal:
    post_id: str
    text: str
    """Its first words."""
    reason: str


@dataclass(frozen=True)
class UndoStep:
    """How to take one back; only for the server's own memory."""

    kind: str
    """reschedule | restore | remove | draft"""
    post_id: str
    at: datetime | None = None
    timezone: str = ""
    is_pending: bool = False


@dataclass(frozen=True)
class BulkOutcome:
    act: str
    done: list[str]
    """Ids of the posts that it worked for."""
    refused: list[Refusal]
    undo: list[UndoStep] = field(default_factory=list)
    """Empty: it cannot be taken back."""


Step = Callable[[Session, Principal, PostDetail], "UndoStep | None"]


def run(
    database: Database,
    principal: Principal,
    act: Act,
    versions: Sequence[tuple[str, int]],
    *,
    days: int = 0,
    minutes: int = 0,
) -> BulkOutcome:
    """Do `act` with these posts (id, version read). The version matters for approving only.

    Raises:
        InvalidInput: too many at once, or a shift by nothing or by more than a year.
        NotAllowed: the role may never do this.
    """
    principal.require(_PERMISSIONS.get(act, Permission.COMPOSE))
    if len(versions) > MAX_AT_ONCE:
        raise InvalidInput(f"Choose at most {MAX_AT_ONCE} posts at once.", field="posts")
    if act is Act.SHIFT and (not (days or minutes) or abs(days) > 366 or abs(minutes) > 1440):
        raise InvalidInput("Choose by how much to move them: at most a year.", field="shift")
    done: list[str] = []
    refused: list[Refusal] = []
    undo: list[UndoStep] = []
    for post_id, version in dict(versions).items():
        words = ""

        def one(session: Session, post_id: str = post_id, version: int = version) -> UndoStep | None:
            nonlocal words
            post = posts.get_post(session, principal, post_id)
            words = " ".join(post.text.split())[:_EXCERPT]
            if act is Act.SHIFT:
                return _shift(session, principal, post, days, minutes)
            if act is Act.APPROVE:
                posts.approve_post(session, principal, post_id, version=version)
                return None
            return _STEPS[act](session, principal, post)

        try:
            step = database.write(one)
        except Unavailable:
            raise
        except ContentCasterError as error:
            refused.append(Refusal(post_id, words, error.message))
        else:
            done.append(post_id)
            undo += [step] if step else []
    return BulkOutcome(act.value, done, refused, undo)


def undo(database: Database, principal: Principal, steps: Sequence[UndoStep]) -> BulkOutcome:
    """Take a bulk act back, as far as that is still possible; names what is not."""
    principal.require(Permission.COMPOSE)
    done: list[str] = []
    refused: list[Refusal] = []
    for step in steps[:MAX_AT_ONCE]:
        try:
            database.write(lambda session, step=step: _take_back(session, principal, step))
        except Unavailable:
            raise
        except ContentCasterError as error:
            refused.append(Refusal(step.post_id, "", error.message))
        else:
            done.append(step.post_id)
    return BulkOutcome("undo", done, refused)


def _shift(
    session: Session, principal: Principal, post: PostDetail, days: int, minutes: int
) -> UndoStep | None:
    if post.scheduled_at is None:
        raise Conflict("It has no time that could be moved.")
    at = _moved(post.scheduled_at, post.timezone, days, minutes)
    if post.status == PostStatus.DRAFT:
        posts.plan_draft(session, principal, post.id, Schedule.at(at, post.timezone))
    elif post.status in _WAITING:
        _reschedule(session, principal, post, at)
    else:
        raise Conflict(f"It is {_words(post.status)}: only what still waits can be moved.")
    return UndoStep(
        "reschedule",
        post.id,
        post.scheduled_at,
        post.timezone,
        is_pending=post.status == PostStatus.PENDING_APPROVAL,
    )


def _moved(at: datetime, timezone: str, days: int, minutes: int) -> datetime:
    local = at.astimezone(load_zone(timezone)) + timedelta(days=days)  # by the clock on the wall
    return local.astimezone(UTC) + timedelta(minutes=minutes)


def _reschedule(session: Session, principal: Principal, post: PostDetail, at: datetime) -> None:
    if at < utc_now():
        raise Conflict("It would go out in the past.")
    posts.schedule_post(
        session,
        principal,
        post.id,
        Schedule.at(at, post.timezone),
        # Whoever moves a post that waits for approval has not approved it.
        is_asking_approval=post.status == PostStatus.PENDING_APPROVAL,
    )


def _cancel(session: Session, principal: Principal, post: PostDetail) -> UndoStep | None:
    posts.cancel_post(session, principal, post.id)
    return UndoStep(
        "reschedule",
        post.id,
        post.scheduled_at,
        post.timezone,
        is_pending=post.status == PostStatus.PENDING_APPROVAL,
    )


def _delete(session: Session, principal: Principal, post: PostDetail) -> UndoStep | None:
    if post.status not in _DELETABLE:
        raise Conflict(
            f"It is {_words(post.status)}, no draft. Cancel it first if nothing of it should go out."
        )
    posts.delete_post(session, principal, post.id)
    return UndoStep("restore", post.id)


def _duplicate(session: Session, principal: Principal, post: PostDetail) -> UndoStep | None:
    return UndoStep("remove", posts.duplicate_post(session, principal, post.id).id)


def _schedule(session: Session, principal: Principal, post: PostDetail) -> UndoStep | None:
    if post.status != PostStatus.DRAFT:
        raise Conflict(f"It is {_words(post.status)}, no draft.")
    if post.scheduled_at is None:
        raise Conflict("It has no planned time yet. Give it one in the Studio, or add it to the queue.")
    posts.schedule_post(session, principal, post.id, Schedule.at(post.scheduled_at, post.timezone))
    return UndoStep("draft", post.id)


def _queue(session: Session, principal: Principal, post: PostDetail) -> UndoStep | None:
    if post.status not in (*_WAITING, *_DELETABLE):
        raise Conflict(f"It is {_words(post.status)} and cannot be queued. Duplicate it to post it again.")
    slots.add_to_queue(session, principal, post.id)
    if post.status in _WAITING:
        return UndoStep("reschedule", post.id, post.scheduled_at, post.timezone)
    return UndoStep("draft", post.id)


def _publish(session: Session, principal: Principal, post: PostDetail) -> UndoStep | None:
    if post.status == PostStatus.PENDING_APPROVAL:
        raise Conflict("It waits for approval. Nothing of it is sent before somebody has decided.")
    if post.status not in (*_WAITING, *_DELETABLE):
        raise Conflict(f"It is {_words(post.status)}. Duplicate it to post it again.")
    posts.publish_now(session, principal, post.id)
    return None  # what went out cannot be taken back


def _retry(session: Session, principal: Principal, post: PostDetail) -> UndoStep | None:
    ids = session.execute(
        select(FailedTask.id)
        .join(Job, Job.id == FailedTask.job_id)
        .where(Job.post_id == post.id, FailedTask.resolved_at.is_(None))
    ).scalars()
    open_tasks = list(ids)
    if not open_tasks:
        raise Conflict("Nothing of it has failed, so there is nothing to try again.")
    result = failed_tasks.retry_tasks(session, principal, open_tasks)
    if not result.done:
        raise Conflict(result.problems[0] if result.problems else "It was settled meanwhile.")
    return None


def _take_back(session: Session, principal: Principal, step: UndoStep) -> None:
    if step.kind == "restore":
        _restore(session, principal, step.post_id)
    elif step.kind == "remove":
        posts.delete_post(session, principal, step.post_id)
    elif step.kind == "draft":
        posts.unschedule_post(session, principal, step.post_id)
    elif step.at is not None:
        post = posts.get_post(session, principal, step.post_id)
        when = Schedule.at(step.at, step.timezone)
        if post.status == PostStatus.DRAFT and not step.is_pending:
            posts.plan_draft(session, principal, step.post_id, when)
        else:
            posts.schedule_post(session, principal, step.post_id, when, is_asking_approval=step.is_pending)


def _restore(session: Session, principal: Principal, post_id: str) -> None:
    found = update(Post).where(Post.id == post_id, Post.deleted_at.is_not(None))
    if not principal.can(Permission.EDIT_ALL_POSTS):
        found = found.where(Post.author_id == principal.user_id)
    result = session.execute(
        found.values(deleted_at=None, version=Post.version + 1, updated_at=utc_now()).execution_options(
            synchronize_session=False
        )
    )
    if not is_id(post_id) or not result.rowcount:
        raise NotFound("This post does not exist any more.")
    audit.record(session, principal, "post.restored", "post", post_id)
    live.note(session, "posts", f"post:{post_id}")


def _words(status: str) -> str:
    return {
        "PendingApproval": "waiting for approval",
        "PendingQueue": "scheduled",
        "PartlyPublished": "partly published",
        "NeedsReview": "waiting for a person's look",
        "Processing": "being sent",
        "Retrying": "being tried again",
    }.get(status, status.lower())


_PERMISSIONS = {Act.APPROVE: Permission.APPROVE_POSTS, Act.RETRY: Permission.OPERATE}
_STEPS: dict[Act, Step] = {
    Act.CANCEL: _cancel,
    Act.DELETE: _delete,
    Act.DUPLICATE: _duplicate,
    Act.SCHEDULE: _schedule,
    Act.QUEUE: _queue,
    Act.PUBLISH: _publish,
    Act.RETRY: _retry,
}
