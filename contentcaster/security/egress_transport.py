"""The egress rules for a library that brings its own HTTP client: an httpx transport over checked connections.

Streams answers as they come (server-sent events). One request per connection: the caller is a person who waits for a
text, not a sender of thousands.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import h11
import httpx
from httpx import HTTPError, TimeoutException

from contentcaster.security.egress import EgressClient
from contentcaster.security.egress_errors import EgressError
from contentcaster.security.egress_requests import http_request

__all__ = ["EgressTransport", "HTTPError", "TimeoutException", "library_client"]

_READ_BYTES = 64 * 1024
_MAX_HEADER_BYTES = 64 * 1024
_OWN_HEADERS = {b"host", b"accept-encoding", b"content-length", b"transfer-encoding", b"connection"}
DEFAULT_READ_SECONDS = 60.0


def library_client(client: EgressClient, *, read_seconds: float) -> httpx.AsyncClient:
    """An httpx client for a library that wants one; all of it goes through `client`. The caller closes it."""
    return httpx.AsyncClient(transport=EgressTransport(client), timeout=read_seconds, trust_env=False)


class EgressTransport(httpx.AsyncBaseTransport):
    """Hand it to an httpx.AsyncClient; what the egress client refuses becomes httpx.ConnectError."""

    def __init__(self, client: EgressClient, *, max_bytes: int = 2_000_000) -> None:
        self._client, self._max_bytes = client, max_bytes

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        # Uncompressed, so that the cap on what is read is a cap on what is held.
        headers = [(k, v) for k, v in request.headers.raw if k.lower() not in _OWN_HEADERS]
        try:
            target = self._client.checked_target(str(request.url))
            message = http_request(request.method, target, [*headers, (b"Connection", b"close")], body)
            origin = target.origin
            reader, writer = await self._client.open_stream(
                origin.host, origin.port, tls=origin.scheme == "https", limit=_READ_BYTES
            )
        except EgressError as error:
            raise httpx.ConnectError(error.message, request=request) from None
        answer = _Answer(reader, writer, request, self._max_bytes)
        try:
            return await answer.begin(message, body)
        except BaseException:
            await answer.aclose()
            raise


class _Answer(httpx.AsyncByteStream):
    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        request: httpx.Request,
        max_bytes: int,
    ) -> None:
        self._reader, self._writer, self._request = reader, writer, request
        self._left = max_bytes
        self._protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEADER_BYTES)
        timeouts: dict[str, Any] = request.extensions.get("timeout") or {}
        self._read_seconds = timeouts.get("read") or DEFAULT_READ_SECONDS

    async def begin(self, message: h11.Request, body: bytes) -> httpx.Response:
        send = self._protocol.send
        self._writer.write((send(message) or b"") + (send(h11.Data(data=body)) or b""))
        self._writer.write(send(h11.EndOfMessage()) or b"")
        while True:
            event = await self._next()
            if isinstance(event, h11.Response):
                return httpx.Response(
                    event.status_code, headers=list(event.headers), stream=self, request=self._request
                )

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            event = await self._next()
            if isinstance(event, h11.Data):
                self._left -= len(event.data)
                if self._left < 0:
                    raise httpx.ReadError("the answer is longer than allowed", request=self._request)
                yield bytes(event.data)
            elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
                return

    async def aclose(self) -> None:
        self._writer.transport.abort()

    async def _next(self) -> Any:
        try:
            while (event := self._protocol.next_event()) is h11.NEED_DATA:
                async with asyncio.timeout(self._read_seconds):
                    self._protocol.receive_data(await self._reader.read(_READ_BYTES))
        except TimeoutError:
            raise httpx.ReadTimeout("no answer in time", request=self._request) from None
        except h11.RemoteProtocolError as error:
            raise httpx.RemoteProtocolError(str(error), request=self._request) from None
        except OSError as error:
            raise httpx.ReadError(repr(error), request=self._request) from None
        return event
