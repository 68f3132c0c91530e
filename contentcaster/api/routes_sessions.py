"""Where somebody is signed in: one's own sessions, and for admins anybody's."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read, run_write
from contentcaster.services import users

router = APIRouter(tags=["auth"])


class SessionOut(BaseModel):
    id: str
    kind: str = Field(description="browser or api")
    created_at: datetime
    last_seen_at: datetime
    ip: str
    user_agent: str
    is_current: bool


class Ended(BaseModel):
    ended: int = Field(description="How many sessions this ended.")


@router.get("/me/sessions")
def list_own_sessions(principal: CurrentPrincipal, database: DatabaseDep) -> list[SessionOut]:
    """Where one is signed in, the latest used first."""
    return _out(run_read(database, lambda s: users.list_sessions(s, principal)))


@router.delete("/me/sessions")
def end_other_sessions(principal: CurrentPrincipal, database: DatabaseDep) -> Ended:
    """Sign oneself out everywhere else."""
    return Ended(ended=run_write(database, lambda s: users.end_other_sessions(s, principal)))


@router.delete("/me/sessions/{session_id}", status_code=204)
def end_own_session(session_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> Response:
    """End one of one's own sessions."""
    run_write(database, lambda s: users.end_session(s, principal, session_id))
    return Response(status_code=204)


@router.get("/users/{user_id}/sessions")
def list_sessions_of(user_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> list[SessionOut]:
    """Where a person is signed in."""
    return _out(run_read(database, lambda s: users.list_sessions_of(s, principal, user_id)))


@router.delete("/users/{user_id}/sessions")
def sign_out_everywhere(user_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> Ended:
    """Sign a person out everywhere; open tabs end with their next event."""
    return Ended(ended=run_write(database, lambda s: users.end_sessions_of(s, principal, user_id)))


@router.delete("/users/{user_id}/sessions/{session_id}", status_code=204)
def end_session_of(
    user_id: str, session_id: str, principal: CurrentPrincipal, database: DatabaseDep
) -> Response:
    """End one session of a person."""
    run_write(database, lambda s: users.end_sessions_of(s, principal, user_id, session_id=session_id))
    return Response(status_code=204)


def _out(views: list[users.SessionView]) -> list[SessionOut]:
    return [SessionOut.model_validate(asdict(view)) for view in views]
