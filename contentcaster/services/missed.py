"""While we were down: posts whose time passed while nothing could publish and that wait for a person's decision.

Those are posts whose author chose "hold for a person" (missed_policy); the reconciler held them, reason `missed`.
Whoever may change a post decides over it: admins over all, creators over their own; Monitor reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import Session

from contentcaster.engine import failures
from contentcaster.engine.post_status import MISSED
from contentcaster.errors import Conflict, ContentCasterError, InvalidInput, NotAllowed, NotFound
from contentcaster.models import Account, FailedTask, Job, JobState, Post, User
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import audit, posts
from contentcaster.services.platforms import channel_view
from contentcaster.services.schedule import Schedule
from contentcaster.services.views import BulkResult, ChannelView

MAX_AT_ONCE = 500
_EXCERPT_CHARACTERS = 140
_MAX_PROBLEMS = 20


@dataclass(frozen=True)
class MissedPost:
    post_id: str
    text: str
    author: str
    due_at: datetime
    channels: list[ChannelView]


def list_missed(session: Session, principal: Principal, *, limit: int = MAX_AT_ONCE) -> list[MissedPost]:
    """Posts that wait for a decision, in the order in which they were due."""
    query = (
        select(Post, Job, Account, User.name)
        .join(Job, Job.post_id == Post.id)
        .join(FailedTask, FailedTask.job_id == Job.id)
        .join(Account, Account.id == Job.account_id)
        .join(User, User.id == Post.author_id)
        .where(*_open_for(principal))
        .order_by(Job.scheduled_at, Post.id, Job.id)
        .limit(limit * 5)
    )
    found: dict[str, MissedPost] = {}
    for post, job, account, author in session.execute(query):
        channel = channel_view(account)
        known = found.get(post.id)
        if known is None:
            text = str(job.payload.get("text", ""))[:_EXCERPT_CHARACTERS]
            found[post.id] = MissedPost(post.id, text, author, job.scheduled_at, [channel])
        elif channel.account_id not in {one.account_id for one in known.channels}:
            found[post.id] = replace(known, channels=[*known.channels, channel])
    return list(found.values())[:limit]


def count_missed(session: Session, principal: Principal) -> int:
    """How many posts wait for a decision."""
    query = (
        select(func.count(func.distinct(Post.id)))
        .join(Job, Job.post_id == Post.id)
        .join(FailedTask, FailedTask.job_id == Job.id)
        .where(*_open_for(principal))
    )
    return int(session.execute(query).scalar_one())


def publish_now(session: Session, principal: Principal, post_ids: Sequence[str]) -> BulkResult:
    """Send these late, the one that was due first first."""
    return _each(
        session, principal, post_ids, "published", lambda post_id: _publish(session, principal, post_id)
    )


def reschedule(session: Session, principal: Principal, post_ids: Sequence[str], when: Schedule) -> BulkResult:
    """Give these a new time.

    Raises:
        InvalidInput: field "scheduled_at", if it is one for all of them.
    """
    return _each(
        session,
        principal,
        post_ids,
        "rescheduled",
        lambda post_id: posts.schedule_post(session, principal, post_id, when),
    )


def cancel(session: Session, principal: Principal, post_ids: Sequence[str]) -> BulkResult:
    """Let these go: nothing of them is sent."""
    return _each(
        session,
        principal,
        post_ids,
        "cancelled",
        lambda post_id: posts.cancel_post(session, principal, post_id),
    )


def _publish(session: Session, principal: Principal, post_id: str) -> None:
    try:
        with session.begin_nested():
            posts.publish_now(session, principal, post_id)
    except Conflict:
        # A part or a channel of it is out already: only what was missed is sent.
        if not principal.can(Permission.OPERATE):
            raise
        tasks = session.execute(
            select(FailedTask.id)
            .join(Job, Job.id == FailedTask.job_id)
            .where(Job.post_id == post_id, *_is_open())
            .order_by(FailedTask.id)
        ).scalars()
        for task_id in list(tasks):
            failures.retry(session, task_id, actor=(principal.name or principal.email)[:120])


def _each(
    session: Session, principal: Principal, post_ids: Sequence[str], what: str, act: Callable[[str], object]
) -> BulkResult:
    """Decide over each of these that still waits, in the order in which they were due; one refusal stops no other."""
    _require_deciding(principal)
    if len(post_ids) > MAX_AT_ONCE:
        raise InvalidInput(f"Choose at most {MAX_AT_ONCE} at once.", field="ids")
    wanted = set(post_ids)
    chosen = [row.post_id for row in list_missed(session, principal) if row.post_id in wanted]
    problems: list[str] = []
    if gone := len(wanted) - len(chosen):
        problems.append(f"{gone} had been decided over already, or are not yours.")
    done: list[str] = []
    for post_id in chosen:
        try:
            with session.begin_nested():
                act(post_id)
        except (Conflict, NotFound, InvalidInput) as error:
            problems.append(_sentence(error))
        else:
            done.append(post_id)
    if done:
        details = {"what": what, "posts": len(done)}
        audit.record(session, principal, "post.missed_decided", details=details)
    return BulkResult(len(done), len(wanted) - len(done), list(dict.fromkeys(problems))[:_MAX_PROBLEMS])


def _sentence(error: ContentCasterError) -> str:
    return error.message


def _require_deciding(principal: Principal) -> None:
    if not (principal.can(Permission.OPERATE) or principal.can(Permission.COMPOSE)):
        raise NotAllowed("Your role does not allow this. An admin can do it or change your role.")


def _is_open() -> tuple[object, ...]:
    return (FailedTask.resolved_at.is_(None), FailedTask.reason == MISSED, Job.state == JobState.HELD)


def _open_for(principal: Principal) -> tuple[object, ...]:
    """What still waits and may be seen: all of it for those who operate or watch, else one's own."""
    if principal.can(Permission.VIEW_OPERATIONS):
        return (*_is_open(), Post.deleted_at.is_(None))
    principal.require(Permission.COMPOSE)
    return (*_is_open(), Post.deleted_at.is_(None), Post.author_id == principal.user_id)
