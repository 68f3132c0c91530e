"""What the chaos run does to the system: one method per kind of fault, each counted when it really happened."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import redis
from sqlalchemy import select

from bench.chaos_proxy import HalfOpenProxy
from contentcaster.models import Worker
from contentcaster.models.types import database_now
from contentcaster.settings import PROJECT_ROOT
from tasks.hint_queue import create_huey
from tests.services_for_tests.postgres import PostgresServer
from tests.services_for_tests.redis_server import RedisServer
from tests.services_for_tests.stack import Stack

_FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
_CONSUMER = [
    str(Path(sys.executable).parent / "huey_consumer"),
    "tasks.publish.huey",
    *["-k", "thread", "-w", "4", "-g", "TERM", "-t", "25", "-m", "1", "-q"],
]
_WORKER = [sys.executable, "-m", "contentcaster", "worker", "publish"]


@dataclass
class Faults:
    """The system under attack and what was done to it so far."""

    stack: Stack
    proxy: HalfOpenProxy
    chance: random.Random
    log: Path
    lease_seconds: float
    postgres: PostgresServer | None = None
    redis: RedisServer | None = None
    job_ids: list[int] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _started: int = 0

    @property
    def clock_file(self) -> Path:
        return self.log.parent / "clock"

    @staticmethod
    def can_step_clocks() -> bool:
        return _FAKETIME.exists()

    # ── workers ─────────────────────────────────────────────────────────────────────────────────────────────

    def start_worker(self) -> None:
        """Two of three are huey_consumer processes, the third is `contentcaster worker`."""
        self._started += 1
        command = _WORKER if self._started % 3 == 0 else _CONSUMER
        environment = os.environ | dict(self.stack.environment) | {"PYTHONPATH": str(PROJECT_ROOT)}
        if self.can_step_clocks():
            if not self.clock_file.exists():
                self.clock_file.write_text("+0\n")
            environment |= {
                "LD_PRELOAD": str(_FAKETIME),
                "FAKETIME_TIMESTAMP_FILE": str(self.clock_file),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                command, cwd=PROJECT_ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        self.workers.append(process)

    def _random_worker(self) -> subprocess.Popen[bytes]:
        return self.chance.choice(self.workers)

    def _replace(self, worker: subprocess.Popen[bytes]) -> None:
        worker.wait(40)
        self.workers.remove(worker)
        self.start_worker()

    def kill_worker(self) -> None:
        worker = self._random_worker()
        worker.kill()
        self._replace(worker)
        self.counts["kill -9"] += 1

    def stop_worker_past_its_lease(self) -> None:
        worker = self._random_worker()
        worker.send_signal(signal.SIGSTOP)
        time.sleep(self.lease_seconds + 1)
        worker.send_signal(signal.SIGCONT)
        self.counts["SIGSTOP past the lease"] += 1

    def terminate_worker(self) -> None:
        worker = self._random_worker()
        worker.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.wait(30)
        worker.kill()
        self._replace(worker)
        self.counts["SIGTERM"] += 1

    def step_clock(self) -> None:
        """All workers' wall clocks jump an hour ahead or back, and back again."""
        self.clock_file.write_text(self.chance.choice(("+3600\n", "-3600\n")))
        time.sleep(2.5)
        self.clock_file.write_text("+0\n")
        self.counts["clock step of an hour"] += 1

    # ── Redis ───────────────────────────────────────────────────────────────────────────────────────────────

    def restart_redis(self) -> None:
        assert self.redis is not None
        self.redis.stop()
        time.sleep(self.chance.uniform(0.5, 2.5))
        self.redis.start()
        self.counts["Redis stopped"] += 1

    def flush_redis(self) -> None:
        assert self.redis is not None
        with redis.Redis.from_url(self.redis.url()) as client:
            client.flushall()
        self.counts["FLUSHALL"] += 1

    def fill_redis(self) -> None:
        assert self.redis is not None
        with redis.Redis.from_url(self.redis.url()) as client:
            client.config_set("maxmemory", 1)
            time.sleep(1.5)
            client.config_set("maxmemory", 0)
        self.counts["Redis out of memory"] += 1

    # ── the database, the wire, the queue's content ─────────────────────────────────────────────────────────

    def stop_postgres(self) -> None:
        assert self.postgres is not None
        self.postgres.stop(immediate=True)
        time.sleep(self.chance.uniform(0.3, 2.0))
        self.postgres.start()
        self.counts["Postgres immediate stop"] += 1

    def half_open(self) -> None:
        self.proxy.go_deaf()
        time.sleep(self.chance.uniform(1.0, 4.0))
        self.proxy.hear_again()
        if self.proxy.swallowed:
            self.counts["half-open connection"] += 1

    def forge_hints(self) -> None:
        """Doubled, early, finished, absent: hints for any job, and things that are no hints at all."""
        huey = create_huey("publish", self.stack.settings)
        job_ids = [*self.chance.choices(self.job_ids, k=8), 999_999_999]
        messages = [
            f'{{"id":"{uuid.uuid4()}","task":"tasks.publish.run","job":{job_id},"eta":null}}'.encode()
            for job_id in job_ids
        ]
        try:
            for message in (*messages, b"\x80\x04garbage", b"{}"):
                huey.storage.enqueue(message)
        except (redis.RedisError, OSError):
            return
        self.counts["forged or doubled hints"] += 1

    # ── the plan ────────────────────────────────────────────────────────────────────────────────────────────

    def kinds(self) -> list[tuple[Callable[[], None], str, int]]:
        """Every fault that this stack can suffer: what does it, its name, its weight."""
        kinds: list[tuple[Callable[[], None], str, int]] = [
            (self.kill_worker, "kill -9", 5),
            (self.stop_worker_past_its_lease, "SIGSTOP past the lease", 2),
            (self.terminate_worker, "SIGTERM", 1),
            (self.half_open, "half-open connection", 2),
            (self.forge_hints, "forged or doubled hints", 2),
        ]
        # With SQLite the workers' clock is the ledger's: after such a step retries are an hour late, not lost.
        if self.postgres is not None and self.can_step_clocks():
            kinds.append((self.step_clock, "clock step of an hour", 1))
        if self.redis is not None:
            kinds += [
                (self.restart_redis, "Redis stopped", 2),
                (self.flush_redis, "FLUSHALL", 2),
                (self.fill_redis, "Redis out of memory", 1),
            ]
        if self.postgres is not None:
            kinds.append((self.stop_postgres, "Postgres immediate stop", 2))
        return kinds

    def run_until(self, is_enough: Callable[[], bool], *, limit_seconds: float = 1800) -> None:
        """Each kind once in a random order, then at random by weight, until it is enough and each has happened."""
        kinds = self.kinds()
        round_of_all = self.chance.sample(kinds, len(kinds))
        deadline = time.monotonic() + limit_seconds
        self._wait_for_workers()
        while time.monotonic() < deadline:
            if not round_of_all:
                if is_enough():
                    return
                missing = [kind for kind in kinds if not self.counts[kind[1]]]
                round_of_all = missing or self.chance.choices(kinds, [kind[2] for kind in kinds], k=2)
            act, _, _ = round_of_all.pop()
            act()
            time.sleep(self.chance.uniform(0.2, 1.0))
            self._wait_for_workers()

    def _wait_for_workers(self) -> None:
        """Until all but one work: faults that meet nobody at work show nothing."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self._live_workers() < len(self.workers) - 1:
            time.sleep(0.1)

    def _live_workers(self) -> int:
        pids = [worker.pid for worker in self.workers]
        with self.stack.database.reading() as session:
            alive = select(Worker.pid).where(Worker.pid.in_(pids), Worker.heartbeat_at > database_now(-10))  # type: ignore[attr-defined,arg-type]
            return len(set(session.execute(alive).scalars()))

    def calm(self) -> None:
        """Everything works again."""
        self.proxy.hear_again()
        if self.can_step_clocks():
            self.clock_file.write_text("+0\n")
        if self.postgres is not None and not self.postgres.is_running:
            self.postgres.start()
        if self.redis is not None and not self.redis.is_running:
            self.redis.start()

    def end(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGCONT)
                worker.terminate()
        for worker in self.workers:
            try:
                worker.wait(30)
            except subprocess.TimeoutExpired:
                worker.kill()
