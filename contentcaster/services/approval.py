"""Approval: who asked, what was said, who decided. The decisions themselves are made in `posts`.

A post of a person who needs approval waits as PendingApproval until somebody who may approves exactly the version
they read, or sends it back with a reason. Any later change of it by such a person asks anew.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.errors import InvalidInput, NotAllowed
from contentcaster.models import Post, PostReview, PostStatus, ReviewKind
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import notifications_posts, post_queries
from contentcaster.services.drafts import clean_text
from contentcaster.services.paging import decode_cursor, encode_cursor
from contentcaster.services.views import Page, PendingPostView, PostDetail, PostReviewView, VariantView

MAX_COMMENT_LENGTH = 2_000


def needs_approval(principal: Principal) -> bool:
    """Whether nothing of this person goes out before somebody has approved it."""
    return principal.needs_approval and not principal.can(Permission.APPROVE_POSTS)


def record(
    session: Session, principal: Principal, post_id: str, kind: ReviewKind, text: str = ""
) -> PostReview:
    """Add a line to the conversation, in the transaction of the act itself."""
    now = utc_now()
    review = PostReview(
        post_id=post_id,
        author_id=principal.user_id or None,
        author_name=(principal.name or principal.email)[:120],
        kind=kind,
        text=text,
        created_at=now,
    )
    session.add(review)
    if kind is not ReviewKind.COMMENT:
        state = ReviewKind.REQUESTED if kind is ReviewKind.CHANGED else kind
        session.flush()
        session.execute(
            update(Post)
            .where(Post.id == post_id)
            .values(review_state=state.value)
            .execution_options(synchronize_session=False)
        )
    return review


def checked_text(text: str, field: str) -> str:
    """What was written, cleaned. Raises InvalidInput: too long."""
    text = clean_text(text)
    if len(text) > MAX_COMMENT_LENGTH:
        raise InvalidInput(f"Write at most {MAX_COMMENT_LENGTH:,} characters here.", field=field)
    return text


def comment(session: Session, principal: Principal, post_id: str, text: str) -> PostReviewView:
    """Say something about a post, to its author and to those who approve.

    Raises:
        NotFound: no such post, or not theirs. InvalidInput: field "comment". NotAllowed: only its author and people
            who approve talk about a post.
    """
    post = post_queries.get_row(session, principal, post_id)
    if not (principal.can(Permission.APPROVE_POSTS) or _is_author(principal, post)):
        raise NotAllowed("Only the author and people who approve posts can comment on it.")
    text = checked_text(text, "comment")
    if not text:
        raise InvalidInput("Write something first.", field="comment")
    review = record(session, principal, post.id, ReviewKind.COMMENT, text)
    session.flush()
    notifications_posts.commented(session, principal, post, comment_id=review.id, text=text)
    live.note(session, "posts", f"post:{post.id}")
    return _view(review)


def list_reviews(session: Session, principal: Principal, post_id: str) -> list[PostReviewView]:
    """The conversation about a post, oldest first. Raises NotFound."""
    post = post_queries.get_row(session, principal, post_id)
    return reviews_of(session, [post.id]).get(post.id, [])


def list_pending(
    session: Session, principal: Principal, *, cursor: str = "", limit: int = 20
) -> Page[PendingPostView]:
    """Posts that wait for this person's decision, those that are due first on top, each with all that goes out."""
    principal.require(Permission.APPROVE_POSTS)
    limit = max(1, min(limit, 100))
    query = select(Post.id, Post.scheduled_at).where(
        post_queries.scope(principal), Post.status == PostStatus.PENDING_APPROVAL
    )
    if cursor:
        at, last_id = decode_cursor(cursor)
        query = query.where(
            (Post.scheduled_at > at) | ((Post.scheduled_at == at) & (Post.id > last_id))  # type: ignore[operator]
        )
    found = session.execute(query.order_by(Post.scheduled_at, Post.id).limit(limit + 1)).all()
    posts = [post_queries.get_post(session, principal, post_id) for post_id, _at in found[:limit]]
    said = reviews_of(session, [post.id for post in posts])
    items = [_pending(post, said.get(post.id, [])) for post in posts]
    has_more = len(found) > limit and posts and posts[-1].scheduled_at is not None
    return Page(items, encode_cursor(posts[-1].scheduled_at, posts[-1].id) if has_more else "")  # type: ignore[arg-type]


def reviews_of(session: Session, post_ids: Sequence[str]) -> dict[str, list[PostReviewView]]:
    """Post id -> its conversation, oldest first."""
    rows = session.execute(
        select(PostReview)
        .where(PostReview.post_id.in_(post_ids))
        .order_by(PostReview.created_at, PostReview.id)
    ).scalars()
    found: dict[str, list[PostReviewView]] = {}
    for row in rows:
        found.setdefault(row.post_id, []).append(_view(row))
    return found


def last_decision(reviews: Sequence[PostReviewView]) -> PostReviewView | None:
    """The newest line that approved or sent back."""
    decided = (ReviewKind.APPROVED, ReviewKind.RETURNED)
    return next((review for review in reversed(reviews) if review.kind in decided), None)


def _is_author(principal: Principal, post: Post) -> bool:
    return post.author_id == principal.user_id and principal.can(Permission.COMPOSE)


def _view(review: PostReview) -> PostReviewView:
    return PostReviewView(
        id=review.id,
        kind=review.kind.value,
        author_id=review.author_id or "",
        author_name=review.author_name,
        text=review.text,
        at=review.created_at,
    )


def _pending(post: PostDetail, reviews: list[PostReviewView]) -> PendingPostView:
    firsts = [target for target in post.targets if target.part == 0]
    return PendingPostView(
        id=post.id,
        version=post.version,
        text=post.text,
        thread=post.thread,
        variants=[VariantView(t.channel, t.own_text) for t in firsts if t.own_text is not None],
        channels=[target.channel for target in firsts],
        media=post.media,
        content_warning=str(post.options.get("content_warning", "")),
        visibility=str(post.options.get("visibility", "public")),
        scheduled_at=post.scheduled_at,
        timezone=post.timezone,
        author_name=post.author_name,
        labels=post.labels,
        reviews=reviews,
        first_comment=post.first_comment,
    )
