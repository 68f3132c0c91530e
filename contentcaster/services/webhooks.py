"""Webhook endpoints, for admins: who is told, of what, and how each delivery went; replay."""

from __future__ import annotations

import base64
import ipaddress
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import delete, func, select
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.engine import ledger
from contentcaster.errors import Conflict, InvalidInput, NotFound
from contentcaster.models import (
    CLAIMABLE,
    TERMINAL,
    Job,
    JobAttempt,
    JobState,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from contentcaster.models.types import new_id
from contentcaster.security.egress import EgressRefused, is_global_address
from contentcaster.security.egress_requests import parse_target
from contentcaster.security.permissions import Permission, Principal
from contentcaster.security.vault import get_vault
from contentcaster.services import audit, webhook_events
from contentcaster.services.ids import is_id
from contentcaster.services.views import Page
from contentcaster.services.webhook_events import EVENTS, JOB_KIND, TOPIC
from contentcaster.settings import Settings, get_settings

__all__ = ["EVENTS", "TOPIC"]

SEALED_IN = {"table": "webhook_endpoint", "column": "secret_encrypted"}
SECRET_BYTES = 32
MAX_ENDPOINTS = 50
KEEP = timedelta(days=30)
_MAX_NAME, _MAX_URL = 80, 1000
_MAX_LIMIT = 200
_NAME_FIELD, _URL_FIELD, _EVENTS_FIELD = "name", "url", "events"

OUTCOMES: dict[JobState, str] = {
    JobState.PUBLISHED: "delivered",
    JobState.DONE: "delivered",
    JobState.DEAD: "failed",
    JobState.HELD: "failed",
    JobState.CANCELLED: "dropped",
    JobState.RETRY_WAIT: "retrying",
    JobState.SNOOZED: "retrying",
    JobState.UNKNOWN: "retrying",
}
"""State of the job -> what people see of a delivery; anything else is "waiting"."""


@dataclass(frozen=True)
class EndpointView:
    id: str
    name: str
    url: str
    host: str
    events: list[str]
    is_enabled: bool
    disabled_reason: str
    failing_since: datetime | None
    failures: int
    created_at: datetime
    created_by: str
    version: int


@dataclass(frozen=True)
class NewEndpoint:
    secret: str
    """Shown once: the receiver checks signatures with it."""
    view: EndpointView


@dataclass(frozen=True)
class DeliveryView:
    id: int
    event_id: str
    event: str
    endpoint_id: str
    endpoint: str
    outcome: str
    """waiting | retrying | delivered | failed | dropped"""
    tries: int
    http_status: int | None
    latency_ms: int | None
    message: str
    is_replay: bool
    created_at: datetime
    ended_at: datetime | None
    next_try_at: datetime | None


@dataclass(frozen=True)
class TryView:
    at: datetime
    http_status: int | None
    latency_ms: int | None
    outcome: str
    message: str
    excerpt: str
    """What the receiver answered, redacted and cut."""


@dataclass(frozen=True)
class DeliveryDetail:
    delivery: DeliveryView
    body: dict[str, Any]
    tries: list[TryView]


def list_endpoints(session: Session, principal: Principal) -> list[EndpointView]:
    """All endpoints, the oldest first."""
    principal.require(Permission.MANAGE_SETTINGS)
    rows = session.execute(
        select(WebhookEndpoint).where(WebhookEndpoint.deleted_at.is_(None)).order_by(WebhookEndpoint.id)
    ).scalars()
    return [_view(row) for row in rows]


def get_endpoint(session: Session, principal: Principal, endpoint_id: str) -> EndpointView:
    """One endpoint. Raises NotFound."""
    principal.require(Permission.MANAGE_SETTINGS)
    return _view(_find(session, endpoint_id))


def create_endpoint(
    session: Session, principal: Principal, *, name: str, url: str, events: list[str]
) -> NewEndpoint:
    """Tell a program of these events from now on.

    Raises:
        InvalidInput: fields "name", "url", "events".
        Conflict: there are very many already.
    """
    principal.require(Permission.MANAGE_SETTINGS)
    name, url, events = _checked(name, url, events)
    count = session.execute(
        select(func.count()).select_from(WebhookEndpoint).where(WebhookEndpoint.deleted_at.is_(None))
    ).scalar_one()
    if count >= MAX_ENDPOINTS:
        raise Conflict(f"There are {MAX_ENDPOINTS} webhooks. Remove one that is not used any more.")
    endpoint_id, secret = new_id(), _new_secret()
    row = WebhookEndpoint(
        id=endpoint_id,
        name=name,
        url=url,
        secret_encrypted=get_vault().encrypt(secret, row_id=endpoint_id, **SEALED_IN),
        events=events,
        created_by=principal.email,
    )
    session.add(row)
    session.flush()
    _announce(session, principal, "webhook.created", row, {"events": events})
    return NewEndpoint(secret, _view(row))


def update_endpoint(
    session: Session,
    principal: Principal,
    endpoint_id: str,
    *,
    name: str | None = None,
    url: str | None = None,
    events: list[str] | None = None,
    is_enabled: bool | None = None,
    version: int | None = None,
) -> EndpointView:
    """Change an endpoint; turning it off drops what waits for it, turning it on starts afresh.

    Raises:
        NotFound, InvalidInput; Conflict: somebody changed it meanwhile.
    """
    principal.require(Permission.MANAGE_SETTINGS)
    row = _find(session, endpoint_id, is_locking=True)
    if version is not None and version != row.version:
        raise Conflict("Somebody changed this webhook meanwhile. Reload and look again.")
    before = (row.name, row.url, list(row.events), row.is_enabled)
    row.name, row.url, row.events = _checked(
        row.name if name is None else name,
        row.url if url is None else url,
        row.events if events is None else events,
    )
    if is_enabled is not None and is_enabled != row.is_enabled:
        row.is_enabled, row.disabled_reason = is_enabled, ""
        row.failing_since, row.failures = None, 0
        if not is_enabled:
            ledger.cancel_jobs(
                session, waiting_jobs(session, row.id), actor=principal.name or principal.email
            )
    if before != (row.name, row.url, list(row.events), row.is_enabled):
        row.version += 1
        session.add(row)
        session.flush()
        details = {"events": row.events, "is_enabled": row.is_enabled, "host": urlsplit(row.url).hostname}
        _announce(session, principal, "webhook.changed", row, details)
    return _view(row)


def rotate_secret(session: Session, principal: Principal, endpoint_id: str) -> NewEndpoint:
    """A new signing secret, used from the next delivery on. Raises NotFound."""
    principal.require(Permission.MANAGE_SETTINGS)
    row = _find(session, endpoint_id, is_locking=True)
    secret = _new_secret()
    row.secret_encrypted = get_vault().encrypt(secret, row_id=row.id, **SEALED_IN)
    row.version += 1
    session.add(row)
    session.flush()
    _announce(session, principal, "webhook.signing_key_renewed", row)
    return NewEndpoint(secret, _view(row))


def delete_endpoint(session: Session, principal: Principal, endpoint_id: str) -> None:
    """Remove an endpoint; what waits for it is dropped. Raises NotFound."""
    principal.require(Permission.MANAGE_SETTINGS)
    row = _find(session, endpoint_id, is_locking=True)
    ledger.cancel_jobs(session, waiting_jobs(session, row.id), actor=principal.name or principal.email)
    row.deleted_at, row.is_enabled = utc_now(), False
    session.add(row)
    _announce(session, principal, "webhook.removed", row)


def send_test(session: Session, principal: Principal, endpoint_id: str) -> DeliveryView:
    """Send a test event. Raises NotFound; Conflict: it is turned off."""
    principal.require(Permission.MANAGE_SETTINGS)
    row = _find(session, endpoint_id)
    if not row.is_enabled:
        raise Conflict("This webhook is turned off. Turn it on first.")
    return _one(session, webhook_events.ping(session, row))


def list_deliveries(
    session: Session,
    principal: Principal,
    *,
    endpoint_id: str = "",
    outcome: str = "",
    cursor: str = "",
    limit: int = 50,
) -> Page[DeliveryView]:
    """Deliveries, the newest first; `outcome` is one of the words of DeliveryView.

    Raises:
        InvalidInput: fields "outcome", "cursor".
    """
    principal.require(Permission.MANAGE_SETTINGS)
    limit = max(1, min(limit, _MAX_LIMIT))
    query = _query()
    if endpoint_id:
        query = query.where(WebhookDelivery.endpoint_id == (endpoint_id if is_id(endpoint_id) else ""))
    if outcome:
        query = query.where(Job.state.in_(_states_of(outcome)))
    if cursor:
        query = query.where(WebhookDelivery.id < _id_of(cursor))
    rows = session.execute(query.order_by(WebhookDelivery.id.desc()).limit(limit + 1)).all()
    items = [_delivery(*row) for row in rows[:limit]]
    return Page(items, str(items[-1].id) if len(rows) > limit else "")


def get_delivery(session: Session, principal: Principal, delivery_id: int) -> DeliveryDetail:
    """One delivery: what was sent, and every try. Raises NotFound."""
    principal.require(Permission.MANAGE_SETTINGS)
    view = _one(session, delivery_id)
    event = session.get_one(WebhookEvent, view.event_id)
    job_id = session.get_one(WebhookDelivery, delivery_id).job_id
    tries = session.execute(
        select(JobAttempt)
        .where(JobAttempt.job_id == job_id, JobAttempt.kind == "send")
        .order_by(JobAttempt.id)
    ).scalars()
    body = {
        "type": event.type,
        "id": event.id,
        "timestamp": event.created_at.isoformat(timespec="milliseconds"),
        "data": event.data,
    }
    return DeliveryDetail(view, body, [_try(row) for row in tries])


def replay(session: Session, principal: Principal, delivery_id: int) -> DeliveryView:
    """Deliver the same event once more, with the same id, to the same endpoint.

    Raises:
        NotFound: no such delivery. Conflict: it is still on its way, or the endpoint is off.
    """
    principal.require(Permission.MANAGE_SETTINGS)
    view = _one(session, delivery_id)
    endpoint = _find(session, view.endpoint_id, is_locking=True)
    if not endpoint.is_enabled:
        raise Conflict("This webhook is turned off. Turn it on first.")
    if view.outcome in ("waiting", "retrying"):
        raise Conflict("It is still on its way and is tried again by itself.")
    event = session.get_one(WebhookEvent, view.event_id)
    last = session.execute(
        select(func.max(WebhookDelivery.replay)).where(
            WebhookDelivery.event_id == event.id, WebhookDelivery.endpoint_id == endpoint.id
        )
    ).scalar_one()
    new = webhook_events.deliver(session, event, endpoint, replay=last + 1)
    audit.record(session, principal, "webhook.replayed", "webhook", endpoint.id, {"event": event.id})
    return _one(session, new)


def waiting_jobs(session: Session, endpoint_id: str) -> list[int]:
    """The jobs of deliveries to this endpoint that nobody is sending."""
    return list(
        session.execute(
            select(Job.id)
            .join(WebhookDelivery, WebhookDelivery.job_id == Job.id)
            .where(WebhookDelivery.endpoint_id == endpoint_id, Job.state.in_(CLAIMABLE))
            .order_by(Job.id)
        ).scalars()
    )


def forget(session: Session) -> None:
    """Drop events, deliveries and their jobs that are past their time; run once a day."""
    old = utc_now() - KEEP
    ended = (Job.kind == JOB_KIND) & (Job.created_at < old) & Job.state.in_((*TERMINAL, JobState.DEAD))
    session.execute(delete(Job).where(ended).execution_options(synchronize_session=False))
    session.execute(
        delete(WebhookEvent).where(WebhookEvent.created_at < old).execution_options(synchronize_session=False)
    )


def _checked(name: str, url: str, events: list[str]) -> tuple[str, str, list[str]]:
    """All three as they are stored; every problem at its field at once."""
    problems: dict[str, str] = {}
    name, url = " ".join(name.split()), url.strip()
    if not name or len(name) > _MAX_NAME or not name.isprintable():
        problems[_NAME_FIELD] = f"Give it a name of at most {_MAX_NAME} characters."
    if problem := _url_problem(url, get_settings()):
        problems[_URL_FIELD] = problem
    chosen = [event for event in EVENTS if event in set(events)]
    if not chosen or len(chosen) < len(set(events)):
        problems[_EVENTS_FIELD] = "Choose what it is told of."
    if problems:
        raise InvalidInput(next(iter(problems.values())), fields=problems)
    return name, url, chosen


def _url_problem(url: str, settings: Settings) -> str:
    """What is wrong with an address, as far as can be said without asking anybody; the egress client decides again."""
    if len(url) > _MAX_URL or any(char.isspace() for char in url):
        return "Enter an address such as https://example.org/hooks."
    try:
        origin = parse_target(url).origin
    except EgressRefused as error:
        return f"Enter an address such as https://example.org/hooks. {error}"
    if f"{origin.host}:{origin.port}" in settings.allowed_private_hosts:
        return ""
    if origin.scheme != "https":
        return (
            "The address must begin with https://, so that nobody on the way reads or changes what is sent."
        )
    try:
        is_public = is_global_address(ipaddress.ip_address(origin.host.strip("[]")))
    except ValueError:
        is_public = origin.host != "localhost"
    return "" if is_public else "This is a private address. An operator can allow it with EGRESS_ALLOW."


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _find(session: Session, endpoint_id: str, *, is_locking: bool = False) -> WebhookEndpoint:
    query = select(WebhookEndpoint).where(
        WebhookEndpoint.id == endpoint_id, WebhookEndpoint.deleted_at.is_(None)
    )
    if is_locking:
        query = query.with_for_update().execution_options(populate_existing=True)
    row: WebhookEndpoint | None = session.execute(query).scalars().first() if is_id(endpoint_id) else None
    if row is None:
        raise NotFound("There is no such webhook.")
    return row


def _announce(
    session: Session,
    principal: Principal,
    action: str,
    row: WebhookEndpoint,
    details: dict[str, Any] | None = None,
) -> None:
    audit.record(session, principal, action, "webhook", row.id, {"name": row.name} | (details or {}))
    live.note(session, TOPIC)


def _view(row: WebhookEndpoint) -> EndpointView:
    return EndpointView(
        id=row.id,
        name=row.name,
        url=row.url,
        host=urlsplit(row.url).netloc.rpartition("@")[2],
        events=row.events,
        is_enabled=row.is_enabled,
        disabled_reason=row.disabled_reason,
        failing_since=row.failing_since,
        failures=row.failures,
        created_at=row.created_at,
        created_by=row.created_by,
        version=row.version,
    )


def _query() -> Any:
    last = (
        select(JobAttempt.id)
        .where(JobAttempt.job_id == Job.id, JobAttempt.kind == "send")
        .order_by(JobAttempt.id.desc())
        .limit(1)
        .correlate(Job)
        .scalar_subquery()
    )
    return (
        select(WebhookDelivery, WebhookEvent.type, WebhookEndpoint.name, Job, JobAttempt)
        .join(WebhookEvent, WebhookEvent.id == WebhookDelivery.event_id)
        .join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
        .join(Job, Job.id == WebhookDelivery.job_id)
        .outerjoin(JobAttempt, JobAttempt.id == last)
        .execution_options(populate_existing=True)
    )


def _one(session: Session, delivery_id: int) -> DeliveryView:
    row = session.execute(_query().where(WebhookDelivery.id == delivery_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such delivery.")
    return _delivery(*row)


def _delivery(
    delivery: WebhookDelivery, event: str, endpoint: str, job: Job, attempt: JobAttempt | None
) -> DeliveryView:
    outcome = OUTCOMES.get(job.state, "waiting")
    return DeliveryView(
        id=delivery.id or 0,
        event_id=delivery.event_id,
        event=event,
        endpoint_id=delivery.endpoint_id,
        endpoint=endpoint,
        outcome=outcome,
        tries=job.attempt,
        http_status=attempt.http_status if attempt else None,
        latency_ms=_latency_ms(attempt) if attempt else None,
        message=(attempt.message if attempt else None) or job.error_message or "",
        is_replay=delivery.replay > 0,
        created_at=delivery.created_at,
        ended_at=job.ended_at,
        next_try_at=job.due_at if outcome == "retrying" else None,
    )


def _try(row: JobAttempt) -> TryView:
    return TryView(
        at=row.sent_at or row.started_at,
        http_status=row.http_status,
        latency_ms=_latency_ms(row),
        outcome=row.outcome,
        message=row.message or "",
        excerpt=row.diagnostics or "",
    )


def _latency_ms(row: JobAttempt) -> int | None:
    if row.sent_at is None or row.ended_at is None:
        return None
    return max(0, round((row.ended_at - row.sent_at).total_seconds() * 1000))


def _states_of(outcome: str) -> list[JobState]:
    known = {*OUTCOMES.values(), "waiting"}
    if outcome not in known:
        raise InvalidInput(f"Outcomes are {', '.join(sorted(known))}.", field="outcome")
    return [state for state in JobState if OUTCOMES.get(state, "waiting") == outcome]


def _id_of(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise InvalidInput("This cursor is not from an earlier answer. Start without one.", field="cursor")
    return int(cursor)
