"""Change events from any process to the web processes, so that open tabs re-read what changed.

A topic names what changed and carries no data: "posts", "post:<id>", "failed_tasks", "workers", "queues",
"accounts", "users", "media". A listener re-reads through the services, so a forged or doubled topic does no harm.

Transport: LISTEN/NOTIFY on Postgres (inside the commit); on SQLite a datagram to each web process on this machine,
which leaves its port as a file in the data dir.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from sqlmodel import Session

from contentcaster.settings import Settings

TOPICS = "live_topics"
EVERYTHING = "*"
"""Sent by a subscriber to itself after a gap: some events may have been missed, re-read all."""

_CHANNEL = "contentcaster_live"
_MAX_DATAGRAM_BYTES = 7900  # below both NOTIFY's 8,000 and a datagram's limit
_RECONNECT_SECONDS = 1.0
_INBOX_BYTES = 4 * 1024 * 1024

log = structlog.get_logger(__name__)


def note(session: Session, *topics: str) -> None:
    """Announce `topics` when this transaction commits."""
    session.info[TOPICS].update(topics)


def notify_arguments(topics: Iterable[str]) -> dict[str, str]:
    return {"channel": _CHANNEL, "payload": _encode(topics)}


class Announcer:
    """Sends topics to the web processes of this machine; never raises, never blocks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def announce(self, topics: Iterable[str]) -> None:
        payload = _encode(topics).encode()
        for entry in _listeners(self._folder):
            with suppress(OSError):  # a web process that has gone: nobody to tell
                self._socket.sendto(payload, ("127.0.0.1", int(entry.name)))


def create_announcer(settings: Settings) -> Announcer:
    return Announcer(_listener_folder(settings))


async def subscribe(settings: Settings) -> AsyncIterator[set[str]]:
    """Yield sets of topics as they are announced, for ever; EVERYTHING after a reconnect."""
    source = _subscribe_postgres(settings) if settings.is_postgres else _subscribe_datagrams(settings)
    async for topics in source:
        yield topics


async def _subscribe_postgres(settings: Settings) -> AsyncIterator[set[str]]:
    import psycopg  # noqa: PLC0415 - the simulation does without it

    url = settings.effective_database_url.replace("postgresql+psycopg://", "postgresql://", 1)
    has_been_away = False
    while True:
        try:
            connection = await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=3)
            async with connection:
                await connection.execute(f"LISTEN {_CHANNEL}")
                if has_been_away:
                    yield {EVERYTHING}
                async for notification in connection.notifies():
                    yield _decode(notification.payload)
        except psycopg.OperationalError as error:
            log.warning("live_listener_lost_database", error=type(error).__name__)
        has_been_away = True
        await asyncio.sleep(_RECONNECT_SECONDS)


class _Receiver(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self.queue.put_nowait(data)


async def _subscribe_datagrams(settings: Settings) -> AsyncIterator[set[str]]:
    folder = _listener_folder(settings)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _forget_dead_listeners(folder)
    # Room for a burst while this process is busy: what does not fit is dropped, and nobody says it again.
    inbox = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    inbox.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _INBOX_BYTES)
    inbox.bind(("127.0.0.1", 0))
    transport, receiver = await asyncio.get_running_loop().create_datagram_endpoint(_Receiver, sock=inbox)
    entry = folder / str(transport.get_extra_info("sockname")[1])
    entry.write_text(str(os.getpid()), encoding="utf-8")
    try:
        while True:
            topics = _decode(await receiver.queue.get())
            while not receiver.queue.empty():  # a burst is one change
                topics |= _decode(receiver.queue.get_nowait())
            if topics:
                yield topics
    finally:
        entry.unlink(missing_ok=True)
        transport.close()


def _listener_folder(settings: Settings) -> Path:
    return settings.data_dir / "live"


def _listeners(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.name.isdigit()]
    except FileNotFoundError:
        return []


def _forget_dead_listeners(folder: Path) -> None:
    for entry in _listeners(folder):
        try:
            os.kill(int(Path(entry.path).read_text(encoding="utf-8") or 0), 0)
        except (ProcessLookupError, ValueError):
            Path(entry.path).unlink(missing_ok=True)
        except (FileNotFoundError, PermissionError):
            continue


def _encode(topics: Iterable[str]) -> str:
    """Too many topics for one message become EVERYTHING: listeners then re-read all, which is always right."""
    payload = json.dumps(sorted(topics), separators=(",", ":"))
    return payload if len(payload) <= _MAX_DATAGRAM_BYTES else json.dumps([EVERYTHING])


def _decode(payload: bytes | str) -> set[str]:
    try:
        topics = json.loads(payload)
    except ValueError:
        return set()
    return {topic for topic in topics if isinstance(topic, str)} if isinstance(topics, list) else set()
