"""Pictures and videos on X: upload in parts, alt text, waiting for X to process them (OpenAPI 2.167: /2/media).

An upload that was broken off goes on with the part it was at: `kept` holds the id and how much X has.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from contentcaster.platforms import x_api
from contentcaster.platforms.base import Channel, OutgoingMedia, Rejected, TemporarilyRejected
from contentcaster.platforms.calls import about, json_object
from contentcaster.platforms.uploads import read_slice, upload_seconds

_PROCESSING_SECONDS = 60.0
_VIDEO_PROCESSING_SECONDS = 900.0
_LASTS_SECONDS = 20 * 3600.0  # X keeps an upload for 24 hours
_CHUNK_BYTES = 1_000_000
_VIDEO_CHUNK_BYTES = 4_000_000  # at most 1,000 parts, and at most 5 MB each


def is_usable(kept: dict[str, Any] | None) -> bool:
    """Whether an earlier upload is complete and still kept by X."""
    return kept is not None and "sent_bytes" not in kept and _is_fresh(kept)


async def upload(media: OutgoingMedia, channel: Channel, uploaded: dict[str, Any]) -> None:
    """Upload in parts; `uploaded[media_id]` becomes {"id", "uploaded_at"}. Nobody sees what no post uses."""
    kept: dict[str, Any] | None = uploaded.get(media.media_id)
    is_resumed = kept is not None
    if kept is None or not _is_fresh(kept):
        kept = {"id": await _begin(media, channel), "uploaded_at": time.time(), "sent_bytes": 0}
        uploaded[media.media_id] = kept
    try:
        await _send_parts(media, channel, kept)
        await _finish(media, channel, kept)
    except Rejected:
        del uploaded[media.media_id]
        if not is_resumed:
            raise
        await upload(media, channel, uploaded)  # X does not know it any more: once from the start
        return
    del kept["sent_bytes"]


async def _begin(media: OutgoingMedia, channel: Channel) -> str:
    category = "tweet_video" if media.is_video else "tweet_image"
    started = await x_api.call(
        channel,
        "POST",
        "/2/media/upload/initialize",
        json={
            "media_type": media.mime_type,
            "total_bytes": media.path.stat().st_size,
            "media_category": category,
        },
    )
    return _id_of(started)


async def _send_parts(media: OutgoingMedia, channel: Channel, kept: dict[str, Any]) -> None:
    size, step = media.path.stat().st_size, _VIDEO_CHUNK_BYTES if media.is_video else _CHUNK_BYTES
    while kept["sent_bytes"] < size:
        start = kept["sent_bytes"]
        chunk = await read_slice(media.path, start, step)
        appended = await x_api.call(
            channel,
            "POST",
            f"/2/media/upload/{kept['id']}/append",
            data={"segment_index": str(start // step)},
            files={"media": (media.path.name, chunk, "application/octet-stream")},
            deadline_seconds=upload_seconds(len(chunk)),
        )
        if not appended.is_success:
            raise x_api.refusal(appended)
        kept["sent_bytes"] = start + len(chunk)


async def _finish(media: OutgoingMedia, channel: Channel, kept: dict[str, Any]) -> None:
    if not kept.get("is_finalized"):
        finished = await x_api.call(channel, "POST", f"/2/media/upload/{kept['id']}/finalize")
        _id_of(finished)
        kept["is_finalized"] = True
        processing = _processing(json_object(finished))
    else:
        processing = {"state": "pending", "check_after_secs": 0}
    await _await_processing(media, kept["id"], channel, processing)
    if media.alt and not media.is_video:
        described = await x_api.call(
            channel,
            "POST",
            "/2/media/metadata",
            json={"id": kept["id"], "metadata": {"alt_text": {"text": media.alt}}},
        )
        if not described.is_success:
            raise x_api.refusal(described)


async def _await_processing(
    media: OutgoingMedia, media_id: str, channel: Channel, processing: dict[str, Any]
) -> None:
    what = "video" if media.is_video else "picture"
    patience = _VIDEO_PROCESSING_SECONDS if media.is_video else _PROCESSING_SECONDS
    deadline = asyncio.get_running_loop().time() + patience
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
            raise TemporarilyRejected(f"X is still processing a {what}.", **about(response))
    if processing.get("state") == "failed":
        advice = "Export it again as MP4 with H.264." if media.is_video else "Save it again as JPEG or PNG."
        raise Rejected(f"X could not process a {what}. {advice}")


def _is_fresh(kept: dict[str, Any]) -> bool:
    return float(kept["uploaded_at"]) + _LASTS_SECONDS > time.time()


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
