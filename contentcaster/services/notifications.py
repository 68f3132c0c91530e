"""Telling people what happened: their inbox in the console and, where they want it, a mail.

    notify(session, NotificationKind.APPROVAL_DECIDED, key=f"approved:{post.id}:{post.version}",
           title="“Hello” was approved", body="It goes out on ...", href=f"/posts/{post.id}",
           user_ids=[post.author_id], except_user_id=principal.user_id)

Call `notify` in the transaction of the event: people are told exactly when it commits. `key` names the event; telling
the same person of the same one again does nothing. A mail is a job of the maintenance queue, so it survives a mail
server that is away and goes out once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.engine import ledger
from contentcaster.models import Notification, NotificationKind, NotificationPreference, Role, User
from contentcaster.models.types import new_id
from contentcaster.security.permissions import ROLE_PERMISSIONS, Permission, Principal
from contentcaster.services.paging import decode_cursor, encode_cursor
from contentcaster.services.views import Page
from contentcaster.settings import get_settings

MAIL = "notify_email"
"""The kind of the job that sends one mail."""
TOPIC = "notifications"
BURST_SECONDS = 60.0
"""So long a mail waits, and a line of a group takes in what else happens: a burst is told once."""
_MAIL_LIFE = timedelta(hours=24)
_KEEP = timedelta(days=90)
_MAX_LIMIT = 200


@dataclass(frozen=True)
class _KindRule:
    title: str
    help: str
    permission: Permission
    """Whoever holds it can be told of this kind."""
    email: bool
    """The quiet default: a mail only for what cannot wait until somebody looks."""


KINDS: dict[NotificationKind, _KindRule] = {
    NotificationKind.POST_FAILED: _KindRule(
        "A post of yours did not go out", "With the reason, and what to do.", Permission.COMPOSE, True
    ),
    NotificationKind.POST_AT_RISK: _KindRule(
        "A post of yours will not go out as it is",
        "Half an hour before its time, while you can still act.",
        Permission.COMPOSE,
        True,
    ),
    NotificationKind.NEEDS_REVIEW: _KindRule(
        "A post may be live: somebody must look",
        "The network did not say whether it arrived. Nothing is sent until an admin decides.",
        Permission.COMPOSE,
        True,
    ),
    NotificationKind.APPROVAL_REQUESTED: _KindRule(
        "A post waits for your approval", "Nothing of it goes out before.", Permission.APPROVE_POSTS, False
    ),
    NotificationKind.APPROVAL_DECIDED: _KindRule(
        "Your post was approved or sent back", "With the reason.", Permission.COMPOSE, False
    ),
    NotificationKind.TOKEN_EXPIRING: _KindRule(
        "The login of a channel ends soon",
        "In time to connect it again before a post is in its way.",
        Permission.VIEW_ACCOUNTS,
        True,
    ),
    NotificationKind.TEAM_POST_FAILED: _KindRule(
        "A post of somebody else did not go out",
        "Failed tasks has them all; its author is told too.",
        Permission.OPERATE,
        False,
    ),
    NotificationKind.WORKER_DOWN: _KindRule(
        "Publishing stands still", "No worker has been heard of for a minute.", Permission.OPERATE, True
    ),
    NotificationKind.WEBHOOK_OFF: _KindRule(
        "A webhook was turned off", "Its receiver failed for a day.", Permission.MANAGE_SETTINGS, True
    ),
}


@dataclass(frozen=True)
class NotificationView:
    id: str
    kind: str
    title: str
    body: str
    href: str
    created_at: datetime
    is_read: bool
    count: int


@dataclass(frozen=True)
class PreferenceView:
    kind: str
    title: str
    help: str
    in_app: bool
    email: bool


@dataclass(frozen=True)
class Group:
    """What comes together within a minute becomes one line: `title` with {count} in it, and where all of it is."""

    key: str
    title: str
    href: str = ""


def notify(
    session: Session,
    kind: NotificationKind,
    *,
    key: str,
    title: str,
    body: str = "",
    href: str = "",
    user_ids: Iterable[str] = (),
    permission: Permission | None = None,
    except_user_id: str = "",
    group: Group | None = None,
    mail_at_once: list[str] | None = None,
    now: datetime | None = None,
) -> int:
    """Tell these people, and everybody who holds `permission`; returns how many are told now.

    Only active people whose role may know of this kind are told, each as they want it. `except_user_id` is who did it
    themselves. With `group`, `key` must be told once by the caller: what was taken into another line leaves none.
    `mail_at_once` gets the ids of those that the caller mails itself, where no worker can.
    """
    now = now or utc_now()
    people = _recipients(session, kind, set(user_ids) - {""}, permission, except_user_id)
    wishes = _wishes(session, kind, people)
    can_mail = bool(get_settings().smtp_url.get_secret_value())
    told = 0
    for user_id in sorted(people):
        in_app, email = wishes[user_id]
        email = email and can_mail
        if not (in_app or email):
            continue
        if group is not None and _take_in(session, user_id, kind, group, body, now):
            told += 1
            continue
        row = Notification(
            user_id=user_id,
            kind=kind,
            key=key[:160],
            group_key=group.key[:160] if group else "",
            title=_cut(title, 300),
            body=body[:2000],
            href=href if href.startswith("/") else "",
            is_in_app=in_app,
            is_mailed=email,
            created_at=now,
        )
        if _insert_once(session, row):
            told += 1
            if email and mail_at_once is not None:
                mail_at_once.append(row.id)
            elif email:
                _mail_later(session, row, now)
    if told:
        live.note(session, TOPIC)
    return told


def list_notifications(
    session: Session, principal: Principal, *, unread_only: bool = False, cursor: str = "", limit: int = 30
) -> Page[NotificationView]:
    """The person's own inbox, newest first."""
    principal.require(Permission.OWN_PROFILE)
    limit = max(1, min(limit, _MAX_LIMIT))
    query = select(Notification).where(*_inbox(principal))
    if unread_only:
        query = query.where(Notification.read_at.is_(None))
    if cursor:
        at, last_id = decode_cursor(cursor)
        query = query.where(
            or_(
                Notification.created_at < at,
                and_(Notification.created_at == at, Notification.id < last_id),
            )
        )
    query = query.order_by(Notification.created_at.desc(), Notification.id.desc()).limit(limit + 1)
    rows = list(session.execute(query).scalars())
    items = [_view(row) for row in rows[:limit]]
    more = encode_cursor(rows[limit - 1].created_at, rows[limit - 1].id) if len(rows) > limit else ""
    return Page(items, more)


def count_unread(session: Session, principal: Principal) -> int:
    """The number at the bell."""
    principal.require(Permission.OWN_PROFILE)
    query = (
        select(func.count())
        .select_from(Notification)
        .where(*_inbox(principal), Notification.read_at.is_(None))
    )
    return int(session.execute(query).scalar_one())


def mark_read(session: Session, principal: Principal, ids: Iterable[str] | None = None) -> int:
    """Mark these as read, or all (`ids` None); returns how many were unread. Those of others are left alone."""
    principal.require(Permission.OWN_PROFILE)
    query = update(Notification).where(
        Notification.user_id == principal.user_id, Notification.read_at.is_(None)
    )
    if ids is not None:
        query = query.where(Notification.id.in_(list(ids)[:1000]))
    result = session.execute(query.values(read_at=utc_now()).execution_options(synchronize_session=False))
    if result.rowcount:
        live.note(session, TOPIC)
    return int(result.rowcount)


def list_preferences(session: Session, principal: Principal) -> list[PreferenceView]:
    """For each kind that may concern the person: whether they want it in the inbox, by mail, both or not at all."""
    principal.require(Permission.OWN_PROFILE)
    chosen = {
        row.kind: row
        for row in session.execute(
            select(NotificationPreference).where(NotificationPreference.user_id == principal.user_id)
        ).scalars()
    }
    held = ROLE_PERMISSIONS[principal.role]
    return [
        PreferenceView(
            kind.value,
            rule.title,
            rule.help,
            chosen[kind].in_app if kind in chosen else True,
            chosen[kind].email if kind in chosen else rule.email,
        )
        for kind, rule in KINDS.items()
        if rule.permission in held
    ]


def set_preference(
    session: Session, principal: Principal, kind: NotificationKind, *, in_app: bool, email: bool
) -> None:
    """Choose for one kind; neither means not to be told of it."""
    principal.require(Permission.OWN_PROFILE)
    principal.require_person()
    row = session.get(NotificationPreference, (principal.user_id, kind))
    if row is None:
        session.add(NotificationPreference(user_id=principal.user_id, kind=kind, in_app=in_app, email=email))
    else:
        row.in_app, row.email = in_app, email
    live.note(session, TOPIC)


def is_mail_set_up() -> bool:
    """Whether an operator has given a mail server."""
    return bool(get_settings().smtp_url.get_secret_value())


def forget(session: Session, *, now: datetime | None = None) -> int:
    """Drop what is older than 90 days; returns how many."""
    result = session.execute(delete(Notification).where(Notification.created_at < (now or utc_now()) - _KEEP))
    return int(result.rowcount)


# ── who is told, and how ────────────────────────────────────────────────────────────────────────────────────────


def _recipients(
    session: Session,
    kind: NotificationKind,
    user_ids: set[str],
    permission: Permission | None,
    except_user_id: str,
) -> set[str]:
    by_role = [role for role in Role if permission is not None and permission in ROLE_PERMISSIONS[role]]
    may_know = [role for role in Role if KINDS[kind].permission in ROLE_PERMISSIONS[role]]
    rows = session.execute(
        select(User.id).where(
            User.is_active.is_(True),
            User.id != except_user_id,
            User.role.in_(may_know),
            or_(User.id.in_(user_ids), User.role.in_(by_role)),
        )
    ).scalars()
    return set(rows)


def _wishes(session: Session, kind: NotificationKind, people: set[str]) -> dict[str, tuple[bool, bool]]:
    wishes = dict.fromkeys(people, (True, KINDS[kind].email))
    rows = session.execute(
        select(NotificationPreference).where(
            NotificationPreference.kind == kind, NotificationPreference.user_id.in_(people)
        )
    ).scalars()
    return wishes | {row.user_id: (row.in_app, row.email) for row in rows}


def _take_in(
    session: Session, user_id: str, kind: NotificationKind, group: Group, body: str, now: datetime
) -> bool:
    """Whether a line of the same group is young and unread: then it counts one more."""
    row = session.execute(
        select(Notification)
        .where(
            Notification.user_id == user_id,
            Notification.kind == kind,
            Notification.group_key == group.key[:160],
            Notification.read_at.is_(None),
            Notification.created_at > now - timedelta(seconds=BURST_SECONDS),
        )
        .order_by(Notification.created_at.desc())
        .limit(1)
        .with_for_update()
    ).scalar_one_or_none()
    if row is None:
        return False
    row.count += 1
    row.title = _cut(group.title.format(count=row.count), 300)
    row.href = group.href or row.href
    row.body = body[:2000]
    session.flush()
    return True


def _insert_once(session: Session, row: Notification) -> bool:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    inserted = session.execute(
        dialect.insert(Notification)
        .values(**row.model_dump())
        .on_conflict_do_nothing(index_elements=["user_id", "key"])
        .returning(Notification.id)
    )
    return inserted.first() is not None


def _mail_later(session: Session, row: Notification, now: datetime) -> None:
    ledger.add_jobs(
        session,
        [
            ledger.NewJob(
                queue="maintenance",
                kind=MAIL,
                dedupe_key=f"mail:{row.id}",
                account_id=None,
                payload={"notification_id": row.id},
                due_at=now + timedelta(seconds=BURST_SECONDS),
                expires_at=now + _MAIL_LIFE,
                idempotency_key=new_id(),
                client_ref=f"cc-{row.id}",
                priority=200,
                max_attempts=6,
            )
        ],
        actor="ContentCaster",
    )


def _inbox(principal: Principal) -> tuple[object, object]:
    return Notification.user_id == principal.user_id, Notification.is_in_app.is_(True)


def _view(row: Notification) -> NotificationView:
    return NotificationView(
        row.id, row.kind.value, row.title, row.body, row.href, row.created_at, row.read_at is not None,
        row.count,
    )  # fmt: skip


def _cut(text: str, length: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"
