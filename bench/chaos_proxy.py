"""A TCP proxy that can go half open: connections stay up, and nothing gets through any more."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import Future


class HalfOpenProxy:
    """Forwards 127.0.0.1:`port` to 127.0.0.1:`target`, on a thread of its own."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.swallowed = 0
        """Pieces of answers that were swallowed since it went deaf."""
        self._target = target
        self._is_deaf = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="half-open", daemon=True)

    def start(self) -> HalfOpenProxy:
        self._thread.start()
        done: Future[int] = asyncio.run_coroutine_threadsafe(self._listen(), self._loop)
        self.port = done.result(10)
        return self

    def go_deaf(self) -> None:
        """From now on answers are swallowed."""
        self.swallowed = 0
        self._is_deaf = True

    def hear_again(self) -> None:
        self._is_deaf = False

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _listen(self) -> int:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(
            self._pump(reader, up_writer, is_answer=False), self._pump(up_reader, writer, is_answer=True)
        )

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        """Requests still arrive while deaf (the effect happens), answers never do: the worst case."""
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if is_answer and self._is_deaf:
                    self.swallowed += 1
                    continue
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.close()
