"""The second look: half an hour before its time each scheduled post is checked again, while a person can still act.

What was right at saving may not be any more: a login was revoked, a limit is used up, a picture's file is gone. The
look asks each network once whether the login works, changes nothing and stops nothing; what it finds stands in the
post's timeline and at the post, and its author is told of what would keep it from going out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.errors import NotFound
from contentcaster.models import (
    Account,
    AccountStatus,
    Job,
    NotificationKind,
    Post,
    PostCheck,
    Target,
    User,
)
from contentcaster.platforms import CONNECTORS
from contentcaster.platforms.base import ConnectorError, Reauthorise
from contentcaster.security.egress import EgressClient
from contentcaster.services import media_storage
from contentcaster.services.channels import open_channel
from contentcaster.services.notifications import notify
from contentcaster.services.platforms import channel_name
from contentcaster.services.post_checks import Materials
from contentcaster.services.post_looks import WAITING
from contentcaster.services.post_writing import attached, stored_draft
from contentcaster.services.preflight import inspect
from contentcaster.services.schedule import format_when, known_zone
from contentcaster.services.views import PreflightItem

AHEAD = timedelta(minutes=30)
_BATCH = 200
_ASK_AGAIN = timedelta(minutes=10)
_BUDGET_SECONDS = 30.0
_AT_ONCE = 8
_PAUSE_SECONDS = 0.01
"""Between two posts: others want to write, too."""
_RANK = {"stop": 0, "check": 1, "ok": 2}
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Looked:
    """What one pass did."""

    posts: int = 0
    with_problems: int = 0
    channels_asked: int = 0


def look_at_due(database: Database, *, now: datetime | None = None) -> Looked:
    """One pass, about once a minute: posts due within half an hour that were not looked at as they are now."""
    return asyncio.run(look_at_due_async(database, now=now))


async def look_at_due_async(database: Database, *, now: datetime | None = None) -> Looked:
    now = now or utc_now()
    due = await asyncio.to_thread(_due_posts, database, now)
    if not due:
        return Looked()
    accounts = await asyncio.to_thread(_accounts_of, database, due)
    answers, asked = await _ask_networks(database, accounts, now)
    found = []
    for post_id in due:
        found.append(await asyncio.to_thread(_look, database, post_id, answers, now))
        await asyncio.sleep(_PAUSE_SECONDS)
    return Looked(len(found), sum(level != "ok" for level in found), asked)


def _due_posts(database: Database, now: datetime) -> list[str]:
    with database.reading() as session:
        return list(
            session.execute(
                select(Post.id)
                .outerjoin(PostCheck, PostCheck.post_id == Post.id)
                .where(
                    Post.status.in_(WAITING),
                    Post.scheduled_at > now,
                    Post.scheduled_at <= now + AHEAD,
                    Post.deleted_at.is_(None),
                    or_(
                        PostCheck.post_id.is_(None),
                        PostCheck.scheduled_at != Post.scheduled_at,
                        PostCheck.checked_at < Post.updated_at,
                    ),
                )
                .order_by(Post.scheduled_at, Post.id)
                .limit(_BATCH)
            ).scalars()
        )


def _accounts_of(database: Database, post_ids: Sequence[str]) -> list[Account]:
    with database.reading() as session:
        return list(
            session.execute(
                select(Account)
                .where(
                    Account.id.in_(select(Target.account_id).where(Target.post_id.in_(post_ids))),
                    Account.status == AccountStatus.CONNECTED,
                    Account.deleted_at.is_(None),
                    Account.platform.in_(list(CONNECTORS)),
                )
                .order_by(Account.id)
            ).scalars()
        )


# ── asking the networks ─────────────────────────────────────────────────────────────────────────────────────


async def _ask_networks(
    database: Database, accounts: Sequence[Account], now: datetime
) -> tuple[dict[str, PreflightItem], int]:
    """Account id -> what its network's answer means for posts; nothing for a login that works."""
    answers: dict[str, PreflightItem] = {}
    asked: list[str] = []
    slots = asyncio.Semaphore(_AT_ONCE)
    until = time.monotonic() + _BUDGET_SECONDS

    async def ask(account: Account) -> None:
        if account.checked_at is not None and now - account.checked_at < _ASK_AGAIN:
            return
        async with slots:
            if time.monotonic() > until:
                return
            asked.append(account.id)
            item = await _ask(database, account, client.until(until + 5))
        if item is not None:
            answers[account.id] = item

    async with EgressClient.from_settings(database.settings) as client:
        await asyncio.gather(*(ask(account) for account in accounts))
    await asyncio.to_thread(_note_checked, database, [one for one in asked if one not in answers], now)
    return answers, len(asked)


async def _ask(database: Database, account: Account, client: EgressClient) -> PreflightItem | None:
    name, field = channel_name(account), f"targets.{account.id}"
    try:
        await CONNECTORS[account.platform].check(open_channel(database, account, client))
    except Reauthorise as error:
        sentence = f"{name} refuses its login now, so this will not go out. {error.message}"
        return PreflightItem("stop", sentence, field, account.id)
    except ConnectorError as error:
        sentence = (
            f"{name} does not answer as it should right now; it is tried again at its time. {error.message}"
        )
        return PreflightItem("check", sentence, field, account.id)
    except NotFound:
        return None  # removed while we asked: the look itself says so
    except (LookupError, ValueError, TypeError) as error:
        # Without a traceback: its frames hold the login.
        log.error("check_failed", account=account.id, error=type(error).__name__)
    return None


def _note_checked(database: Database, account_ids: Sequence[str], now: datetime) -> None:
    if account_ids:
        with database.transaction() as session:
            session.execute(
                update(Account)
                .where(Account.id.in_(account_ids))
                .values(checked_at=now)
                .execution_options(synchronize_session=False)
            )
            live.note(session, "accounts")


# ── looking at one post ─────────────────────────────────────────────────────────────────────────────────────


def _look(database: Database, post_id: str, answers: dict[str, PreflightItem], now: datetime) -> str:
    """Check one post and keep what was found; returns its level.

    Judged in a read transaction: on SQLite whoever is about to send must not wait for it. If the post is changed
    meanwhile, it is newer than this look and is looked at again.
    """
    with database.reading() as session:
        found = _judge(session, database, post_id, answers)
    if found is None:
        return "ok"  # gone, or out already
    level = found.items[0].level if found.items else "ok"
    database.write(lambda session: _keep_and_tell(session, found, level, now))
    return level


@dataclass(frozen=True)
class _Found:
    post: Post
    timezone: str
    items: list[PreflightItem]


def _judge(
    session: Session, database: Database, post_id: str, answers: dict[str, PreflightItem]
) -> _Found | None:
    row = session.execute(
        select(Post, User.timezone).join(User, User.id == Post.author_id).where(Post.id == post_id)
    ).one_or_none()
    if row is None or row[0].scheduled_at is None or row[0].status not in WAITING:
        return None
    post, timezone = row[0], known_zone(row[1])
    accounts, media = attached(session, post)
    materials = Materials(stored_draft(session, post), accounts, media)
    items = inspect(session, materials, due_at=post.scheduled_at, timezone=timezone, post_id=post.id)
    items = [item for item in items if item.level != "ok"]
    items += [answers[account_id] for account_id in accounts if account_id in answers]
    items += _ended_logins(materials, post.scheduled_at, timezone)
    items += _missing_files(session, database, post.id)
    items.sort(key=lambda item: _RANK[item.level])
    return _Found(post, timezone, items)


def _keep_and_tell(session: Session, found: _Found, level: str, now: datetime) -> None:
    if session.execute(select(Post.id).where(Post.id == found.post.id)).first() is None:
        return  # deleted meanwhile
    _keep(session, found.post, found.items, level, now)
    if level == "stop":
        _tell(session, found.post, found.items, found.timezone, now)


def _ended_logins(materials: Materials, due_at: datetime, timezone: str) -> list[PreflightItem]:
    found = []
    for account in materials.accounts.values():
        ends = account.token_expires_at
        if account.status is AccountStatus.CONNECTED and ends is not None and ends <= due_at:
            sentence = (
                f"The login of {channel_name(account)} ends on {format_when(ends, timezone)}, before this is due: "
                "it will not go out there. Connect the channel again."
            )
            found.append(PreflightItem("stop", sentence, f"targets.{account.id}", account.id))
    return found


def _missing_files(session: Session, database: Database, post_id: str) -> list[PreflightItem]:
    payloads = session.execute(
        select(Job.payload).where(Job.post_id == post_id, Job.kind == "publish")
    ).scalars()
    keys = {item["storage_key"] for payload in payloads for item in payload.get("media", ())}
    if all(media_storage.local_file(database.settings, key).is_file() for key in keys):
        return []
    sentence = "A picture's or video's file is missing on the server: the post will not go out. Add it again."
    return [PreflightItem("stop", sentence, "media")]


def _keep(session: Session, post: Post, items: list[PreflightItem], level: str, now: datetime) -> None:
    values = {
        "scheduled_at": post.scheduled_at,
        "checked_at": max(now, post.updated_at),
        "level": level,
        "items": [asdict(item) for item in items],
        "note": "",
    }
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(
        dialect.insert(PostCheck)
        .values(post_id=post.id, **values)
        .on_conflict_do_update(index_elements=["post_id"], set_=values)
    )
    live.note(session, f"post:{post.id}", *(("posts",) if level != "ok" else ()))


def _tell(session: Session, post: Post, items: list[PreflightItem], timezone: str, now: datetime) -> None:
    assert post.scheduled_at is not None
    words = " ".join(post.text.split())[:60] or "A post without text"
    notify(
        session,
        NotificationKind.POST_AT_RISK,
        key=f"at-risk:{post.id}:{post.scheduled_at.isoformat(timespec='seconds')}",
        title=f"“{words}” will not go out as it is",
        body=f"{items[0].sentence} It is due on {format_when(post.scheduled_at, timezone)}.",
        href=f"/posts/{post.id}",
        user_ids=[post.author_id],
        now=now,
    )
