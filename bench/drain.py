"""How long it takes to publish many posts that are all due at once, exactly once each.

python -m bench.drain [--posts 1000] [--latency-ms 200] [--workers 2] [--channels 50] [--stack postgres]
"""

from __future__ import annotations

import argparse
from datetime import datetime

from bench.harness import arrivals, due_times, lateness_ms, machine, percentile, rig, table, wait_until


def run(
    stack: str, count: int, latency_ms: float, workers: int, channels: int, concurrency: int
) -> list[object]:
    with rig(
        stack,
        channels=channels,
        latency_ms=latency_ms,
        send_concurrency=concurrency,
        channel_concurrency=max(1, concurrency),
    ) as made:
        due = due_times(count)
        made.schedule(due)
        made.start_workers(workers, consumer=stack == "postgres")
        cpu_before = made.worker_cpu_seconds()
        wait_until(
            lambda: made.open_jobs() == 0, seconds=300 + count * 0.06, what="all posts to be published"
        )
        cpu = made.worker_cpu_seconds() - cpu_before
        rows = arrivals(made.sandbox)
        due_of = {f"bench post {number}": moment for number, moment in enumerate(due)}
        late = lateness_ms(rows, due_of)
        last = max(datetime.fromisoformat(row["arrived_at"]) for row in rows)
        doubled = len(rows) - len({row["text"] for row in rows})
        drained = (last - due[0]).total_seconds() + latency_ms / 1000
        return [
            stack, workers, count, count - len(rows) + doubled, doubled, sum(value < 0 for value in late),
            percentile(late, 0.5), percentile(late, 0.99), drained, cpu * 1000 / count,
        ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=1000)
    parser.add_argument("--latency-ms", type=float, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--channels", type=int, default=50)
    parser.add_argument("--concurrency", type=int, default=200)
    parser.add_argument("--stack", choices=("postgres", "sqlite"), default="postgres")
    given = parser.parse_args()
    row = run(given.stack, given.posts, given.latency_ms, given.workers, given.channels, given.concurrency)
    table(
        f"{given.posts} posts due at once, network latency {given.latency_ms:g} ms, {given.channels} channels "
        f"({machine()})",
        ["stack", "workers", "posts", "lost", "doubled", "early", "p50 ms late", "p99 ms late", "last out s",
         "worker CPU ms/post"],
        [row],
    )  # fmt: skip


if __name__ == "__main__":
    main()
