"""Whether bots hold up publishing: posts go out on time while 50,000 engagement jobs wait and are worked off.

python -m bench.bot_fairness [--stack postgres] [--jobs 50000] [--posts 300] [--per-second 5]

Measures the lateness of posts at the network twice, without and with the waiting jobs. The jobs are likes of many
channels, all due, carried out as fast as the bots' own sender may. The aim: p99 moves by no more than 20 ms.
"""

from __future__ import annotations

import argparse

from sqlalchemy import func, insert, select

from bench.harness import Rig, arrivals, due_times, lateness_ms, machine, percentile, rig, table, wait_until
from contentcaster.clock import utc_now
from contentcaster.models import (
    CLAIMABLE,
    Account,
    ActAction,
    ActState,
    BotAct,
    BotKind,
    Job,
    JobState,
)
from contentcaster.models.types import new_id
from contentcaster.services import bots_channels

AIM_MS = 20.0
_CHUNK = 2000


def statuses(made: Rig, count: int) -> list[str]:
    """Ids of so many generated posts to like."""
    made.sandbox.population(people=60, posts=count * 2, days=30, react=False, chatter_per_minute=0)
    found: list[str] = []
    while len(found) < count:
        query = {"limit": 40} | ({"max_id": found[-1]} if found else {})
        page = made.sandbox.http.get("/api/v1/timelines/public", params=query).json()
        if not page:
            break
        found += [status["id"] for status in page]
    return found


def fill(made: Rig, jobs: int) -> None:
    """So many likes that are due, as approved acts of the channels taken in turn; their caps let them all through."""
    wide = {"per_minute": 60, "per_hour": 1000, "per_day": 5000, "spacing_seconds": 0, "jitter_seconds": 0}
    rails = {"quiet_from": None, "quiet_to": None, "warm_up_days": 0, "caps": {"like": wide}}
    with made.stack.database.transaction() as session:
        for account_id in made.account_ids:
            bots_channels.save_rails(session, made.principal, account_id, rails)
    now, posts = utc_now(), statuses(made, min(2500, -(-jobs // len(made.account_ids))))
    jobs = min(jobs, len(posts) * len(made.account_ids))
    for start in range(0, jobs, _CHUNK):
        numbers = range(start, min(start + _CHUNK, jobs))
        rows, acts = [], []
        for number in numbers:
            account_id, act_id = made.account_ids[number % len(made.account_ids)], new_id()
            rows.append(
                {
                    "queue": "engagement", "kind": "like", "dedupe_key": f"bench:{number}",
                    "account_id": account_id,
                    "payload": {
                        "act_id": act_id,
                        "target_ref": posts[number // len(made.account_ids)],
                        "created_at": now.isoformat(),
                    },
                    "state": JobState.QUEUED, "due_at": now, "scheduled_at": now, "priority": 150,
                    "expires_at": now.replace(year=now.year + 1), "idempotency_key": new_id(), "hinted_at": now,
                }
            )  # fmt: skip
            acts.append(
                {
                    "id": act_id, "dedupe_key": f"bench:{number}", "account_id": account_id,
                    "bot": BotKind.ENGAGEMENT, "action": ActAction.LIKE, "target_ref": str(number),
                    "target": {"kind": "post", "ref": str(number), "author_ref": "1", "handle": "@x"},
                    "state": ActState.PLANNED,
                }
            )  # fmt: skip
        with made.stack.database.transaction() as session:
            ids = session.execute(insert(Job).returning(Job.id), rows).scalars().all()
            session.execute(
                insert(BotAct), [act | {"job_id": job_id} for act, job_id in zip(acts, ids, strict=True)]
            )


def waiting(made: Rig) -> int:
    with made.stack.database.reading() as session:
        query = select(func.count()).where(Job.queue == "engagement", Job.state.in_(CLAIMABLE))
        return int(session.execute(query).scalar_one())


def publish(made: Rig, posts: int, per_second: float, label: str) -> list[float]:
    """Publish so many posts and return their lateness in milliseconds, ascending."""
    due = due_times(posts, per_second=per_second)
    made.schedule(due, text=label)
    due_of = {f"{label} {number}": moment for number, moment in enumerate(due)}

    def rows() -> list[dict[str, object]]:
        return [row for row in arrivals(made.sandbox) if str(row["text"]).startswith(label)]

    wait_until(lambda: len(rows()) >= posts, seconds=120 + posts / per_second, what="the posts")
    return lateness_ms(rows(), due_of)


def run(stack: str, jobs: int, posts: int, per_second: float) -> bool:
    with rig(stack, channels=20, latency_ms=20) as made:
        made.start_workers(1, consumer=False)
        alone = publish(made, posts, per_second, "alone")
        fill(made, jobs)
        before = waiting(made)
        beside = publish(made, posts, per_second, "beside")
        left = waiting(made)
        with made.stack.database.reading() as session:
            accounts = session.execute(select(func.count()).select_from(Account)).scalar_one()
    moved = percentile(beside, 0.99) - percentile(alone, 0.99)
    rows = [
        ["alone", posts, 0, 0, percentile(alone, 0.5), percentile(alone, 0.99), alone[-1]],
        ["beside", posts, before, before - left, percentile(beside, 0.5), percentile(beside, 0.99), beside[-1]],
    ]  # fmt: skip
    table(
        f"publishing beside {jobs:,} waiting likes of {accounts} channels on {stack}: p99 moved by {moved:.1f} ms "
        f"({machine()})",
        ["", "posts", "likes waiting", "worked off meanwhile", "p50 ms late", "p99 ms late", "most ms"],
        rows,
    )
    return moved <= AIM_MS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", choices=("postgres", "sqlite"), default="postgres")
    parser.add_argument("--jobs", type=int, default=50_000)
    parser.add_argument("--posts", type=int, default=300)
    parser.add_argument("--per-second", type=float, default=5)
    given = parser.parse_args()
    raise SystemExit(0 if run(given.stack, given.jobs, given.posts, given.per_second) else 1)


if __name__ == "__main__":
    main()
