"""What people see of a job and of a post; a post's status is derived in the commit that changes its jobs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache

from sqlalchemy import (
    Case,
    ColumnElement,
    Select,
    Update,
    case,
    func,
    select,
    update,
)
from sqlmodel import Session

from contentcaster import live
from contentcaster.engine import announcements
from contentcaster.models import Job, JobState, Post, PostStatus
from contentcaster.models.types import is_one_of

MISSED = "missed"
"""error_class of a job that was not started in time."""

TARGET_STATUS: dict[JobState, PostStatus] = {
    JobState.PENDING_QUEUE: PostStatus.PENDING_QUEUE,
    JobState.QUEUED: PostStatus.SCHEDULED,
    JobState.CLAIMED: PostStatus.PROCESSING,
    JobState.SENDING: PostStatus.PROCESSING,
    JobState.UNKNOWN: PostStatus.PROCESSING,
    JobState.RESOLVING: PostStatus.PROCESSING,
    JobState.RETRY_WAIT: PostStatus.RETRYING,
    JobState.SNOOZED: PostStatus.RETRYING,
    JobState.PUBLISHED: PostStatus.PUBLISHED,
    JobState.DONE: PostStatus.PUBLISHED,
    JobState.DEAD: PostStatus.FAILED,
    JobState.HELD: PostStatus.NEEDS_REVIEW,
    JobState.CANCELLED: PostStatus.CANCELLED,
}


def target_status(state: JobState, error_class: str | None = None) -> PostStatus:
    """What people see of one target."""
    if error_class == MISSED and state in (JobState.HELD, JobState.CANCELLED):
        return PostStatus.MISSED
    return TARGET_STATUS[state]


def post_status(targets: Collection[PostStatus]) -> PostStatus:
    """What people see of a post with these targets: what still moves first, then what needs a person.

    The same rule as `_STATUS_IN_SQL`; a test compares the two over all mixtures.
    """
    present = set(targets)
    if PostStatus.PROCESSING in present:
        return PostStatus.PROCESSING
    if PostStatus.RETRYING in present:
        return PostStatus.RETRYING
    waiting = present & {PostStatus.PENDING_QUEUE, PostStatus.SCHEDULED}
    if waiting and PostStatus.PUBLISHED in present:
        return PostStatus.PROCESSING  # a thread half way
    for status in (PostStatus.PENDING_QUEUE, PostStatus.SCHEDULED, PostStatus.NEEDS_REVIEW):
        if status in present:
            return status
    if PostStatus.PUBLISHED in present:
        return PostStatus.PUBLISHED if present == {PostStatus.PUBLISHED} else PostStatus.PARTLY_PUBLISHED
    for status in (PostStatus.FAILED, PostStatus.MISSED):
        if status in present:
            return status
    return PostStatus.CANCELLED


def refresh_posts(session: Session, post_ids: Iterable[str | None]) -> None:
    """Derive the status of these posts from their jobs and announce them; posts without jobs keep theirs.

    Called with the posts of the jobs that were changed. For a job that belongs to none (a delivery, a bot's act) "jobs"
    is announced: by the commit that changes it, for a page that reads any earlier would see the state before.
    """
    found = set(post_ids)
    if None in found:
        live.note(session, "jobs")
    ids = sorted(post_id for post_id in found if post_id)
    if not ids:
        return
    lock, derive = _statements()
    # Lock first, aggregate in a statement of its own: of two workers that settle two targets of one post at once,
    # the second then sees what the first committed.
    before = {row.id: row.status for row in session.execute(lock, {"ids": ids})}
    moved = session.execute(derive, {"ids": ids}, execution_options={"synchronize_session": False}).all()
    if moved:
        announcements.posts_moved(session, {row.id: before[row.id] for row in moved if row.id in before})
    live.note(session, "posts", *(f"post:{post_id}" for post_id in ids))


@lru_cache(maxsize=1)
def _statements() -> tuple[Select[tuple[str]], Update]:
    """Built once: putting the long CASE together costs more than running it, and every settlement runs it."""
    lock = (
        select(_post.c.id, _post.c.status)
        .where(is_one_of(_post.c.id, "ids"))
        .order_by(_post.c.id)
        .with_for_update()
    )
    derived = (
        select(Job.post_id, _status_in_sql().label("status"))
        .where(is_one_of(Job.post_id, "ids"))
        .group_by(Job.post_id)
        .subquery()
    )
    derive = (
        update(_post)
        .where(_post.c.id == derived.c.post_id, _post.c.status != derived.c.status)
        .values(status=derived.c.status)
        .returning(_post.c.id)
    )
    return lock, derive


def _status_in_sql() -> Case[str]:
    missed = (Job.error_class == MISSED) & Job.state.in_((JobState.HELD, JobState.CANCELLED))  # type: ignore[attr-defined]

    def any_of(status: PostStatus) -> ColumnElement[bool]:
        states = [state for state, seen in TARGET_STATUS.items() if seen is status]
        if status is PostStatus.MISSED:
            matches: ColumnElement[bool] = missed
        elif status in (PostStatus.NEEDS_REVIEW, PostStatus.CANCELLED):
            matches = Job.state.in_(states) & ((Job.error_class.is_(None)) | (Job.error_class != MISSED))  # type: ignore
        else:
            matches = Job.state.in_(states)  # type: ignore[attr-defined]
        return func.sum(case((matches, 1), else_=0)) > 0

    seen = {status: any_of(status) for status in (*set(TARGET_STATUS.values()), PostStatus.MISSED)}
    waiting = seen[PostStatus.PENDING_QUEUE] | seen[PostStatus.SCHEDULED]
    other_ends = seen[PostStatus.FAILED] | seen[PostStatus.MISSED] | seen[PostStatus.CANCELLED]
    return case(
        (seen[PostStatus.PROCESSING], PostStatus.PROCESSING.value),
        (seen[PostStatus.RETRYING], PostStatus.RETRYING.value),
        (waiting & seen[PostStatus.PUBLISHED], PostStatus.PROCESSING.value),
        (seen[PostStatus.PENDING_QUEUE], PostStatus.PENDING_QUEUE.value),
        (seen[PostStatus.SCHEDULED], PostStatus.SCHEDULED.value),
        (seen[PostStatus.NEEDS_REVIEW], PostStatus.NEEDS_REVIEW.value),
        (seen[PostStatus.PUBLISHED] & other_ends, PostStatus.PARTLY_PUBLISHED.value),
        (seen[PostStatus.PUBLISHED], PostStatus.PUBLISHED.value),
        (seen[PostStatus.FAILED], PostStatus.FAILED.value),
        (seen[PostStatus.MISSED], PostStatus.MISSED.value),
        else_=PostStatus.CANCELLED.value,
    )


_post = Post.__table__
