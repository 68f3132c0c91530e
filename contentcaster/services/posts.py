"""Writing, scheduling, changing and cancelling posts. Each call is one transaction of its caller.

A post, its targets and its jobs are written in one commit; the queue is told afterwards, and may be down. A post can
be changed as long as nothing of it may be on a network (`post_jobs.locked_reason`).
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.errors import ChangedMeanwhile, Conflict, InvalidInput
from contentcaster.models import (
    CLAIMABLE,
    Post,
    PostStatus,
    ReviewKind,
)
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import approval, audit, notifications_posts, post_jobs
from contentcaster.services import post_writing as writing
from contentcaster.services.drafts import PostDraft, clean_draft
from contentcaster.services.ids import is_id
from contentcaster.services.post_checks import (
    Materials,
    find_problems,
    load_materials,
    refuse_stops,
)
from contentcaster.services.post_jobs import JobFacts
from contentcaster.services.post_queries import (
    count_posts_by_status,
    get_post,
    list_posts,
    list_scheduled_between,
    not_found,
    scope,
)
from contentcaster.services.schedule import ResolvedTime, Schedule, known_zone
from contentcaster.services.views import PostDetail

__all__ = [
    "approve_post",
    "cancel_post",
    "count_posts_by_status",
    "create_post",
    "delete_post",
    "duplicate_post",
    "get_post",
    "list_posts",
    "list_scheduled_between",
    "plan_draft",
    "publish_now",
    "reject_post",
    "schedule_post",
    "unschedule_post",
    "update_post",
]


def create_post(
    session: Session,
    principal: Principal,
    draft: PostDraft,
    when: Schedule | None = None,
    *,
    is_asking_approval: bool = False,
    planned: Schedule | None = None,
) -> PostDetail:
    """Keep a draft (`when` None), or schedule it at once. `planned` is the time that a draft is meant for.

    People whose posts need approval, and those who ask for it, get a post that waits for an admin instead.

    Raises:
        InvalidInput: `fields` names text, targets, targets.<account id>.text, thread.<n>, media, scheduled_at,
            timezone. A draft may be unfinished; what it names must exist.
    """
    principal.require(Permission.COMPOSE)
    materials = load_materials(session, principal, clean_draft(draft))
    time = writing.check_all(materials, when) if when else None
    post = Post(author_id=principal.user_id, timezone=known_zone(principal.timezone), version=0)
    session.add(post)
    writing.take_content(session, post, materials)
    session.flush()
    writing.replace_media(session, post, materials)
    if time is None:
        writing.plan(session, post, planned)
        writing.replace_targets(session, post, materials)
    else:
        writing.schedule(session, principal, post, materials, time, (), is_asking_approval=is_asking_approval)
    return _finished(session, principal, post)


def update_post(
    session: Session,
    principal: Principal,
    post_id: str,
    draft: PostDraft,
    *,
    version: int,
    when: Schedule | None = None,
    is_asking_approval: bool = False,
    planned: Schedule | None = None,
) -> PostDetail:
    """Replace what a post says and where it goes. `when` None keeps its time: a draft stays one, a scheduled post is
    frozen anew; one that was cancelled, missed or refused becomes a draft again.

    Raises:
        NotFound: no such post, or not theirs.
        Conflict: somebody else changed it since `version`, or it is being sent.
        InvalidInput: as `create_post`.
    """
    post, jobs = _open(session, principal, post_id, version)
    _require_unlocked(jobs)
    materials = load_materials(
        session, principal, clean_draft(draft), attached=writing.attached(session, post)
    )
    time = _time_of_update(post, jobs, materials, when)
    # An edit alone never takes a post out of the hands of the one who is to approve it.
    is_asking_approval = is_asking_approval or (when is None and post.status is PostStatus.PENDING_APPROVAL)
    writing.take_content(session, post, materials)
    writing.replace_media(session, post, materials)
    if time is not None:
        writing.schedule(
            session, principal, post, materials, time, jobs, is_asking_approval=is_asking_approval
        )
    else:
        writing.plan(session, post, planned)
        writing.to_draft(session, principal, post, materials, jobs)
    return _finished(session, principal, post)


def schedule_post(
    session: Session,
    principal: Principal,
    post_id: str,
    when: Schedule,
    *,
    version: int | None = None,
    is_asking_approval: bool = False,
) -> PostDetail:
    """Schedule a draft as it stands, or move a scheduled post to another time.

    Raises:
        NotFound, Conflict, InvalidInput: as `update_post`.
    """
    post, jobs = _open(session, principal, post_id, version)
    _require_unlocked(jobs)
    materials = writing.stored_materials(session, principal, post)
    time = writing.check_all(materials, when)
    writing.schedule(session, principal, post, materials, time, jobs, is_asking_approval=is_asking_approval)
    return _finished(session, principal, post)


def publish_now(
    session: Session, principal: Principal, post_id: str, *, version: int | None = None
) -> PostDetail:
    """Send it out as soon as a worker takes it. Raises as `schedule_post`."""
    return schedule_post(
        session, principal, post_id, Schedule.now(known_zone(principal.timezone)), version=version
    )


def unschedule_post(
    session: Session, principal: Principal, post_id: str, *, version: int | None = None
) -> PostDetail:
    """Make a scheduled post a draft again. Raises as `update_post`."""
    post, jobs = _open(session, principal, post_id, version)
    _require_unlocked(jobs)
    writing.to_draft(session, principal, post, writing.stored_materials(session, principal, post), jobs)
    return _finished(session, principal, post)


def plan_draft(session: Session, principal: Principal, post_id: str, planned: Schedule) -> PostDetail:
    """Keep the time that a draft is meant for; nothing goes out by it. Raises NotFound; Conflict: it is no draft."""
    post, _jobs = _open(session, principal, post_id, None)
    if post.status is not PostStatus.DRAFT:
        raise Conflict("It is no draft any more. Look at it again.")
    writing.plan(session, post, planned)
    return _finished(session, principal, post)


def cancel_post(session: Session, principal: Principal, post_id: str) -> PostDetail:
    """Stop what has not been sent; nothing more goes out of this post.

    Raises:
        NotFound: no such post, or not theirs.
        Conflict: it is being sent, or nothing of it waits.
    """
    post, jobs = _open(session, principal, post_id, None)
    if post.status is PostStatus.PENDING_APPROVAL:
        writing.set_status(session, post, PostStatus.DRAFT)
    elif post.status is PostStatus.DRAFT:
        raise Conflict("This is a draft: nothing of it is scheduled.")
    elif not post_jobs.cancel_waiting(session, jobs, actor=writing.actor_of(principal)):
        raise Conflict("Nothing of this post waits any more, so there is nothing to cancel.")
    audit.record(session, principal, "post.cancelled", "post", post.id)
    return _finished(session, principal, post)


def delete_post(session: Session, principal: Principal, post_id: str) -> None:
    """Remove a post here; what waits is cancelled, what is on the networks stays there.

    Raises:
        NotFound, Conflict: as `cancel_post`.
    """
    post, jobs = _open(session, principal, post_id, None)
    actor = writing.actor_of(principal)
    post_jobs.cancel_waiting(session, jobs, actor=actor)
    post_jobs.close_failures(session, [job.id for job in jobs], actor=actor, resolution="discarded")
    post.deleted_at = utc_now()
    session.add(post)
    session.flush()
    audit.record(session, principal, "post.deleted", "post", post.id)
    live.note(session, "posts", f"post:{post.id}")


def approve_post(session: Session, principal: Principal, post_id: str, *, version: int) -> PostDetail:
    """Schedule a post that waits for approval, at the time its author chose; at once if that has passed.

    `version` is what was read: nobody approves words that they have not seen.

    Raises:
        Conflict: it does not wait for approval (any more), or it was changed since.
    """
    principal.require(Permission.APPROVE_POSTS)
    post, jobs = _open_pending(session, principal, post_id, version)
    assert post.scheduled_at is not None
    when = Schedule.at(max(post.scheduled_at, utc_now()), post.timezone)
    materials = writing.stored_materials(session, principal, post)
    writing.schedule(session, principal, post, materials, writing.check_all(materials, when), jobs)
    approval.record(session, principal, post.id, ReviewKind.APPROVED)
    audit.record(session, principal, "post.approved", "post", post.id, {"version": version})
    notifications_posts.approval_decided(session, principal, post, is_approved=True)
    return _finished(session, principal, post)


def reject_post(
    session: Session, principal: Principal, post_id: str, reason: str, *, version: int | None = None
) -> PostDetail:
    """Give a post that waits for approval back to its author as a draft, with the reason.

    Raises:
        InvalidInput: field "reason": without one its author does not know what to change.
        Conflict: as `approve_post`.
    """
    principal.require(Permission.APPROVE_POSTS)
    post, _jobs = _open_pending(session, principal, post_id, version)
    reason = approval.checked_text(reason, "reason")
    if not reason:
        raise InvalidInput("Say what should change: its author only sees these words.", field="reason")
    writing.set_status(session, post, PostStatus.DRAFT)
    approval.record(session, principal, post.id, ReviewKind.RETURNED, reason)
    audit.record(session, principal, "post.rejected", "post", post.id, {"reason": reason[:500]})
    notifications_posts.approval_decided(session, principal, post, is_approved=False, reason=reason[:500])
    return _finished(session, principal, post)


def duplicate_post(session: Session, principal: Principal, post_id: str) -> PostDetail:
    """A new draft with the same content, on those channels that the person may use now. Raises NotFound."""
    principal.require(Permission.COMPOSE)
    original = get_post(session, principal, post_id)
    post = session.get_one(Post, original.id)
    stored = writing.stored_draft(session, post)
    accounts, media = writing.attached(session, post)
    usable = {account.id for account in accounts.values() if account.deleted_at is None}
    kept = {item.id for item in media.values() if item.deleted_at is None}
    draft = PostDraft(
        text=stored.text,
        targets=tuple(target for target in stored.targets if target.account_id in usable),
        media=tuple(item for item in stored.media if item.id in kept),
        thread=stored.thread,
        labels=stored.labels,
        options=stored.options,
        missed_policy=stored.missed_policy,
        first_comment=stored.first_comment,
    )
    return create_post(session, principal, draft)


def _open(
    session: Session, principal: Principal, post_id: str, version: int | None
) -> tuple[Post, list[JobFacts]]:
    """The post and its jobs, locked, for someone who may change it."""
    principal.require(Permission.COMPOSE)
    if not is_id(post_id):
        raise not_found()
    query = select(Post).where(Post.id == post_id, scope(principal))
    if not principal.can(Permission.EDIT_ALL_POSTS):
        query = query.where(Post.author_id == principal.user_id)
    if session.execute(query.with_only_columns(Post.id)).one_or_none() is None:
        raise not_found()
    jobs = post_jobs.lock_jobs(session, post_id)
    post = session.execute(
        query.with_for_update().execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if post is None:
        raise not_found()
    if post_jobs.job_ids(session, post_id) != {job.id for job in jobs}:
        # Somebody scheduled it while we waited for its lock: those jobs are not ours to leave behind.
        raise Conflict("This post was changed by someone else at this moment. Look at it again.")
    if version is not None and post.version != version:
        raise ChangedMeanwhile(
            "This post was changed by someone else since you opened it. Nothing was overwritten: "
            "what you typed is still here. Open the current version to compare."
        )
    return post, jobs


def _open_pending(
    session: Session, principal: Principal, post_id: str, version: int | None
) -> tuple[Post, list[JobFacts]]:
    post, jobs = _open(session, principal, post_id, None)
    if post.status is not PostStatus.PENDING_APPROVAL or post.scheduled_at is None:
        raise Conflict("This post does not wait for approval. Somebody may have decided already.")
    if version is not None and post.version != version:
        raise ChangedMeanwhile(
            "This post was changed since you read it, so nothing was decided. Read it again first."
        )
    return post, jobs


def _require_unlocked(jobs: Sequence[JobFacts]) -> None:
    reason = post_jobs.locked_reason(jobs)
    if reason:
        raise Conflict(reason)


def _time_of_update(
    post: Post, jobs: Sequence[JobFacts], materials: Materials, when: Schedule | None
) -> ResolvedTime | None:
    if when is not None:
        return writing.check_all(materials, when)
    is_waiting = any(job.state in CLAIMABLE for job in jobs)
    if not (is_waiting or post.status is PostStatus.PENDING_APPROVAL) or post.scheduled_at is None:
        return None
    refuse_stops(find_problems(materials, due_at=post.scheduled_at, timezone=post.timezone))
    return ResolvedTime(post.scheduled_at, post.wall_time, post.timezone)


def _finished(session: Session, principal: Principal, post: Post) -> PostDetail:
    """Count the change, announce it, and show what the post is now."""
    session.flush()
    session.execute(
        update(Post)
        .where(Post.id == post.id)
        .values(version=Post.version + 1, updated_at=utc_now())
        .execution_options(synchronize_session=False)
    )
    live.note(session, "posts", f"post:{post.id}")
    return get_post(session, principal, post.id)
