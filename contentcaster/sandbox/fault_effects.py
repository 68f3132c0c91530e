"""What a client sees of each fault kind, before and after the effect."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from email.utils import formatdate
from typing import Any

from aiohttp import web

from .errors import answer
from .faults import BEFORE, LATENCY, Fault
from .network import Network
from .things import Exchange, utc_iso


async def before(request: web.Request, exchange: Exchange, faults: list[Fault]) -> web.StreamResponse | None:
    """Apply what happens before the effect; a response means that nothing else is done."""
    for fault in faults:
        if fault.kind == "latency":
            await asyncio.sleep(fault.params.get("seconds", 1))
    for fault in faults:
        if fault.kind in BEFORE:
            return _before(request, exchange, fault)
    return None


def _before(request: web.Request, exchange: Exchange, fault: Fault) -> web.StreamResponse:
    xrpc = exchange.path.startswith("/xrpc/")
    if fault.kind == "rate_limit":
        return rate_limited(xrpc, fault.params.get("seconds", 2), fault.params.get("dialect", "retry-after"))
    if fault.kind == "error_before":
        return server_error(xrpc, int(fault.params.get("status", 503)), fault.params.get("retry_after"))
    if fault.kind == "malformed_before":
        return _broken_json(b'{"id":"1', 200)
    if fault.kind == "drop_before":
        return drop(request, exchange, reset=fault.params.get("reset", False))
    expired = fault.kind == "expired_token"
    if xrpc:
        message = "Token has expired" if expired else "Token has been revoked"
        return answer({"error": "ExpiredToken", "message": message}, 400)
    message = "The access token expired" if expired else "The access token was revoked"
    challenge = f'Bearer realm="Doorkeeper", error="invalid_token", error_description="{message}"'
    return answer({"error": message}, 401, {"WWW-Authenticate": challenge})


async def after(
    network: Network,
    request: web.Request,
    exchange: Exchange,
    response: web.StreamResponse,
    faults: list[Fault],
) -> web.StreamResponse:
    """Apply what happens once the effect is done."""
    for fault in faults:
        if fault.kind == "latency_after":
            await asyncio.sleep(fault.params.get("seconds", 1))
    for fault in faults:
        if fault.kind not in LATENCY and fault.kind not in BEFORE:
            return await _after(network, request, exchange, response, fault)
    return response


async def _after(
    network: Network, request: web.Request, exchange: Exchange, response: web.StreamResponse, fault: Fault
) -> web.StreamResponse:
    body = response.body if isinstance(response, web.Response) and isinstance(response.body, bytes) else b"{}"
    params = fault.params
    if fault.kind == "error_after":
        xrpc = exchange.path.startswith("/xrpc/")
        return server_error(xrpc, int(params.get("status", 500)), params.get("retry_after"))
    if fault.kind == "drop_after":
        return drop(request, exchange, reset=params.get("reset", True))
    if fault.kind == "malformed":
        return _broken_json(body[: max(1, len(body) * 2 // 3)], response.status)
    if fault.kind == "html":
        page = "<!doctype html><title>One moment</title><h1>We are checking your browser</h1>"
        return web.Response(text=params.get("body", page), content_type="text/html")
    if fault.kind == "wrong_shape":
        return answer(params.get("body", {"result": {"ok": True}}), response.status)
    if fault.kind == "drop_mid_body":
        return await _half(request, exchange, response.status, body)
    if fault.kind == "slow_body":
        return await _drip(request, response.status, body, params.get("seconds", 5))
    if fault.kind == "huge_body":
        return await _flood(request, params.get("bytes", 100_000_000))
    return await _hang(network, request, exchange, params.get("seconds"))


def rate_limited(xrpc: bool, seconds: float, dialect: str = "retry-after") -> web.Response:
    """429 in one of the header dialects that servers use."""
    reset = time.time() + seconds
    whole = max(1, round(seconds))
    headers = {
        "retry-after": {"Retry-After": str(whole)},
        "http-date": {"Retry-After": formatdate(reset, usegmt=True)},
        "x-ratelimit-iso": _trio("X-RateLimit", utc_iso(reset, 6)),
        "x-ratelimit-epoch": _trio("X-RateLimit", str(int(reset + 0.999))),
        "x-ratelimit-ms": _trio("X-RateLimit", str(int(reset * 1000))),
        "ratelimit": _trio("RateLimit", str(int(reset + 0.999))) | {"RateLimit-Policy": "3000;w=300"},
        "retry-after-ms": {"Retry-After-Ms": str(int(seconds * 1000))},
        "none": {},
    }[dialect]
    if xrpc:
        return answer({"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"}, 429, headers)
    return answer({"error": "Too many requests"}, 429, headers)


def _trio(prefix: str, reset: str) -> dict[str, str]:
    return {f"{prefix}-Limit": "300", f"{prefix}-Remaining": "0", f"{prefix}-Reset": reset}


def server_error(xrpc: bool, status: int, retry_after: Any = None) -> web.Response:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    if xrpc:
        name = "InternalServerError" if status == 500 else "UpstreamFailure"
        return answer({"error": name, "message": "Internal Server Error"}, status, headers)
    if status == 500:
        return answer({"error": "500 Internal Server Error"}, status, headers)
    page = f"<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center></body></html>"
    return web.Response(text=page, status=status, content_type="text/html", headers=headers)


def drop(request: web.Request, exchange: Exchange, reset: bool) -> web.StreamResponse:
    """Close the connection without an answer; with `reset` the client gets a TCP RST."""
    exchange.status = 0
    transport = request.transport
    if transport is not None:
        raw = transport.get_extra_info("socket")
        if reset and raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


def _broken_json(body: bytes, status: int) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json", charset="utf-8")


async def _half(request: web.Request, exchange: Exchange, status: int, body: bytes) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers={"Content-Type": "application/json; charset=utf-8"})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: max(1, len(body) // 2)])
    exchange.status = status
    if request.transport is not None:
        request.transport.close()
    return response


async def _drip(request: web.Request, status: int, body: bytes, seconds: float) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers={"Content-Type": "application/json; charset=utf-8"})
    response.content_length = len(body)
    await response.prepare(request)
    step = max(1, len(body) // 20)
    pieces = [body[i : i + step] for i in range(0, len(body), step)]
    for piece in pieces:
        await asyncio.sleep(seconds / len(pieces))
        await response.write(piece)
    return response


async def _flood(request: web.Request, size: int | None) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json; charset=utf-8"})
    await response.prepare(request)
    await response.write(b'{"padding":"')
    sent, block = 0, b"x" * 65536
    while size is None or sent < size:
        await response.write(block)
        sent += len(block)
    await response.write(b'"}')
    return response


async def _hang(
    network: Network, request: web.Request, exchange: Exchange, seconds: float | None
) -> web.StreamResponse:
    end = None if seconds is None else time.monotonic() + seconds
    while request.transport is not None and not request.transport.is_closing():
        if network.stopping or (end is not None and time.monotonic() >= end):
            break
        await asyncio.sleep(0.05)
    return drop(request, exchange, reset=False)
