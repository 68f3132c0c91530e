"""Whether the database and the queue answer, asked at most once a second and never waited for longer than seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import redis
import structlog
from sqlalchemy.exc import SQLAlchemyError

from contentcaster import migrations
from contentcaster.db import Database
from contentcaster.errors import Unavailable

ANSWER_SECONDS = 2.5
"""The database counts as gone if it does not answer within this; /readyz promises to notice within five."""
GONE_SECONDS = 60.0
"""Away for this long, /healthz fails too, so that whatever supervises the process starts a new one."""
_CACHED_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Probe:
    """One question with a yes or no, asked in a thread of its own: a hanging answer holds up nobody else."""

    def __init__(self, name: str, ask: Callable[[], bool]) -> None:
        self._name = name
        self._ask = ask
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"health-{name}")
        self._running: Future[bool] | None = None
        self._asked_at = float("-inf")
        self._is_fine = True
        self.last_fine_at = time.monotonic()

    async def is_fine(self) -> bool:
        """The answer; False if it takes too long."""
        if self._running is None or self._running.done():
            if time.monotonic() - self._asked_at < _CACHED_SECONDS:
                return self._is_fine
            self._asked_at = time.monotonic()
            self._running = self._thread.submit(self._ask)
        try:
            self._note(
                await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self._running)), ANSWER_SECONDS)
            )
        except TimeoutError:
            self._note(False)
        return self._is_fine

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _note(self, is_fine: bool) -> None:
        if is_fine != self._is_fine:
            log.warning("health_changed", part=self._name, is_fine=is_fine)
        self._is_fine = is_fine
        if is_fine:
            self.last_fine_at = time.monotonic()


@dataclass(frozen=True)
class Health:
    """What /readyz says."""

    is_database_fine: bool
    is_migrated: bool
    is_queue_fine: bool
    is_console_fine: bool = True
    """Whether the Redis that keeps what tabs show answers."""

    @property
    def is_ready(self) -> bool:
        return self.is_database_fine and self.is_migrated

    @property
    def sentence(self) -> str:
        if not self.is_database_fine:
            return "The database does not answer. Nothing can be saved or published until it does."
        if not self.is_migrated:
            return "The database is at an earlier version than this program. Run `contentcaster migrate`."
        if not self.is_queue_fine:
            return "Redis does not answer. Posts are saved and wait for their queue; workers find them by themselves."
        if not self.is_console_fine:
            return "The Redis of CONSOLE_REDIS_URL does not answer: no page can be shown. REST and publishing go on."
        return "All parts answer."


class HealthMonitor:
    """The probes of one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_migrated = False
        self._database_probe = Probe("database", self._ask_database)
        self._redis = _redis_client(database.settings.redis_url)
        self._console = _redis_client(database.settings.console_redis_url)
        self._queue_probe = Probe("queue", lambda: _answers(self._redis))
        self._console_probe = Probe("console", lambda: _answers(self._console))

    async def read(self) -> Health:
        """Ask all parts."""
        database, queue, console = await asyncio.gather(
            self._database_probe.is_fine(), self._queue_probe.is_fine(), self._console_probe.is_fine()
        )
        # Unknown while the database is away: then that is what there is to say.
        return Health(
            is_database_fine=database,
            is_migrated=self._is_migrated or not database,
            is_queue_fine=queue,
            is_console_fine=console,
        )

    async def is_alive(self) -> bool:
        """False once the database has been gone for a minute."""
        await self._database_probe.is_fine()
        return time.monotonic() - self._database_probe.last_fine_at < GONE_SECONDS

    def close(self) -> None:
        """Give back threads and connections."""
        for probe in (self._database_probe, self._queue_probe, self._console_probe):
            probe.close()
        self._database.dispose()
        for client in (self._redis, self._console):
            if client is not None:
                client.close()

    def _ask_database(self) -> bool:
        try:
            self._database.ping()
            # Asked until the answer is yes; it stays so for this process.
            self._is_migrated = self._is_migrated or migrations.is_usable(self._database)
        except (Unavailable, SQLAlchemyError):
            return False
        return True


def _answers(client: redis.Redis | None) -> bool:
    """Whether it answers; one that is not used is well."""
    try:
        return client is None or bool(client.ping())
    except redis.RedisError:
        return False


def _redis_client(url: str) -> redis.Redis | None:
    return redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2) if url else None
