"""Labels of posts: one row each, to find posts and sum up their numbers by."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, insert, select
from sqlmodel import Session

from contentcaster import live
from contentcaster.errors import InvalidInput, NotAllowed
from contentcaster.models import MetricPost, Post, PostLabel
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import analytics_rollup as rollup
from contentcaster.services import post_queries
from contentcaster.services.drafts import MAX_LABEL_LENGTH, MAX_LABELS, clean_labels

MAX_CHOICES = 200


def keep(session: Session, post: Post) -> None:
    """Bring the rows, and the sums of numbers that are there already, to what `post.labels` says."""
    session.flush()
    wanted = {label[:MAX_LABEL_LENGTH] for label in post.labels}
    kept = set(session.execute(select(PostLabel.label).where(PostLabel.post_id == post.id)).scalars())
    if wanted == kept:
        return
    session.execute(delete(PostLabel).where(PostLabel.post_id == post.id, PostLabel.label.in_(kept - wanted)))
    if new := sorted(wanted - kept):
        session.execute(insert(PostLabel), [{"label": label, "post_id": post.id} for label in new])
    buckets = session.execute(select(MetricPost.bucket).where(MetricPost.post_id == post.id)).scalars()
    rollup.sum_up_half_hours(session, set(buckets), labels=kept - wanted)


def set_labels(session: Session, principal: Principal, post_id: str, labels: Sequence[str]) -> list[str]:
    """Label a post at any time, also when it is out: nothing of it is sent by this. Returns the labels it has now.

    Raises:
        NotFound: no such post, or not theirs. NotAllowed: only its author and admins label it.
        InvalidInput: field "labels": too many or too long.
    """
    post = post_queries.get_row(session, principal, post_id)
    if not principal.can(Permission.EDIT_ALL_POSTS) and post.author_id != principal.user_id:
        raise NotAllowed("Only the author and admins label a post.")
    principal.require(Permission.COMPOSE)
    cleaned = clean_labels(tuple(labels))
    if len(cleaned) > MAX_LABELS or any(len(label) > MAX_LABEL_LENGTH for label in cleaned):
        raise InvalidInput(
            f"Use at most {MAX_LABELS} labels of {MAX_LABEL_LENGTH} characters each.", field="labels"
        )
    post.labels = list(cleaned)
    session.add(post)
    keep(session, post)
    live.note(session, "posts", f"post:{post.id}")
    return list(cleaned)


def choices(session: Session, principal: Principal) -> list[str]:
    """The labels on posts that the person may see, by name."""
    post_queries.scope(principal)
    return known(session, "" if principal.can(Permission.VIEW_ALL_POSTS) else principal.user_id)


def known(session: Session, author_id: str = "") -> list[str]:
    """The labels on that person's posts, or ("") on all, by name; who asks has been looked at."""
    if author_id:
        own = (
            select(PostLabel.label)
            .join(Post, Post.id == PostLabel.post_id)
            .where(Post.author_id == author_id)
            .distinct()
        )
        return list(session.execute(own.order_by(PostLabel.label).limit(MAX_CHOICES)).scalars())
    # From one label to the next along the index: a million posts have few labels.
    first = select(func.min(PostLabel.label).label("label")).cte("known_labels", recursive=True)
    following = (
        select(func.min(PostLabel.label)).where(PostLabel.label > first.c.label).correlate(first)
    ).scalar_subquery()
    each = first.union_all(select(following).where(first.c.label.is_not(None)))
    return list(
        session.execute(select(each.c.label).where(each.c.label.is_not(None)).limit(MAX_CHOICES)).scalars()
    )
