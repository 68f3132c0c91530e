"""Published posts for tests of analytics: real ones on a sandbox network, or rows alone where only sums matter."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from contentcaster.models import (
    Account,
    Job,
    JobState,
    MetricHalfHour,
    MetricLabel,
    MetricPost,
    MetricRollup,
    Post,
    PostStatus,
    Role,
    Target,
    User,
)
from contentcaster.models.types import new_id
from contentcaster.sandbox.client import SandboxThread
from contentcaster.security.permissions import Principal
from contentcaster.services import post_labels
from contentcaster.services.analytics_collect import Collected, collect
from contentcaster.services.analytics_rollup import raw_sums
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Stack


@dataclass
class World:
    stack: Stack
    sandbox: SandboxThread
    account: Account
    author: User
    viewer: Principal
    person: dict[str, Any]
    platform: str

    def publish(self, text: str, at: datetime) -> str:
        """A post that is really there, with the row that says so; its remote id."""
        remote_id = self._send(text)
        with self.stack.database.transaction() as session:
            published(session, self.author, self.account, at, text=text, remote_id=remote_id)
        return remote_id

    def _send(self, text: str) -> str:
        http = self.sandbox.control.http
        if self.platform == "sandbox":
            headers = {"Authorization": f"Bearer {self.person['access_token']}"}
            return str(http.post("/api/v1/statuses", json={"status": text}, headers=headers).json()["id"])
        record = {"$type": "app.bsky.feed.post", "text": text, "createdAt": "2026-11-24T08:00:00.000Z"}
        body = {"repo": self.person["did"], "collection": "app.bsky.feed.post", "record": record}
        headers = {"Authorization": f"Bearer {self._token(self.person)}"}
        return str(http.post("/xrpc/com.atproto.repo.createRecord", json=body, headers=headers).json()["uri"])

    def like(self, remote_id: str, handle: str) -> None:
        """Somebody else likes the post."""
        http, person = self.sandbox.control.http, self.sandbox.control.account(handle)
        if self.platform == "sandbox":
            headers = {"Authorization": f"Bearer {person['access_token']}"}
            http.post(f"/api/v1/statuses/{remote_id}/favourite", headers=headers).raise_for_status()
            return
        headers = {"Authorization": f"Bearer {self._token(person)}"}
        found = http.get("/xrpc/app.bsky.feed.getPosts", params={"uris": remote_id}, headers=headers).json()
        subject = {"uri": remote_id, "cid": found["posts"][0]["cid"]}
        record = {"$type": "app.bsky.feed.like", "subject": subject, "createdAt": "2026-11-24T08:00:00.000Z"}
        body = {"repo": person["did"], "collection": "app.bsky.feed.like", "record": record}
        http.post("/xrpc/com.atproto.repo.createRecord", json=body, headers=headers).raise_for_status()

    def _token(self, person: dict[str, Any]) -> str:
        body = {"identifier": person["did"], "password": person["app_password"]}
        answer = self.sandbox.control.http.post("/xrpc/com.atproto.server.createSession", json=body)
        return str(answer.json()["accessJwt"])

    def collect(self, now: datetime) -> Collected:
        return collect(self.stack.database, now=now)

    def posts(self) -> list[MetricPost]:
        with self.stack.database.reading() as session:
            return list(session.execute(select(MetricPost).order_by(MetricPost.job_id)).scalars())


def build_world(stack: Stack, sandbox: SandboxThread, platform: str) -> World:
    person, base = sandbox.control.account("acme"), sandbox.base_url
    credentials: dict[str, Any] = {"instance_url": base, "access_token": person["access_token"]}
    if platform == "bluesky":
        credentials = {
            "service_url": base, "pds_url": base, "identifier": person["did"], "did": person["did"],
            "handle": "acme", "app_password": person["app_password"],
        }  # fmt: skip
    with stack.database.transaction() as session:
        author = factories.create_user(session, Role.CREATOR, name="Alice")
        viewer = factories.create_principal(session, Role.VIEWER, timezone="UTC")
        account = factories.create_account(
            session, author, platform=platform, credentials=credentials, instance_url=base, handle="@acme"
        )
    return World(stack, sandbox, account, author, viewer, person, platform)


def published(
    session: Session,
    author: User,
    account: Account,
    at: datetime,
    *,
    text: str = "Hello",
    remote_id: str = "",
    labels: tuple[str, ...] = (),
) -> int:
    """Rows of a post that went out at `at`; the job's id."""
    post = Post(
        author_id=author.id, text=text, status=PostStatus.PUBLISHED, scheduled_at=at, labels=list(labels)
    )
    session.add(post)
    post_labels.keep(session, post)
    key = new_id()
    job = Job(
        queue="publish", dedupe_key=key, account_id=account.id, post_id=post.id, state=JobState.PUBLISHED, due_at=at,
        scheduled_at=at, expires_at=at, remote_id=remote_id or key, ended_at=at, sent_at=at,
    )  # fmt: skip
    session.add(job)
    session.flush()
    session.add(Target(post_id=post.id, account_id=account.id, job_id=job.id))
    session.flush()
    assert job.id is not None
    return job.id


def rollup_rows(session: Session) -> set[tuple[Any, ...]]:
    names = [
        MetricRollup.bucket, MetricRollup.account_id, MetricRollup.author_id, MetricRollup.posts,
        MetricRollup.measured, MetricRollup.engagements, MetricRollup.likes, MetricRollup.reposts,
        MetricRollup.replies, MetricRollup.views, MetricRollup.views_measured,
    ]  # fmt: skip
    return {tuple(row) for row in session.execute(select(*names))}


def half_hour_rows(session: Session) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in session.execute(select(*MetricHalfHour.__table__.columns))}  # type: ignore[attr-defined]


def summed_half_hours(session: Session) -> set[tuple[Any, ...]]:
    """What the half hours must say, by adding up the posts in Python: by channel and author, by either, over all."""
    sums: dict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0] * 8)
    for bucket, account_id, author_id, *numbers in summed_rows(session):
        for account, author in itertools.product((account_id, ""), (author_id, "")):
            key = (account, author, bucket // 2)
            sums[key] = [old + new for old, new in zip(sums[key], numbers, strict=True)]
    return {(*key, *numbers) for key, numbers in sums.items()}


def label_rows(session: Session) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in session.execute(select(*MetricLabel.__table__.columns))}  # type: ignore[attr-defined]


def summed_labels(session: Session) -> set[tuple[Any, ...]]:
    """What the sums by label must say, by adding up the posts in Python: by channel and author, by either, over all."""
    labels: dict[str, list[str]] = defaultdict(list)
    for post_id, own in session.execute(select(Post.id, Post.labels)):
        labels[post_id] = own
    sums: dict[tuple[str, str, str, int], list[int]] = defaultdict(lambda: [0] * 8)
    for post in session.execute(select(MetricPost)).scalars():
        kinds = (post.engagements, post.likes, post.reposts, post.replies, post.views)
        numbers = [1, int(post.engagements is not None), *(value or 0 for value in kinds)]
        numbers.append(int(post.views is not None))
        for label in labels[post.post_id]:
            for account, author in itertools.product((post.account_id, ""), (post.author_id, "")):
                key = (label, account, author, post.bucket)
                sums[key] = [old + new for old, new in zip(sums[key], numbers, strict=True)]
    return {(*key, *numbers) for key, numbers in sums.items()}


def summed_rows(session: Session) -> set[tuple[Any, ...]]:
    """What the rollup must say, by adding up the posts."""
    return {
        tuple(int(v) if not isinstance(v, str) else v for v in row) for row in session.execute(raw_sums())
    }
