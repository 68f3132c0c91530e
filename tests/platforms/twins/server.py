"""Runs a twin on a thread of its own, so that synchronous tests can look into it."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web


@dataclass
class Recorded:
    """One request as the twin saw it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Twin:
    """A server on a free loopback port; subclasses add routes. `answers` holds answers to give instead, once each."""

    def __init__(self) -> None:
        self.requests: list[Recorded] = []
        self.overrides: list[tuple[str, int, Any, dict[str, str]]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.AppRunner
        self.url = ""

    def routes(self) -> list[web.RouteDef]:
        raise NotImplementedError

    def override(self, path_end: str, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        """Answer the next request whose path ends so with this, and do nothing."""
        self.overrides.append((path_end, status, body, headers or {}))

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(20)
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application(middlewares=[self._record], client_max_size=60_000_000)
        app.add_routes(self.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"

    @web.middleware
    async def _record(self, request: web.Request, handler: Any) -> web.StreamResponse:
        # A form can be read only once, and that is for its handler to do.
        body = b"" if request.content_type == "multipart/form-data" else await request.read()
        self.requests.append(
            Recorded(
                request.method, request.rel_url.raw_path, dict(request.query), dict(request.headers), body
            )
        )
        for override in self.overrides:
            path_end, status, answer, headers = override
            if request.path.endswith(path_end):
                self.overrides.remove(override)
                text = answer if isinstance(answer, str) else json.dumps(answer)
                return web.Response(status=status, text=text, headers=headers)
        response: web.StreamResponse = await handler(request)
        return response
