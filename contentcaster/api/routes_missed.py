"""Posts whose time passed while nothing could publish, and the decision over them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read, run_write
from contentcaster.services import missed
from contentcaster.services.missed import MissedPost
from contentcaster.services.schedule import Schedule
from contentcaster.services.views import BulkResult

router = APIRouter(prefix="/missed", tags=["failed tasks"])

Ids = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=missed.MAX_AT_ONCE)]


class PostIds(BaseModel):
    model_config = ConfigDict(extra="forbid")

    ids: Ids


class NewTime(BaseModel):
    model_config = ConfigDict(extra="forbid")

    ids: Ids
    scheduled_at: str = Field(max_length=64, description="RFC 3339, or a local time with `timezone`.")
    timezone: str = Field(default="UTC", max_length=64, description="IANA name.")


class MissedList(BaseModel):
    items: list[MissedPost]


@router.get("")
def list_missed(principal: CurrentPrincipal, database: DatabaseDep) -> MissedList:
    """Posts that wait for a decision, in the order in which they were due."""
    return MissedList(items=run_read(database, lambda s: missed.list_missed(s, principal)))


@router.post("/publish")
def publish_now(body: PostIds, principal: CurrentPrincipal, database: DatabaseDep) -> BulkResult:
    """Send these late."""
    return run_write(database, lambda s: missed.publish_now(s, principal, body.ids))


@router.post("/reschedule")
def reschedule(body: NewTime, principal: CurrentPrincipal, database: DatabaseDep) -> BulkResult:
    """Give these a new time."""
    when = Schedule.parse(body.scheduled_at, body.timezone)
    return run_write(database, lambda s: missed.reschedule(s, principal, body.ids, when))


@router.post("/cancel")
def cancel(body: PostIds, principal: CurrentPrincipal, database: DatabaseDep) -> BulkResult:
    """Let these go: nothing of them is sent."""
    return run_write(database, lambda s: missed.cancel(s, principal, body.ids))
