"""The steps of writing a post: its content, its targets, its jobs. Used by `posts`, which knows who may do what."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select, update
from sqlmodel import Session

from contentcaster.clock import utc_now
from contentcaster.errors import InvalidInput
from contentcaster.models import CLAIMABLE, Account, Media, Post, PostMedia, PostStatus, ReviewKind, Target
from contentcaster.security.permissions import Principal
from contentcaster.services import approval, notifications_posts, post_jobs, post_labels
from contentcaster.services.drafts import MediaDraft, PostDraft, TargetDraft
from contentcaster.services.ids import is_id
from contentcaster.services.post_checks import Materials, find_problems, load_materials, refuse_stops
from contentcaster.services.post_jobs import JobFacts
from contentcaster.services.post_queries import scope
from contentcaster.services.schedule import ResolvedTime, Schedule, resolve, resolve_loosely


def actor_of(principal: Principal) -> str:
    return (principal.name or principal.email)[:120]


def check_all(materials: Materials, when: Schedule) -> ResolvedTime:
    """The time, if it and everything else is right; else all that is wrong, at once."""
    time_error: InvalidInput | None = None
    try:
        time = resolve(when, now=utc_now())
    except InvalidInput as error:
        time, time_error = None, error
    items = find_problems(
        materials,
        due_at=time.at if time else None,
        timezone=time.timezone if time else "UTC",
    )
    try:
        refuse_stops(items)
    except InvalidInput as error:
        if time_error is None:
            raise
        raise InvalidInput(error.message, fields=time_error.fields | error.fields) from None
    if time is None:
        assert time_error is not None
        raise time_error
    return time


def take_content(session: Session, post: Post, materials: Materials) -> None:
    draft = materials.draft
    post.text = draft.text
    post.thread = list(draft.thread)
    post.first_comment = draft.first_comment
    post.labels = list(draft.labels)
    post.options = dict(draft.options)
    post.missed_policy = draft.missed_policy
    session.add(post)
    post_labels.keep(session, post)


def replace_media(session: Session, post: Post, materials: Materials) -> None:
    session.execute(delete(PostMedia).where(PostMedia.post_id == post.id))
    session.add_all(
        PostMedia(
            post_id=post.id,
            media_id=item.id,
            position=position,
            part=item.part,
            alt=materials.alt_of(item),
        )
        for position, item in enumerate(materials.draft.media)
    )
    session.flush()


def replace_targets(session: Session, post: Post, materials: Materials) -> None:
    """A draft's targets: one per channel, without jobs."""
    post_jobs.delete_targets(session, _targets(session, post))
    for target in materials.draft.targets:
        session.add_all(_new_targets(post, target, parts=1))
    session.flush()


def plan(session: Session, post: Post, planned: Schedule | None) -> None:
    """Note the time that a draft is meant for; one that cannot be read leaves what was there."""
    time = resolve_loosely(planned) if planned is not None else None
    if time is not None:
        post.scheduled_at, post.wall_time, post.timezone = time.at, time.wall_time, time.timezone
        session.add(post)
        session.flush()


def to_draft(
    session: Session, principal: Principal, post: Post, materials: Materials, jobs: Sequence[JobFacts]
) -> None:
    replace_targets(session, post, materials)
    post_jobs.drop_jobs(session, [job.id for job in jobs], actor=actor_of(principal))
    set_status(session, post, PostStatus.DRAFT)


def schedule(
    session: Session,
    principal: Principal,
    post: Post,
    materials: Materials,
    time: ResolvedTime,
    jobs: Sequence[JobFacts],
    *,
    is_asking_approval: bool = False,
) -> None:
    post.scheduled_at, post.wall_time, post.timezone = time.at, time.wall_time, time.timezone
    session.add(post)
    session.flush()
    if approval.needs_approval(principal) or is_asking_approval:
        was_waiting = post.status is PostStatus.PENDING_APPROVAL
        to_draft(session, principal, post, materials, jobs)
        set_status(session, post, PostStatus.PENDING_APPROVAL)
        kind = ReviewKind.CHANGED if was_waiting else ReviewKind.REQUESTED
        approval.record(session, principal, post.id, kind)
        if not was_waiting:
            notifications_posts.approval_requested(session, principal, post)
        return
    kept, replaced = _sort_targets(session, post, materials, jobs)
    kept_jobs = {target.job_id for target in kept}
    actor = actor_of(principal)
    post_jobs.delete_targets(session, replaced)
    post_jobs.drop_jobs(session, [job.id for job in jobs if job.id not in kept_jobs], actor=actor)
    post_jobs.move_jobs(session, post, materials, kept, actor=actor)
    kept_accounts = {target.account_id for target in kept}
    fresh = [
        row
        for target in materials.draft.targets
        if target.account_id not in kept_accounts
        for row in _new_targets(post, target, parts=len(materials.parts_of(target)))
    ]
    session.add_all(fresh)
    session.flush()
    if fresh:
        post_jobs.add_jobs(session, post, materials, fresh, actor=actor)


def _sort_targets(
    session: Session, post: Post, materials: Materials, jobs: Sequence[JobFacts]
) -> tuple[list[Target], list[Target]]:
    """Targets whose waiting jobs can simply take the new content, and those that must be made anew."""
    waiting = {job.id for job in jobs if job.state in CLAIMABLE}
    wanted = {target.account_id: target for target in materials.draft.targets}
    by_account: dict[str, list[Target]] = {}
    for row in _targets(session, post):
        by_account.setdefault(row.account_id, []).append(row)
    kept: list[Target] = []
    replaced: list[Target] = []
    for account_id, rows in by_account.items():
        target = wanted.get(account_id)
        if (
            target is None
            or len(rows) != len(materials.parts_of(target))
            or any(row.job_id not in waiting for row in rows)
        ):
            replaced += rows
            continue
        for row in rows:
            row.text = target.text if row.part == 0 else None
            row.options = dict(target.options)
            session.add(row)
        kept += rows
    session.flush()
    return kept, replaced


def _new_targets(post: Post, target: TargetDraft, parts: int) -> list[Target]:
    return [
        Target(
            post_id=post.id,
            account_id=target.account_id,
            part=part,
            text=target.text if part == 0 else None,
            options=dict(target.options),
        )
        for part in range(parts)
    ]


def _targets(session: Session, post: Post) -> list[Target]:
    query = select(Target).where(Target.post_id == post.id).order_by(Target.account_id, Target.part)
    return list(session.execute(query).scalars())


def attached(session: Session, post: Post) -> tuple[dict[str, Account], dict[str, Media]]:
    """Channels and pictures that are on the post already: they may stay, whoever put them there."""
    accounts = session.execute(
        select(Account).join(Target, Target.account_id == Account.id).where(Target.post_id == post.id)
    ).scalars()
    media = session.execute(
        select(Media).join(PostMedia, PostMedia.media_id == Media.id).where(PostMedia.post_id == post.id)
    ).scalars()
    return {account.id: account for account in accounts}, {item.id: item for item in media}


def attached_to_post(
    session: Session, principal: Principal, post_id: str
) -> tuple[dict[str, Account], dict[str, Media]]:
    """As `attached`, of a post that the person may see; nothing of any other."""
    if not is_id(post_id):
        return {}, {}
    post = session.execute(select(Post).where(Post.id == post_id, scope(principal))).scalar_one_or_none()
    return attached(session, post) if post is not None else ({}, {})


def stored_draft(session: Session, post: Post) -> PostDraft:
    links = session.execute(
        select(PostMedia).where(PostMedia.post_id == post.id).order_by(PostMedia.position)
    ).scalars()
    return PostDraft(
        text=post.text,
        targets=tuple(
            TargetDraft(row.account_id, row.text, dict(row.options))
            for row in _targets(session, post)
            if row.part == 0
        ),
        media=tuple(MediaDraft(link.media_id, link.alt, link.part) for link in links),
        thread=tuple(post.thread),
        labels=tuple(post.labels),
        options=dict(post.options),
        missed_policy=post.missed_policy,
        first_comment=post.first_comment,
    )


def stored_materials(session: Session, principal: Principal, post: Post) -> Materials:
    return load_materials(session, principal, stored_draft(session, post), attached=attached(session, post))


def set_status(session: Session, post: Post, status: PostStatus) -> None:
    # By SQL: the engine changes the column by SQL too, so what this session remembers of it may be outdated.
    session.flush()
    session.execute(
        update(Post)
        .where(Post.id == post.id)
        .values(status=status)
        .execution_options(synchronize_session=False)
    )
