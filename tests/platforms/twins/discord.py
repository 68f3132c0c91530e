"""Discord's webhook calls by its OpenAPI description of API v10."""

from __future__ import annotations

import itertools
import json
from typing import Any

from aiohttp import web

from tests.platforms.twins.server import Twin

ID, TOKEN = "1122334455", "webhook-token-that-is-a-secret"
FIELDS = {
    "content",
    "allowed_mentions",
    "attachments",
    "embeds",
    "username",
    "avatar_url",
    "tts",
    "flags",
    "poll",
}


class DiscordTwin(Twin):
    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[str, dict[str, Any]] = {}
        self._ids = itertools.count(900)
        self.path = f"/api/webhooks/{ID}/{TOKEN}"

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(self.path, self._get),
            web.post(self.path, self._execute),
            web.delete(self.path + "/messages/{id}", self._delete),
            web.route("*", "/api/webhooks/{rest:.*}", self._unknown),
        ]

    async def _get(self, request: web.Request) -> web.Response:
        webhook = {"id": ID, "type": 1, "name": "News", "channel_id": "77", "guild_id": "88", "application_id": None,
                   "avatar": None, "token": TOKEN}  # fmt: skip
        return web.json_response(webhook)

    async def _execute(self, request: web.Request) -> web.Response:
        files = []
        if request.content_type == "multipart/form-data":
            form = await request.post()
            payload = json.loads(str(form["payload_json"]))
            files = [name for name in form if name.startswith("files[")]
        else:
            payload = await request.json()
        content = payload.get("content") or ""
        if set(payload) - FIELDS or (not content and not files):
            return _error(400, 50006, "Cannot send an empty message")
        if len(content) > 2000:
            return _error(400, 50035, "Invalid Form Body")
        if len(payload.get("attachments", [])) != len(files):
            return _error(400, 50035, "Invalid Form Body")
        message = {"id": str(next(self._ids)), "channel_id": "77", "content": content, "type": 0}
        self.messages[message["id"]] = message | {"payload": payload, "files": files}
        if request.query.get("wait") != "true":
            return web.Response(status=204)
        return web.json_response(message)

    async def _delete(self, request: web.Request) -> web.Response:
        if self.messages.pop(request.match_info["id"], None) is None:
            return _error(404, 10008, "Unknown Message")
        return web.Response(status=204)

    async def _unknown(self, request: web.Request) -> web.Response:
        return _error(404, 10015, "Unknown Webhook")

    def visible(self, text: str) -> list[str]:
        return [message["id"] for message in self.messages.values() if message["content"] == text]


def _error(status: int, code: int, message: str) -> web.Response:
    return web.json_response({"message": message, "code": code}, status=status)
