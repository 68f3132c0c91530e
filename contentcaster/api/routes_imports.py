"""Posts from a CSV file, and posts as a file."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read, run_write
from contentcaster.services import csv_import, csv_tables, post_export
from contentcaster.services.csv_import import ImportReport, ImportView
from contentcaster.services.csv_plan import Choices
from contentcaster.services.post_queries import list_posts
from contentcaster.services.views import BulkResult

router = APIRouter(tags=["import and export"])


class ChoicesIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"columns": {"0": "text", "1": "channels"}, "timezone": "Europe/Berlin"}]
        },
    )

    columns: dict[str, str] = Field(
        description=f"Column number, from 0 on -> one of: {', '.join(csv_tables.FIELD_NAMES)}."
    )
    account_ids: list[str] = Field(
        default_factory=list, max_length=50, description="For rows that name no channel."
    )
    timezone: str = Field(default="UTC", max_length=64)
    without_time: Literal["draft", "queue", "refuse"] = "draft"
    date_order: Literal["", "dmy", "mdy"] = Field(default="", description="Of dates such as 3/4/2026.")


@router.post("/imports", status_code=201)
def upload(
    file: UploadFile, principal: CurrentPrincipal, database: DatabaseDep, response: Response
) -> ImportView:
    """Keep a CSV file (UTF-8, UTF-16 or Windows-1252; comma, semicolon, tab or bar) and guess its columns."""
    content = file.file.read(csv_tables.MAX_BYTES + 1)
    view = run_write(
        database,
        lambda session: csv_import.store(session, principal, filename=file.filename or "", content=content),
    )
    response.headers["Location"] = f"/api/v1/imports/{view.id}"
    return view


@router.get("/imports/{import_id}")
def get_import(import_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> ImportView:
    """An upload of your own."""
    return run_read(database, lambda session: csv_import.get_import(session, principal, import_id))


@router.put("/imports/{import_id}/choices")
def set_choices(
    import_id: str, body: ChoicesIn, principal: CurrentPrincipal, database: DatabaseDep
) -> ImportView:
    """Say which column is what."""
    choices = Choices(**body.model_dump())
    return run_write(database, lambda session: csv_import.set_choices(session, principal, import_id, choices))


@router.post("/imports/{import_id}/check")
def check(import_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> ImportReport:
    """The dry run: what would become of every row. Makes nothing."""
    return run_read(database, lambda session: csv_import.check(session, principal, import_id))


@router.post("/imports/{import_id}/run")
def run_import(import_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> ImportView:
    """Make a post of every row, or of none."""
    return run_write(database, lambda session: csv_import.run_import(session, principal, import_id))


@router.post("/imports/{import_id}/undo")
def undo_import(import_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> BulkResult:
    """Delete the posts of an import that have not begun to go out."""
    return csv_import.undo_import(database, principal, import_id)


@router.get("/posts/export", response_class=StreamingResponse)
def export_posts(
    principal: CurrentPrincipal,
    database: DatabaseDep,
    format: Annotated[Literal["csv", "json"], Query()] = "csv",
    status: Annotated[list[str] | None, Query(description="Once or several times.")] = None,
    search: Annotated[str, Query(max_length=200)] = "",
) -> StreamingResponse:
    """Posts you may see, newest first, as a file. No cell is a formula; the CSV can be imported again."""
    # What is not allowed or unknown answers as such, before a file has begun.
    run_read(database, lambda session: list_posts(session, principal, status=status or (), limit=1))
    write = post_export.export_csv if format == "csv" else post_export.export_json
    return StreamingResponse(
        write(database, principal, status=status or (), search=search),
        media_type="text/csv; charset=utf-8" if format == "csv" else "application/json",
        headers={"Content-Disposition": f'attachment; filename="posts.{format}"'},
    )
