"""Queues and workers (Admin acts, Monitor reads)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read, run_write
from contentcaster.services import operations
from contentcaster.services.views import QueueView, WorkerView

router = APIRouter(tags=["queues and workers"])


class QueueList(BaseModel):
    items: list[QueueView]


class WorkerList(BaseModel):
    items: list[WorkerView]


class Pause(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "The network is down."}]}
    )

    reason: str = Field(default="", max_length=500)


class Rebuilt(BaseModel):
    jobs: int = Field(description="How many jobs wait in the database.")


@router.get("/queues")
def list_queues(principal: CurrentPrincipal, database: DatabaseDep) -> QueueList:
    """Depth, lag and throughput of each queue."""
    return QueueList(items=run_read(database, lambda session: operations.list_queues(session, principal)))


@router.post("/queues/rebuild")
def rebuild_queues(principal: CurrentPrincipal, database: DatabaseDep) -> Rebuilt:
    """Tell the queues anew of everything that waits in the database."""
    return Rebuilt(jobs=run_write(database, lambda session: operations.rebuild_queues(session, principal)))


@router.post("/queues/{name}/pause")
def pause_queue(
    name: str,
    principal: CurrentPrincipal,
    database: DatabaseDep,
    body: Annotated[Pause | None, Body()] = None,
) -> QueueView:
    """Take no more work from a queue."""
    reason = body.reason if body else ""
    return run_write(database, lambda session: operations.pause_queue(session, principal, name, reason))


@router.post("/queues/{name}/resume")
def resume_queue(name: str, principal: CurrentPrincipal, database: DatabaseDep) -> QueueView:
    """Take work from a queue again."""
    return run_write(database, lambda session: operations.resume_queue(session, principal, name))


@router.get("/workers")
def list_workers(principal: CurrentPrincipal, database: DatabaseDep) -> WorkerList:
    """The processes that run the queues, with their heartbeats."""
    return WorkerList(items=run_read(database, lambda session: operations.list_workers(session, principal)))
