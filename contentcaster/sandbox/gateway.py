"""The one middleware: records each request, reads its body, knows its account, applies faults and rate limits."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.web_request import FileField

from . import fault_effects
from .errors import ApiError, MastodonError, XrpcError
from .faults import Faults
from .network import Network
from .settings import SandboxConfig
from .things import Account, Exchange, Grant, utc_iso

NETWORK = web.AppKey("network", Network)
FAULTS = web.AppKey("faults", Faults)
_RECORDED = ("/api/", "/oauth/", "/xrpc/", "/nodeinfo/", "/.well-known/")
_EXCHANGE = web.RequestKey("exchange", Exchange)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Upload:
    """A file in a multipart form."""

    filename: str
    content_type: str
    data: bytes


class Limits:
    """Fixed-window request counters per account."""

    def __init__(self) -> None:
        self._windows: dict[str, tuple[float, int]] = {}

    def clear(self) -> None:
        self._windows.clear()

    def spend(self, name: str, cost: int, limit: int, window_seconds: float) -> tuple[bool, int, float]:
        """(allowed, what is left, epoch of the reset)."""
        now = time.time()
        start, used = self._windows.get(name, (now, 0))
        if now >= start + window_seconds:
            start, used = now, 0
        allowed = used + cost <= limit
        if allowed:
            used += cost
        self._windows[name] = (start, used)
        return allowed, max(0, limit - used), start + window_seconds


LIMITS = web.AppKey("limits", Limits)


def network_of(request: web.Request) -> Network:
    return request.app[NETWORK]


def exchange_of(request: web.Request) -> Exchange:
    return request[_EXCHANGE]


@web.middleware
async def gateway(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Take one request through recording, faults, limits and its handler."""
    path = request.rel_url.raw_path
    if not path.startswith(_RECORDED):
        return await _unrecorded(request, handler)
    network = request.app[NETWORK]
    network.request_count += 1
    exchange = Exchange(
        network.request_count,
        time.time(),
        time.monotonic(),
        request.method,
        path,
        request.rel_url.raw_query_string,
    )
    network.requests.append(exchange)
    request[_EXCHANGE] = exchange
    response: web.StreamResponse | None = None
    try:
        response = await _serve(request, handler, network, exchange)
        return response
    except Exception:
        exchange.status = exchange.status if exchange.status is not None else 500
        raise
    finally:
        if exchange.status is None and response is not None:
            exchange.status = response.status
        exchange.ended_at = time.time()
        exchange.body, exchange.raw, exchange.grant = None, b"", None


async def _unrecorded(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        return error.response()


async def _serve(
    request: web.Request, handler: Handler, network: Network, exchange: Exchange
) -> web.StreamResponse:
    _identify(request, network, exchange)
    bad_body: ApiError | None = None
    try:
        await _read_body(request, exchange)
    except ApiError as error:
        bad_body = error
    drawn = request.app[FAULTS].draw(exchange)
    if network.config.latency_ms:
        await asyncio.sleep(network.config.latency_ms / 1000)
    if drawn and (early := await fault_effects.before(request, exchange, drawn)) is not None:
        return early
    headers, limited = _rate_limit(request.app[LIMITS], network.config, exchange)
    if limited is not None:
        response: web.StreamResponse = limited
    else:
        response = await _handle(request, handler, bad_body)
    if network.store.durable:
        await network.store.flush()
    if drawn:
        response = await fault_effects.after(network, request, exchange, response, drawn)
    if not response.prepared:
        response.headers.update(headers)
    return response


async def _handle(request: web.Request, handler: Handler, bad_body: ApiError | None) -> web.StreamResponse:
    try:
        if bad_body is not None:
            raise bad_body
        return await handler(request)
    except ApiError as error:
        return error.response()
    except web.HTTPNotFound:
        if request.path.startswith("/xrpc/"):
            return XrpcError(501, "MethodNotImplemented", "Method Not Implemented").response()
        return MastodonError(404, "Not Found").response()
    except web.HTTPMethodNotAllowed:
        if request.path.startswith("/xrpc/"):
            return XrpcError(400, "InvalidRequest", "Incorrect HTTP method for this XRPC method").response()
        return MastodonError(404, "Not Found").response()
    except web.HTTPRequestEntityTooLarge:
        return XrpcError(413, "PayloadTooLarge", "request entity too large").response()


def _identify(request: web.Request, network: Network, exchange: Exchange) -> None:
    header = request.headers.get("Authorization", "")
    if header[:7].lower() == "bearer ":
        grant = network.tokens.get(header[7:].strip())
        exchange.grant = grant
        if grant is not None and grant.account_id in network.accounts:
            exchange.account = network.accounts[grant.account_id].handle
    exchange.key = request.headers.get("Idempotency-Key")


async def _read_body(request: web.Request, exchange: Exchange) -> None:
    if not request.body_exists:
        return
    kind = request.content_type
    if kind == "multipart/form-data":
        exchange.body = await _multipart(request, exchange)
    else:
        exchange.raw = raw = await request.read()
        exchange.body_hash = hashlib.sha256(raw).hexdigest()
        if kind == "application/json":
            exchange.body = _parse_json(raw, exchange.path)
        elif kind == "application/x-www-form-urlencoded":
            exchange.body = nest(parse_qsl(raw.decode(errors="replace"), keep_blank_values=True))
    if isinstance(exchange.body, dict):
        _note(exchange, exchange.body)


def _parse_json(raw: bytes, path: str) -> Any:
    try:
        return json.loads(raw) if raw.strip() else None
    except ValueError as error:
        if path.startswith("/xrpc/"):
            raise XrpcError(400, "SyntaxError", str(error)) from error
        raise MastodonError(400, "Error occurred while parsing request parameters") from error


def _note(exchange: Exchange, body: dict[str, Any]) -> None:
    """Keep what the recorder shows: the text, and for records the key."""
    record = body.get("record")
    text = record.get("text") if isinstance(record, dict) else body.get("status")
    if text is None and isinstance(writes := body.get("writes"), list):
        values = [w["value"] for w in writes if isinstance(w, dict) and isinstance(w.get("value"), dict)]
        text = "\n".join(str(v["text"]) for v in values if "text" in v) or None
    exchange.text = text if isinstance(text, str) else None
    if exchange.key is None and isinstance(body.get("rkey"), str):
        exchange.key = body["rkey"]
    if exchange.account is None and isinstance(body.get("identifier"), str):
        exchange.account = body["identifier"].lstrip("@").lower().removesuffix(".sandbox.test")


async def _multipart(request: web.Request, exchange: Exchange) -> dict[str, Any]:
    digest = hashlib.sha256()
    pairs: list[tuple[str, Any]] = []
    for name, value in (await request.post()).items():
        if isinstance(value, FileField):
            data = value.file.read()
            digest.update(data)
            pairs.append((name, Upload(value.filename, value.content_type, data)))
        else:
            text = value if isinstance(value, str) else bytes(value).decode(errors="replace")
            digest.update(f"{name}={text}&".encode())
            pairs.append((name, text))
    exchange.body_hash = digest.hexdigest()
    return nest(pairs)


def nest(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Form fields as Rails nests them: `media_ids[]` is a list, `poll[options][]` a list in an object."""
    out: dict[str, Any] = {}
    for name, value in pairs:
        keys = name.replace("]", "").split("[")
        place: Any = out
        for key, following in zip(keys, [*keys[1:], None], strict=True):
            if following is None:
                place[key] = value
            elif following == "":
                place = place.setdefault(key, [])
                if isinstance(place, list):
                    place.append(value)
                break
            else:
                place = place.setdefault(key, {})
                if not isinstance(place, dict):
                    break
    return out


def _rate_limit(
    limits: Limits, config: SandboxConfig, exchange: Exchange
) -> tuple[dict[str, str], web.Response | None]:
    who = exchange.account or "anonymous"
    if exchange.path.startswith("/xrpc/"):
        return _atproto_limit(limits, config, exchange, who)
    limit, window = config.mastodon_requests, config.mastodon_window_seconds
    allowed, left, reset = limits.spend(f"mastodon {who}", 1, limit, window)
    headers = {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(left),
        "X-RateLimit-Reset": utc_iso(reset, 6),
    }
    return headers, None if allowed else fault_effects.rate_limited(False, 0, "none")


_POINTS = {"createRecord": 3, "putRecord": 2, "deleteRecord": 1}


def _atproto_limit(
    limits: Limits, config: SandboxConfig, exchange: Exchange, who: str
) -> tuple[dict[str, str], web.Response | None]:
    limit, window = config.atproto_requests, config.atproto_window_seconds
    allowed, left, reset = limits.spend(f"atproto {who}", 1, limit, window)
    cost = _POINTS.get(exchange.path.rpartition(".")[2], 0)
    if allowed and cost and config.atproto_write_points_hour is not None:
        limit, window = config.atproto_write_points_hour, 3600.0
        allowed, left, reset = limits.spend(f"points {who}", cost, limit, window)
    headers = {
        "RateLimit-Limit": str(limit),
        "RateLimit-Remaining": str(left),
        "RateLimit-Reset": str(int(reset)),
        "RateLimit-Policy": f"{limit};w={int(window)}",
    }
    return headers, None if allowed else fault_effects.rate_limited(True, 0, "none")


def mastodon_user(request: web.Request, scope: str) -> Account:
    """The account of the token, which must hold the scope; answers 401, 403 or 422 as Mastodon does."""
    network, grant = mastodon_grant(request)
    if grant.account_id is None or grant.account_id not in network.accounts:
        raise MastodonError(422, "This method requires an authenticated user")
    granted = grant.scopes.split()
    if scope not in granted and scope.partition(":")[0] not in granted:
        raise MastodonError(403, "This action is outside the authorized scopes")
    return network.accounts[grant.account_id]


def mastodon_grant(request: web.Request) -> tuple[Network, Grant]:
    network, grant = network_of(request), exchange_of(request).grant
    if grant is None or grant.kind != "mastodon":
        raise MastodonError(401, "The access token is invalid")
    if grant.revoked:
        raise MastodonError(401, "The access token was revoked")
    return network, grant


def viewer(request: web.Request) -> Account | None:
    """The account that reads, where reading needs none."""
    grant = exchange_of(request).grant
    return network_of(request).accounts.get(grant.account_id or "") if grant and not grant.revoked else None
