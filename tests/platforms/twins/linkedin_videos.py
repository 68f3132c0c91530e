"""LinkedIn's Videos API (learn.microsoft.com/linkedin, Community Management, Videos API): parts of 4 MB with an ETag
each, `finalizeUpload` in their order, then PROCESSING until AVAILABLE."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from aiohttp import web

if TYPE_CHECKING:
    from tests.platforms.twins.linkedin import LinkedInTwin

PART_BYTES = 4_194_304
_INITIALIZE = {"owner", "fileSizeBytes", "uploadCaptions", "uploadThumbnail"}


class LinkedInVideos:
    def __init__(self, network: LinkedInTwin, *, polls: int = 2) -> None:
        self._network = network
        self._polls = polls
        self.videos: dict[str, dict[str, Any]] = {}
        self._ids = itertools.count(8_400_000_000_000_000_001)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/rest/videos", self._act),
            web.get("/rest/videos/{urn}", self._show),
            web.put("/dms-uploads/video/{id}/{part}", self._put),
        ]

    async def _act(self, request: web.Request) -> web.Response:
        body = await request.json()
        act = request.query.get("action", "")
        asked = body.get(f"{act}Request", {})
        owner = asked.get("owner") or self.videos.get(asked.get("video", ""), {}).get("owner", "")
        is_page = str(owner).startswith("urn:li:organization:")
        if refused := self._network.refused(
            request, "w_organization_social" if is_page else "w_member_social"
        ):
            return refused
        if act == "initializeUpload" and set(asked) == _INITIALIZE:
            return self._begin(asked)
        if act == "finalizeUpload" and set(asked) == {"video", "uploadToken", "uploadedPartIds"}:
            return self._finish(asked)
        return web.json_response(
            {"status": 400, "message": "Unpermitted fields", "code": "BAD_REQUEST"}, status=400
        )

    def _begin(self, asked: dict[str, Any]) -> web.Response:
        number, size = str(next(self._ids)), int(asked["fileSizeBytes"])
        urn = f"urn:li:video:{number}"
        parts = range(0, size, PART_BYTES)
        self.videos[urn] = {
            "owner": asked["owner"],
            "size": size,
            "parts": {},
            "status": "WAITING_UPLOAD",
            "polls": 0,
        }
        instructions = [
            {
                "uploadUrl": f"{self._network.url}/dms-uploads/video/{number}/{index}",
                "firstByte": start,
                "lastByte": min(start + PART_BYTES, size) - 1,
            }
            for index, start in enumerate(parts)
        ]
        value = {"video": urn, "uploadToken": "", "uploadInstructions": instructions, "uploadUrlsExpireAt": 1}
        return web.json_response({"value": value})

    async def _put(self, request: web.Request) -> web.Response:
        if "Authorization" in request.headers or request.content_type != "application/octet-stream":
            return web.Response(status=400)
        video = self.videos[f"urn:li:video:{request.match_info['id']}"]
        part = int(request.match_info["part"])
        video["parts"][part] = await request.read()
        return web.Response(status=200, headers={"ETag": f"/ambry-video/signedId/{part}"})

    def _finish(self, asked: dict[str, Any]) -> web.Response:
        video = self.videos[asked["video"]]
        wanted = [f"/ambry-video/signedId/{part}" for part in sorted(video["parts"])]
        content = b"".join(video["parts"][part] for part in sorted(video["parts"]))
        if asked["uploadedPartIds"] != wanted or len(content) != video["size"]:
            body = {"status": 400, "message": "The uploaded parts are not complete", "code": "BAD_REQUEST"}
            return web.json_response(body, status=400)
        video |= {"content": content, "status": "PROCESSING"}
        return web.Response(status=200)

    async def _show(self, request: web.Request) -> web.Response:
        urn = unquote(request.match_info["urn"])
        video = self.videos[urn]
        video["polls"] += 1
        if video["status"] == "PROCESSING" and video["polls"] >= self._polls:
            video["status"] = "AVAILABLE"
        shown = {"id": urn, "owner": video["owner"], "status": video["status"]}
        return web.json_response(shown)
