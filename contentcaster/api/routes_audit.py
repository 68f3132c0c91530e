"""Who did what, for admins."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read
from contentcaster.services import audit

router = APIRouter(prefix="/audit", tags=["audit"])


class AuditEntry(BaseModel):
    id: int
    at: datetime
    actor: str
    action: str
    subject_type: str
    subject_id: str
    details: dict[str, Any]
    ip: str


class AuditPage(BaseModel):
    items: list[AuditEntry]
    next_cursor: str = Field(description="Send it as `cursor` for the next page; empty on the last one.")


@router.get("")
def list_audit(
    principal: CurrentPrincipal,
    database: DatabaseDep,
    action: Annotated[str, Query(max_length=60, description="An action or its beginning, e.g. `user.`")] = "",
    actor: Annotated[str, Query(max_length=320, description="The email address of who did it.")] = "",
    cursor: Annotated[str, Query(max_length=20)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AuditPage:
    """The newest events first."""
    page = run_read(
        database,
        lambda s: audit.list_events(s, principal, action=action, actor=actor, cursor=cursor, limit=limit),
    )
    items = [AuditEntry.model_validate(asdict(event)) for event in page.items]
    return AuditPage(items=items, next_cursor=page.next_cursor)
