"""Reading posts: lists, one post with its targets, counts; always within what the person may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlmodel import Session

from contentcaster.engine.post_status import target_status
from contentcaster.errors import InvalidInput, NotAllowed, NotFound
from contentcaster.models import (
    TERMINAL,
    Account,
    FailedTask,
    Job,
    JobState,
    Media,
    Post,
    PostLabel,
    PostMedia,
    PostStatus,
    Target,
    User,
)
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services.drafts import clean_text
from contentcaster.services.ids import is_id
from contentcaster.services.media import media_urls
from contentcaster.services.paging import decode_cursor, encode_cursor
from contentcaster.services.platforms import channel_view
from contentcaster.services.post_jobs import JobFacts, locked_reason
from contentcaster.services.post_looks import problems_of
from contentcaster.services.post_search import matches
from contentcaster.services.views import Page, PostDetail, PostMediaView, PostRow, TargetView

_EXCERPT_LENGTH = 280
_AT_REST = (*TERMINAL, JobState.DEAD, JobState.HELD)
_TIMED = tuple(status for status in PostStatus if status not in (PostStatus.DRAFT, PostStatus.CANCELLED))
_FRESH = {"populate_existing": True}
"""Statuses change by SQL in the same transaction: never show what this session read before."""


def scope(principal: Principal) -> ColumnElement[bool]:
    """Which posts the person may see: all, or their own. Raises NotAllowed for people who see none."""
    is_there: ColumnElement[bool] = Post.deleted_at.is_(None)
    if principal.can(Permission.VIEW_ALL_POSTS):
        return is_there
    if principal.can(Permission.COMPOSE):
        return and_(is_there, Post.author_id == principal.user_id)
    raise NotAllowed("Your role does not allow this. An admin can do it or change your role.")


def list_posts(
    session: Session,
    principal: Principal,
    *,
    status: Sequence[str] = (),
    search: str = "",
    account_id: str = "",
    media_id: str = "",
    label: str = "",
    cursor: str = "",
    limit: int = 50,
) -> Page[PostRow]:
    """Posts, newest first. `search` finds those that hold all its words or their beginnings (services/post_search.py);
    `status` takes the words of `PostStatus`;
    `media_id` keeps those that show that picture, `label` those that carry exactly that label.

    Raises:
        InvalidInput: field "status" or "cursor".
    """
    limit = max(1, min(limit, 200))
    query = _rows_query(principal)
    if status:
        query = query.where(Post.status.in_(_checked_statuses(status)))
    if search.strip():
        query = query.where(matches(session, search))
    if account_id:
        if not is_id(account_id):
            return Page([])
        query = query.where(exists().where(Target.post_id == Post.id, Target.account_id == account_id))
    if media_id:
        if not is_id(media_id):
            return Page([])
        query = query.where(exists().where(PostMedia.post_id == Post.id, PostMedia.media_id == media_id))
    if label:
        carries = (PostLabel.post_id == Post.id, PostLabel.label == clean_text(label))
        query = query.where(exists().where(*carries))
    if cursor:
        at, last_id = decode_cursor(cursor)
        query = query.where(or_(Post.created_at < at, and_(Post.created_at == at, Post.id < last_id)))
    query = query.order_by(Post.created_at.desc(), Post.id.desc()).limit(limit + 1)
    found = session.execute(query).all()
    rows = _rows(session, found[:limit])
    next_cursor = encode_cursor(rows[-1].created_at, rows[-1].id) if len(found) > limit else ""
    return Page(rows, next_cursor)


def list_scheduled_between(
    session: Session,
    principal: Principal,
    start: datetime,
    end: datetime,
    *,
    status: Sequence[str] = (),
    limit: int = 500,
) -> list[PostRow]:
    """Posts whose time lies in [start, end), by time: a day or a month of the calendar."""
    query = _rows_query(principal).where(_is_timed_between(start, end, status))
    return _rows(session, session.execute(query.order_by(Post.scheduled_at, Post.id).limit(limit)).all())


def count_scheduled_between(
    session: Session, principal: Principal, start: datetime, end: datetime
) -> dict[PostStatus, int]:
    """Status -> number of the posts that `list_scheduled_between` would list."""
    query = select(Post.status, func.count()).where(scope(principal), _is_timed_between(start, end, ()))
    return {status: count for status, count in session.execute(query.group_by(Post.status))}


def _is_timed_between(start: datetime, end: datetime, status: Sequence[str]) -> ColumnElement[bool]:
    # Statuses are named, not excluded: the index begins with them.
    statuses = _checked_statuses(status) if status else _TIMED
    return and_(Post.status.in_(statuses), Post.scheduled_at >= start, Post.scheduled_at < end)


def count_posts_by_status(session: Session, principal: Principal) -> dict[str, int]:
    """Status -> number of posts that the person may see; every status is there, with 0 too."""
    query = select(Post.status, func.count()).where(scope(principal)).group_by(Post.status)
    counts = {status.value: count for status, count in session.execute(query)}
    return {status.value: counts.get(status.value, 0) for status in PostStatus}


def get_post(session: Session, principal: Principal, post_id: str) -> PostDetail:
    """One post with its targets. Raises NotFound also for posts of others."""
    visible = scope(principal)
    if not is_id(post_id):
        raise not_found()
    row = session.execute(
        select(Post, User.name)
        .join(User, User.id == Post.author_id)
        .where(Post.id == post_id, visible)
        .execution_options(**_FRESH)
    ).one_or_none()
    if row is None:
        raise not_found()
    post, author_name = row
    targets = _target_rows(session, post)
    detail = _detail(principal, post, author_name, targets, _post_media(session, post))
    return replace(detail, problems=problems_of(session, post))


def get_row(session: Session, principal: Principal, post_id: str) -> Post:
    """The row of a post that the person may see. Raises NotFound."""
    visible = scope(principal)
    if not is_id(post_id):
        raise not_found()
    post: Post | None = session.execute(
        select(Post).where(Post.id == post_id, visible).execution_options(**_FRESH)
    ).scalar_one_or_none()
    if post is None:
        raise not_found()
    return post


def not_found() -> NotFound:
    return NotFound("This post does not exist, or it is not yours.")


def _rows_query(principal: Principal) -> Any:
    return (
        select(Post, User.name)
        .join(User, User.id == Post.author_id)
        .where(scope(principal))
        .execution_options(**_FRESH)
    )


def _checked_statuses(status: Sequence[str]) -> list[PostStatus]:
    try:
        return [PostStatus(word) for word in status]
    except ValueError:
        known = ", ".join(PostStatus)
        raise InvalidInput(f"There is no such status. There are: {known}.", field="status") from None


def _rows(session: Session, found: Sequence[Any]) -> list[PostRow]:
    ids = [post.id for post, _name in found]
    channels: dict[str, dict[str, Any]] = {post_id: {} for post_id in ids}
    links: dict[str, str] = {}
    for target, account, remote_url in session.execute(
        select(Target, Account, Job.remote_url)
        .join(Account, Account.id == Target.account_id)
        .outerjoin(Job, Job.id == Target.job_id)
        .where(Target.post_id.in_(ids), Target.part == 0)
        .order_by(Account.platform, Account.handle)
    ):
        channels[target.post_id][account.id] = channel_view(account)
        if remote_url and target.post_id not in links:
            links[target.post_id] = safe_link(remote_url)
    media_counts: dict[str, int] = dict(
        session.execute(
            select(PostMedia.post_id, func.count())
            .where(PostMedia.post_id.in_(ids))
            .group_by(PostMedia.post_id)
        ).all()
    )
    return [
        PostRow(
            id=post.id,
            text=post.text[:_EXCERPT_LENGTH],
            status=post.status.value,
            scheduled_at=post.scheduled_at,
            wall_time=post.wall_time,
            timezone=post.timezone,
            author_id=post.author_id,
            author_name=author_name,
            labels=list(post.labels),
            channels=list(channels[post.id].values()),
            media_count=media_counts.get(post.id, 0),
            thread_count=len(post.thread),
            remote_url=links.get(post.id, ""),
            created_at=post.created_at,
            updated_at=post.updated_at,
            version=post.version,
        )
        for post, author_name in found
    ]


def safe_link(url: str | None) -> str:
    """A link that may be shown: what a network answered could also be javascript:."""
    return url if url and url.startswith(("https://", "http://")) else ""


def _target_rows(session: Session, post: Post) -> list[tuple[Target, Account, Job | None, int | None]]:
    open_failure = (
        select(func.max(FailedTask.id))
        .where(FailedTask.job_id == Target.job_id, FailedTask.resolved_at.is_(None))
        .correlate(Target)
        .scalar_subquery()
    )
    rows = session.execute(
        select(Target, Account, Job, open_failure)
        .join(Account, Account.id == Target.account_id)
        .outerjoin(Job, Job.id == Target.job_id)
        .where(Target.post_id == post.id)
        .order_by(Account.platform, Account.handle, Account.id, Target.part)
        .execution_options(**_FRESH)
    ).all()
    return [tuple(row) for row in rows]


def _post_media(session: Session, post: Post) -> list[PostMediaView]:
    views = []
    for link, media in session.execute(
        select(PostMedia, Media)
        .join(Media, Media.id == PostMedia.media_id)
        .where(PostMedia.post_id == post.id)
        .order_by(PostMedia.part, PostMedia.position)
    ):
        thumb_url, full_url = media_urls(media.id)
        views.append(
            PostMediaView(
                id=media.id,
                filename=media.filename,
                mime_type=media.mime_type,
                width=media.width,
                height=media.height,
                size_bytes=media.size_bytes,
                alt=link.alt,
                part=link.part,
                thumb_url=thumb_url,
                full_url=full_url,
                duration_seconds=media.duration_seconds,
                codec=media.codec,
            )
        )
    return views


def _detail(
    principal: Principal,
    post: Post,
    author_name: str,
    rows: list[tuple[Target, Account, Job | None, int | None]],
    media: list[PostMediaView],
) -> PostDetail:
    jobs = [job for _target, _account, job, _failure in rows if job is not None]
    facts = [JobFacts(job.id or 0, job.account_id, job.state, job.first_sent_at) for job in jobs]
    may_edit = _may_edit(principal, post)
    reason = locked_reason(facts)
    is_sending = any(job.state in (JobState.SENDING, JobState.UNKNOWN, JobState.RESOLVING) for job in jobs)
    is_waiting = any(job.state not in (*TERMINAL, JobState.DEAD) for job in jobs)
    is_awaiting = post.status is PostStatus.PENDING_APPROVAL
    return PostDetail(
        id=post.id,
        text=post.text,
        thread=list(post.thread),
        status=post.status.value,
        scheduled_at=post.scheduled_at,
        wall_time=post.wall_time,
        timezone=post.timezone,
        author_id=post.author_id,
        author_name=author_name,
        labels=list(post.labels),
        options=dict(post.options),
        targets=[_target_view(post, *row) for row in rows],
        media=media,
        created_at=post.created_at,
        updated_at=post.updated_at,
        version=post.version,
        is_editable=may_edit and not reason,
        is_cancellable=may_edit and not is_sending and (is_waiting or is_awaiting),
        is_deletable=may_edit and not is_sending,
        locked_reason=reason,
        needs_approval_by_admin=is_awaiting,
        missed_policy=post.missed_policy.value,
        review_state=post.review_state,
        first_comment=post.first_comment,
    )


def _may_edit(principal: Principal, post: Post) -> bool:
    if not principal.can(Permission.COMPOSE):
        return False
    return post.author_id == principal.user_id or principal.can(Permission.EDIT_ALL_POSTS)


def _target_view(
    post: Post, target: Target, account: Account, job: Job | None, failed_task_id: int | None
) -> TargetView:
    status = target_status(job.state, job.error_class) if job else post.status
    is_published = job is not None and job.state in (JobState.PUBLISHED, JobState.DONE)
    return TargetView(
        id=target.id,
        account_id=account.id,
        channel=channel_view(account),
        part=target.part,
        text=_effective_text(post, target, job),
        own_text=target.text if target.part == 0 else None,
        options=dict(target.options),
        status=status.value,
        job_id=job.id if job else None,
        job_state=job.state.value if job else "",
        due_at=job.scheduled_at if job else post.scheduled_at,
        next_action_at=job.due_at if job and job.state not in _AT_REST else None,
        attempts=job.attempt if job else 0,
        max_attempts=job.max_attempts if job else 0,
        remote_id=(job.remote_id or "") if job else "",
        remote_url=safe_link(job.remote_url) if job else "",
        published_at=job.ended_at if job and is_published else None,
        error=(job.error_message or "") if job and not is_published else "",
        failed_task_id=failed_task_id,
        is_comment=target.part > len(post.thread),
    )


def _effective_text(post: Post, target: Target, job: Job | None) -> str:
    if job is not None and "text" in job.payload:
        return str(job.payload["text"])
    if target.part == 0:
        return target.text or post.text
    return post.thread[target.part - 1] if target.part <= len(post.thread) else post.first_comment
