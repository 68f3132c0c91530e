"""Carries out deliveries of webhooks: jobs of kind `webhook`.

Unlike a post, a delivery may be repeated: the receiver drops repeats by `webhook-id`, as Standard Webhooks ask it to.
So whatever is in doubt (no answer, a killed worker) is simply sent again, always with the same id.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import structlog
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.engine import ledger
from contentcaster.engine.ledger import ClaimedJob
from contentcaster.engine.outcomes import (
    LookupOutcome,
    Published,
    Refused,
    RetryLater,
    SafeToSend,
    SendOutcome,
    Snooze,
)
from contentcaster.engine.sender import SendNow
from contentcaster.models import NotificationKind, WebhookEndpoint, WebhookEvent
from contentcaster.platforms.rate_limits import wait_seconds
from contentcaster.platforms.webhook import sign
from contentcaster.security.egress import (
    EgressClient,
    EgressError,
    EgressNotSent,
    EgressRefused,
    EgressResponse,
    redact,
)
from contentcaster.security.permissions import Permission
from contentcaster.security.vault import SealBroken, get_vault
from contentcaster.services import webhooks
from contentcaster.services.notifications import notify

log = structlog.get_logger(__name__)

DEADLINE_SECONDS = 10.0
MAX_ANSWER_BYTES = 64_000
EXCERPT_CHARACTERS = 500
DISABLE_AFTER = timedelta(hours=24)
"""An endpoint that has only failed for so long is turned off, and admins are told."""
_MIN_FAILURES = 5
_GONE = 410
_MAX_WAIT_SECONDS = 3600.0


@dataclass(frozen=True)
class _Delivery:
    url: str
    secret: str
    event_id: str
    body: bytes


class WebhookExecutor:
    """One per sender, used only in that sender's event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._client: EgressClient | None = None

    async def prepare(self, job: ClaimedJob) -> SendNow | SendOutcome:
        """Read endpoint and event; sign only when it is sent, since the signature carries the time."""
        try:
            delivery = await asyncio.to_thread(self._read, job)
        except SealBroken as error:
            return Refused(
                error_class="sealed", message="The signing secret cannot be opened.", diagnostics=str(error)
            )
        if isinstance(delivery, str):
            return Refused(error_class="endpoint_off", message=delivery)

        async def send(deadline: float) -> SendOutcome:
            outcome = await self._send(delivery, job, deadline)
            await asyncio.to_thread(self._note, str(job.payload["endpoint_id"]), outcome)
            return outcome

        return send

    async def look_up(self, job: ClaimedJob) -> LookupOutcome:
        """Sending the same event again harms nobody."""
        return SafeToSend(message="The same event is sent again; its id tells the receiver.")

    async def _send(self, delivery: _Delivery, job: ClaimedJob, deadline: float) -> SendOutcome:
        headers = sign(delivery.secret, delivery.event_id, int(time.time()), delivery.body)
        try:
            response = (
                await self._egress()
                .until(deadline)
                .request(
                    "POST",
                    delivery.url,
                    headers=headers | {"Content-Type": "application/json", "User-Agent": "ContentCaster"},
                    content=delivery.body,
                    deadline_seconds=DEADLINE_SECONDS,
                    max_bytes=MAX_ANSWER_BYTES,
                )
            )
        except EgressRefused as error:
            return RetryLater(error_class="refused_address", message=f"Not sent: {error}")
        except EgressNotSent as error:
            return RetryLater(error_class="not_reached", message=str(error))
        except EgressError as error:
            return RetryLater(error_class="no_answer", message=str(error))
        return _answered(response, job)

    def _read(self, job: ClaimedJob) -> _Delivery | str:
        with self._database.reading() as session:
            endpoint = session.get(WebhookEndpoint, str(job.payload["endpoint_id"]))
            event = session.get(WebhookEvent, str(job.payload["event_id"]))
            if endpoint is None or event is None or endpoint.deleted_at is not None:
                return "The endpoint was removed."
            if not endpoint.is_enabled:
                return "The endpoint is turned off."
            secret = get_vault().decrypt(endpoint.secret_encrypted, row_id=endpoint.id, **webhooks.SEALED_IN)
            body = {
                "type": event.type,
                "id": event.id,
                "timestamp": event.created_at.isoformat(timespec="milliseconds"),
                "data": event.data,
            }
            return _Delivery(
                endpoint.url, secret, event.id, json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
            )  # fmt: skip

    def _note(self, endpoint_id: str, outcome: SendOutcome) -> None:
        self._database.write(lambda session: _note(session, endpoint_id, outcome))

    def _egress(self) -> EgressClient:
        if self._client is None:
            self._client = EgressClient.from_settings(self._database.settings)
        return self._client


def _answered(response: EgressResponse, job: ClaimedJob) -> SendOutcome:
    excerpt = redact(response.text[: EXCERPT_CHARACTERS * 4], limit=EXCERPT_CHARACTERS)
    answer = {"http_status": response.status, "diagnostics": excerpt}
    if response.is_success:
        return Published(remote_id=f"{job.payload['event_id']}:{job.payload['delivery_id']}", **answer)
    if response.status == _GONE:
        return Refused(error_class="gone", message="The receiver says that it is gone for good.", **answer)
    if response.status == 429:
        wait = min(wait_seconds(response), _MAX_WAIT_SECONDS)
        return Snooze(retry_after_seconds=wait, message="The receiver asks to wait.", **answer)
    return RetryLater(
        error_class="answered", message=f"The receiver answered {response.status}; 2xx is expected.", **answer
    )


def _note(session: Session, endpoint_id: str, outcome: SendOutcome) -> None:
    """Keep how the endpoint fares, and turn one off that is gone or has failed for long."""
    endpoint = session.get(WebhookEndpoint, endpoint_id, with_for_update=True, populate_existing=True)
    if endpoint is None or not endpoint.is_enabled:
        return
    live.note(session, webhooks.TOPIC)
    if isinstance(outcome, Published):
        endpoint.failing_since, endpoint.failures = None, 0
    elif not isinstance(outcome, Snooze):
        now = utc_now()
        endpoint.failing_since = endpoint.failing_since or now
        endpoint.failures += 1
        is_long = now - endpoint.failing_since >= DISABLE_AFTER and endpoint.failures >= _MIN_FAILURES
        if is_long or outcome.http_status == _GONE:
            _turn_off(session, endpoint, outcome)
    session.add(endpoint)


def _turn_off(session: Session, endpoint: WebhookEndpoint, outcome: SendOutcome) -> None:
    is_gone = outcome.http_status == _GONE
    endpoint.is_enabled = False
    endpoint.disabled_reason = (
        "The receiver answered 410: it is gone for good."
        if is_gone
        else f"Every delivery has failed for {DISABLE_AFTER.total_seconds() / 3600:.0f} hours; the last time: "
        f"{outcome.message}"
    )[:300]
    endpoint.version += 1
    ledger.cancel_jobs(session, webhooks.waiting_jobs(session, endpoint.id), actor="ContentCaster")
    log.warning("webhook_endpoint_turned_off", endpoint=endpoint.id, host=urlsplit(endpoint.url).hostname)
    notify(
        session,
        NotificationKind.WEBHOOK_OFF,
        key=f"webhook_off:{endpoint.id}:{endpoint.version}",
        title=f"The webhook “{endpoint.name}” was turned off",
        body=f"{endpoint.disabled_reason} Nothing is sent to it until somebody turns it on again.",
        href="/webhooks",
        permission=Permission.MANAGE_SETTINGS,
    )
