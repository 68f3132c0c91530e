"""What webhooks tell: events, written in the transaction in which they happen, with one job for each endpoint.

So there is an event exactly if there is the fact, whatever crashes; and its id is one and the same for every try, every
endpoint and every replay. The engine's own facts come in through `engine.announcements`, the rest are told here by the
service that made them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.engine import announcements, ledger
from contentcaster.engine.post_status import target_status
from contentcaster.models import (
    Account,
    Job,
    Post,
    PostStatus,
    Target,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from contentcaster.models.types import new_id
from contentcaster.services.platforms import channel_view
from contentcaster.settings import get_settings

JOB_KIND = "webhook"
QUEUE = "maintenance"
TOPIC = "webhooks"
MAX_TRIES = 20
"""Waits of 1, 2, 4 s up to an hour: about eight hours of trying."""
LIFE = timedelta(days=2)
TEXT_CHARACTERS = 500

EVENTS: dict[str, str] = {
    "post.published": "A post is out on all of its channels",
    "post.partly_published": "A post is out on some channels, and will not be on the others",
    "post.failed": "A post did not go out",
    "post.needs_review": "A post may be live; a person must look",
    "post.missed": "A post was not started in time",
    "post.cancelled": "A post was cancelled",
    "post.approval_requested": "A post waits for approval",
    "post.approved": "A post was approved",
    "post.rejected": "A post was sent back",
    "channel.disconnected": "A channel must be connected again",
}
"""Name of the event, as it is sent -> words for people."""
PING = "ping"

_OUTCOMES: dict[str, str] = {
    PostStatus.PUBLISHED: "post.published",
    PostStatus.PARTLY_PUBLISHED: "post.partly_published",
    PostStatus.FAILED: "post.failed",
    PostStatus.NEEDS_REVIEW: "post.needs_review",
    PostStatus.MISSED: "post.missed",
    PostStatus.CANCELLED: "post.cancelled",
}


def posts_ended(session: Session, before: Mapping[str, str]) -> None:
    """Tell of the posts among these that have come to an outcome in this transaction."""
    wanted = _wanted(session)
    if not wanted:
        return
    posts = session.execute(
        select(Post).where(Post.id.in_(before)).order_by(Post.id).execution_options(populate_existing=True)
    ).scalars()
    ended = [post for post in posts if post.status in _OUTCOMES and post.status != before[post.id]]
    for kind, post in [(_OUTCOMES[post.status], post) for post in ended]:
        if kind in wanted:
            _emit(session, kind, post_data(session, post), wanted[kind])


def post_decided(session: Session, kind: str, post: Post, **more: Any) -> None:
    """Tell of a step of a post's approval; `kind` is one of EVENTS."""
    endpoints = _wanted(session).get(kind)
    if endpoints:
        _emit(session, kind, post_data(session, post) | more, endpoints)


def channel_disconnected(session: Session, account_id: str) -> None:
    """Tell that a channel, connected until now, needs a new login."""
    kind = "channel.disconnected"
    endpoints = _wanted(session).get(kind)
    account = session.get(Account, account_id, populate_existing=True) if endpoints else None
    if account is not None and endpoints:
        waiting = session.execute(
            select(Job.id).where(Job.account_id == account_id, Job.state.in_(("pending_queue", "queued")))
        ).all()
        data = {
            "channel": _channel(account),
            "reason": account.status_reason,
            "waiting_posts": len(waiting),
            "console_url": f"{get_settings().effective_public_url}/channels",
        }
        _emit(session, kind, data, endpoints)


def ping(session: Session, endpoint: WebhookEndpoint) -> int:
    """A test event for one endpoint; the id of its delivery."""
    data = {"message": "This is a test. If you can read it, and its signature is right, all is well."}
    return _emit(session, PING, data, [endpoint])[0]


def deliver(session: Session, event: WebhookEvent, endpoint: WebhookEndpoint, *, replay: int = 0) -> int:
    """Put one delivery of an event on its way; the id of the delivery."""
    delivery = WebhookDelivery(event_id=event.id, endpoint_id=endpoint.id, replay=replay)
    session.add(delivery)
    session.flush()
    assert delivery.id is not None
    now = utc_now()
    job = ledger.NewJob(
        queue=QUEUE,
        kind=JOB_KIND,
        dedupe_key=f"webhook:{delivery.id}",
        account_id=None,
        payload={
            "delivery_id": delivery.id,
            "event_id": event.id,
            "endpoint_id": endpoint.id,
            # What Failed tasks shows of it.
            "text": f"Webhook {event.type} to {urlsplit(endpoint.url).hostname}",
        },
        due_at=now,
        expires_at=now + LIFE,
        idempotency_key=new_id(),
        max_attempts=MAX_TRIES,
    )
    delivery.job_id = ledger.add_jobs(session, [job])[0]
    session.add(delivery)
    session.flush()
    live.note(session, TOPIC)
    return delivery.id


def post_data(session: Session, post: Post) -> dict[str, Any]:
    """A post and its targets as they stand in this transaction; no credentials, no media."""
    rows = session.execute(
        select(Target, Account, Job)
        .join(Account, Account.id == Target.account_id)
        .outerjoin(Job, Job.id == Target.job_id)
        .where(Target.post_id == post.id)
        .order_by(Target.account_id, Target.part)
        .execution_options(populate_existing=True)
    )
    return {
        "post": {
            "id": post.id,
            "status": PostStatus(post.status).value,
            "text": post.text[:TEXT_CHARACTERS],
            "scheduled_at": post.scheduled_at.isoformat() if post.scheduled_at else None,
            "console_url": f"{get_settings().effective_public_url}/posts/{post.id}",
            "targets": [_target(*row) for row in rows],
        }
    }


def _target(target: Target, account: Account, job: Job | None) -> dict[str, Any]:
    is_out = job is not None and job.remote_id is not None
    return {
        "channel": _channel(account),
        "part": target.part,
        "status": target_status(job.state, job.error_class).value if job else None,
        "remote_id": job.remote_id if job else None,
        "remote_url": job.remote_url if job else None,
        "published_at": job.ended_at.isoformat() if job and is_out and job.ended_at else None,
        "problem": (job.error_message or None) if job and not is_out else None,
    }


def _channel(account: Account) -> dict[str, str]:
    view = channel_view(account)
    return {"id": view.account_id, "platform": view.platform, "handle": view.handle}


def _wanted(session: Session) -> dict[str, list[WebhookEndpoint]]:
    """Which endpoints hear of which events; empty for most installations, and then nothing else is read."""
    wanted: dict[str, list[WebhookEndpoint]] = {}
    found = session.execute(
        select(WebhookEndpoint).where(WebhookEndpoint.is_enabled, WebhookEndpoint.deleted_at.is_(None))
    ).scalars()
    for endpoint in found:
        for kind in endpoint.events:
            wanted.setdefault(kind, []).append(endpoint)
    return wanted


def _emit(
    session: Session, kind: str, data: dict[str, Any], endpoints: Sequence[WebhookEndpoint]
) -> list[int]:
    event = WebhookEvent(id=f"evt_{secrets.token_hex(16)}", type=kind, data=data)
    session.add(event)
    session.flush()
    return [deliver(session, event, endpoint) for endpoint in _in_order(endpoints)]


def _in_order(endpoints: Iterable[WebhookEndpoint]) -> list[WebhookEndpoint]:
    return sorted(endpoints, key=lambda endpoint: endpoint.id)


announcements.listen_to_posts(posts_ended)
announcements.listen_to_channels(channel_disconnected)
