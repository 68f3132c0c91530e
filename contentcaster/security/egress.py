"""The only way out to other servers: resolves and checks addresses, bounds time and memory, tells sent from unsent.

`EgressClient.request` speaks HTTP/1.1 for connectors, webhooks and bots. It refuses private addresses and plain http
unless the operator listed host:port (`egress_addresses`), follows no redirect unless asked and checks each one, ignores
proxy settings of the environment, never repeats a request that may have arrived, asks for uncompressed answers and
stops reading at a cap. httpx encodes the requests (addresses, forms, multipart) and h11 speaks the protocol.

The client belongs to the event loop that first uses it. From synchronous code: `asyncio.run(...)` around a coroutine
that opens its own (`async with EgressClient(...)`).
"""

from __future__ import annotations

import asyncio
import copy
import json as json_module
import logging
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import h11
import httpx

from contentcaster.security.egress_addresses import AddressGuard, Resolver, is_global_address, system_resolver
from contentcaster.security.egress_body import FileBody
from contentcaster.security.egress_connection import Connection, ConnectionPool, Origin, RawAnswer
from contentcaster.security.egress_errors import (
    EgressError,
    EgressNoAnswer,
    EgressNotSent,
    EgressRefused,
    EgressTooLarge,
)
from contentcaster.security.egress_redaction import redact
from contentcaster.security.egress_requests import (
    SAFE_METHODS,
    Target,
    http_request,
    joined_headers,
    parse_target,
    parse_url,
    resolve_location,
)
from contentcaster.settings import Settings

__all__ = [
    "EgressClient",
    "EgressError",
    "EgressNoAnswer",
    "EgressNotSent",
    "EgressRefused",
    "EgressResponse",
    "EgressTooLarge",
    "is_global_address",
    "redact",
]

log = logging.getLogger(__name__)
MAX_ANSWER_BYTES = 2_000_000
KEEPALIVE_SECONDS = 5.0
"""Shorter than the servers' own: one that is about to close gets no request that would then be in doubt."""
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class EgressResponse:
    """A complete answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @cached_property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The parsed body. Raises ValueError if it is no JSON (an HTML page, an empty body, a tower of brackets)."""
        try:
            return json_module.loads(self.content)
        except RecursionError:
            raise ValueError("nested too deeply") from None


Observer = Callable[[str, str, str, EgressResponse], None]
"""Is shown method, host, path (without query) and the answer; must be quick and never raise."""


class EgressClient:
    """Sends requests to other servers, safely.

    `allow` holds host:port pairs that may be private or plain http. `deadline_seconds` bounds every exchange from the
    call to the last byte of the answer, `max_connections` the exchanges at a time.
    """

    def __init__(
        self,
        *,
        allow: frozenset[str] = frozenset(),
        deadline_seconds: float = 20.0,
        max_connections: int = 200,
        keepalive_seconds: float = KEEPALIVE_SECONDS,
        resolver: Resolver = system_resolver,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._deadline_seconds = deadline_seconds
        self._until: float | None = None
        self._observer: Observer | None = None
        self._guard = AddressGuard(allow, resolver)
        self._ssl_context = ssl_context or _shared_ssl_context()
        self._pool = ConnectionPool(
            self._guard,
            self._ssl_context,
            max_connections=max_connections,
            keepalive_seconds=keepalive_seconds,
        )

    @classmethod
    def from_settings(cls, settings: Settings) -> EgressClient:
        """The client of a process: as many connections as it may have sends in flight."""
        return cls(
            allow=settings.allowed_private_hosts,
            deadline_seconds=settings.send_deadline_seconds,
            max_connections=settings.send_concurrency + settings.bot_concurrency,
        )

    def until(self, deadline: float) -> EgressClient:
        """The same client, connections shared, whose requests all end by `deadline` (of time.monotonic)."""
        bounded = copy.copy(self)
        bounded._until = deadline
        return bounded

    def observed_by(self, observer: Observer) -> EgressClient:
        """The same client, connections shared, that shows each complete answer to `observer`."""
        observed = copy.copy(self)
        observed._observer = observer
        return observed

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: Mapping[str, Any] | None = None,
        files: Any = None,
        content: bytes | FileBody | None = None,
        deadline_seconds: float | None = None,
        max_bytes: int = MAX_ANSWER_BYTES,
        max_redirects: int = 0,
    ) -> EgressResponse:
        """Send one request and read its whole answer, whatever its status.

        `json`, `data` with `files` (as httpx takes them) and `content` exclude each other. Redirects are followed only
        for GET and HEAD, each to a freshly checked address, and without the headers of the request once the origin
        changes.

        Raises:
            EgressRefused: a private address, plain http, another scheme, a malformed URL; nothing was sent.
            EgressNotSent: nothing was sent; the same request can safely be made again.
            EgressNoAnswer: the request may have arrived.
        """
        deadline = self._deadline(deadline_seconds)
        call = _Call(method, url, params, headers, json, data, files, content)
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                return await self._follow(call, deadline, max_bytes, max_redirects)
        except TimeoutError:
            if call.has_sent:
                raise EgressNoAnswer("The server did not answer in time.") from None
            raise EgressNotSent("The server could not be reached in time.") from None

    async def warm(self, url: str) -> None:
        """Have a connection ready for a request to this server within the next 5 s; sends nothing over it.

        Raises:
            EgressRefused, EgressNotSent: as `request`.
        """
        target = self._target(url)
        try:
            async with asyncio.timeout(self._deadline(None) - time.monotonic()):
                await self._pool.warm(target.origin)
        except TimeoutError:
            raise EgressNotSent(f"{target.origin.host} could not be reached in time.") from None

    async def open_stream(
        self, host: str, port: int, *, tls: bool, limit: int = 65536
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A checked connection for another protocol than HTTP (SMTP); the caller bounds what it reads and closes it.

        Raises:
            EgressRefused, EgressNotSent: as `request`.
        """
        try:
            async with asyncio.timeout(self.remaining_seconds()):
                return await self._pool.open_streams(Origin("https" if tls else "tcp", host, port), limit)
        except TimeoutError:
            raise EgressNotSent(f"{host} could not be reached in time.") from None

    def checked_target(self, url: str) -> Target:
        """Where a request to this address would go. Raises EgressRefused as `request`; looks nothing up yet."""
        return self._target(url)

    def is_private_allowed(self, host: str, port: int) -> bool:
        """Whether the operator listed host:port, so that it may be private and unencrypted."""
        return self._guard.is_allowed_privately(host, port)

    def remaining_seconds(self) -> float:
        """How long an exchange that begins now may take."""
        return self._deadline(None) - time.monotonic()

    @property
    def ssl_context(self) -> ssl.SSLContext:
        return self._ssl_context

    async def aclose(self) -> None:
        self._pool.close()

    async def __aenter__(self) -> EgressClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    # ── one exchange ────────────────────────────────────────────────────────────────────────────────────────

    async def _follow(
        self, call: _Call, deadline: float, max_bytes: int, max_redirects: int
    ) -> EgressResponse:
        target, headers, body = self._encode(call)
        for hop in range(max_redirects + 1):
            raw = await self._send(call, target, headers, body, deadline, max_bytes)
            response = EgressResponse(raw.status, joined_headers(raw.headers), raw.content)
            if self._observer is not None:
                self._observer(call.method, target.origin.host, urlsplit(call.url).path, response)
            location = response.headers.get("location", "")
            if (
                hop == max_redirects
                or raw.status not in _REDIRECTS
                or call.method not in SAFE_METHODS
                or not location
            ):
                return response
            following = self._target(resolve_location(target, location))
            if following.origin != target.origin:
                headers = []
            target = following
        raise AssertionError("unreachable")

    async def _send(
        self,
        call: _Call,
        target: Target,
        headers: list[tuple[bytes, bytes]],
        body: bytes | FileBody,
        deadline: float,
        max_bytes: int,
    ) -> RawAnswer:
        request = http_request(call.method, target, headers, body)
        began = time.monotonic()
        async with self._pool.slots:
            connection = self._pool.take_idle(target.origin)
            if connection is not None and connection.was_used and call.method in SAFE_METHODS:
                # Reading twice harms nobody: a reused connection that turns out to be closed is worth a second one.
                try:
                    return await self._exchange(
                        call, connection, target.origin, request, body, deadline, max_bytes
                    )
                except EgressNoAnswer:
                    if connection.has_heard or time.monotonic() >= deadline:
                        raise
                    connection = None
            if connection is None:
                connection = await self._pool.open(target.origin)
            answer = await self._exchange(call, connection, target.origin, request, body, deadline, max_bytes)
        log.debug(
            "%s %s %s %.0f ms",
            call.method,
            target.origin.host,
            answer.status,
            (time.monotonic() - began) * 1000,
        )
        return answer

    async def _exchange(
        self,
        call: _Call,
        connection: Connection,
        origin: Origin,
        request: h11.Request,
        body: bytes | FileBody,
        deadline: float,
        max_bytes: int,
    ) -> RawAnswer:
        try:
            answer = await connection.exchange(request, body, deadline, max_bytes)
        except BaseException:
            connection.close()
            raise
        finally:
            call.has_sent = call.has_sent or connection.has_sent
        self._pool.give_back(origin, connection)
        return answer

    def _deadline(self, seconds: float | None) -> float:
        deadline = time.monotonic() + (self._deadline_seconds if seconds is None else seconds)
        return deadline if self._until is None else min(deadline, self._until)

    # ── from arguments to bytes ─────────────────────────────────────────────────────────────────────────────

    def _encode(self, call: _Call) -> tuple[Target, list[tuple[bytes, bytes]], bytes | FileBody]:
        url = call.url
        if call.params:
            url = str(
                parse_url(url).copy_merge_params({k: v for k, v in call.params.items() if v is not None})
            )
        target = self._target(url)
        names = {name.lower() for name in call.headers or {}}
        headers = [(k.encode("ascii"), v.encode("utf-8")) for k, v in (call.headers or {}).items()]
        body: bytes | FileBody = call.content or b""
        if call.json is not None:
            body = json_module.dumps(call.json, ensure_ascii=False, separators=(",", ":")).encode()
            if "content-type" not in names:
                headers.append((b"Content-Type", b"application/json"))
        elif call.data is not None or call.files is not None:
            encoded = httpx.Request(call.method, "http://body.invalid", data=call.data, files=call.files)
            body = encoded.read()
            headers.append((b"Content-Type", encoded.headers["content-type"].encode()))
        return target, headers, body

    def _target(self, url: str) -> Target:
        target = parse_target(url)
        origin = target.origin
        if origin.scheme != "https" and not self._guard.is_allowed_privately(origin.host, origin.port):
            raise EgressRefused(f"{origin.host} must be reached by https, not by plain http.")
        return target


@dataclass(slots=True)
class _Call:
    method: str
    url: str
    params: Mapping[str, Any] | None
    headers: Mapping[str, str] | None
    json: Any
    data: Mapping[str, Any] | None
    files: Any
    content: bytes | FileBody | None
    has_sent: bool = False


@lru_cache(maxsize=1)
def _shared_ssl_context() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)
