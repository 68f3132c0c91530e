"""An HTTP proxy in front of a network that breaks one publish on purpose, and remembers that it did."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from tests.platforms.raw_server import Exchange, raw_server

FAULTS = (
    "drop_request",
    "drop_answer",
    "error_before",
    "error_after",
    "slow_body",
    "hang",
    "html_after",
    "empty_after",
    "half_json_after",
    "huge_after",
    "reset_reused",
)
REACHES_THE_NETWORK = {f: f not in ("drop_request", "error_before", "reset_reused") for f in FAULTS}
_HOP_HEADERS = ("connection", "transfer-encoding", "content-length", "keep-alive", "content-encoding")


@dataclass
class FaultProxy:
    url: str
    host: str
    upstream: str
    is_publish: Callable[[str, str], bool]
    """method, path -> whether this is the irreversible call."""
    fault: str = ""
    applied: int = 0
    publishes: int = 0
    forwarded: int = 0
    hostile: Callable[[Exchange], Awaitable[None]] | None = None
    """Answers everything from now on."""


@asynccontextmanager
async def fault_proxy(upstream: str, is_publish: Callable[[str, str], bool]) -> AsyncIterator[FaultProxy]:
    """Everything passes but the next publish after `proxy.fault` was set, which meets that fault once."""
    upstream_host = urlsplit(upstream).netloc
    async with httpx.AsyncClient(base_url=upstream, timeout=30, trust_env=False) as http:

        async def serve(exchange: Exchange) -> None:
            method = exchange.head.split(b" ", 1)[0].decode()
            fault = ""
            if proxy.hostile is not None:
                await proxy.hostile(exchange)
                return
            if proxy.is_publish(method, exchange.path):
                proxy.publishes += 1
                if proxy.fault and (proxy.fault != "reset_reused" or exchange.number > 1):
                    fault, proxy.fault = proxy.fault, ""
                    proxy.applied += 1
            if not REACHES_THE_NETWORK.get(fault, True):
                await _refuse(exchange, fault)
                return
            if proxy.is_publish(method, exchange.path):
                proxy.forwarded += 1
            await _spoil(exchange, await forward(method, exchange), fault)

        async def forward(method: str, exchange: Exchange) -> tuple[int, httpx.Headers, bytes]:
            lines = exchange.head.decode("latin-1").split("\r\n")[1:]
            headers = [tuple(line.split(": ", 1)) for line in lines if ": " in line]
            kept = [(k, v) for k, v in headers if k.lower() not in ("host", "content-length", "connection")]
            answer = await http.request(method, exchange.path, headers=kept, content=exchange.body)
            # Servers name themselves in what they answer; here they are known by the proxy's address.
            body = answer.content.replace(upstream_host.encode(), proxy.host.encode())
            return answer.status_code, answer.headers, body

        async with raw_server(serve) as server:
            proxy = FaultProxy(server.url, server.host, upstream, is_publish)
            yield proxy


async def _refuse(exchange: Exchange, fault: str) -> None:
    if fault == "error_before":
        await exchange.send(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nbad")
    else:
        exchange.reset()


async def _spoil(exchange: Exchange, answer: tuple[int, httpx.Headers, bytes], fault: str) -> None:
    status, headers, body = answer
    if fault == "drop_answer":
        exchange.reset()
    elif fault == "hang":
        await asyncio.sleep(30)
    elif fault == "error_after":
        await exchange.send(b"HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n"
                            b'{"error":"x"}')  # fmt: skip
    elif fault == "html_after":
        page = b"<html><body>Welcome</body></html>"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\n\r\n"
        await exchange.send(head.encode() + page)
    elif fault == "empty_after":
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    elif fault == "half_json_after":
        half = body[: len(body) // 2]
        await exchange.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(half)}\r\n\r\n".encode() + half)
    elif fault == "huge_after":
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        for _ in range(100):
            await exchange.send(b" " * 1_000_000)
        exchange.writer.close()
    else:
        lines = [f"{k}: {v}" for k, v in headers.multi_items() if k.lower() not in _HOP_HEADERS]
        head = "\r\n".join([f"HTTP/1.1 {status} X", *lines, f"Content-Length: {len(body)}", "", ""])
        await exchange.send(head.encode("latin-1"))
        if fault == "slow_body":
            for byte in body:
                await exchange.send(bytes([byte]))
                await asyncio.sleep(max(0.05, 4 / len(body)))
        else:
            await exchange.send(body)
