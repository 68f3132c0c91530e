"""What more processes bring: posts published per second by workers and shards, live changes by web processes.

    python -m bench.scale [--posts 4000] [--workers 1,2,4] [--shards 1,2] [--webs 1,2] [--tabs 100] [--changes 20]

Publishing: all posts due at once, checked against the network's own ledger as in bench.drain. Live: tabs are plain
websocket clients of this process, spread over the web processes by the system as browsers would be; a change is a
commit, and each tab notes when it has been told of it. All runs on one machine and share its cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from contextlib import AsyncExitStack, ExitStack
from datetime import timedelta
from typing import Any

import psutil
from sqlalchemy import text

from bench.copies import schedule_alike
from bench.costs import CpuMeter
from bench.drain import Load, verdict
from bench.harness import Rig, free_port, machine, percentile, rig, stop, table, wait_until
from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.models import PostStatus, User
from contentcaster.settings import PROJECT_ROOT
from tests.services_for_tests import factories
from tests.services_for_tests.redis_server import RedisServer
from tests.web.tab import Tab, open_tab


def publishing(posts: int, workers: int, shards: int) -> list[object]:
    """One row: `posts` due at once, `workers` processes, the publish queue in `shards` Redis servers."""
    for name in [name for name in sys.modules if name.startswith("tasks.")]:
        del sys.modules[name]  # they hold the queues of the run before
    with ExitStack() as closing:
        servers = [RedisServer.create() for _ in range(shards)]
        for server in servers:
            closing.callback(server.close)
        made = closing.enter_context(
            rig(
                "postgres",
                channels=50,
                latency_ms=200,
                send_concurrency=500,
                channel_concurrency=500,
                publish_redis_urls=",".join(server.url() for server in servers),
            )
        )
        empty_bytes = _size_bytes(made)
        schedule_alike(made, posts, utc_now() + timedelta(days=1))
        made.start_workers(workers, consumer=False, queues=["publish"])
        due = made.move_to(utc_now() + timedelta(seconds=12 + posts / 400))
        time.sleep(max(0.0, (due - utc_now()).total_seconds() - made.stack.settings.publish_lead_seconds))
        meter = CpuMeter(made)
        wait_until(
            lambda: made.published() == posts, seconds=180 + posts * 0.02, what="the drain", every=0.25
        )
        cpu = meter.seconds_since()
        load = Load("postgres", posts, 200, workers, 50, 500, None)
        parts = [f"{cpu[part] * 1000 / posts:.2f}" for part in ("workers", "database", "sandbox")]
        kept = (_size_bytes(made) - empty_bytes) / 1000 / posts
        return [workers, shards, posts, *verdict(made, load, due), *parts, f"{kept:.1f}"]


def _size_bytes(made: Rig) -> int:
    with made.stack.database.reading() as session:
        return int(session.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def console(webs: int, tabs: int, changes: int) -> list[object]:
    """One row: from a commit to what `tabs` tabs are told, over `webs` web processes."""
    with ExitStack() as closing:
        states = RedisServer.create()
        closing.callback(states.close)
        port = free_port()
        shared = {"console_redis_url": states.url()} if webs > 1 else {}
        made = closing.enter_context(rig("postgres", channels=1, latency_ms=0, port=port, **shared))
        processes = [_start_web(made) for _ in range(webs)]
        closing.callback(stop, processes)
        wait_until(
            lambda: all(_listens(process, port) for process in processes), seconds=120, what="web processes"
        )
        before = _cpu_seconds(processes)
        delays, spread = asyncio.run(_watch(made, processes, port, tabs, changes))
        used = _cpu_seconds(processes) - before
        delays.sort()
        return [
            webs,
            "/".join(map(str, spread)),
            f"{len(delays)}/{tabs * changes}",
            *(percentile(delays, share) for share in (0.5, 0.95)),
            delays[-1] if delays else float("nan"),
            used * 1000 / max(1, tabs * changes),
            "/".join(f"{psutil.Process(process.pid).memory_info().rss / 1e6:.0f}" for process in processes),
        ]


async def _watch(
    made: Rig, processes: list[subprocess.Popen[bytes]], port: int, count: int, changes: int
) -> tuple[list[float], list[int]]:
    with made.stack.database.transaction() as session:
        cookie = factories.browser_cookie(session, session.get_one(User, made.principal.user_id))
    async with AsyncExitStack() as opened:
        tabs = [
            await opened.enter_async_context(open_tab(f"http://127.0.0.1:{port}", cookie=cookie))
            for _ in range(count)
        ]
        for tab in tabs:
            await tab.hydrate("/posts")
        await asyncio.sleep(2)
        spread = [_connections(process, port) for process in processes]
        delays: list[float] = []
        for number in range(changes):
            words = f"Change number {number}."
            waiting = [asyncio.create_task(_told(tab, words)) for tab in tabs]
            await asyncio.to_thread(_commit, made, words)
            start = time.time()
            done, late = await asyncio.wait(waiting, timeout=10)
            delays += [(task.result() - start) * 1000 for task in done]
            for task in late:
                task.cancel()
            await asyncio.sleep(0.3)
        return delays, spread


async def _told(tab: Tab, words: str) -> float:
    while True:
        if words in json.dumps(await asyncio.wait_for(tab._updates.get(), 15)):
            return time.time()


def _commit(made: Rig, words: str) -> None:
    with made.stack.database.transaction() as session:
        author = session.get_one(User, made.principal.user_id)
        due = utc_now() + timedelta(hours=1)
        factories.create_post(session, author, text=words, status=PostStatus.SCHEDULED, scheduled_at=due)
        live.note(session, "posts")


def _start_web(made: Rig) -> subprocess.Popen[bytes]:
    environment = os.environ | dict(made.stack.environment) | {"PYTHONPATH": str(PROJECT_ROOT)}
    return subprocess.Popen([sys.executable, "-m", "contentcaster", "web"], cwd=PROJECT_ROOT, env=environment)


def _at_port(process: subprocess.Popen[bytes], port: int) -> list[Any]:
    return [c for c in psutil.Process(process.pid).net_connections("tcp") if c.laddr and c.laddr.port == port]


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    return any(c.status == "LISTEN" for c in _at_port(process, port))


def _connections(process: subprocess.Popen[bytes], port: int) -> int:
    return sum(c.status == "ESTABLISHED" for c in _at_port(process, port))


def _cpu_seconds(processes: list[subprocess.Popen[bytes]]) -> float:
    times = [psutil.Process(process.pid).cpu_times() for process in processes]
    return float(sum(item.user + item.system for item in times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--posts", type=int, default=4000)
    parser.add_argument("--workers", type=_numbers, default=[1, 2, 4])
    parser.add_argument("--shards", type=_numbers, default=[1, 2])
    parser.add_argument("--webs", type=_numbers, default=[1, 2])
    parser.add_argument("--tabs", type=int, default=100)
    parser.add_argument("--changes", type=int, default=20)
    given = parser.parse_args()
    runs = [(workers, given.shards[0]) for workers in given.workers]
    runs += [(given.workers[-1], shards) for shards in given.shards[1:]]
    if given.posts:
        table(
            f"{given.posts} posts due at once, network latency 200 ms, 50 channels ({machine()})",
            ["workers", "shards", "posts", "lost", "doubled", "early", "drain s", "posts/s", "late p50 s",
             "late p99 s", "late max s", "worker CPU ms/post", "database", "sandbox", "kB kept a post"],
            [publishing(given.posts, workers, shards) for workers, shards in runs],
        )  # fmt: skip
    if given.changes:
        table(
            f"From a commit to {given.tabs} tabs, {given.changes} changes ({machine()})",
            ["web processes", "tabs of each", "told", "p50 ms", "p95 ms", "max ms", "web CPU ms a tab and change",
             "RSS MB of each"],
            [console(webs, given.tabs, given.changes) for webs in given.webs],
        )  # fmt: skip


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
