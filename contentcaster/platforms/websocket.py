"""A WebSocket client (RFC 6455, frames by wsproto) over a connection that the egress guard has checked.

Text messages only; bounded in size. The caller bounds the time.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import ProtocolError

from contentcaster.security.egress import EgressClient, EgressRefused

_MAX_MESSAGE = 500_000


class WebSocketBroken(Exception):
    """The other side closed, refused or broke the rules."""


class WebSocket:
    """One connection; open it with `await WebSocket.open(...)` and use it as an async context manager."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._is_open = False
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._messages: list[str] = []
        self._text = ""

    @classmethod
    async def open(cls, client: EgressClient, url: str) -> WebSocket:
        """Connect and shake hands.

        Raises:
            EgressRefused, EgressNotSent: as the guard says, or plain ws:// to a host that is not listed.
            WebSocketBroken: there is no WebSocket.
        """
        parts = urlsplit(url)
        host, tls = parts.hostname or "", parts.scheme == "wss"
        port = parts.port or (443 if tls else 80)
        if parts.scheme not in ("ws", "wss") or not host:
            raise EgressRefused("The address of a relay starts with wss://.")
        if not tls and not client.is_private_allowed(host, port):
            raise EgressRefused(f"{host} must be reached by wss, not by plain ws.")
        socket = cls(*await client.open_stream(host, port, tls=tls))
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        socket._writer.write(socket._protocol.send(Request(host=parts.netloc, target=target)))
        try:
            await socket._shake_hands()
        except BaseException:
            socket.close()
            raise
        return socket

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._writer.transport.abort()

    async def send(self, text: str) -> None:
        """Write one message. Raises WebSocketBroken if the connection is known to be gone."""
        if self._writer.is_closing():
            raise WebSocketBroken("the connection is closed")
        try:
            self._writer.write(self._protocol.send(TextMessage(data=text)))
            await self._writer.drain()
        except (OSError, ProtocolError) as error:
            raise WebSocketBroken(str(error)) from None

    async def receive(self) -> str:
        """The next message. Raises WebSocketBroken at the end of the connection."""
        while not self._messages:
            await self._read()
        return self._messages.pop(0)

    async def _shake_hands(self) -> None:
        while not self._is_open:
            await self._read()

    async def _read(self) -> None:
        try:
            data = await self._reader.read(65536)
            self._protocol.receive_data(data or None)
            events = list(self._protocol.events())
        except (OSError, ProtocolError) as error:
            raise WebSocketBroken(str(error) or type(error).__name__) from None
        for event in events:
            self._handle(event)
        if not data:
            raise WebSocketBroken("the connection ended")

    def _handle(self, event: object) -> None:
        if isinstance(event, AcceptConnection):
            self._is_open = True
        elif isinstance(event, RejectConnection):
            raise WebSocketBroken(f"no WebSocket there ({event.status_code})")
        elif isinstance(event, CloseConnection):
            raise WebSocketBroken(f"closed by the other side ({event.code})")
        elif isinstance(event, Ping):
            self._writer.write(self._protocol.send(event.response()))
        elif isinstance(event, TextMessage):
            self._text += event.data
            if len(self._text) > _MAX_MESSAGE:
                raise WebSocketBroken("a message is too long")
            if event.message_finished:
                self._messages.append(self._text)
                self._text = ""
