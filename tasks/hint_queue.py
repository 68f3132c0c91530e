"""The Huey instances: Redis when REDIS_URL is set, else an SQLite file in the data dir; hints as plain JSON."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from huey import Huey, RedisHuey, SqliteHuey
from huey.registry import Message
from huey.serializer import Serializer

from contentcaster.clock import utc_now
from contentcaster.engine.hints import Hint
from contentcaster.settings import Settings, get_settings

REDIS_TIMEOUT_SECONDS = 1.0
"""A Redis that hangs must not hold up a person who saves a post."""


class HintFormatError(ValueError):
    """A message that is not one of our hints; it is dropped, the ledger knows better."""


class HintSerializer(Serializer):  # type: ignore[misc]
    """Hints as JSON: a known task name and one integer. Huey's default is pickle, which would run whatever
    somebody with access to Redis has planted."""

    def __init__(self, task_names: Iterable[str]) -> None:
        super().__init__()
        self._task_names = frozenset(task_names)

    def _serialize(self, data: Any) -> bytes:
        if not isinstance(data, Message):
            raise HintFormatError("only hints go through the queue")
        job_id = data.args[0] if data.args else None
        eta = data.eta.isoformat() if data.eta else None
        return json.dumps({"id": data.id, "task": data.name, "job": job_id, "eta": eta}).encode()

    def _deserialize(self, data: Any) -> Message:
        try:
            hint = json.loads(bytes(data))
            task, job_id, message_id, eta = hint["task"], hint["job"], hint["id"], hint["eta"]
            due = datetime.fromisoformat(eta) if eta else None
        except (ValueError, KeyError, TypeError, RecursionError):
            raise HintFormatError("not a hint") from None
        if task not in self._task_names or not isinstance(message_id, str):
            raise HintFormatError("not one of our tasks")
        if job_id is not None and (not isinstance(job_id, int) or isinstance(job_id, bool) or job_id < 1):
            raise HintFormatError("a hint carries one job id")
        return Message(
            id=message_id,
            name=task,
            eta=due,
            retries=0,
            retry_delay=0,
            priority=None,
            args=() if job_id is None else (job_id,),
            kwargs={},
        )


def create_publish_shards(settings: Settings | None = None) -> list[Huey]:
    """The Huey instances of the publish queue: one for each Redis of PUBLISH_REDIS_URLS, else one.

    Huey cannot use Redis Cluster, so the queue is cut by channel. What a hint says is looked up in the ledger, so
    one in the wrong shard, or in a shard that nobody reads any more, is as harmless as a lost one.
    """
    settings = settings or get_settings()
    return [
        create_huey("publish", settings, redis_url=url)
        for url in settings.publish_shards or (settings.redis_url,)
    ]


def shard_of(account_id: str | None, shards: int) -> int:
    """The shard that takes hints of this channel."""
    return zlib.crc32((account_id or "").encode()) % shards


def create_huey(queue: str, settings: Settings | None = None, *, redis_url: str | None = None) -> Huey:
    """The Huey instance of one queue, on REDIS_URL unless another one is given.

    Nothing of Huey is relied on for correctness: no results, no retries, no locks.
    """
    settings = settings or get_settings()
    url = settings.redis_url if redis_url is None else redis_url
    options: dict[str, Any] = {
        "name": f"contentcaster-{queue}",
        "results": False,
        "utc": True,
        "serializer": HintSerializer(_task_names(queue)),
    }
    if url:
        import redis  # noqa: PLC0415 - the simulation does without it (contentcaster/cli_shared.py)

        pool = redis.ConnectionPool.from_url(
            url,
            socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
            # Longer than the blocking read, which waits a second for the next hint.
            socket_timeout=REDIS_TIMEOUT_SECONDS + 2,
            health_check_interval=15,
            client_name=f"contentcaster-{queue}",
        )
        return RedisHuey(connection_pool=pool, **options)
    return SqliteHuey(filename=_private_file(settings, queue), fsync=False, cache_mb=1, **options)


_PERIODIC = ("tidy", "bots", "metrics", "logins", "checks", "notifications", "repeat", "reports", "videos")
"""Every periodic task of tasks/maintenance.py: what is not named here is refused when a consumer reads it."""


def _task_names(queue: str) -> tuple[str, ...]:
    names = (f"tasks.{queue}.run",)
    return (*names, *(f"tasks.maintenance.{name}" for name in _PERIODIC)) if queue == "maintenance" else names


def _private_file(settings: Settings, queue: str) -> str:
    folder = settings.data_dir / "queues"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{queue}.sqlite"
    if not path.exists():
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    return str(path)


def send_hints(task_of: Callable[[Hint], Any], hints: Sequence[Hint]) -> set[int]:
    """Hand hints to Huey in order; the jobs whose hints it took.

    A queue that refuses one is asked no more: waiting for it again and again would hold up the others' hints.
    """
    now = utc_now()
    taken: set[int] = set()
    silent: set[int] = set()
    for hint in hints:
        task_wrapper = task_of(hint)
        huey: Huey = task_wrapper.huey
        if id(huey) in silent:
            continue
        task = task_wrapper.s(hint.job_id)
        try:
            if hint.wake_at > now:
                task.eta = hint.wake_at.astimezone(UTC).replace(tzinfo=None)
                huey.add_schedule(task)
            else:
                huey.enqueue(task)
        except _errors():
            silent.add(id(huey))
        else:
            taken.add(hint.job_id)
    return taken


def _errors() -> tuple[type[Exception], ...]:
    """What a queue that does not answer raises."""
    driver = sys.modules.get("redis")  # loaded only where it is used
    return (sqlite3.Error, OSError, *((driver.RedisError,) if driver is not None else ()))


def is_reachable(huey: Huey) -> bool:
    """Whether the queue answers right now."""
    try:
        huey.storage.queue_size()
    except _errors():
        return False
    return True
