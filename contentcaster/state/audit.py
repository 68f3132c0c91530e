"""The audit log: who did what, newest first, one keyset page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

import reflex as rx
from pydantic import Field

from contentcaster.security.permissions import Permission
from contentcaster.services import audit
from contentcaster.services.audit import AuditView
from contentcaster.services.schedule import known_zone, load_zone
from contentcaster.state.bridge import read
from contentcaster.state.marks import current_principal, guarded
from contentcaster.state.page import page_load

PAGE_SIZE = 50

KINDS: dict[str, str] = {
    "": "Everything",
    "session.": "Signing in and out",
    "user.": "People",
    "invitation.": "Invitations",
    "profile.": "Own profiles",
    "api_key.": "API keys",
    "webhook.": "Webhooks",
    "account.": "Channels",
    "post.": "Posts",
    "failed_task.": "Failed tasks",
    "queue.": "Queues",
    "bot": "Bots",
}
"""Beginning of the action -> what the filter calls it."""

_WORDS = {
    "session.started": "Signed in",
    "session.ended": "Signed out",
    "session.refused": "Sign-in refused",
    "session.refresh_reused": "Stolen token stopped",
    "user.created": "Added a person",
    "user.changed": "Changed a person",
    "user.password_reset": "Set a new password for a person",
    "user.signed_out": "Signed a person out",
    "user.second_factor_reset": "Took a person's second factor away",
    "session.others_ended": "Signed out everywhere else",
    "profile.second_factor_on": "Turned two-factor sign-in on",
    "profile.second_factor_off": "Turned two-factor sign-in off",
    "profile.recovery_codes_renewed": "Made new recovery codes",
    "api_key.created": "Made an API key",
    "api_key.revoked": "Revoked an API key",
    "analytics.shared": "Shared numbers by a link",
    "analytics.share_revoked": "Revoked a shared link",
    "invitation.created": "Invited somebody",
    "invitation.revoked": "Revoked an invitation",
    "invitation.accepted": "Accepted an invitation",
    "webhook.created": "Added a webhook",
    "webhook.changed": "Changed a webhook",
    "webhook.removed": "Removed a webhook",
    "webhook.replayed": "Sent a webhook's event again",
    "webhook.signing_key_renewed": "Made a new signing secret",
    "user.admin_created": "Made an admin on the server",
    "user.first_admin_created": "Made the first admin",
    "profile.changed": "Changed own profile",
    "profile.password_changed": "Changed own password",
    "account.connected": "Connected a channel",
    "account.reconnected": "Reconnected a channel",
    "account.changed": "Changed a channel",
    "account.removed": "Removed a channel",
    "post.approved": "Approved a post",
    "post.rejected": "Sent a post back",
    "post.cancelled": "Cancelled a post",
    "post.deleted": "Deleted a post",
    "failed_task.retried": "Retried a failed task",
    "failed_task.edited": "Changed the text of a failed task",
    "post.missed_decided": "Decided over missed posts",
    "failed_task.resolved": "Confirmed a post as live",
    "failed_task.discarded": "Let a failed task go",
    "queue.paused": "Paused a queue",
    "queue.resumed": "Resumed a queue",
    "queue.rebuilt": "Rebuilt the queues",
}


@dataclass(frozen=True)
class AuditRow:
    id: int
    at: datetime
    actor: str
    what: str
    action: str
    subject: str
    details: str
    ip: str
    href: str
    """Where the subject can be seen; "" if nowhere."""


class AuditState(rx.State):
    rows: list[AuditRow] = []
    kind: str = ""
    actor: str = ""
    since_day: str = ""
    until_day: str = ""
    """The last day that is shown, in the person's zone."""
    export_href: str = "/api/v1/audit/export"
    verdict: str = ""
    is_intact: bool = True
    mark: str = ""
    page: int = 1
    next_cursor: str = ""
    _cursors: list[str] = [""]
    """The cursor of each page up to this one; the first page has none."""

    @page_load(Permission.VIEW_AUDIT)
    async def load(self) -> None:
        self.kind, self.actor, self._cursors = "", "", [""]
        self.since_day, self.until_day, self.verdict, self.mark = "", "", "", ""
        await self._read()

    @page_load(Permission.VIEW_AUDIT)
    async def refresh(self) -> None:
        """Something happened: new lines appear on the first page; an older page stays as it is."""
        if len(self._cursors) == 1:
            await self._read()

    @guarded(Permission.VIEW_AUDIT)
    async def set_kind(self, kind: Annotated[str, Field(max_length=40)]) -> None:
        self.kind, self._cursors = kind if kind in KINDS else "", [""]
        await self._read()

    @guarded(Permission.VIEW_AUDIT)
    async def set_actor(self, actor: Annotated[str, Field(max_length=320)]) -> None:
        self.actor, self._cursors = actor, [""]
        await self._read()

    @guarded(Permission.VIEW_AUDIT)
    async def set_since(self, day: Annotated[str, Field(max_length=10)]) -> None:
        self.since_day, self._cursors = day, [""]
        await self._read()

    @guarded(Permission.VIEW_AUDIT)
    async def set_until(self, day: Annotated[str, Field(max_length=10)]) -> None:
        self.until_day, self._cursors = day, [""]
        await self._read()

    @guarded(Permission.VIEW_AUDIT)
    async def verify(self) -> None:
        """Check the whole chain now."""
        report = await read(audit.verify)
        self.is_intact, self.mark = not report.problem, "" if report.problem else report.mark
        older = f" {report.older} are from before there was a chain." if report.older else ""
        self.verdict = report.problem or f"All {report.events} events are as they were written.{older}"

    @guarded(Permission.VIEW_AUDIT)
    async def older(self) -> None:
        if self.next_cursor:
            self._cursors = [*self._cursors, self.next_cursor]
            await self._read()

    @guarded(Permission.VIEW_AUDIT)
    async def newer(self) -> None:
        self._cursors = self._cursors[:-1] or [""]
        await self._read()

    async def _read(self) -> None:
        zone = current_principal().timezone
        since, until = _start_of(self.since_day, zone), _start_of(self.until_day, zone, days_later=1)
        page = await read(
            audit.list_events,
            action=self.kind,
            actor=self.actor,
            since=since,
            until=until,
            cursor=self._cursors[-1],
            limit=PAGE_SIZE,
        )
        wanted = {
            "action": self.kind,
            "actor": self.actor,
            "since": since.isoformat() if since else "",
            "until": until.isoformat() if until else "",
        }
        query = urlencode({name: value for name, value in wanted.items() if value})
        self.export_href = "/api/v1/audit/export" + (f"?{query}" if query else "")
        self.rows = [_row(view) for view in page.items]
        self.next_cursor = page.next_cursor
        self.page = len(self._cursors)


def _start_of(day: str, timezone: str, *, days_later: int = 0) -> datetime | None:
    """Midnight of that day in the person's zone; None for no day, or one that is still being typed."""
    try:
        at = datetime.combine(date.fromisoformat(day) + timedelta(days=days_later), time.min)
        return at.replace(tzinfo=load_zone(known_zone(timezone))).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _row(view: AuditView) -> AuditRow:
    details = dict(view.details)
    subject = str(details.pop("channel", "") or details.pop("email", "") or "")
    if not subject and view.subject_type not in ("session", ""):
        subject = f"{view.subject_type.replace('_', ' ')} {view.subject_id}".strip()
    is_post = view.subject_type == "post" and view.action != "post.deleted"
    return AuditRow(
        id=view.id,
        at=view.at,
        actor=view.actor,
        what=_WORDS.get(view.action, view.action.replace(".", ": ").replace("_", " ").capitalize()),
        action=view.action,
        subject=subject,
        details=_told(details),
        ip=view.ip,
        href=f"/posts/{view.subject_id}" if is_post else "",
    )


def _told(details: dict[str, Any]) -> str:
    """role: creator → admin; reason: maintenance"""
    changes = details.pop("changes", None)
    parts = []
    if isinstance(changes, dict):
        parts += [f"{name}: {_plain(pair[0])} → {_plain(pair[1])}" for name, pair in changes.items()]
    parts += [
        f"{name.replace('_', ' ')}: {_plain(value)}"
        for name, value in details.items()
        if value not in ("", None, [])
    ]
    return "; ".join(parts)[:400]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
