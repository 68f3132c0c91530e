"""Pictures and videos: upload, library, and their files for the console (by cookie) and for programs (by token)."""

from __future__ import annotations

import threading
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from contentcaster.api.deps import CurrentPrincipal, DatabaseDep, run_read, run_write
from contentcaster.services import media, media_crop, media_video
from contentcaster.services.images import CropBox
from contentcaster.services.videos import looks_like_video
from contentcaster.services.views import MediaView

router = APIRouter(prefix="/media", tags=["media"])
browser_router = APIRouter(prefix="/media", include_in_schema=False)
"""The same files at /media, where the console's pages look for them."""

# Others wait on disk: many big files at once must not fill the memory.
_uploads_in_memory = threading.BoundedSemaphore(4)
_videos_in_progress = threading.BoundedSemaphore(2)

Size = Annotated[Literal["thumb", "full"], Query()]


class MediaPage(BaseModel):
    items: list[MediaView]
    next_cursor: str = Field(description="Send it as `cursor` for the next page; empty on the last one.")


class MediaPatch(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"alt": "A cat on a keyboard."}]}
    )

    alt: str = ""


class Crop(BaseModel):
    """Shares of the picture's width and height, from its upper left corner."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"left": 0.1, "top": 0, "width": 0.8, "height": 1}]},
    )

    left: float
    top: float
    width: float
    height: float


@router.post("", status_code=201)
def upload(
    file: UploadFile,
    principal: CurrentPrincipal,
    database: DatabaseDep,
    response: Response,
    alt: Annotated[str, Form(description="What it shows, for people who cannot see it.")] = "",
    poster: Annotated[
        UploadFile | None, File(description="A picture that stands for a video; drawn if absent.")
    ] = None,
) -> MediaView:
    """Keep a picture or a video.

    JPEG, PNG, WebP and still GIF pictures are re-encoded and their metadata dropped. MP4, QuickTime and WebM videos are
    kept as they are, but for what they tell of place, time and device, which is overwritten.
    """
    head = file.file.read(64)
    file.file.seek(0)
    if looks_like_video(head):
        with _videos_in_progress:
            picture = poster.file.read(database.settings.max_upload_mb * 1_000_000 + 1) if poster else None
            view = media_video.store_video(
                database, principal, filename=file.filename or "", source=file.file, alt=alt, poster=picture
            )
        response.headers["Location"] = f"/api/v1/media/{view.id}"
        return view
    with _uploads_in_memory:
        # One byte more than allowed is enough to know that it is too big.
        content = file.file.read(database.settings.max_upload_mb * 1_000_000 + 1)
        view = media.store_upload(database, principal, filename=file.filename or "", content=content, alt=alt)
    response.headers["Location"] = f"/api/v1/media/{view.id}"
    return view


@router.get("")
def list_media(
    principal: CurrentPrincipal,
    database: DatabaseDep,
    search: Annotated[str, Query(max_length=200)] = "",
    cursor: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 60,
) -> MediaPage:
    """Your pictures and videos, or everybody's for admins and monitors; newest first."""
    page = run_read(
        database, lambda s: media.list_media(s, principal, cursor=cursor, limit=limit, search=search)
    )
    return MediaPage(items=page.items, next_cursor=page.next_cursor)


@router.get("/{media_id}")
def get_media(media_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> MediaView:
    """One picture's description; its file is at `/media/{id}/file`."""
    return run_read(database, lambda session: media.get_media(session, principal, media_id))


@router.patch("/{media_id}")
def patch_media(
    media_id: str, body: MediaPatch, principal: CurrentPrincipal, database: DatabaseDep
) -> MediaView:
    """Change its alt text; posts keep the one they were written with."""
    return run_write(database, lambda session: media.set_alt_text(session, principal, media_id, body.alt))


@router.post("/{media_id}/crop", status_code=201)
def crop(media_id: str, body: Crop, principal: CurrentPrincipal, database: DatabaseDep) -> MediaView:
    """A new picture that shows a part of this one, which stays as it is."""
    box = CropBox(body.left, body.top, body.width, body.height)
    with _uploads_in_memory:
        return media_crop.crop_media(database, principal, media_id, box)


@router.delete("/{media_id}", status_code=204)
def delete_media(media_id: str, principal: CurrentPrincipal, database: DatabaseDep) -> Response:
    """Take it out of the library."""
    run_write(database, lambda session: media.delete_media(session, principal, media_id))
    return Response(status_code=204)


@router.get("/{media_id}/file", response_class=FileResponse)
@browser_router.get("/{media_id}/file", response_class=FileResponse)
def get_file(
    media_id: str, request: Request, principal: CurrentPrincipal, database: DatabaseDep, size: Size = "full"
) -> Response:
    """The file itself (in parts, if asked with Range), or its thumbnail (at most 480 px wide and high, WebP)."""
    found = run_read(database, lambda session: media.open_file(session, principal, media_id, size))
    # Private: a shared cache must not show it to others. A file never changes under its id.
    headers = {"ETag": found.etag, "Cache-Control": "private, max-age=3600"}
    if found.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    headers["Content-Disposition"] = f"inline; filename*=UTF-8''{quote(found.filename)}"
    return FileResponse(found.path, media_type=found.mime_type, headers=headers)
