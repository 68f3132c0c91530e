"""A Matrix homeserver by the client-server API v1.11 (spec.matrix.org), as far as posting needs it."""

from __future__ import annotations

import itertools
import time
from typing import Any

from aiohttp import web

from tests.platforms.twins.server import Twin

_API = "/_matrix/client/v3"


class MatrixTwin(Twin):
    def __init__(self) -> None:
        super().__init__()
        self.tokens = {"syt_good_token_1": "@bot:twin.test", "syt_good_token_2": "@bot:twin.test"}
        self.rooms: dict[str, list[dict[str, Any]]] = {"!room:twin.test": []}
        self.encrypted: set[str] = set()
        self.uploads: dict[str, bytes] = {}
        self._sent: dict[tuple[str, str], str] = {}
        self._ids = itertools.count(1)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{_API}/account/whoami", self._who),
            web.post(f"{_API}/join/{{room}}", self._join),
            web.get(f"{_API}/rooms/{{room}}/state/m.room.encryption", self._encryption),
            web.put(f"{_API}/rooms/{{room}}/send/m.room.message/{{txn}}", self._send),
            web.put(f"{_API}/rooms/{{room}}/redact/{{event}}/{{txn}}", self._redact),
            web.get(f"{_API}/rooms/{{room}}/messages", self._messages),
            web.post("/_matrix/media/v3/upload", self._upload),
        ]

    def _token(self, request: web.Request) -> str:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            raise _error(web.HTTPUnauthorized, "M_UNKNOWN_TOKEN", "Invalid access token passed.")
        return token

    def _room(self, request: web.Request) -> list[dict[str, Any]]:
        room = request.match_info["room"]
        if room not in self.rooms:
            raise _error(web.HTTPForbidden, "M_FORBIDDEN", f"User not in room {room}")
        return self.rooms[room]

    async def _who(self, request: web.Request) -> web.Response:
        return web.json_response({"user_id": self.tokens[self._token(request)], "device_id": "D"})

    async def _join(self, request: web.Request) -> web.Response:
        self._token(request)
        if request.match_info["room"] in ("#news:twin.test", "!room:twin.test"):
            return web.json_response({"room_id": "!room:twin.test"})
        raise _error(web.HTTPNotFound, "M_NOT_FOUND", "Room alias not found")

    async def _encryption(self, request: web.Request) -> web.Response:
        self._token(request)
        if request.match_info["room"] in self.encrypted:
            return web.json_response({"algorithm": "m.megolm.v1.aes-sha2"})
        raise _error(web.HTTPNotFound, "M_NOT_FOUND", "Event not found.")

    async def _send(self, request: web.Request) -> web.Response:
        token, room, txn = self._token(request), self._room(request), request.match_info["txn"]
        if (token, txn) not in self._sent:
            event_id = f"$event{next(self._ids)}"
            self._sent[(token, txn)] = event_id
            room.append(
                {
                    "event_id": event_id,
                    "type": "m.room.message",
                    "sender": self.tokens[token],
                    "origin_server_ts": int(time.time() * 1000),
                    "content": await request.json(),
                    "_token": token,
                    "_txn": txn,
                }
            )
        return web.json_response({"event_id": self._sent[(token, txn)]})

    async def _redact(self, request: web.Request) -> web.Response:
        self._token(request)
        for event in self._room(request):
            if event["event_id"] == request.match_info["event"]:
                event["content"] = {}
        return web.json_response({"event_id": f"$event{next(self._ids)}"})

    async def _messages(self, request: web.Request) -> web.Response:
        token, room = self._token(request), self._room(request)
        end = int(request.query.get("from", len(room)))
        start = max(0, end - int(request.query.get("limit", "10")))
        chunk = []
        for event in reversed(room[start:end]):
            shown = {key: value for key, value in event.items() if not key.startswith("_")}
            # Only the session that sent an event is told its transaction id.
            chunk.append(
                shown | {"unsigned": {"transaction_id": event["_txn"]} if event["_token"] == token else {}}
            )
        more = {"end": str(start)} if start else {}
        return web.json_response({"start": str(end), "chunk": chunk, **more})

    async def _upload(self, request: web.Request) -> web.Response:
        self._token(request)
        uri = f"mxc://twin.test/m{next(self._ids)}"
        self.uploads[uri] = await request.read()
        return web.json_response({"content_uri": uri})

    def visible(self, text: str) -> list[str]:
        return [
            event["event_id"]
            for room in self.rooms.values()
            for event in room
            if event["content"].get("body") == text
        ]


def _error(kind: type[web.HTTPException], code: str, message: str) -> web.HTTPException:
    return kind(text=f'{{"errcode": "{code}", "error": "{message}"}}', content_type="application/json")
