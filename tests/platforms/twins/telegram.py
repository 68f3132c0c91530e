"""Telegram by the Bot API 10.1 (core.telegram.org/bots/api): {"ok": ..., "result": ...}, parameters checked by name."""

from __future__ import annotations

import itertools
import json
from typing import Any

from aiohttp import web

from tests.platforms.twins.server import Twin

TOKEN = "123456:AAtwin-token-of-a-bot-that-is-not"
CHAT = {"id": -1001234567890, "title": "Acme News", "username": "acme_news", "type": "channel"}
FIELDS = {
    "sendMessage": {"chat_id", "text", "reply_parameters"},
    "sendPhoto": {"chat_id", "photo", "caption", "reply_parameters"},
    "sendVideo": {
        "chat_id",
        "video",
        "caption",
        "duration",
        "width",
        "height",
        "supports_streaming",
        "reply_parameters",
    },
    "sendMediaGroup": {"chat_id", "media", "reply_parameters"},
    "getChat": {"chat_id"},
    "getMe": set(),
    "deleteMessages": {"chat_id", "message_ids"},
}


class TelegramTwin(Twin):
    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[int, dict[str, Any]] = {}
        self._ids = itertools.count(1)

    def routes(self) -> list[web.RouteDef]:
        return [web.route("*", "/bot{token}/{method}", self._call)]

    async def _call(self, request: web.Request) -> web.Response:
        if request.match_info["token"] != TOKEN:
            return _refuse(401, "Unauthorized")
        method = request.match_info["method"]
        if method not in FIELDS:
            return _refuse(404, "Not Found")
        fields, files = await _fields(request)
        unknown = set(fields) - FIELDS[method] - set(files)
        if unknown:
            return _refuse(400, f"Bad Request: unknown parameter {unknown}")
        if method == "getMe":
            return _ok({"id": 123456, "is_bot": True, "first_name": "Bot", "username": "acme_bot"})
        if str(fields.get("chat_id")) not in ("@acme_news", str(CHAT["id"])):
            return _refuse(400, "Bad Request: chat not found")
        if method == "getChat":
            return _ok(CHAT)
        if method == "deleteMessages":
            for message_id in fields["message_ids"]:
                self.messages.pop(message_id, None)
            return _ok(True)
        return self._post(method, fields, files)

    def _post(self, method: str, fields: dict[str, Any], files: dict[str, bytes]) -> web.Response:
        text = fields.get("text") or fields.get("caption") or ""
        group = fields.get("media") or []
        if group:
            if not 2 <= len(group) <= 10 or any(
                item["media"].removeprefix("attach://") not in files for item in group
            ):
                return _refuse(400, "Bad Request: wrong media")
            text = group[0].get("caption", "")
        if method == "sendVideo" and (
            b"ftyp" not in files.get("video", b"")[:12] or int(fields["duration"]) < 1
        ):
            return _refuse(400, "Bad Request: wrong file")
        limit = 4096 if method == "sendMessage" else 1024
        if len(text.encode("utf-16-le")) // 2 > limit or (method == "sendMessage" and not text):
            return _refuse(
                400, "Bad Request: message is too long" if text else "Bad Request: message text is empty"
            )
        reply = (fields.get("reply_parameters") or {}).get("message_id")
        if reply is not None and reply not in self.messages:
            return _refuse(400, "Bad Request: message to be replied not found")
        made = []
        for number in range(max(len(group), 1)):
            message = {"message_id": next(self._ids), "date": 1, "chat": CHAT}
            self.messages[message["message_id"]] = message | {
                "text": text if number == 0 else "",
                "reply": reply,
                "video": files.get("video"),
            }
            made.append(message)
        return _ok(made if group else made[0])

    def visible(self, text: str) -> list[str]:
        return [f"{CHAT['id']}/{m['message_id']}" for m in self.messages.values() if m["text"] == text]


async def _fields(request: web.Request) -> tuple[dict[str, Any], dict[str, bytes]]:
    if request.content_type != "multipart/form-data":
        return (await request.json() if request.body_exists else {}), {}
    fields: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            files[name] = value.file.read()
        elif name in ("media", "reply_parameters", "message_ids"):
            fields[name] = json.loads(str(value))
        else:
            fields[name] = value
    return fields, files


def _ok(result: Any) -> web.Response:
    return web.json_response({"ok": True, "result": result})


def _refuse(status: int, description: str) -> web.Response:
    return web.json_response({"ok": False, "error_code": status, "description": description}, status=status)
