"""Videos on LinkedIn, by its Videos API (learn.microsoft.com/linkedin, Community Management, Videos API).

`initializeUpload` tells the parts to PUT and where; each answers with an ETag; `finalizeUpload` takes these in order;
then the video's status goes from PROCESSING to AVAILABLE. MP4, 75 kB to 500 MB, 3 seconds to 30 minutes. There is no
alt text for videos.
"""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from contentcaster.platforms import linkedin_api as api
from contentcaster.platforms.base import Channel, OutgoingMedia, Rejected, TemporarilyRejected
from contentcaster.platforms.calls import about, json_object, send
from contentcaster.platforms.uploads import upload_seconds
from contentcaster.security.egress import EgressResponse
from contentcaster.security.egress_body import FileBody, FileSlice

_PROCESSING_SECONDS = 900.0
_MIN_BYTES = 75_000


async def upload(media: OutgoingMedia, channel: Channel, uploaded: dict[str, Any]) -> None:
    """Upload a video and wait until it can be posted; `uploaded[media_id]` becomes {"id", "is_ready"}."""
    size = media.path.stat().st_size
    if size < _MIN_BYTES:
        raise Rejected("LinkedIn takes no videos below 75 kB.")
    kept = uploaded.get(media.media_id)
    if kept is None or "is_final" not in kept:
        started = await api.call(
            channel,
            "POST",
            "/rest/videos?action=initializeUpload",
            json={
                "initializeUploadRequest": {
                    "owner": channel.credentials["author"],
                    "fileSizeBytes": size,
                    "uploadCaptions": False,
                    "uploadThumbnail": False,
                }
            },
        )
        video, token, parts = _instructions(started, size)
        tags = [await _put(media, channel, url, first, last) for url, first, last in parts]
        finished = await api.call(
            channel,
            "POST",
            "/rest/videos?action=finalizeUpload",
            json={"finalizeUploadRequest": {"video": video, "uploadToken": token, "uploadedPartIds": tags}},
        )
        if not finished.is_success:
            raise api.refusal(finished)
        kept = uploaded[media.media_id] = {"id": video, "is_final": True}
    if not kept.get("is_ready"):
        try:
            await _await_processing(kept["id"], channel)
        except Rejected:
            del uploaded[media.media_id]  # a new try begins anew
            raise
        kept["is_ready"] = True


def _instructions(response: EgressResponse, size: int) -> tuple[str, str, list[tuple[str, int, int]]]:
    """The video's URN, the upload token, and where each piece of the file goes."""
    value = json_object(response).get("value")
    value = value if isinstance(value, dict) else {}
    video, token, told = value.get("video"), value.get("uploadToken", ""), value.get("uploadInstructions")
    if not response.is_success or not isinstance(video, str) or not isinstance(told, list) or not told:
        raise api.refusal(response)
    parts: list[tuple[str, int, int]] = []
    for item in told:
        url, first, last = (
            (item.get("uploadUrl"), item.get("firstByte"), item.get("lastByte"))
            if isinstance(item, dict)
            else (None, None, None)
        )
        if not isinstance(url, str) or not isinstance(first, int) or not isinstance(last, int):
            raise api.refusal(response)
        parts.append((url, first, last))
    is_whole = parts[0][1] == 0 and parts[-1][2] == size - 1
    if not is_whole or any(b[1] != a[2] + 1 for a, b in pairwise(parts)):
        raise TemporarilyRejected("LinkedIn asked for other pieces than this video has.", **about(response))
    return video, str(token or ""), parts


async def _put(media: OutgoingMedia, channel: Channel, url: str, first: int, last: int) -> str:
    """One piece; its ETag."""
    if not api.may_send_token_to(url, channel.credentials["api_url"]):
        raise Rejected("LinkedIn named an upload address that is not its own; the video was not sent.")
    length = last - first + 1
    put = await send(
        channel.client,
        "PUT",
        url,
        headers={"Content-Type": "application/octet-stream"},
        content=FileBody(FileSlice(media.path, first, length)),
        deadline_seconds=upload_seconds(length),
    )
    tag = put.headers.get("etag", "").strip()
    if not put.is_success or not tag:
        raise api.refusal(put)
    return tag.strip('"')


async def _await_processing(video: str, channel: Channel) -> None:
    wait, deadline = 0.2, asyncio.get_running_loop().time() + _PROCESSING_SECONDS
    while True:
        response = await api.call(channel, "GET", f"/rest/videos/{quote(video, safe='')}")
        status = json_object(response).get("status")
        if not response.is_success or not isinstance(status, str):
            raise api.reading_failed(response)
        if status == "AVAILABLE":
            return
        if status == "PROCESSING_FAILED":
            raise Rejected("LinkedIn could not process the video. Export it again as MP4.", **about(response))
        if asyncio.get_running_loop().time() > deadline:
            raise TemporarilyRejected("LinkedIn is still processing the video.", **about(response))
        await asyncio.sleep(wait)
        wait = min(wait * 1.5, 5.0)
