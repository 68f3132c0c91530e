"""Logins that end: warned of 14, 7 and 1 days before, with the scheduled posts that would break.

`endings` says how things stand now, for the console. `due` gives each warning once, for who tells people.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, insert, select
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.engine.conditions import is_waiting
from contentcaster.models import Account, AccountStatus, Job, Post, TokenWarning
from contentcaster.services.platforms import channel_name
from contentcaster.services.schedule import format_when

DAYS = (14, 7, 1)
_SHOWN_POSTS = 20
_EXCERPT_LENGTH = 80


@dataclass(frozen=True)
class BreakingPost:
    """A scheduled post that is due after the login has ended."""

    post_id: str
    text: str
    """The first 80 characters."""
    scheduled_at: datetime
    author_id: str


@dataclass(frozen=True)
class TokenWarningView:
    """A channel whose login ends soon."""

    account_id: str
    channel: str
    """"LinkedIn · Acme", for sentences."""
    owner_id: str
    expires_at: datetime
    days: int
    """The stage: 14, 7 or 1 days or less are left."""
    is_over: bool
    post_count: int
    posts: list[BreakingPost]
    """By time; at most 20."""

    def sentence(self, timezone: str) -> str:
        """What happens and to how many posts."""
        when = format_when(self.expires_at, timezone)
        verb = "ended" if self.is_over else "ends"
        if not self.post_count:
            return f"The login of {self.channel} {verb} on {when}. No scheduled post is due after that."
        posts = "1 scheduled post is" if self.post_count == 1 else f"{self.post_count} scheduled posts are"
        return (
            f"The login of {self.channel} {verb} on {when}: {posts} due after that. Connect it again before."
        )


def endings(
    session: Session, *, now: datetime | None = None, account_ids: Collection[str] | None = None
) -> list[TokenWarningView]:
    """Connected channels (of `account_ids`) whose login ends within 14 days or has ended, by time."""
    now = now or utc_now()
    query = select(Account).where(
        Account.deleted_at.is_(None),
        Account.status == AccountStatus.CONNECTED,
        Account.token_expires_at <= now + timedelta(days=DAYS[0]),
    )
    if account_ids is not None:
        query = query.where(Account.id.in_(account_ids))
    rows = session.execute(query.order_by(Account.token_expires_at, Account.id)).scalars()
    return [_view(session, account, now) for account in rows]


def due(session: Session, *, now: datetime | None = None) -> list[TokenWarningView]:
    """The warnings that are to be given now, each once: noted in the caller's transaction."""
    found = []
    for ending in endings(session, now=now):
        if ending.is_over:
            continue
        given = session.execute(
            select(func.min(TokenWarning.days)).where(
                TokenWarning.account_id == ending.account_id, TokenWarning.expires_at == ending.expires_at
            )
        ).scalar_one()
        if given is None or ending.days < given:
            row = {"account_id": ending.account_id, "expires_at": ending.expires_at, "days": ending.days}
            session.execute(insert(TokenWarning).values(**row, noted_at=now or utc_now()))
            found.append(ending)
    if found:
        live.note(session, "accounts")
    return found


def _view(session: Session, account: Account, now: datetime) -> TokenWarningView:
    assert account.token_expires_at is not None
    breaking = (
        is_waiting(),
        Job.account_id == account.id,
        Job.kind == "publish",
        Job.after_job_id.is_(None),  # type: ignore[union-attr]
        Job.scheduled_at >= account.token_expires_at,
    )
    count = session.execute(select(func.count()).select_from(Job).where(*breaking)).scalar_one()
    rows = session.execute(
        select(Post.id, Post.text, Job.scheduled_at, Post.author_id)
        .select_from(Job)
        .join(Post, Post.id == Job.post_id)
        .where(*breaking)
        .order_by(Job.scheduled_at, Job.id)
        .limit(_SHOWN_POSTS)
    )
    left = account.token_expires_at - now
    return TokenWarningView(
        account_id=account.id,
        channel=channel_name(account),
        owner_id=account.owner_id,
        expires_at=account.token_expires_at,
        days=next(days for days in reversed(DAYS) if left <= timedelta(days=days)),
        is_over=left <= timedelta(0),
        post_count=count,
        posts=[
            BreakingPost(post_id, text[:_EXCERPT_LENGTH], at, author) for post_id, text, at, author in rows
        ],
    )
