"""A made-up year of numbers, for a first look at Analytics and for measuring it: rows only, nothing is sent.

Every generated post and snapshot is written as the collector would leave it, its schedule run out, so no network is
ever asked for it. The shape is known: weekday mornings and some subjects do better, so the page has something to find.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select
from sqlmodel import Session

from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.errors import InvalidInput
from contentcaster.models import (
    Account,
    ActAction,
    ActState,
    BotAct,
    BotKind,
    FollowerDay,
    Job,
    JobState,
    MetricChannel,
    MetricHalfHour,
    MetricLabel,
    MetricPost,
    MetricRollup,
    MetricSnapshot,
    Post,
    PostLabel,
    PostStatus,
    Target,
)
from contentcaster.models.types import new_id
from contentcaster.services.analytics_collect import AGES
from contentcaster.services.analytics_rollup import bucket_of, half_hour_sums, label_sums, raw_sums

_CHUNK = 2000
_HOURS = {
    7: 2,
    8: 6,
    9: 9,
    10: 7,
    11: 5,
    12: 6,
    13: 4,
    14: 5,
    15: 5,
    16: 5,
    17: 6,
    18: 4,
    19: 3,
    20: 2,
    21: 1,
}
_PULL = {8: 1.3, 9: 1.7, 10: 1.4, 12: 1.2, 17: 1.25, 20: 0.8, 21: 0.6}
_SUBJECTS = (
    ("Three things that worked in our release notes", 2.4, "release"),
    ("Why we deleted half of our dashboards", 2.0, "engineering"),
    ("Ask us anything about self-hosting", 1.8, "community"),
    ("A picture of the week from the workshop", 1.3, "workshop"),
    ("Office hours at five: bring your questions", 0.9, "community"),
    ("Hiring: two engineers who like calm systems", 0.8, "hiring"),
    ("The status page is back, thanks for your patience", 0.6, "status"),
    ("Reminder: the survey closes on Friday", 0.4, "community"),
)
_ACTS_PER_DAY = ((ActAction.LIKE, 5), (ActAction.FOLLOW, 2), (ActAction.REPLY, 1))
_GROWTH_WITH_BOTS, _GROWTH = 5.0, 2.0
"""Followers per day."""


@dataclass(frozen=True)
class _Made:
    post: dict[str, Any]
    job: dict[str, Any]
    target: dict[str, Any]
    metric: dict[str, Any]
    snapshots: list[dict[str, Any]]


def create_year(
    database: Database,
    author_id: str,
    account_ids: Sequence[str],
    *,
    posts: int = 900,
    seed: int = 7,
    now: datetime | None = None,
) -> int:
    """Write `posts` published posts of the last year with snapshots and followers; returns how many.

    Raises:
        InvalidInput: no channel is given.
    """
    if not account_ids:
        raise InvalidInput("A year of numbers needs at least one channel.", field="account_id")
    now, dice = now or utc_now(), random.Random(seed)
    written = 0
    while written < posts:
        size = min(_CHUNK, posts - written)
        rows = [_make(dice, author_id, dice.choice(account_ids), now) for _ in range(size)]
        with database.transaction() as session:
            _write(session, rows)
        written += size
    # Bots work on one channel of several, so that there is something to compare with.
    busy = account_ids[0] if len(account_ids) > 1 else ""
    with database.transaction() as session:
        _followers(session, dice, account_ids, now, busy)
        if busy:
            _bot_acts(session, dice, busy, now)
        rebuild(session)
    return written


def create_year_on_sandbox(database: Database, author_id: str) -> int:
    """`create_year` on the channels of the sandbox network, once: 0 if there is a made-up year already."""
    with database.reading() as session:
        if session.execute(select(Job.id).where(Job.dedupe_key.like("demo:%")).limit(1)).first():  # type: ignore[attr-defined]
            return 0
        accounts = session.execute(
            select(Account.id).where(Account.platform == "sandbox", Account.deleted_at.is_(None))  # type: ignore[union-attr]
        ).scalars()
        account_ids = list(accounts)
    return create_year(database, author_id, account_ids)


def rebuild(session: Session) -> None:
    """Sum the whole rollup, its half hours and the sums by label anew."""
    session.execute(MetricRollup.__table__.delete())  # type: ignore[attr-defined]
    names = [column.name for column in MetricRollup.__table__.columns]  # type: ignore[attr-defined]
    session.execute(insert(MetricRollup).from_select(names, raw_sums()))
    session.execute(MetricHalfHour.__table__.delete())  # type: ignore[attr-defined]
    names = [column.name for column in MetricHalfHour.__table__.columns]  # type: ignore[attr-defined]
    for sums in half_hour_sums():
        session.execute(insert(MetricHalfHour).from_select(names, sums))
    session.execute(MetricLabel.__table__.delete())  # type: ignore[attr-defined]
    names = [column.name for column in MetricLabel.__table__.columns]  # type: ignore[attr-defined]
    for sums in label_sums():
        session.execute(insert(MetricLabel).from_select(names, sums))


def _write(session: Session, rows: Sequence[_Made]) -> None:
    session.execute(insert(Post), [made.post for made in rows])
    labels = [{"label": label, "post_id": made.post["id"]} for made in rows for label in made.post["labels"]]
    session.execute(insert(PostLabel), labels)
    session.execute(insert(Job), [made.job for made in rows])
    keys = [made.job["dedupe_key"] for made in rows]
    found: dict[str, int] = {}
    for start in range(0, len(keys), 500):
        part = select(Job.dedupe_key, Job.id).where(Job.dedupe_key.in_(keys[start : start + 500]))
        found |= {key: number for key, number in session.execute(part) if number is not None}
    for made in rows:
        number = found[made.job["dedupe_key"]]
        made.target["job_id"] = made.metric["job_id"] = number
        for snapshot in made.snapshots:
            snapshot["job_id"] = number
    session.execute(insert(Target), [made.target for made in rows])
    session.execute(insert(MetricPost), [made.metric for made in rows])
    snapshots = [snapshot for made in rows for snapshot in made.snapshots]
    if snapshots:
        session.execute(insert(MetricSnapshot), snapshots)


def _make(dice: random.Random, author_id: str, account_id: str, now: datetime) -> _Made:
    at = _moment(dice, now)
    subject, pull, label = dice.choice(_SUBJECTS)
    strength = pull * _PULL.get(at.hour, 1.0) * (0.55 if at.weekday() > 4 else 1.0)
    growth = 0.7 + 0.6 * (1 - (now - at).days / 365)
    final = max(0.0, dice.lognormvariate(math.log(26 * strength * growth), 0.6))
    post_id, key = new_id(), new_id()
    snapshots = [
        {"slot": slot, "taken_at": at + age} | _counts(final, age)
        for slot, age in enumerate(AGES)
        if at + age <= now
    ]
    latest = snapshots[-1] if snapshots else {}
    values = {kind: latest.get(kind) for kind in ("likes", "reposts", "replies", "views")}
    told = [values[kind] for kind in ("likes", "reposts", "replies") if values[kind] is not None]
    return _Made(
        post={
            "id": post_id, "author_id": author_id, "text": f"{subject}. #demo", "status": PostStatus.PUBLISHED,
            "labels": [label], "scheduled_at": at, "created_at": at - timedelta(days=1), "updated_at": at,
        },
        job={
            "queue": "publish", "kind": "publish", "dedupe_key": f"demo:{key}", "idempotency_key": key,
            "account_id": account_id, "post_id": post_id, "state": JobState.PUBLISHED, "due_at": at,
            "scheduled_at": at, "expires_at": at, "sent_at": at, "ended_at": at, "remote_id": f"demo-{key}",
            "created_at": at - timedelta(days=1), "attempt": 1,
        },
        target={"id": new_id(), "post_id": post_id, "account_id": account_id, "part": 0},
        metric={
            "account_id": account_id, "post_id": post_id, "author_id": author_id, "remote_id": f"demo-{key}",
            "published_at": at, "ended_at": at, "bucket": bucket_of(at), "next_at": None,
            "measured_at": latest.get("taken_at"), "engagements": sum(told) if told else None,
        } | values,
        snapshots=snapshots,
    )  # fmt: skip


def _moment(dice: random.Random, now: datetime) -> datetime:
    """A moment of the last year, on a quarter of an hour, more often by day and later in the year."""
    days_ago = int(364 * (1 - math.sqrt(dice.random())))
    hour = dice.choices(list(_HOURS), list(_HOURS.values()))[0]
    day = now - timedelta(days=days_ago)
    at = day.replace(hour=hour, minute=dice.choice((0, 0, 15, 30)), second=0, microsecond=0)
    return at if at < now else at - timedelta(days=1)


def _counts(final: float, age: timedelta) -> dict[str, int | None]:
    """Half of it comes within hours, the rest within days."""
    reached = final * (1 - math.exp(-age.total_seconds() / 36_000))
    return {
        "likes": int(reached * 0.7),
        "reposts": int(reached * 0.2),
        "replies": int(reached * 0.1),
        "views": None,
    }


def _bot_acts(session: Session, dice: random.Random, account_id: str, now: datetime) -> None:
    """A year of what bots did on one channel; nothing of it was or will be sent."""
    rows = []
    for days_ago in range(364, 0, -1):
        for action, most in _ACTS_PER_DAY:
            for _ in range(dice.randint(0, most)):
                at = now - timedelta(days=days_ago, minutes=dice.randint(0, 600))
                key = new_id()
                rows.append(
                    {
                        "id": key, "dedupe_key": f"demo:{key}", "account_id": account_id, "bot": BotKind.ENGAGEMENT,
                        "action": action, "target_ref": f"demo-{key}", "state": ActState.DONE, "created_at": at,
                        "done_at": at,
                    }
                )  # fmt: skip
    session.execute(insert(BotAct), rows)


def _followers(
    session: Session, dice: random.Random, account_ids: Sequence[str], now: datetime, busy: str
) -> None:
    for account_id in account_ids:
        count, days = float(dice.randint(900, 4000)), []
        for number in range(365, -1, -1):
            count += dice.gauss(_GROWTH_WITH_BOTS if account_id == busy else _GROWTH, 4)
            at = now - timedelta(days=number)
            days.append(
                {"account_id": account_id, "day": at.date(), "taken_at": at, "followers": max(0, int(count))}
            )
        known = set(
            session.execute(select(FollowerDay.day).where(FollowerDay.account_id == account_id)).scalars()
        )
        new: Iterator[dict[str, Any]] = (row for row in days if row["day"] not in known)
        if rows := list(new):
            session.execute(insert(FollowerDay), rows)
        if session.get(MetricChannel, account_id) is None and session.get(Account, account_id) is not None:
            session.add(MetricChannel(account_id=account_id, refreshed_at=now))
