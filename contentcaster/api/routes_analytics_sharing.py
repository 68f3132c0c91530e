"""Handing numbers on: links that show one view without an account, and the report by mail."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read, run_write
from contentcaster.services import analytics_report, analytics_share
from contentcaster.services.analytics_share import DEFAULT_DAYS, MAX_DAYS, MAX_TITLE_CHARACTERS

router = APIRouter(prefix="/analytics", tags=["analytics"])


class ShareLinkOut(BaseModel):
    id: str
    title: str
    query: dict[str, str] = Field(description="The words of the address that it shows.")
    timezone: str
    owner_name: str
    created_at: datetime
    expires_at: datetime
    state: str = Field(description="open, revoked or expired")
    opened: int
    opened_at: datetime | None


class ShareLinkCreated(ShareLinkOut):
    link: str = Field(description="Whoever has it sees the numbers; shown only now.")


class NewShareLinkIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"title": "For the board", "view": {"days": "month"}, "expires_in_days": 14}]
        },
    )

    view: dict[str, str] = Field(
        default_factory=dict,
        max_length=20,
        description="As in the page's address: days (7, 30, 90, 365, month) or from and to; vs=year or vs_from and "
        "vs_to; channel, network, label.",
    )
    title: str = Field(default="", max_length=MAX_TITLE_CHARACTERS)
    expires_in_days: int = Field(default=DEFAULT_DAYS, ge=1, le=MAX_DAYS)
    timezone: str = Field(default="", max_length=64, description="Where days begin; absent: your zone.")


class ReportOut(BaseModel):
    cadence: str = Field(description="off, weekly or monthly")
    next_at: datetime | None
    can_mail: bool = Field(description="Whether a mail server is set up.")


class ReportIn(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"cadence": "weekly"}]})

    cadence: str = Field(max_length=20, description="off, weekly or monthly")


@router.get("/shares")
def list_share_links(principal: CurrentPrincipal, database: DatabaseDep) -> list[ShareLinkOut]:
    """Open links and those that ended within 30 days: yours, for admins everybody's."""
    views = run_read(database, lambda s: analytics_share.list_shares(s, principal))
    return [ShareLinkOut.model_validate(asdict(view)) for view in views]


@router.post("/shares", status_code=201)
def create_share_link(
    body: NewShareLinkIn, principal: CurrentPrincipal, database: DatabaseDep
) -> ShareLinkCreated:
    """Make a link that shows one view, read only, until it ends. It never shows more than you may see yourself."""
    made = run_write(database, lambda s: analytics_share.create_share(s, principal, **body.model_dump()))
    return ShareLinkCreated.model_validate(asdict(made.view) | {"link": made.link})


@router.delete("/shares/{share_id}", status_code=204)
def revoke_share_link(share_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> Response:
    """Make a link show nothing any more, at once."""
    run_write(database, lambda s: analytics_share.revoke_share(s, principal, share_id))
    return Response(status_code=204)


@router.get("/report")
def get_report(principal: CurrentPrincipal, database: DatabaseDep) -> ReportOut:
    """Whether you get your report by mail, and when next."""
    return ReportOut.model_validate(
        asdict(run_read(database, lambda s: analytics_report.get_report(s, principal)))
    )


@router.put("/report")
def set_report(body: ReportIn, principal: CurrentPrincipal, database: DatabaseDep) -> ReportOut:
    """Have it mailed to your own address weekly (Mondays) or monthly (on the first), or not."""
    view = run_write(database, lambda s: analytics_report.set_report(s, principal, body.cadence))
    return ReportOut.model_validate(asdict(view))
