"""Webhooks out: who is told of what, how each delivery went, and replay. For admins."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read, run_write
from contentcaster.security.permissions import Permission
from contentcaster.services import webhooks
from contentcaster.services.webhooks import DeliveryView, EndpointView, NewEndpoint

router = APIRouter(prefix="/webhooks", tags=["webhooks"])

DeliveryId = Annotated[int, Path(ge=1, le=2**62)]


class WebhookOut(BaseModel):
    id: str
    name: str
    url: str
    events: list[str]
    is_enabled: bool
    disabled_reason: str = Field(description="Why it was turned off by itself; empty when a person did it.")
    failing_since: datetime | None
    failures: int = Field(description="Failed tries since the last success.")
    created_at: datetime
    created_by: str
    version: int


class WebhookCreated(WebhookOut):
    secret: str = Field(description="Signs every delivery (Standard Webhooks); shown only this once.")


class NewWebhook(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=200)
    url: str = Field(max_length=2000, description="https, or an address listed in EGRESS_ALLOW.")
    events: list[str] = Field(max_length=50, description="Names as in GET /webhooks/events.")


class WebhookChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(default=None, max_length=200)
    url: str | None = Field(default=None, max_length=2000)
    events: list[str] | None = Field(default=None, max_length=50)
    is_enabled: bool | None = None
    version: int | None = Field(
        default=None, description="Refused if the webhook changed since this version."
    )


class DeliveryOut(BaseModel):
    id: int
    event_id: str = Field(description="`webhook-id` of every try and replay of this event.")
    event: str
    endpoint_id: str
    endpoint: str
    outcome: str = Field(description="waiting, retrying, delivered, failed or dropped")
    tries: int
    http_status: int | None
    latency_ms: int | None
    message: str
    is_replay: bool
    created_at: datetime
    ended_at: datetime | None
    next_try_at: datetime | None


class DeliveryPage(BaseModel):
    items: list[DeliveryOut]
    next_cursor: str = Field(description="Send it as `cursor` for the next page; empty on the last one.")


class TryOut(BaseModel):
    at: datetime
    http_status: int | None
    latency_ms: int | None
    outcome: str
    message: str
    excerpt: str = Field(description="What the receiver answered, redacted and cut.")


class DeliveryDetailOut(DeliveryOut):
    body: dict[str, Any] = Field(description="What is sent.")
    history: list[TryOut]


@router.get("")
def list_webhooks(principal: CurrentPrincipal, database: DatabaseDep) -> list[WebhookOut]:
    """All endpoints, the oldest first."""
    return [_out(view) for view in run_read(database, lambda s: webhooks.list_endpoints(s, principal))]


@router.get("/events")
def list_events(principal: CurrentPrincipal) -> dict[str, str]:
    """What can be told: name of the event, and what it means."""
    principal.require(Permission.MANAGE_SETTINGS)
    return dict(webhooks.EVENTS)


@router.post("", status_code=201)
def create_webhook(
    body: NewWebhook, principal: CurrentPrincipal, database: DatabaseDep, response: Response
) -> WebhookCreated:
    """Tell a program of these events from now on."""
    made = run_write(database, lambda s: webhooks.create_endpoint(s, principal, **body.model_dump()))
    response.headers["Location"] = f"/api/v1/webhooks/{made.view.id}"
    return _created(made)


@router.get("/deliveries")
def list_deliveries(
    principal: CurrentPrincipal,
    database: DatabaseDep,
    endpoint_id: Annotated[str, Query(max_length=40)] = "",
    outcome: Annotated[str, Query(max_length=20)] = "",
    cursor: Annotated[str, Query(max_length=20)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DeliveryPage:
    """How deliveries went, the newest first; kept for 30 days."""
    page = run_read(
        database,
        lambda s: webhooks.list_deliveries(
            s, principal, endpoint_id=endpoint_id, outcome=outcome, cursor=cursor, limit=limit
        ),
    )
    return DeliveryPage(items=[_delivery(view) for view in page.items], next_cursor=page.next_cursor)


@router.get("/deliveries/{delivery_id}")
def get_delivery(
    delivery_id: DeliveryId, principal: CurrentPrincipal, database: DatabaseDep
) -> DeliveryDetailOut:
    """What is sent, and every try."""
    detail = run_read(database, lambda s: webhooks.get_delivery(s, principal, delivery_id))
    return DeliveryDetailOut(
        **asdict(detail.delivery),
        body=detail.body,
        history=[TryOut.model_validate(asdict(row)) for row in detail.tries],
    )


@router.post("/deliveries/{delivery_id}/replay", status_code=202)
def replay_delivery(
    delivery_id: DeliveryId, principal: CurrentPrincipal, database: DatabaseDep
) -> DeliveryOut:
    """Deliver the same event once more, with the same id."""
    return _delivery(run_write(database, lambda s: webhooks.replay(s, principal, delivery_id)))


@router.get("/{webhook_id}")
def get_webhook(webhook_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> WebhookOut:
    """One endpoint."""
    return _out(run_read(database, lambda s: webhooks.get_endpoint(s, principal, webhook_id)))


@router.patch("/{webhook_id}")
def change_webhook(
    webhook_id: str, body: WebhookChange, principal: CurrentPrincipal, database: DatabaseDep
) -> WebhookOut:
    """Change an endpoint; turning it off drops what waits for it."""
    change = body.model_dump()
    return _out(run_write(database, lambda s: webhooks.update_endpoint(s, principal, webhook_id, **change)))


@router.delete("/{webhook_id}", status_code=204)
def delete_webhook(webhook_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> Response:
    """Remove an endpoint; what waits for it is dropped."""
    run_write(database, lambda s: webhooks.delete_endpoint(s, principal, webhook_id))
    return Response(status_code=204)


@router.post("/{webhook_id}/secret")
def renew_secret(webhook_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> WebhookCreated:
    """A new signing secret, used from the next delivery on; shown only this once."""
    return _created(run_write(database, lambda s: webhooks.rotate_secret(s, principal, webhook_id)))


@router.post("/{webhook_id}/test", status_code=202)
def send_test(webhook_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> DeliveryOut:
    """Send a `ping` event."""
    return _delivery(run_write(database, lambda s: webhooks.send_test(s, principal, webhook_id)))


def _out(view: EndpointView) -> WebhookOut:
    return WebhookOut.model_validate(asdict(view))


def _created(made: NewEndpoint) -> WebhookCreated:
    return WebhookCreated.model_validate(asdict(made.view) | {"secret": made.secret})


def _delivery(view: DeliveryView) -> DeliveryOut:
    return DeliveryOut.model_validate(asdict(view))
