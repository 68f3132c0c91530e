"""Who did what, for admins."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, Field

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
    subject_id: Annotated[str, Query(max_length=64)] = "",
    since: Annotated[AwareDatetime | None, Query(description="From this moment on, RFC 3339.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Before this moment.")] = None,
    cursor: Annotated[str, Query(max_length=20)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AuditPage:
    """The newest events first."""
    page = run_read(
        database,
        lambda s: audit.list_events(
            s,
            principal,
            action=action,
            actor=actor,
            subject_id=subject_id,
            since=since,
            until=until,
            cursor=cursor,
            limit=limit,
        ),
    )
    items = [AuditEntry.model_validate(asdict(event)) for event in page.items]
    return AuditPage(items=items, next_cursor=page.next_cursor)


@router.get(
    "/export",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def export_audit(
    principal: CurrentPrincipal,
    database: DatabaseDep,
    action: Annotated[str, Query(max_length=60)] = "",
    actor: Annotated[str, Query(max_length=320)] = "",
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> Response:
    """The same events as CSV, at most 50,000."""
    content = run_read(
        database,
        lambda s: audit.export_csv(s, principal, action=action, actor=actor, since=since, until=until),
    )
    headers = {"Content-Disposition": 'attachment; filename="audit-log.csv"'}
    return Response(content, media_type="text/csv", headers=headers)


class ChainReportOut(BaseModel):
    is_intact: bool
    problem: str = Field(description="What is wrong at the first place that is not as it was written.")
    events: int = Field(description="How many events the chain covers.")
    older: int = Field(description="Events from before there was a chain.")
    mark: str = Field(description="Keep it elsewhere; `contentcaster audit verify --expect` takes it.")


@router.post("/verify")
def verify_audit(principal: CurrentPrincipal, database: DatabaseDep) -> ChainReportOut:
    """Check every event against its MAC."""
    report = run_read(database, lambda s: audit.verify(s, principal))
    return ChainReportOut(
        is_intact=not report.problem,
        problem=report.problem,
        events=report.events,
        older=report.older,
        mark=report.mark,
    )
