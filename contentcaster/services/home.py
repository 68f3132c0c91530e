"""Home: today's schedule, what wants a person, what is next; and the sidebar's numbers."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from sqlalchemy import ColumnElement, case, func, select
from sqlmodel import Session

from contentcaster.clock import utc_now
from contentcaster.engine.post_status import MISSED
from contentcaster.models import AccountStatus, FailedTask, JobState, Post, PostStatus, QueueState, ReviewKind
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import missed, post_looks, token_warnings
from contentcaster.services.accounts import count_broken, list_accounts
from contentcaster.services.job_filters import open_failures
from contentcaster.services.post_queries import count_scheduled_between, list_scheduled_between, scope
from contentcaster.services.schedule import known_zone, load_zone
from contentcaster.services.views import AccountView, AttentionItem, HomeView, PostRow, SidebarCounts

_WAITING = (PostStatus.SCHEDULED, PostStatus.PENDING_QUEUE)
_TROUBLED = (PostStatus.FAILED, PostStatus.MISSED, PostStatus.PARTLY_PUBLISHED)
_LOOK_BACK = timedelta(days=14)


def get_home(session: Session, principal: Principal, *, now: datetime | None = None) -> HomeView:
    """What a person sees first; today is the day in their zone."""
    now = now or utc_now()
    zone = load_zone(known_zone(principal.timezone))
    day = now.astimezone(zone).date()
    start = datetime.combine(day, time.min, zone).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=1), time.min, zone).astimezone(UTC)
    today = list_scheduled_between(session, principal, start, end, limit=50)
    of_today = count_scheduled_between(session, principal, start, end)
    accounts = list_accounts(session, principal) if principal.can(Permission.VIEW_ACCOUNTS) else []
    counts = get_sidebar_counts(session, principal)
    return HomeView(
        timezone=zone.key,
        day=day.isoformat(),
        today=today,
        today_count=sum(of_today.values()),
        next_up=_next_up(session, principal, now),
        attention=_attention(session, principal, accounts, counts, now),
        published_today=of_today.get(PostStatus.PUBLISHED, 0),
        counts=counts,
        channels_connected=sum(account.status == AccountStatus.CONNECTED for account in accounts),
    )


def get_sidebar_counts(session: Session, principal: Principal) -> SidebarCounts:
    """The numbers at the entries of the sidebar; 0 for what the person may not see."""
    sees_posts = principal.can(Permission.COMPOSE) or principal.can(Permission.VIEW_ALL_POSTS)
    posts = _post_counts(session, principal) if sees_posts else {}
    failed, review = _failure_counts(session) if principal.can(Permission.VIEW_OPERATIONS) else (0, 0)
    broken = 0
    if principal.can(Permission.VIEW_ACCOUNTS):
        broken = count_broken(session, principal)
    may_approve = principal.can(Permission.APPROVE_POSTS)
    return SidebarCounts(
        scheduled_posts=sum(posts.get(status, 0) for status in _WAITING),
        failed_open=failed,
        needs_review=review,
        channels_broken=broken,
        awaiting_approval=posts.get(PostStatus.PENDING_APPROVAL, 0) if may_approve else 0,
    )


def _post_counts(session: Session, principal: Principal) -> dict[PostStatus, int]:
    wanted = (*_WAITING, PostStatus.PENDING_APPROVAL)
    query = (
        select(Post.status, func.count())
        .where(scope(principal), Post.status.in_(wanted))
        .group_by(Post.status)
    )
    return {status: count for status, count in session.execute(query)}


def _failure_counts(session: Session) -> tuple[int, int]:
    open_tasks = open_failures().subquery()
    # What missed its time is held too, but there is no doubt about it: nothing was sent.
    is_in_doubt = (open_tasks.c.state == JobState.HELD) & (open_tasks.c.reason != MISSED)
    review = func.coalesce(func.sum(case((is_in_doubt, 1), else_=0)), 0)
    failed, in_doubt = session.execute(select(func.count(), review).select_from(open_tasks)).one()
    return int(failed), int(in_doubt)


def _next_up(session: Session, principal: Principal, now: datetime) -> PostRow | None:
    rows = list_scheduled_between(
        session,
        principal,
        now,
        now + timedelta(days=3650),
        status=[status.value for status in _WAITING],
        limit=1,
    )
    return rows[0] if rows else None


def _attention(
    session: Session,
    principal: Principal,
    accounts: list[AccountView],
    counts: SidebarCounts,
    now: datetime,
) -> list[AttentionItem]:
    items: list[AttentionItem] = []
    if principal.can(Permission.VIEW_OPERATIONS):
        waiting = missed.count_missed(session, principal)
        items += (
            _missed_items(waiting) + _failure_items(counts, _missed_tasks(session)) + _paused_items(session)
        )
    else:
        items += _own_trouble(session, principal, now)
    if principal.can(Permission.COMPOSE) or principal.can(Permission.VIEW_ALL_POSTS):
        items += post_looks.attention(session, scope(principal), now)
    items += _channel_items(accounts) + _ending_logins(session, accounts, principal, now)
    if counts.awaiting_approval:
        count = counts.awaiting_approval
        items.append(
            AttentionItem(
                "approval",
                "warn",
                _many(count, "post waits", "posts wait") + " for approval",
                "Nothing goes out before you decide.",
                "/approvals",
                count,
            )
        )
    return sorted(items, key=lambda item: item.level != "bad")


def _missed_items(waiting: int) -> list[AttentionItem]:
    if not waiting:
        return []
    title = _many(waiting, "post", "posts") + " became due while nothing ran"
    sentence = "Nothing of it was sent. Publish late, give a new time, or let go."
    return [AttentionItem("failed", "bad", title, sentence, "/missed", waiting)]


def _missed_tasks(session: Session) -> int:
    """A post that missed its time has one on each of its channels."""
    found = select(func.count()).where(FailedTask.resolved_at.is_(None), FailedTask.reason == MISSED)
    return int(session.execute(found).scalar_one())


def _failure_items(counts: SidebarCounts, missed_tasks: int) -> list[AttentionItem]:
    items = []
    failed = counts.failed_open - counts.needs_review - missed_tasks
    if counts.needs_review:
        title = _many(counts.needs_review, "send needs", "sends need") + " your look"
        sentence = "It is not known whether they arrived. Nothing is sent until you decide."
        items.append(AttentionItem("review", "bad", title, sentence, "/failed-tasks", counts.needs_review))
    if failed:
        title = _many(failed, "send has", "sends have") + " failed"
        sentence = "Each says why and what to do; retries go only to the channels that failed."
        items.append(AttentionItem("failed", "bad", title, sentence, "/failed-tasks", failed))
    return items


def _paused_items(session: Session) -> list[AttentionItem]:
    paused = session.execute(
        select(QueueState).where(QueueState.paused_at.is_not(None)).order_by(QueueState.queue)
    ).scalars()
    return [
        AttentionItem(
            "paused",
            "warn",
            f"The queue {state.queue} is paused",
            f"By {state.paused_by or 'an admin'}. Its jobs wait until it is resumed.",
            "/queues",
            1,
        )
        for state in paused
    ]


def _own_trouble(session: Session, principal: Principal, now: datetime) -> list[AttentionItem]:
    """For creators: their own posts that did not go out, or only in part."""
    if not principal.can(Permission.COMPOSE):
        return []
    recent: ColumnElement[bool] = Post.scheduled_at >= now - _LOOK_BACK  # type: ignore[assignment]
    query = (
        select(Post.status, func.count())
        .where(scope(principal), Post.status.in_((*_TROUBLED, PostStatus.NEEDS_REVIEW)), recent)
        .group_by(Post.status)
    )
    words = {
        PostStatus.FAILED: ("failed", "bad", "did not go out", "Open it to see why."),
        PostStatus.MISSED: (
            "failed",
            "bad",
            "missed their time",
            "Publish late, give a new time, or let go.",
        ),
        PostStatus.PARTLY_PUBLISHED: (
            "failed",
            "bad",
            "went out on some channels only",
            "Open it to see on which.",
        ),
        PostStatus.NEEDS_REVIEW: ("review", "warn", "may be live already", "An admin must look and decide."),
    }
    items = _sent_back(session, principal)
    for status, count in session.execute(query):
        kind, level, verb, sentence = words[status]
        title = f"{count} of your posts {verb}"
        href = "/missed" if status is PostStatus.MISSED else f"/posts?status={status.value}"
        items.append(AttentionItem(kind, level, title, sentence, href, count))
    return items


def _sent_back(session: Session, principal: Principal) -> list[AttentionItem]:
    """For creators: drafts that somebody sent back with a reason."""
    ids = session.execute(
        select(Post.id)
        .where(
            scope(principal), Post.status == PostStatus.DRAFT, Post.review_state == ReviewKind.RETURNED.value
        )
        .order_by(Post.updated_at.desc())
        .limit(100)
    ).scalars()
    found = list(ids)
    if not found:
        return []
    title = _many(len(found), "post was", "posts were") + " sent back to you"
    sentence = "Open it to read why, change it and ask again."
    return [AttentionItem("approval", "warn", title, sentence, f"/posts/{found[0]}", len(found))]


def _ending_logins(
    session: Session, accounts: list[AccountView], principal: Principal, now: datetime
) -> list[AttentionItem]:
    found = token_warnings.endings(session, now=now, account_ids=[account.id for account in accounts])
    return [
        AttentionItem(
            "token",
            "bad" if ending.is_over or (ending.days == 1 and ending.post_count) else "warn",
            f"The login of {ending.channel} {'has ended' if ending.is_over else 'ends soon'}",
            ending.sentence(known_zone(principal.timezone)),
            f"/channels/{ending.account_id}",
            ending.post_count,
        )
        for ending in found
    ]


def _channel_items(accounts: list[AccountView]) -> list[AttentionItem]:
    items = []
    for account in accounts:
        name = f"{account.platform_name} · {account.handle}"
        waiting = account.scheduled_count
        if account.status == AccountStatus.REAUTHORISE:
            sentence = (
                f"{_many(waiting, 'post waits', 'posts wait')} for it. " if waiting else ""
            ) + "Connect it again."
            items.append(
                AttentionItem("channel", "bad", f"{name} needs a new login", sentence, "/channels", waiting)
            )
    return items


def _many(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"
