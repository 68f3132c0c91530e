"""Jobs of the ledger: what each post and act is to the workers (Admin and Monitor read)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read
from contentcaster.services import jobs
from contentcaster.services.jobs import JobDetail, JobRow

router = APIRouter(prefix="/jobs", tags=["queues and workers"])


class JobList(BaseModel):
    items: list[JobRow]


@router.get("")
def list_jobs(
    principal: CurrentPrincipal,
    database: DatabaseDep,
    queue: Annotated[str, Query(max_length=20)] = "",
    state: Annotated[
        str, Query(max_length=20, description="One state; all that are not at their end if empty.")
    ] = "",
    worker: Annotated[str, Query(max_length=80, description="`id` of GET /workers: what it holds now.")] = "",
    limit: Annotated[int, Query(ge=1, le=jobs.MAX_LISTED)] = 100,
) -> JobList:
    """Jobs by the time they are due."""
    rows = run_read(
        database,
        lambda session: jobs.list_jobs(
            session, principal, queue=queue, state=state, worker=worker, limit=limit
        ),
    )
    return JobList(items=rows)


@router.get("/{job_id}")
def get_job(
    job_id: Annotated[int, Path(ge=1, le=2**63 - 1)], principal: CurrentPrincipal, database: DatabaseDep
) -> JobDetail:
    """One job: lease, tries, events, hint and failed tasks."""
    return run_read(database, lambda session: jobs.get_job(session, principal, job_id))
