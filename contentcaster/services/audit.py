"""Who did what: written in the transaction of the act itself, chained so that a later change is noticed."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from contentcaster.clock import utc_now
from contentcaster.db import before_commit
from contentcaster.errors import InvalidInput
from contentcaster.models import AuditEvent
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import audit_chain
from contentcaster.services.drafts import clean_text
from contentcaster.services.views import Page

_MAX_LIMIT = 200
MAX_EXPORT = 50_000
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_PENDING = "audit_events"
_SECRET_WORDS = ("password", "token", "secret", "credential")


@dataclass(frozen=True)
class AuditView:
    id: int
    at: datetime
    actor: str
    action: str
    subject_type: str
    subject_id: str
    details: dict[str, Any]
    ip: str


def record(
    session: Session,
    principal: Principal,
    action: str,
    subject_type: str = "",
    subject_id: str = "",
    details: dict[str, Any] | None = None,
) -> None:
    """Add what `principal` did, e.g. `user.disabled`, to the audit log; `details` must be JSON and hold no secret."""
    details = details or {}
    if any(word in key.lower() for key in details for word in _SECRET_WORDS):
        raise ValueError("the audit log is shown to people: leave secrets out of it")
    pending: list[dict[str, Any]] = session.info.setdefault(_PENDING, [])
    pending.append(
        {
            "at": utc_now(),
            "actor_id": principal.user_id or None,
            "actor": principal.email,
            "action": action,
            "subject_type": subject_type,
            "subject_id": subject_id,
            "details": json.loads(json.dumps(details)),  # as it will be read again
            "ip": principal.ip,
        }
    )
    before_commit(session, _write)


def _write(session: Session) -> None:
    """Only now: the end of the chain is locked for no longer than the commit takes."""
    audit_chain.append(session, session.info.pop(_PENDING))


def list_events(
    session: Session,
    principal: Principal,
    *,
    action: str = "",
    actor: str = "",
    subject_id: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    cursor: str = "",
    limit: int = 50,
) -> Page[AuditView]:
    """The newest events first; `action` may be a prefix such as `user.`, `until` is not included."""
    principal.require(Permission.VIEW_AUDIT)
    limit = max(1, min(limit, _MAX_LIMIT))
    statement = select(AuditEvent).order_by(col(AuditEvent.id).desc()).limit(limit + 1)
    if cursor:
        statement = statement.where(col(AuditEvent.id) < _parse_cursor(cursor))
    if action:
        statement = statement.where(col(AuditEvent.action).startswith(action[:60], autoescape=True))
    if actor:
        statement = statement.where(AuditEvent.actor == clean_text(actor).lower())
    if subject_id:
        statement = statement.where(AuditEvent.subject_id == clean_text(subject_id))
    if since is not None:
        statement = statement.where(col(AuditEvent.at) >= since)
    if until is not None:
        statement = statement.where(col(AuditEvent.at) < until)
    rows = session.exec(statement).all()
    shown = [_view(row) for row in rows[:limit]]
    return Page(items=shown, next_cursor=str(shown[-1].id) if len(rows) > limit else "")


def export_csv(
    session: Session,
    principal: Principal,
    *,
    action: str = "",
    actor: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> str:
    """The same events as a spreadsheet, the newest first, at most MAX_EXPORT; no cell can be taken for a formula."""
    principal.require(Permission.VIEW_AUDIT)
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["id", "at", "actor", "action", "subject_type", "subject_id", "details", "ip"])
    cursor, count = "", 0
    while count < MAX_EXPORT:
        page = list_events(
            session,
            principal,
            action=action,
            actor=actor,
            since=since,
            until=until,
            cursor=cursor,
            limit=_MAX_LIMIT,
        )
        for event in page.items:
            details = json.dumps(event.details, ensure_ascii=False, sort_keys=True) if event.details else ""
            cells = (event.actor, event.action, event.subject_type, event.subject_id, details, event.ip)
            writer.writerow([event.id, event.at.isoformat(), *map(_safe_cell, cells)])
        count += len(page.items)
        cursor = page.next_cursor
        session.expunge_all()
        if not cursor:
            break
    return table.getvalue()


def verify(session: Session, principal: Principal) -> audit_chain.ChainReport:
    """Check the whole chain, as `contentcaster audit verify` does."""
    principal.require(Permission.VIEW_AUDIT)
    return audit_chain.verify(session)


def _safe_cell(text: str) -> str:
    return f"'{text}" if text[:1] in _FORMULA_STARTS and text else text


def _parse_cursor(cursor: str) -> int:
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise InvalidInput("This cursor is not from an earlier answer. Start without one.", field="cursor")
    return int(cursor)


def _view(row: AuditEvent) -> AuditView:
    assert row.id is not None
    return AuditView(
        id=row.id,
        at=row.at,
        actor=row.actor,
        action=row.action,
        subject_type=row.subject_type,
        subject_id=row.subject_id,
        details=row.details,
        ip=row.ip,
    )
