"""Failed tasks: what was given up and why; retried, resolved or let go (Admin acts, Monitor reads)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read, run_write
from contentcaster.services import failed_edit, failed_tasks
from contentcaster.services.views import (
    BulkResult,
    FailedGroupView,
    FailedTaskDetail,
    FailedTaskView,
)

router = APIRouter(prefix="/failed-tasks", tags=["failed tasks"])

TaskId = Annotated[int, Path(ge=1, le=2**63 - 1)]
GroupKey = Annotated[str, Path(max_length=120, description="`key` of GET /failed-tasks/groups.")]


class FailedTaskPage(BaseModel):
    items: list[FailedTaskView]
    next_cursor: str = Field(description="Send it as `cursor` for the next page; empty on the last one.")


class FailedGroupList(BaseModel):
    items: list[FailedGroupView]


class Resolution(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"remote_url": "https://mastodon.example/@acme/1"}]}
    )

    remote_url: str = Field(max_length=2000, description="Where the post is live.")
    remote_id: str = Field(default="", max_length=400)


class EditedText(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=100_000, description="What this channel gets instead.")


class TaskIds(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"ids": [17, 18]}]})

    ids: list[Annotated[int, Field(ge=1, le=2**63 - 1)]] = Field(max_length=1000)


@router.get("")
def list_failed_tasks(
    principal: CurrentPrincipal,
    database: DatabaseDep,
    is_open: Annotated[bool, Query(description="False: those settled already.")] = True,
    account_id: Annotated[str | None, Query(max_length=26)] = None,
    reason: Annotated[str, Query(max_length=40)] = "",
    cursor: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> FailedTaskPage:
    """Failed tasks, newest first."""
    page = run_read(
        database,
        lambda session: failed_tasks.list_failed_tasks(
            session,
            principal,
            is_open=is_open,
            cursor=cursor,
            limit=limit,
            account_id=account_id,
            reason=reason,
        ),
    )
    return FailedTaskPage(items=page.items, next_cursor=page.next_cursor)


@router.get("/groups")
def list_groups(principal: CurrentPrincipal, database: DatabaseDep) -> FailedGroupList:
    """Open failed tasks by cause."""
    return FailedGroupList(
        items=run_read(database, lambda session: failed_tasks.list_groups(session, principal))
    )


@router.post("/retry")
def retry_many(body: TaskIds, principal: CurrentPrincipal, database: DatabaseDep) -> BulkResult:
    """Send several again; those that may be live already are skipped."""
    return run_write(database, lambda session: failed_tasks.retry_tasks(session, principal, body.ids))


@router.post("/discard")
def discard_many(body: TaskIds, principal: CurrentPrincipal, database: DatabaseDep) -> BulkResult:
    """Let several go."""
    return run_write(database, lambda session: failed_tasks.discard_tasks(session, principal, body.ids))


@router.get("/{task_id}")
def get_failed_task(task_id: TaskId, principal: CurrentPrincipal, database: DatabaseDep) -> FailedTaskDetail:
    """One failed task with its attempts."""
    return run_read(database, lambda session: failed_tasks.get_failed_task(session, principal, task_id))


@router.post("/{task_id}/retry")
def retry_task(task_id: TaskId, principal: CurrentPrincipal, database: DatabaseDep) -> FailedTaskView:
    """Send it again."""
    return run_write(database, lambda session: failed_tasks.retry_task(session, principal, task_id))


@router.post("/{task_id}/edit-and-retry")
def edit_and_retry(
    task_id: TaskId, body: EditedText, principal: CurrentPrincipal, database: DatabaseDep
) -> FailedTaskView:
    """Send another text, to the one channel that failed."""
    return run_write(
        database, lambda session: failed_edit.edit_and_retry(session, principal, task_id, text=body.text)
    )


@router.post("/groups/{key}/retry")
def retry_group(key: GroupKey, principal: CurrentPrincipal, database: DatabaseDep) -> BulkResult:
    """Send everything again that failed for this cause, at most 1,000 at once; what may be live already is skipped."""
    return run_write(database, lambda session: failed_tasks.retry_group(session, principal, key))


@router.post("/groups/{key}/discard")
def discard_group(key: GroupKey, principal: CurrentPrincipal, database: DatabaseDep) -> BulkResult:
    """Let everything go that failed for this cause, at most 1,000 at once."""
    return run_write(database, lambda session: failed_tasks.discard_group(session, principal, key))


@router.post("/{task_id}/resolve")
def resolve_task(
    task_id: TaskId, body: Resolution, principal: CurrentPrincipal, database: DatabaseDep
) -> FailedTaskView:
    """It is live, here is the link."""
    return run_write(
        database,
        lambda session: failed_tasks.resolve_task(
            session, principal, task_id, remote_url=body.remote_url, remote_id=body.remote_id
        ),
    )


@router.post("/{task_id}/discard")
def discard_task(task_id: TaskId, principal: CurrentPrincipal, database: DatabaseDep) -> FailedTaskView:
    """Let it go: nothing more is sent."""
    return run_write(database, lambda session: failed_tasks.discard_task(session, principal, task_id))
