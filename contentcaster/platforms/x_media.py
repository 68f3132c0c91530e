"""Pictures on X: upload, alt text, and waiting until X has processed them (OpenAPI 2.167: /2/media)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from contentcaster.platforms import x_api
from contentcaster.platforms.base import Channel, OutgoingMedia, Rejected, TemporarilyRejected
from contentcaster.platforms.calls import about, json_object

_UPLOAD_SECONDS = 60.0
_PROCESSING_SECONDS = 60.0
_LASTS_SECONDS = 20 * 3600.0  # X keeps an upload for 24 hours
_CHUNK_BYTES = 1_000_000


def is_usable(kept: dict[str, Any] | None) -> bool:
    """Whether an earlier upload is still kept by X."""
    return kept is not None and float(kept["uploaded_at"]) + _LASTS_SECONDS > time.time()


async def upload(media: OutgoingMedia, channel: Channel) -> dict[str, Any]:
    """Upload in chunks; {"id", "uploaded_at"}. Nobody sees an upload that no post uses."""
    content = await asyncio.to_thread(media.path.read_bytes)
    started = await x_api.call(
        channel,
        "POST",
        "/2/media/upload/initialize",
        json={"media_type": media.mime_type, "total_bytes": len(content), "media_category": "tweet_image"},
    )
    media_id = _id_of(started)
    for index, start in enumerate(range(0, len(content), _CHUNK_BYTES)):
        chunk = content[start : start + _CHUNK_BYTES]
        appended = await x_api.call(
            channel,
            "POST",
            f"/2/media/upload/{media_id}/append",
            data={"segment_index": str(index)},
            files={"media": (media.path.name, chunk, "application/octet-stream")},
            deadline_seconds=_UPLOAD_SECONDS,
        )
        if not appended.is_success:
            raise x_api.refusal(appended)
    finished = await x_api.call(channel, "POST", f"/2/media/upload/{media_id}/finalize")
    _id_of(finished)
    await _await_processing(media_id, channel, _processing(json_object(finished)))
    if media.alt:
        described = await x_api.call(
            channel,
            "POST",
            "/2/media/metadata",
            json={"id": media_id, "metadata": {"alt_text": {"text": media.alt}}},
        )
        if not described.is_success:
            raise x_api.refusal(described)
    return {"id": media_id, "uploaded_at": time.time()}


async def _await_processing(media_id: str, channel: Channel, processing: dict[str, Any]) -> None:
    deadline = asyncio.get_running_loop().time() + _PROCESSING_SECONDS
    while processing.get("state") in ("pending", "in_progress"):
        wait = processing.get("check_after_secs")
        await asyncio.sleep(min(max(float(wait), 0.1), 10.0) if isinstance(wait, int | float) else 1.0)
        response = await x_api.call(
            channel, "GET", "/2/media/upload", params={"media_id": media_id, "command": "STATUS"}
        )
        if not response.is_success:
            raise x_api.reading_failed(response)
        processing = _processing(json_object(response))
        if asyncio.get_running_loop().time() > deadline:
            raise TemporarilyRejected("X is still processing a picture.", **about(response))
    if processing.get("state") == "failed":
        raise Rejected("X could not process a picture. Save it again as JPEG or PNG.")


def _processing(body: dict[str, Any]) -> dict[str, Any]:
    data = body.get("data")
    info = data.get("processing_info") if isinstance(data, dict) else None
    return info if isinstance(info, dict) else {}


def _id_of(response: Any) -> str:
    data = json_object(response).get("data")
    media_id = data.get("id") if isinstance(data, dict) else None
    if response.is_success and isinstance(media_id, str) and media_id.isdigit():
        return media_id
    raise x_api.refusal(response)
