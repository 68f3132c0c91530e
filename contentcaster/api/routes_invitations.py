"""Invitations, for admins. Who is invited accepts in the browser, at the link."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read, run_write
from contentcaster.services import invitations

router = APIRouter(prefix="/invitations", tags=["users"])


class InvitationOut(BaseModel):
    id: str
    email: str = Field(description="Whom it is for; empty when whoever has the link may use it.")
    role: str
    needs_approval: bool
    created_at: datetime
    created_by: str
    expires_at: datetime
    state: str = Field(description="open, accepted, revoked or expired")
    accepted_by: str


class InvitationCreated(InvitationOut):
    link: str = Field(description="Works once; shown only now.")


class NewInvitationIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: str = Field(max_length=20, description="admin, creator, monitor or viewer")
    email: str = Field(default="", max_length=320)
    needs_approval: bool = False
    expires_in_days: int = Field(default=invitations.DEFAULT_DAYS, ge=1, le=invitations.MAX_DAYS)


@router.get("")
def list_invitations(principal: CurrentPrincipal, database: DatabaseDep) -> list[InvitationOut]:
    """Open ones and those that ended within 30 days, the newest first."""
    views = run_read(database, lambda s: invitations.list_invitations(s, principal))
    return [InvitationOut.model_validate(asdict(view)) for view in views]


@router.post("", status_code=201)
def create_invitation(
    body: NewInvitationIn, principal: CurrentPrincipal, database: DatabaseDep
) -> InvitationCreated:
    """Make a link with which somebody makes their own account. It is not mailed: give it to them."""
    made = run_write(database, lambda s: invitations.create_invitation(s, principal, **body.model_dump()))
    return InvitationCreated.model_validate(asdict(made.view) | {"link": made.link})


@router.delete("/{invitation_id}", status_code=204)
def revoke_invitation(invitation_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> Response:
    """Make a link useless."""
    run_write(database, lambda s: invitations.revoke_invitation(s, principal, invitation_id))
    return Response(status_code=204)
