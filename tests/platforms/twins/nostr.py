"""A Nostr relay by NIP-01 and NIP-09 (github.com/nostr-protocol/nips); it checks ids and signatures itself."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from aiohttp import WSMsgType, web
from coincurve import PublicKeyXOnly

from tests.platforms.twins.server import Twin


class RelayTwin(Twin):
    """`fault`: what happens to the next EVENT: drop_before, drop_after, silent, nonsense, or an OK-false reason."""

    def __init__(self) -> None:
        super().__init__()
        self.events: dict[str, dict[str, Any]] = {}
        self.received = 0
        self.fault = ""

    @property
    def relay(self) -> str:
        return self.url.replace("http://", "ws://")

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/", self._serve)]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(heartbeat=20)
        await socket.prepare(request)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            parts = json.loads(message.data)
            if parts[0] == "REQ":
                for event in self._matching(parts[2]):
                    await socket.send_str(json.dumps(["EVENT", parts[1], event]))
                await socket.send_str(json.dumps(["EOSE", parts[1]]))
            elif parts[0] == "EVENT" and not await self._take(request, socket, parts[1]):
                break
        return socket

    async def _take(self, request: web.Request, socket: web.WebSocketResponse, event: dict[str, Any]) -> bool:
        self.received += 1
        fault, self.fault = self.fault, ""
        transport = request.transport
        assert transport is not None
        if fault == "drop_before":
            transport.abort()
            return False
        if fault.startswith(("blocked", "rate-limited", "invalid", "error")):
            await socket.send_str(json.dumps(["OK", event["id"], False, fault]))
            return True
        verdict = self._store(event)
        if fault == "drop_after":
            transport.abort()
            return False
        if fault == "nonsense":
            await socket.send_str("{not json")
            await socket.send_str(json.dumps(["OK", "0" * 64, True, ""]))
        if fault not in ("silent", "nonsense"):
            await socket.send_str(json.dumps(["OK", event["id"], *verdict]))
        return True

    def _store(self, event: dict[str, Any]) -> tuple[bool, str]:
        if event["id"] in self.events:
            return False, "duplicate: exists"
        fields = [0, event["pubkey"], event["created_at"], event["kind"], event["tags"], event["content"]]
        canonical = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
        if hashlib.sha256(canonical).hexdigest() != event["id"]:
            return False, "invalid: wrong id"
        key = PublicKeyXOnly(bytes.fromhex(event["pubkey"]))
        if not key.verify(bytes.fromhex(event["sig"]), bytes.fromhex(event["id"])):
            return False, "invalid: wrong signature"
        self.events[event["id"]] = event
        if event["kind"] == 5:
            for name, value in (tag[:2] for tag in event["tags"]):
                if name == "e" and self.events.get(value, {}).get("pubkey") == event["pubkey"]:
                    del self.events[value]
        return True, ""

    def _matching(self, question: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            event
            for event in self.events.values()
            if event["id"] in question.get("ids", [event["id"]])
            and event["kind"] in question.get("kinds", [event["kind"]])
            and event["pubkey"] in question.get("authors", [event["pubkey"]])
        ]

    def visible(self, text: str) -> list[str]:
        return [
            event["id"] for event in self.events.values() if event["kind"] == 1 and event["content"] == text
        ]
