"""Telling people of what the engine records: posts that failed or need a look, and publishing that stands still.

The engine only writes failed tasks. `tell_of_failures` makes notifications of those that nobody was told of: woken
right after the commit by a `Teller` in each worker process, and once a minute by a periodic task for what was lost.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.engine import failed_tasks
from contentcaster.engine.heartbeat import read_heartbeat
from contentcaster.errors import ContentCasterError
from contentcaster.models import Account, FailedTask, Job, NotificationKind, Post, User
from contentcaster.platforms import get_connector
from contentcaster.security.permissions import ROLE_PERMISSIONS, Permission
from contentcaster.services import token_warnings
from contentcaster.services.notifications import Group, notify
from contentcaster.services.schedule import known_zone

log = structlog.get_logger(__name__)

STANDSTILL_SECONDS = 60.0
_BATCH = 200
_GATHER_SECONDS = 0.3
_STALE = timedelta(days=2)
"""An old failure that comes back out of a backup is no news."""


def tell_of_failures(database: Database, *, now: datetime | None = None) -> int:
    """Tell people of failed tasks that nobody was told of; returns how many there were."""
    total = 0
    while True:
        count = database.write(lambda session: _tell_batch(session, now or utc_now()))
        total += count
        if count < _BATCH:
            return total


def tell_of_standstill(database: Database, *, now: datetime | None = None) -> list[str] | None:
    """Tell admins when no worker has published for a minute, once per outage; None: all is well or told.

    Returns the notifications to be mailed by the caller: the workers, who do it else, are gone.
    """
    now = now or utc_now()
    with database.reading() as session:
        beat = read_heartbeat(session)
    age = beat.seconds_since_alive
    if beat.heartbeat_at is None or age is None or age < STANDSTILL_SECONDS:
        return None
    since = beat.heartbeat_at

    def tell(session: Session) -> list[str] | None:
        to_mail: list[str] = []
        told = notify(
            session,
            NotificationKind.WORKER_DOWN,
            key=f"standstill:{since.isoformat(timespec='seconds')}",
            title="Publishing stands still: no worker is running",
            body="Nothing is lost: posts wait, and what is due goes out once a worker is back. Start one with "
            f"`contentcaster up` or your service manager. Last sign of life: {since:%d %b %Y %H:%M:%S} UTC.",
            href="/queues",
            permission=Permission.OPERATE,
            mail_at_once=to_mail,
            now=now,
        )
        return to_mail if told else None

    return database.write(tell)


def tell_of_endings(session: Session, *, now: datetime | None = None) -> int:
    """Tell a channel's owner and those who manage channels of logins that end soon; once per stage."""
    told = 0
    for ending in token_warnings.due(session, now=now):
        owner = session.get(User, ending.owner_id)
        told += notify(
            session,
            NotificationKind.TOKEN_EXPIRING,
            key=f"login:{ending.account_id}:{ending.expires_at.isoformat()}:{ending.days}",
            title=f"The login of {ending.channel} ends within {_days(ending.days)}",
            body=ending.sentence(known_zone(owner.timezone) if owner else "UTC"),
            href="/channels",
            user_ids=[ending.owner_id],
            permission=Permission.MANAGE_ACCOUNTS,
            now=now,
        )
    return told


def _days(days: int) -> str:
    return "a day" if days == 1 else f"{days} days"


class Teller:
    """A thread that tells people of new failures, so that the sender never waits for it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wake = threading.Event()
        self._is_stopping = False
        self._forget = failed_tasks.register_listener(self._wake.set)
        self._thread = threading.Thread(target=self._run, name="teller", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._forget()
        self._is_stopping = True
        self._wake.set()
        self._thread.join(5)

    def _run(self) -> None:
        stopped = threading.Event()
        while True:
            self._wake.wait()
            stopped.wait(_GATHER_SECONDS)  # what fails together is told together
            self._wake.clear()
            try:
                tell_of_failures(self._database)
            except (ContentCasterError, DBAPIError):
                log.warning("telling_of_failures_failed", exc_info=True)  # the periodic task tells it
            if self._is_stopping:
                return


def _tell_batch(session: Session, now: datetime) -> int:
    tasks = list(
        session.execute(
            select(FailedTask)
            .where(FailedTask.told_at.is_(None))
            .order_by(FailedTask.id)
            .limit(_BATCH)
            .with_for_update(skip_locked=True)
        ).scalars()
    )
    rows = {
        job.id: (job, post, account)
        for job, post, account in session.execute(
            select(Job, Post, Account)
            .join(Post, Post.id == Job.post_id)
            .join(Account, Account.id == Job.account_id)
            .where(Job.id.in_([task.job_id for task in tasks]), Job.kind == "publish")
        ).all()
    }
    for task in tasks:
        # Acts of bots and mails have Failed tasks and their log; people are told of posts.
        if task.job_id in rows and task.resolved_at is None and task.created_at > now - _STALE:
            _tell(session, task, *rows[task.job_id], now)
    if tasks:
        session.execute(
            update(FailedTask)
            .where(FailedTask.id.in_([task.id for task in tasks]))
            .values(told_at=now)
            .execution_options(synchronize_session=False)
        )
    return len(tasks)


def _tell(session: Session, task: FailedTask, job: Job, post: Post, account: Account, now: datetime) -> None:
    channel = f"{get_connector(account.platform).capabilities.name} · {account.handle}"
    text = " ".join((str(job.payload.get("text", "")) or post.text).split())
    quoted = f"“{text[:60]}{'…' if len(text) > 60 else ''}”" if text else "A post"
    here = f"/posts/{post.id}"
    if task.reason == "needs_review":
        review = Group(
            f"review:{account.id}", f"{{count}} posts may be live on {_braced(channel)}", "/failed-tasks"
        )
        words = {
            "title": f"{quoted} may be live on {channel}: somebody must look",
            "body": "The network did not say whether it arrived. Nothing is sent until an admin decides.",
        }
        kind, key = NotificationKind.NEEDS_REVIEW, f"failed:{task.id}"
        # An author who decides too is told once, as the one who decides.
        notify(
            session, kind, key=key, href="/failed-tasks", group=review, now=now,
            permission=Permission.OPERATE, **words,
        )  # fmt: skip
        if not _operates(session, post.author_id):
            own = replace(review, href="/posts?status=NeedsReview")
            notify(session, kind, key=key, href=here, group=own, now=now, user_ids=[post.author_id], **words)
        return
    verb = "missed its time" if task.reason == "missed" else "did not go out"
    notify(
        session,
        NotificationKind.POST_FAILED,
        key=f"failed:{task.id}",
        title=f"{quoted} {verb} on {channel}",
        body=task.message,
        href=here,
        user_ids=[post.author_id],
        group=Group(
            f"failed:{account.id}",
            f"{{count}} of your posts did not go out on {_braced(channel)}",
            "/posts?status=Failed",
        ),
        now=now,
    )
    notify(
        session,
        NotificationKind.TEAM_POST_FAILED,
        key=f"failed:{task.id}",
        title=f"{quoted} {verb} on {channel}",
        body=task.message,
        href="/failed-tasks",
        permission=Permission.OPERATE,
        except_user_id=post.author_id,
        group=Group(f"failed:{account.id}", f"{{count}} posts did not go out on {_braced(channel)}"),
        now=now,
    )


def _operates(session: Session, user_id: str) -> bool:
    user = session.get(User, user_id)
    return user is not None and Permission.OPERATE in ROLE_PERMISSIONS[user.role]


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
