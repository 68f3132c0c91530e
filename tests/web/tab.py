"""A websocket client that can send what no page would."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any

import socketio

NAMESPACE = "/_event"
ANSWER_SECONDS = 10.0


class Tab:
    """One tab: sends events by name and collects what the server sends."""

    def __init__(self, client: socketio.AsyncClient, token: str) -> None:
        self.token = token
        self._client = client
        self._updates: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.received: list[dict[str, Any]] = []

    @property
    def port(self) -> int:
        """Of this end of its connection: by it a process that holds the other end is told from another."""
        return int(self._client.eio.ws.get_extra_info("sockname")[1])

    async def send(self, name: str, payload: dict[str, Any] | None = None, *, path: str = "/sign-in") -> None:
        event = {
            "name": name,
            "payload": payload or {},
            "router_data": {"pathname": path, "asPath": path, "query": {}},
            "token": self.token,
        }
        await self._client.emit("event", event, namespace=NAMESPACE)

    async def answer(self) -> dict[str, Any]:
        """The next update."""
        return await asyncio.wait_for(self._updates.get(), ANSWER_SECONDS)

    async def ask(
        self, name: str, payload: dict[str, Any] | None = None, *, path: str = "/sign-in"
    ) -> dict[str, Any]:
        await self.send(name, payload, path=path)
        return await self.answer()

    async def hydrate(self, path: str = "/sign-in") -> dict[str, Any]:
        """Ask for the whole state of this tab; the delta with it."""
        await self.send("reflex___state____state.hydrate_and_load", {}, path=path)
        while True:
            update = await self.answer()
            if "reflex___state____state" in (update.get("delta") or {}):
                return update["delta"]

    async def quiet(self) -> None:
        """Drop what arrives until nothing has for a moment."""
        while True:
            try:
                await asyncio.wait_for(self._updates.get(), 0.3)
            except TimeoutError:
                return

    def _take(self, data: Any) -> None:
        update = json.loads(data) if isinstance(data, str) else data
        self.received.append(update)
        self._updates.put_nowait(update)


@asynccontextmanager
async def open_tab(url: str, *, cookie: str = "", token: str = "", origin: str = "") -> AsyncIterator[Tab]:
    """Connect as a browser with this Cookie header would."""
    client = socketio.AsyncClient(reconnection=False)
    tab = Tab(client, token or secrets.token_hex(16))
    client.on("event", tab._take, namespace=NAMESPACE)
    headers = {"Origin": origin or url} | ({"Cookie": cookie} if cookie else {})
    await client.connect(
        f"{url}?token={tab.token}",
        headers=headers,
        transports=["websocket"],
        socketio_path="/_event",
        namespaces=[NAMESPACE],
        wait_timeout=10,
    )
    try:
        yield tab
    finally:
        await client.disconnect()


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end, in a thread: Playwright keeps an event loop in the main one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(copy_context().run, asyncio.run, scenario).result()
