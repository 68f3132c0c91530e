"""Queue slots: a channel's weekly times, and posts put into the next free one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read, run_write
from contentcaster.services import slots
from contentcaster.services.slots import FreeSlot, SlotPlanView
from contentcaster.services.views import PostDetail

router = APIRouter(tags=["slots"])


class SlotTimeIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    weekday: int = Field(ge=0, le=6, description="0 is Monday.")
    time: str = Field(max_length=8, description="HH:MM by the clocks of `timezone`.")


class SlotPlanIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"timezone": "Europe/Berlin", "times": [{"weekday": 0, "time": "09:30"}]}]
        },
    )

    timezone: str = Field(max_length=64)
    times: list[SlotTimeIn] = Field(max_length=slots.MAX_TIMES)
    version: int | None = Field(default=None, description="The version you read, against lost updates.")


@router.get("/slots")
def list_plans(principal: CurrentPrincipal, database: DatabaseDep) -> list[SlotPlanView]:
    """The weekly times of every channel you may see."""
    return run_read(database, lambda session: slots.list_plans(session, principal))


@router.get("/slots/next")
def next_free(
    principal: CurrentPrincipal,
    database: DatabaseDep,
    account_id: Annotated[list[str], Query(description="Once per channel of the post.")],
) -> FreeSlot:
    """The next free slot for a post on these channels. Looking does not reserve it: create the post with
    `scheduled_at` "next_slot"."""
    return run_read(database, lambda session: slots.next_free(session, principal, account_id[:50]))


@router.get("/accounts/{account_id}/slots")
def get_plan(account_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> SlotPlanView:
    """The weekly times of one channel."""
    return run_read(database, lambda session: slots.get_plan(session, principal, account_id))


@router.put("/accounts/{account_id}/slots")
def set_plan(
    account_id: str, body: SlotPlanIn, principal: CurrentPrincipal, database: DatabaseDep
) -> SlotPlanView:
    """Replace the weekly times of one channel (Admin). Posts that have a time keep it."""
    times = [(item.weekday, item.time) for item in body.times]
    return run_write(
        database,
        lambda session: slots.set_plan(
            session, principal, account_id, timezone=body.timezone, times=times, version=body.version
        ),
    )


@router.post("/posts/{post_id}/queue")
def add_to_queue(
    post_id: str, principal: CurrentPrincipal, database: DatabaseDep, response: Response
) -> PostDetail:
    """Put a post as it stands into the next free slot of its channels."""
    post = run_write(database, lambda session: slots.add_to_queue(session, principal, post_id))
    response.headers["ETag"] = f'"{post.version}"'
    return post
