"""Whether bots hold up publishing: posts go out on time while 50,000 engagement jobs wait and are worked off.

python -m bench.bot_fairness [--stack postgres] [--jobs 50000] [--posts 150] [--per-second 5] [--rounds 3] [--shared]

Each round measures the lateness of posts at the network without and then with the waiting jobs; the figure is the
median of the rounds. The jobs are likes of 20 channels, all due, worked off as fast as the bots' own sender may. The
bots' channels are on a network of their own, so that what is measured is our process and database, not a sandbox that
is busy with likes. As `contentcaster up` does it, bots run in a process of their own; `--shared` runs all queues in
one. The aim: p99 moves by no more than 20 ms.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from statistics import median

from sqlalchemy import func, insert, select, update

from bench.harness import (
    Rig,
    _answers,
    arrivals,
    due_times,
    free_port,
    lateness_ms,
    machine,
    percentile,
    rig,
    stop,
    table,
    wait_until,
)
from contentcaster.clock import utc_now
from contentcaster.models import CLAIMABLE, ActAction, ActState, BotAct, BotKind, Job, JobState, User
from contentcaster.models.types import new_id
from contentcaster.sandbox.client import SandboxControl
from contentcaster.services import bots_channels
from contentcaster.settings import BOT_QUEUES, PROJECT_ROOT, QUEUES
from tests.services_for_tests import factories

AIM_MS = 20.0
WIDE = {"per_minute": 60, "per_hour": 1000, "per_day": 5000, "spacing_seconds": 0, "jitter_seconds": 0}
_CHUNK = 2000


@contextlib.contextmanager
def bot_network(port: int) -> Iterator[SandboxControl]:
    """The network that the bots act on; it gets out of the way of what is measured."""
    folder = tempfile.TemporaryDirectory(prefix="contentcaster-bench-")
    network = subprocess.Popen(
        [sys.executable, "-m", "contentcaster", "sandbox", "--port", str(port)],
        cwd=PROJECT_ROOT,
        env=os.environ | {"CONTENTCASTER_LOG_LEVEL": "WARNING", "CONTENTCASTER_DATA_DIR": folder.name},
        preexec_fn=lambda: os.nice(19),
    )
    control = SandboxControl(_address(port))
    try:
        wait_until(lambda: _answers(port), seconds=20, what="the bots' network")
        control.config(latency_ms=20)
        yield control
    finally:
        control.close()
        stop([network])
        folder.cleanup()


def _address(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def bot_channels(made: Rig, network: SandboxControl, base_url: str, count: int) -> list[str]:
    """Connected channels on the bots' network, with caps that let much through."""
    rails = {"quiet_from": None, "quiet_to": None, "warm_up_days": 0, "caps": {"like": WIDE}}
    ids = []
    with made.stack.database.transaction() as session:
        owner = session.get_one(User, made.principal.user_id)
        for number in range(count):
            person = network.account(f"bot{number}")
            found = network.http.get("/api/v1/accounts/lookup", params={"acct": f"bot{number}"}).json()
            account = factories.create_account(
                session, owner, platform="sandbox", instance_url=base_url, handle=f"@bot{number}",
                credentials={"instance_url": base_url, "access_token": person["access_token"]},
                remote_id=f"bots-{found['id']}", limits={"software": "mastodon"},
            )  # fmt: skip
            ids.append(account.id)
    with made.stack.database.transaction() as session:
        for account_id in ids:
            bots_channels.save_rails(session, made.principal, account_id, rails)
    return ids


def statuses(network: SandboxControl, count: int) -> list[str]:
    """Ids of so many generated posts to like."""
    network.population(people=60, posts=count * 2, days=30, react=False, chatter_per_minute=0)
    found: list[str] = []
    while len(found) < count:
        query = {"limit": 40} | ({"max_id": found[-1]} if found else {})
        page = network.http.get("/api/v1/timelines/public", params=query).json()
        if not page:
            break
        found += [status["id"] for status in page]
    return found


def fill(made: Rig, account_ids: list[str], targets: list[str], jobs: int, label: str) -> None:
    """So many likes that are due, as acts of the channels taken in turn: what an outage of some hours leaves behind."""
    now = utc_now()
    pace = timedelta(hours=1) / WIDE["per_hour"]
    for start in range(0, jobs, _CHUNK):
        numbers = range(start, min(start + _CHUNK, jobs))
        rows, acts = [], []
        for number in numbers:
            account_id, act_id = account_ids[number % len(account_ids)], new_id()
            slot = now - pace * ((jobs - number) // len(account_ids))
            rows.append(
                {
                    "queue": "engagement", "kind": "like", "dedupe_key": f"bench:{label}:{number}",
                    "account_id": account_id,
                    "payload": {
                        "act_id": act_id,
                        "target_ref": targets[number // len(account_ids) % len(targets)],
                        "created_at": now.isoformat(),
                    },
                    "state": JobState.QUEUED, "due_at": slot, "scheduled_at": slot, "priority": 150,
                    "expires_at": now.replace(year=now.year + 1), "idempotency_key": new_id(), "hinted_at": now,
                }
            )  # fmt: skip
            acts.append(
                {
                    "id": act_id, "dedupe_key": f"bench:{label}:{number}", "account_id": account_id,
                    "bot": BotKind.ENGAGEMENT, "action": ActAction.LIKE, "target_ref": str(number),
                    "target": {"kind": "post", "ref": str(number), "author_ref": "1", "handle": "@x"},
                    "state": ActState.PLANNED, "slot_at": slot,
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


def clear(made: Rig) -> None:
    """Take back what still waits, so that the next round begins without."""
    with made.stack.database.transaction() as session:
        ended = {"state": JobState.CANCELLED, "ended_at": utc_now()}
        gone = (
            update(Job)
            .where(Job.queue == "engagement", Job.state.in_(CLAIMABLE))
            .values(**ended, fence=Job.fence + 1)
        )
        session.execute(gone.execution_options(synchronize_session=False))
        session.execute(
            update(BotAct).values(state=ActState.STOPPED, slot_at=None, permitted_at=None)
            .execution_options(synchronize_session=False)
        )  # fmt: skip
    with made.stack.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE" if made.stack.database.is_postgres else "ANALYZE")


def run(stack: str, jobs: int, posts: int, per_second: float, rounds: int, shared: bool) -> bool:
    port = free_port()
    rows: list[list[object]] = []
    alone_p99, beside_p99 = [], []
    with (
        bot_network(port) as network,
        rig(stack, channels=20, latency_ms=20, egress_allow=f"127.0.0.1:{port}") as made,
    ):
        account_ids = bot_channels(made, network, _address(port), 20)
        targets = statuses(network, min(2500, -(-jobs // len(account_ids))))
        if shared:
            made.start_workers(1, consumer=False)
        else:
            made.start_workers(1, consumer=False, queues=[q for q in QUEUES if q not in BOT_QUEUES])
            made.start_workers(1, consumer=False, queues=BOT_QUEUES)
        for number in range(rounds):
            alone = publish(made, posts, per_second, f"alone{number}x")
            fill(made, account_ids, targets, jobs, str(number))
            before = waiting(made)
            beside = publish(made, posts, per_second, f"beside{number}x")
            rows += [
                [f"alone {number + 1}", 0, 0, percentile(alone, 0.5), percentile(alone, 0.99), alone[-1]],
                [f"beside {number + 1}", before, done(made, number), percentile(beside, 0.5),
                 percentile(beside, 0.99), beside[-1]],
            ]  # fmt: skip
            alone_p99.append(percentile(alone, 0.99))
            beside_p99.append(percentile(beside, 0.99))
            clear(made)
    moved = median(beside_p99) - median(alone_p99)
    kind = "one process for all queues" if shared else "bots in a process of their own"
    table(
        f"publishing {posts} posts a stage beside {jobs:,} waiting likes of 20 channels on {stack}, {kind}: the median "
        f"p99 moved by {moved:.1f} ms ({machine()})",
        ["", "likes due", "done or put off meanwhile", "p50 ms late", "p99 ms late", "most ms"],
        rows,
    )
    return moved <= AIM_MS


def done(made: Rig, number: int) -> int:
    """How many of the likes were looked at: done, or put off by their caps."""
    with made.stack.database.reading() as session:
        is_touched = (Job.fence > 0) | (Job.state != JobState.QUEUED)
        touched = Job.dedupe_key.startswith(f"bench:{number}:") & is_touched
        return int(session.execute(select(func.count()).where(touched)).scalar_one())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", choices=("postgres", "sqlite"), default="postgres")
    parser.add_argument("--jobs", type=int, default=50_000)
    parser.add_argument("--posts", type=int, default=150)
    parser.add_argument("--per-second", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shared", action="store_true", help="all queues in one process")
    given = parser.parse_args()
    is_met = run(given.stack, given.jobs, given.posts, given.per_second, given.rounds, given.shared)
    raise SystemExit(0 if is_met else 1)


if __name__ == "__main__":
    main()
