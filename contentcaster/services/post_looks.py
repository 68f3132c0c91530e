"""What the look half an hour before the due time found, as the post, its timeline and Home show it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select
from sqlmodel import Session

from contentcaster.models import Post, PostCheck, PostStatus
from contentcaster.services.views import AttentionItem, PreflightItem, TimelineEntry

WAITING = (PostStatus.SCHEDULED, PostStatus.PENDING_QUEUE)
_SHOWN = 5


def problems_of(session: Session, post: Post) -> list[PreflightItem]:
    """What to look at before the post goes out; nothing once it has, or was changed since the look."""
    check = _check_of(session, post) if post.status in WAITING else None
    if check is None or check.checked_at < post.updated_at:
        return []
    return [PreflightItem(**item) for item in check.items]


def entries_of(session: Session, post: Post) -> list[TimelineEntry]:
    """The look as a step of the post's timeline, one entry for each thing found."""
    check = _check_of(session, post)
    if check is None or (post.scheduled_at is None):
        return []
    minutes = round((post.scheduled_at - check.checked_at).total_seconds() / 60)
    note = (
        "the login of each channel, limits, media and text"
        if not check.items
        else "nothing is stopped by this"
    )
    when = f"{minutes} min before its time" if minutes >= 1 else "just before its time"
    if not check.items:
        return [_entry(check.checked_at, "ok", f"{when}: all is in order", note)]
    level = {"stop": "bad", "check": "warn"}
    return [
        _entry(check.checked_at, level[str(item["level"])], str(item["sentence"]), f"{when} · {note}")
        for item in check.items
    ]


def attention(
    session: Session, visible: ColumnElement[bool], now: datetime, *, ahead: timedelta = timedelta(hours=1)
) -> list[AttentionItem]:
    """Posts due soon that will not go out as they are, for Home; `visible` is the scope of who looks."""
    rows = session.execute(
        select(Post.id, Post.text, PostCheck.items)
        .join(PostCheck, PostCheck.post_id == Post.id)
        .where(
            visible,
            Post.status.in_(WAITING),
            Post.scheduled_at > now,
            Post.scheduled_at <= now + ahead,
            PostCheck.scheduled_at == Post.scheduled_at,
            PostCheck.checked_at >= Post.updated_at,
            PostCheck.level == "stop",
        )
        .order_by(Post.scheduled_at, Post.id)
        .limit(_SHOWN)
    )
    return [
        AttentionItem(
            "at_risk",
            "bad",
            f"“{' '.join(text.split())[:60] or 'A post without text'}” will not go out as it is",
            str(items[0]["sentence"]),
            f"/posts/{post_id}",
            1,
        )
        for post_id, text, items in rows
    ]


def _check_of(session: Session, post: Post) -> PostCheck | None:
    """The look at the post, if the post still has the time that it had then."""
    check = session.get(PostCheck, post.id, populate_existing=True)
    return check if check is not None and check.scheduled_at == post.scheduled_at else None


def _entry(at: datetime, level: str, detail: str, note: str) -> TimelineEntry:
    return TimelineEntry(
        at=at,
        kind="checked",
        level=level,
        title="Looked over",
        detail=detail,
        note=note,
        worker="",
        account_id="",
        channel="",
        target_id="",
        raw="",
    )
