"""How late a request reaches the network: posts at a steady rate, the sandbox answering after 50 ms.

python -m bench.punctuality [--rate 10] [--seconds 60] [--latency-ms 50] [--stack postgres|sqlite|both]
"""

from __future__ import annotations

import argparse

from bench.harness import arrivals, due_times, lateness_ms, machine, percentile, rig, table, wait_until


def run(stack: str, rate: float, seconds: float, latency_ms: float, channels: int) -> list[object]:
    with rig(stack, channels=channels, latency_ms=latency_ms) as made:
        made.start_workers(1, consumer=stack == "postgres")
        count = int(rate * seconds)
        due = due_times(count, per_second=rate)
        made.schedule(due)
        wait_until(
            lambda: made.open_jobs() == 0,
            seconds=seconds + 60 + count * 0.06,
            what="all posts to be published",
        )
        due_of = {f"bench post {number}": moment for number, moment in enumerate(due)}
        late = lateness_ms(arrivals(made.sandbox), due_of)
        early = sum(value < 0 for value in late)
        return [stack, count, len(late), early, percentile(late, 0.5), percentile(late, 0.99), late[-1]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=10)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--latency-ms", type=float, default=50)
    parser.add_argument("--channels", type=int, default=10)
    parser.add_argument("--stack", choices=("postgres", "sqlite", "both"), default="both")
    given = parser.parse_args()
    stacks = ("postgres", "sqlite") if given.stack == "both" else (given.stack,)
    rows = [run(stack, given.rate, given.seconds, given.latency_ms, given.channels) for stack in stacks]
    table(
        f"Punctuality: {given.rate:g} posts a second for {given.seconds:g} s, network latency "
        f"{given.latency_ms:g} ms ({machine()})",
        ["stack", "posts", "requests", "early", "p50 ms late", "p99 ms late", "max ms late"],
        rows,
    )


if __name__ == "__main__":
    main()
