"""Receivers of webhooks: Slack's (docs.slack.dev, incoming webhooks) and one by Standard Webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

from aiohttp import web

from tests.platforms.twins.server import Twin

SLACK_PATH = "/services/T0AAAAAAA/B0BBBBBBB/verysecretpartofthepath"


class SlackTwin(Twin):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def routes(self) -> list[web.RouteDef]:
        return [web.post(SLACK_PATH, self._post), web.post("/services/{rest:.*}", self._unknown)]

    async def _post(self, request: web.Request) -> web.Response:
        text = (await request.json()).get("text")
        if not text:
            return web.Response(status=400, text="no_text")
        self.texts.append(text)
        return web.Response(text="ok")

    async def _unknown(self, request: web.Request) -> web.Response:
        return web.Response(status=404, text="no_service")


class WebhookTwin(Twin):
    secret = "whsec_" + base64.b64encode(b"a secret of 24 bytes....").decode()

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/hook", self._receive)]

    async def _receive(self, request: web.Request) -> web.Response:
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        names = ("webhook-id", "webhook-timestamp")
        signed = b".".join([*(request.headers[name].encode() for name in names), await request.read()])
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        if request.headers["webhook-signature"] != f"v1,{expected}":
            return web.Response(status=401)
        event = await request.json()
        if event["type"] != "ping":
            self.events.append(event | {"webhook-id": request.headers["webhook-id"]})
        return web.json_response({})
