"""CPU time of the parts of a bench: workers, database, Redis, the sandbox network."""

from __future__ import annotations

from contextlib import suppress

import psutil
import redis
from sqlalchemy import text

from bench.harness import Rig


class CpuMeter:
    """User plus system seconds of each part since it was made; a server on another machine counts 0."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._before = self._read()

    def seconds_since(self) -> dict[str, float]:
        return {part: now - self._before[part] for part, now in self._read().items()}

    def _read(self) -> dict[str, float]:
        return {
            "workers": sum(_of(process.pid) for process in self._rig.processes),
            "database": self._database(),
            "redis": self._redis(),
            "sandbox": _of(self._rig.network.pid),
        }

    def _database(self) -> float:
        database = self._rig.stack.database
        if not database.is_postgres:
            return 0.0  # inside the workers
        with database.reading() as session:
            backend = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with suppress(psutil.NoSuchProcess):
            postmaster = psutil.Process(backend).parent()
            if postmaster is not None:
                ended = postmaster.cpu_times()
                children = sum(_of(child.pid) for child in postmaster.children())
                return _of(postmaster.pid) + ended.children_user + ended.children_system + children
        return 0.0

    def _redis(self) -> float:
        url = self._rig.stack.settings.redis_url
        if not url:
            return 0.0
        with redis.Redis.from_url(url) as client:
            used = client.info("cpu")
        return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


def _of(pid: int) -> float:
    with suppress(psutil.NoSuchProcess):
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)
    return 0.0
