"""What people are told about posts that wait for approval."""

from __future__ import annotations

from sqlmodel import Session

from contentcaster.models import NotificationKind, Post, PostStatus
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import webhook_events
from contentcaster.services.notifications import notify
from contentcaster.services.schedule import format_when


def approval_requested(session: Session, principal: Principal, post: Post) -> int:
    """Tell everybody who may approve, except the one who asks; and the webhooks."""
    webhook_events.post_decided(session, "post.approval_requested", post, requested_by=principal.email)
    when = (
        f" It would go out on {format_when(post.scheduled_at, post.timezone)}." if post.scheduled_at else ""
    )
    return notify(
        session,
        NotificationKind.APPROVAL_REQUESTED,
        key=f"approval:{post.id}:{post.version}",
        title=f"{principal.name or principal.email} asks for your approval of {quoted(post)}",
        body=f"Nothing of it is sent before you decide.{when}",
        href=f"/posts/{post.id}",
        permission=Permission.APPROVE_POSTS,
        except_user_id=principal.user_id,
    )


def approval_decided(
    session: Session, principal: Principal, post: Post, *, is_approved: bool, reason: str = ""
) -> int:
    """Tell the author what became of their request; and the webhooks."""
    kind = "post.approved" if is_approved else "post.rejected"
    webhook_events.post_decided(session, kind, post, decided_by=principal.email, reason=reason)
    who = principal.name or principal.email
    when = f" It goes out on {format_when(post.scheduled_at, post.timezone)}." if post.scheduled_at else ""
    return notify(
        session,
        NotificationKind.APPROVAL_DECIDED,
        key=f"decided:{post.id}:{post.version}",
        title=f"{quoted(post)} was {'approved' if is_approved else 'sent back'} by {who}",
        body=(reason + when).strip()
        if is_approved
        else reason or "No reason was given. It is a draft again.",
        href=f"/posts/{post.id}",
        user_ids=[post.author_id],
        except_user_id=principal.user_id,
    )


def commented(session: Session, principal: Principal, post: Post, *, comment_id: str, text: str) -> int:
    """Tell the author; and, while the post waits, those who approve when the author writes."""
    is_author = principal.user_id == post.author_id
    if is_author and post.status is not PostStatus.PENDING_APPROVAL:
        return 0
    return notify(
        session,
        NotificationKind.APPROVAL_REQUESTED if is_author else NotificationKind.APPROVAL_DECIDED,
        key=f"comment:{comment_id}",
        title=f"{principal.name or principal.email} wrote about {quoted(post)}",
        body=text[:500],
        href="/approvals" if is_author else f"/posts/{post.id}",
        user_ids=[] if is_author else [post.author_id],
        permission=Permission.APPROVE_POSTS if is_author else None,
        except_user_id=principal.user_id,
    )


def quoted(post: Post) -> str:
    """How a post is named in a sentence."""
    text = " ".join(post.text.split())
    if not text:
        return "a post without text"
    return f"“{text[:60]}{'…' if len(text) > 60 else ''}”"
