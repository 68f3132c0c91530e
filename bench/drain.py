"""How long it takes to publish many posts that are all due at once, exactly once each, and what that costs.

python -m bench.drain [--posts 10000] [--latency-ms 200] [--workers 2] [--channels 50] [--stack postgres]
                      [--concurrency 500] [--profile folder]

Every post is checked against the network's own ledger: exactly one effect each, none before its time. CPU is user plus
system time of all processes of a part, from the lead before the due time until the last post is settled. `--profile`
records the first worker with py-spy (not a dependency: have it on the PATH) and writes raw stacks there.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from bench.copies import schedule_alike
from bench.costs import CpuMeter
from bench.harness import Rig, arrivals, lateness_ms, machine, percentile, rig, table, wait_until
from contentcaster.clock import utc_now
from contentcaster.models import Job, JobState

_COLUMNS = (
    "stack", "workers", "posts", "lost", "doubled", "early", "drain s", "posts/s",
    "late p50 s", "late p99 s", "late max s", "worker CPU ms/post", "database", "redis", "sandbox",
)  # fmt: skip


@dataclass(frozen=True)
class Load:
    stack: str
    posts: int
    latency_ms: float
    workers: int
    channels: int
    concurrency: int
    profile: Path | None


def run(load: Load) -> list[object]:
    with rig(
        load.stack,
        channels=load.channels,
        latency_ms=load.latency_ms,
        send_concurrency=load.concurrency,
        channel_concurrency=load.concurrency,
    ) as made:
        schedule_alike(made, load.posts, utc_now() + timedelta(days=1))
        made.start_workers(load.workers, consumer=load.stack == "postgres")
        # All hints are offered before the time comes, by the workers' reconcilers, 500 a second.
        due = made.move_to(utc_now() + timedelta(seconds=12 + load.posts / 400))
        time.sleep(max(0.0, (due - utc_now()).total_seconds() - made.stack.settings.publish_lead_seconds))
        meter = CpuMeter(made)
        with _profiled(made, load.profile):
            wait_until(
                lambda: made.published() == load.posts,
                seconds=120 + load.posts * 0.02,
                what="the drain",
                every=0.5,
            )
        cpu = meter.seconds_since()
        return [load.stack, load.workers, load.posts, *verdict(made, load, due), *_per_post(cpu, load.posts)]


def verdict(made: Rig, load: Load, due: datetime) -> list[object]:
    effects = Counter(effect["text"] for effect in made.sandbox.posts())
    texts = [f"bench post {number}" for number in range(load.posts)]
    late = lateness_ms(arrivals(made.sandbox), dict.fromkeys(texts, due))
    with made.stack.database.reading() as session:
        last: datetime = session.execute(
            select(func.max(Job.ended_at)).where(Job.state == JobState.PUBLISHED)
        ).scalar_one()
    drained = (last - due).total_seconds()
    return [
        sum(not effects[text] for text in texts),
        sum(count > 1 for count in effects.values()),
        sum(value < 0 for value in late),
        drained,
        load.posts / drained,
        *(value / 1000 for value in (percentile(late, 0.5), percentile(late, 0.99), late[-1])),
    ]


def _per_post(seconds: dict[str, float], posts: int) -> list[object]:
    return [f"{seconds[part] * 1000 / posts:.2f}" for part in ("workers", "database", "redis", "sandbox")]


@contextmanager
def _profiled(made: Rig, folder: Path | None) -> Iterator[None]:
    if folder is None:
        yield
        return
    binary = shutil.which("py-spy")
    if binary is None:
        raise SystemExit("--profile needs py-spy on the PATH")
    folder.mkdir(parents=True, exist_ok=True)
    watched = {"worker": made.processes[0].pid, "sandbox": made.network.pid}
    recorders = [
        subprocess.Popen(
            [
                binary,
                "record",
                "-f",
                "raw",
                "-r",
                "100",
                "-t",
                "--gil",
                "-o",
                str(folder / f"{name}.txt"),
                "-p",
                str(pid),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for name, pid in watched.items()
    ]
    try:
        yield
    finally:
        for recorder in recorders:
            recorder.send_signal(2)
            recorder.wait(timeout=30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--posts", type=int, default=10_000)
    parser.add_argument("--latency-ms", type=float, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--channels", type=int, default=50)
    parser.add_argument("--concurrency", type=int, default=500)
    parser.add_argument("--stack", choices=("postgres", "sqlite"), default="postgres")
    parser.add_argument("--profile", type=Path)
    given = parser.parse_args()
    row = run(Load(**vars(given)))
    table(
        f"{given.posts} posts due at once, network latency {given.latency_ms:g} ms, {given.channels} channels, "
        f"{given.concurrency} in flight per worker ({machine()})",
        _COLUMNS,
        [row],
    )
    sys.exit(0 if row[3:6] == [0, 0, 0] else 1)


if __name__ == "__main__":
    main()
