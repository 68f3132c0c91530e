"""One channel in depth: its login and how long it lasts, its limits, what it sent last, what it will send next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session

from contentcaster.models import Job, JobAttempt, Post
from contentcaster.platforms.text import describe_rule
from contentcaster.platforms.video_rule import describe_video
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import accounts, quotas, token_warnings
from contentcaster.services.platforms import is_known_network, media_rule_of, text_rule_of
from contentcaster.services.post_queries import list_posts, scope
from contentcaster.services.quotas import QuotaLedger
from contentcaster.services.schedule import known_zone
from contentcaster.services.token_warnings import BreakingPost
from contentcaster.services.views import AccountView, PostRow

_WAITING = ("Scheduled", "PendingQueue", "Retrying", "PendingApproval")
_SHOWN = 8
_OUTCOMES = {
    "published": ("Published", "ok"),
    "retry_later": ("Not sent, tried again", "warn"),
    "snooze": ("Asked to wait", "warn"),
    "unknown": ("No answer", "warn"),
    "refused": ("Refused", "bad"),
    "safe_to_send": ("Looked up: not there", "ok"),
    "lookup_failed": ("Look-up failed", "warn"),
    "cannot_tell": ("Looked up: unclear", "bad"),
    "released": ("Given back", "warn"),
    "lost": ("Worker lost", "warn"),
}


@dataclass(frozen=True)
class AttemptLine:
    """One recent try to send or look up through the channel."""

    at: datetime
    words: str
    tone: str
    message: str
    http_status: int
    """0 if there was no answer."""
    post_id: str
    """"" where the person may not see the post."""


@dataclass(frozen=True)
class LoginEnd:
    """A login that ends within 14 days, or has ended."""

    sentence: str
    is_over: bool
    days: int
    post_count: int
    posts: list[BreakingPost]
    """Those that the person may see; at most 20."""


@dataclass(frozen=True)
class ChannelHealth:
    account: AccountView
    text_limit: str
    image_limit: str
    video_limit: str
    login_end: LoginEnd | None
    """None: it lasts longer than 14 days, or renews itself."""
    quotas: QuotaLedger
    recent: list[AttemptLine]
    """The last 8, newest first."""
    waiting: list[PostRow]
    """The next posts through it that the person may see; at most 8."""


def get_health(session: Session, principal: Principal, account_id: str) -> ChannelHealth:
    """All of it, for a channel that the person may see. Raises NotFound."""
    view = accounts.get_account(session, principal, account_id)
    account = accounts.read_row(session, view.id)
    text_limit = image_limit = video_limit = ""
    if is_known_network(account.platform):
        text_limit, rule = describe_rule(text_rule_of(account)), media_rule_of(account)
        image_limit = (
            f"{rule.max_images} per post, up to {rule.max_image_bytes / 1e6:.3g} MB each."
            if rule.max_images
            else "None."
        )
        phrase = describe_video(rule)
        video_limit = "None." if phrase == "–" else f"{phrase[0].upper()}{phrase[1:]}."
    return ChannelHealth(
        account=view,
        text_limit=text_limit,
        image_limit=image_limit,
        video_limit=video_limit,
        login_end=_login_end(session, principal, view.id),
        quotas=quotas.ledger_of(session, principal, view.id),
        recent=_recent(session, principal, view.id),
        waiting=_waiting(session, principal, view.id),
    )


def _sees_posts(principal: Principal) -> bool:
    return principal.can(Permission.COMPOSE) or principal.can(Permission.VIEW_ALL_POSTS)


def _login_end(session: Session, principal: Principal, account_id: str) -> LoginEnd | None:
    for ending in token_warnings.endings(session, account_ids=[account_id]):
        sees_all = principal.can(Permission.VIEW_ALL_POSTS)
        posts = [post for post in ending.posts if sees_all or post.author_id == principal.user_id]
        sentence = ending.sentence(known_zone(principal.timezone))
        return LoginEnd(sentence, ending.is_over, ending.days, ending.post_count, posts)
    return None


def _recent(session: Session, principal: Principal, account_id: str) -> list[AttemptLine]:
    rows = session.execute(
        select(JobAttempt, Job.post_id)
        .join(Job, Job.id == JobAttempt.job_id)
        .where(Job.account_id == account_id, Job.kind == "publish")
        .order_by(JobAttempt.id.desc())  # type: ignore[union-attr]
        .limit(_SHOWN)
    ).all()
    ids = [post_id for _attempt, post_id in rows if post_id]
    seen = (
        set(session.execute(select(Post.id).where(Post.id.in_(ids), scope(principal))).scalars())
        if _sees_posts(principal)
        else set()
    )
    lines = []
    for attempt, post_id in rows:
        words, tone = _OUTCOMES.get(attempt.outcome, (attempt.outcome.replace("_", " ").capitalize(), ""))
        lines.append(
            AttemptLine(
                at=attempt.ended_at,
                words=words,
                tone=tone,
                message=attempt.message or "",
                http_status=attempt.http_status or 0,
                post_id=post_id if post_id in seen else "",
            )
        )
    return lines


def _waiting(session: Session, principal: Principal, account_id: str) -> list[PostRow]:
    if not _sees_posts(principal):
        return []
    rows = list_posts(session, principal, account_id=account_id, status=_WAITING, limit=200).items
    timed = sorted((row for row in rows if row.scheduled_at), key=lambda row: str(row.scheduled_at))
    return timed[:_SHOWN]
