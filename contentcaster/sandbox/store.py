"""Keeps the network in an SQLite file, written behind in batches.

Every changed thing is marked dirty; a flush turns what is dirty into rows and writes them in one transaction on a
thread, so the event loop never waits for the disk. The default loses at most the last 50 ms of a killed process;
in durable mode an answer is only sent after the flush that holds its effect.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FLUSH_SECONDS = 0.05
_SCHEMA = """
CREATE TABLE IF NOT EXISTS thing (
  kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id)
);
CREATE TABLE IF NOT EXISTS blob (id TEXT PRIMARY KEY, data BLOB NOT NULL);
"""
_UPSERT = """
INSERT INTO thing (kind, id, body) VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body
"""


class Store:
    """Write-behind storage; with `path` None every call is a no-op."""

    def __init__(self, path: Path | None, durable: bool = False) -> None:
        self.durable = durable and path is not None
        self._dirty: dict[tuple[str, str], Callable[[], Any] | None] = {}
        self._blobs: dict[str, bytes] = {}
        self._lock = asyncio.Lock()
        self._in_use = threading.Lock()
        """Held by whichever thread uses the connection: a flush that was cancelled goes on in its thread."""
        self._database: sqlite3.Connection | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.executescript(_SCHEMA)

    def put(self, kind: str, key: str, dump: Callable[[], Any]) -> None:
        """Mark a thing for saving; `dump` is called at flush time, so later changes are included."""
        if self._database is not None:
            self._dirty[(kind, key)] = dump

    def drop(self, kind: str, key: str) -> None:
        if self._database is not None:
            self._dirty[(kind, key)] = None

    def put_blob(self, key: str, data: bytes) -> None:
        if self._database is not None:
            self._blobs[key] = data

    def load(self) -> Iterator[tuple[str, str, Any]]:
        """Every saved thing in the order in which it was first saved."""
        if self._database is not None:
            for kind, key, body in self._database.execute("SELECT kind, id, body FROM thing ORDER BY rowid"):
                yield kind, key, json.loads(body)

    def load_blobs(self) -> Iterator[tuple[str, bytes]]:
        if self._database is not None:
            yield from self._database.execute("SELECT id, data FROM blob")

    async def flush(self) -> None:
        """Write all that is dirty; returns once it is committed."""
        if self._database is None:
            return
        async with self._lock:
            if not self._dirty and not self._blobs:
                return
            dirty, self._dirty = self._dirty, {}
            blobs, self._blobs = self._blobs, {}
            saved = [(k, i, json.dumps(dump())) for (k, i), dump in dirty.items() if dump is not None]
            dropped = [key for key, dump in dirty.items() if dump is None]
            await asyncio.to_thread(self._write, saved, dropped, list(blobs.items()))

    def _write(
        self,
        saved: list[tuple[str, str, str]],
        dropped: list[tuple[str, str]],
        blobs: list[tuple[str, bytes]],
    ) -> None:
        assert self._database is not None
        with self._in_use:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.executemany(_UPSERT, saved)
                self._database.executemany("DELETE FROM thing WHERE kind = ? AND id = ?", dropped)
                self._database.executemany("INSERT OR REPLACE INTO blob (id, data) VALUES (?, ?)", blobs)
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    async def clear(self) -> None:
        """Forget everything that was saved."""
        async with self._lock:
            self._dirty.clear()
            self._blobs.clear()
            if self._database is not None:
                await asyncio.to_thread(self._erase)

    def _erase(self) -> None:
        assert self._database is not None
        with self._in_use:
            self._database.executescript("DELETE FROM thing; DELETE FROM blob;")

    async def run(self) -> None:
        """Flush about every 50 ms until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def close(self) -> None:
        await self.flush()
        if self._database is not None:
            await asyncio.to_thread(self._close)

    def _close(self) -> None:
        assert self._database is not None
        with self._in_use:
            self._database.close()
            self._database = None
