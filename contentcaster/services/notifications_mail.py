"""Mails of notifications: one job each, so that a mail server that is away is tried again and nobody gets a mail twice.

A mail that may have left without a confirmation is not sent again: the inbox in the console has the same news.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from sqlmodel import Session

from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.engine.ledger import ClaimedJob
from contentcaster.engine.outcomes import CannotTell, LookupOutcome, Published, Refused, SendOutcome
from contentcaster.engine.sender import SendNow
from contentcaster.models import Notification, User
from contentcaster.platforms import mail
from contentcaster.platforms.base import ConnectorError
from contentcaster.security.egress import EgressClient
from contentcaster.services.publishing import _sent
from contentcaster.settings import Settings

log = structlog.get_logger(__name__)
_ALONE_SECONDS = 20.0
_SECURITY = {"smtps": "tls", "smtp": "starttls", "smtp+plain": "none"}
_PORTS = {"smtps": 465, "smtp": 587, "smtp+plain": 25}


class MailExecutor:
    """One per sender, used only in that sender's event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._client: EgressClient | None = None

    async def prepare(self, job: ClaimedJob) -> SendNow | SendOutcome:
        """Write the mail with what the notification says by now."""
        settings = self._database.settings
        if not settings.smtp_url.get_secret_value():
            return Refused(error_class="no_mail_server", message="No mail server is set up (SMTP_URL).")
        written = await asyncio.to_thread(self._write, job)
        if written is None:
            return Refused(error_class="nobody", message="The person is gone or their account is disabled.")
        recipient, message = written

        async def send(deadline: float) -> SendOutcome:
            client = self._egress().until(deadline)
            try:
                await mail.deliver(client, mail_server(settings), settings.mail_sender, recipient, message)
            except ConnectorError as error:
                return _sent(error)
            return Published(remote_id=f"<{message_id(job.client_ref, settings)}>")

        return send

    def _write(self, job: ClaimedJob) -> tuple[str, bytes] | None:
        """Recipient and mail; None if there is nobody to send it to any more."""
        own_id = message_id(job.client_ref, self._database.settings)
        return _written(self._database, str(job.payload.get("notification_id")), own_id)

    async def look_up(self, job: ClaimedJob) -> LookupOutcome:
        """Nobody can tell; the inbox holds the same news, so a person need not be bothered much."""
        return CannotTell(
            error_class="no_read_back", message="Sent mail cannot be looked up; the inbox has the same news."
        )

    def _egress(self) -> EgressClient:
        if self._client is None:
            self._client = EgressClient.from_settings(self._database.settings)
        return self._client


async def send_now(database: Database, notification_ids: Sequence[str]) -> int:
    """Mail these from this process, each once: news that no worker is left to carry. Returns how many left."""
    settings, sent = database.settings, 0
    async with EgressClient(allow=settings.allowed_private_hosts, deadline_seconds=_ALONE_SECONDS) as client:
        for notification_id in notification_ids:
            own_id = message_id(f"cc-{notification_id}", settings)
            written = await asyncio.to_thread(_written, database, notification_id, own_id)
            if written is None:
                continue
            try:
                await mail.deliver(client, mail_server(settings), settings.mail_sender, *written)
                sent += 1
            except ConnectorError as error:
                log.warning("mail_not_sent", reason=error.message)
    return sent


def make_mail(note: Notification, user: User, settings: Settings, *, message_id: str) -> bytes:
    """A plain mail in few words, with the link to what it is about."""
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["From"] = f"ContentCaster <{settings.mail_sender}>"
    message["To"] = user.email
    message["Subject"] = " ".join(note.title.split())[:200]
    message["Date"] = format_datetime(utc_now())
    message["Message-ID"] = f"<{message_id}>"
    message["Auto-Submitted"] = "auto-generated"
    base = settings.effective_public_url
    lines = [note.title, "", *([note.body, ""] if note.body else [])]
    if note.href:
        lines += [f"Look at it: {base}{note.href}", ""]
    lines += ["-- ", f"You chose to be mailed about this. Change it here: {base}/notifications"]
    message.set_content("\n".join(lines))
    return message.as_bytes()


def mail_server(settings: Settings) -> dict[str, Any]:
    """What SMTP_URL says, as `mail.deliver` takes it."""
    parts = urlsplit(settings.smtp_url.get_secret_value())
    return {
        "host": parts.hostname or "",
        "port": parts.port or _PORTS[parts.scheme],
        "security": _SECURITY[parts.scheme],
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
    }


def _written(database: Database, notification_id: str, message_id: str) -> tuple[str, bytes] | None:
    with database.reading() as session:
        found = _find(session, notification_id)
    if found is None:
        return None
    note, user = found
    return user.email, make_mail(note, user, database.settings, message_id=message_id)


def _find(session: Session, notification_id: str) -> tuple[Notification, User] | None:
    note = session.get(Notification, notification_id)
    user = session.get(User, note.user_id) if note is not None else None
    if note is None or user is None or not user.is_active:
        return None
    return note, user


def message_id(client_ref: str, settings: Settings) -> str:
    """Of the mail that a job sends, however often it tries."""
    return f"{client_ref}@{settings.mail_sender.rpartition('@')[2]}"
