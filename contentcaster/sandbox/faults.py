"""Faults on demand: which request gets one, and what the client then sees.

A fault is drawn per request. Draws depend only on the seed and on what the request is (account, method, path, its
key or body, and how often it came), not on the order of arrival, so a run with the same seed meets the same faults.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import struct
import time
from dataclasses import asdict, dataclass, field
from email.utils import formatdate
from typing import Any

from aiohttp import web

from .errors import ControlError, answer
from .network import Network
from .settings import FAULT_KINDS
from .things import Exchange, Json, utc_iso

_LATENCY = ("latency", "latency_after")
_TOKEN_KINDS = ("expired_token", "revoked_token")
_BEFORE = ("rate_limit", "error_before", "drop_before", "malformed_before", *_TOKEN_KINDS)
DIALECTS = (
    "retry-after", "http-date", "x-ratelimit-iso", "x-ratelimit-epoch", "x-ratelimit-ms", "ratelimit",
    "retry-after-ms", "none",
)  # fmt: skip
_NOT_IN_MIX = ("/oauth/", "/xrpc/com.atproto.server.", "/api/v1/apps")


@dataclass(slots=True)
class FaultRule:
    """A fault that was asked for; `times` None applies it until it is deleted."""

    id: int
    kind: str
    match: dict[str, str]
    times: int | None = 1
    probability: float = 1.0
    seed: str = ""
    params: Json = field(default_factory=dict)
    applied: int = 0

    def wants(self, exchange: Exchange) -> bool:
        match = self.match
        return (
            (self.times is None or self.applied < self.times)
            and ("path" not in match or _path_matches(match["path"], exchange.path))
            and ("method" not in match or match["method"].upper() == exchange.method)
            and ("account" not in match or match["account"].lstrip("@").lower() == exchange.account)
            and ("text_contains" not in match or match["text_contains"] in (exchange.text or ""))
            and ("key" not in match or match["key"] == exchange.key)
            and (self.kind not in _TOKEN_KINDS or exchange.grant is not None)
        )


@dataclass(slots=True)
class Fault:
    """A fault that a request got."""

    kind: str
    params: Json


class Faults:
    """The rules in force and the draws that were made."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.rules: dict[int, FaultRule] = {}
        self._seen: dict[str, int] = {}
        self._next_id = 1

    def clear(self) -> None:
        self.rules.clear()
        self._seen.clear()

    def add(self, body: Any) -> FaultRule:
        """Make a rule from a control call; raises ControlError with a sentence."""
        rule = _checked_rule(self._next_id, body, self.network.config.seed)
        self._next_id += 1
        self.rules[rule.id] = rule
        return rule

    def draw(self, exchange: Exchange) -> list[Fault]:
        """The faults for this request: any latencies, and at most one other."""
        config = self.network.config
        if not self.rules and not config.fault_mix:
            return []
        identity = (
            f"{exchange.account}|{exchange.method}|{exchange.path}|{exchange.key or exchange.body_hash}"
        )
        times = self._seen[identity] = self._seen.get(identity, 0) + 1
        drawn: list[Fault] = []
        taken = False
        for rule in self.rules.values():
            terminal = rule.kind not in _LATENCY
            if (terminal and taken) or not rule.wants(exchange):
                continue
            if rule.probability < 1 and _unit(rule.seed, rule.id, identity, times) >= rule.probability:
                continue
            rule.applied += 1
            taken = taken or terminal
            drawn.append(Fault(rule.kind, rule.params))
        if not taken and (mixed := self._from_mix(exchange, identity, times)):
            drawn.append(mixed)
        for fault in drawn:
            counts = self.network.fault_counts
            counts[fault.kind] = counts.get(fault.kind, 0) + 1
        if drawn:
            exchange.fault = "+".join(fault.kind for fault in drawn)
        return drawn

    def _from_mix(self, exchange: Exchange, identity: str, times: int) -> Fault | None:
        config = self.network.config
        if not config.fault_mix or exchange.path.startswith(_NOT_IN_MIX):
            return None
        if config.fault_mix_on == "writes" and exchange.method in ("GET", "HEAD"):
            return None
        point = _unit(config.seed, "mix", identity, times)
        for kind, probability in config.fault_mix.items():
            if point < probability:
                usable = kind not in _TOKEN_KINDS or exchange.grant is not None
                return Fault(kind, {"seconds": config.fault_seconds}) if usable else None
            point -= probability
        return None


def rule_json(rule: FaultRule) -> Json:
    return asdict(rule)


def _unit(*parts: Any) -> float:
    digest = hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest()
    return float(int.from_bytes(digest, "big")) / 2.0**64


def _path_matches(pattern: str, path: str) -> bool:
    return (
        path.startswith(pattern[:-1])
        if pattern.endswith("*")
        else pattern == path or path.endswith("/" + pattern)
    )


def _checked_rule(number: int, body: Any, default_seed: str) -> FaultRule:
    if not isinstance(body, dict):
        raise ControlError("A fault is a JSON object with at least a kind.")
    unknown = set(body) - {"kind", "match", "times", "probability", "seed", "params"}
    if unknown:
        raise ControlError(f"A fault has no field {', '.join(sorted(unknown))}.")
    kind, match, params = body.get("kind"), body.get("match", {}), body.get("params", {})
    times, probability = body.get("times", 1), body.get("probability", 1.0)
    if kind not in FAULT_KINDS:
        raise ControlError(f"There is no fault kind {kind!r}. Known: {', '.join(FAULT_KINDS)}.")
    fields = {"path", "method", "account", "text_contains", "key"}
    if (
        not isinstance(match, dict)
        or not set(match) <= fields
        or not all(isinstance(v, str) for v in match.values())
    ):
        raise ControlError("match holds texts under path, method, account, text_contains or key.")
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
        raise ControlError("times is a whole number from 1, or null for always.")
    if (
        isinstance(probability, bool)
        or not isinstance(probability, (int, float))
        or not 0 <= probability <= 1
    ):
        raise ControlError("probability is a number from 0 to 1.")
    if not isinstance(params, dict):
        raise ControlError("params is an object.")
    if kind == "rate_limit" and params.get("dialect", "retry-after") not in DIALECTS:
        raise ControlError(f"dialect is one of {', '.join(DIALECTS)}.")
    seconds = params.get("seconds", 1)
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds < 0:
        raise ControlError("params.seconds is a number that is not negative.")
    return FaultRule(
        number, kind, match, times, float(probability), str(body.get("seed", default_seed)), params
    )


async def before(request: web.Request, exchange: Exchange, faults: list[Fault]) -> web.StreamResponse | None:
    """Apply what happens before the effect; a response means that nothing else is done."""
    for fault in faults:
        if fault.kind == "latency":
            await asyncio.sleep(fault.params.get("seconds", 1))
    for fault in faults:
        if fault.kind in _BEFORE:
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
    request: web.Request, exchange: Exchange, response: web.StreamResponse, faults: list[Fault]
) -> web.StreamResponse:
    """Apply what happens once the effect is done."""
    for fault in faults:
        if fault.kind == "latency_after":
            await asyncio.sleep(fault.params.get("seconds", 1))
    for fault in faults:
        if fault.kind not in _LATENCY and fault.kind not in _BEFORE:
            return await _after(request, exchange, response, fault)
    return response


async def _after(
    request: web.Request, exchange: Exchange, response: web.StreamResponse, fault: Fault
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
    return await _hang(request, exchange, params.get("seconds"))


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


async def _hang(request: web.Request, exchange: Exchange, seconds: float | None) -> web.StreamResponse:
    end = None if seconds is None else time.monotonic() + seconds
    while request.transport is not None and not request.transport.is_closing():
        if end is not None and time.monotonic() >= end:
            break
        await asyncio.sleep(0.05)
    return drop(request, exchange, reset=False)
