"""How quickly Analytics answers with a year of many posts: every view of the page, for a week, a month and the year.

python -m bench.analytics [--stack both|postgres|sqlite] [--posts 0] [--snapshots 10] [--calls 20]

Without words: 1,000,000 posts with 10 million snapshots on Postgres, then 100,000 with a million on SQLite. Fills the
tables inside the database (posts, jobs, targets, labels, snapshots), sums the rollup once, then calls the services that
the page and REST call. The aim is a p95 below 300 ms for each.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select, text

from bench.harness import machine, percentile, table
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.models import MetricPost, Role
from contentcaster.platforms.metrics import PostCounts
from contentcaster.security.permissions import Principal
from contentcaster.services import analytics
from contentcaster.services.analytics_bots import bot_effect
from contentcaster.services.analytics_collect import COUNTS_AT_ONCE
from contentcaster.services.analytics_demo import rebuild
from contentcaster.services.analytics_period import Period
from contentcaster.services.analytics_rollup import Measured, record
from contentcaster.services.analytics_scope import Scope
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Servers, activated, as_environment

AIM_MS, WRITING_AIM_MS = 300, 50
CHANNELS, AUTHORS, LABELS, BATCH = 20, 8, 8, 100_000
VIEWER = Principal(
    user_id="bench", email="v@example.org", name="Vic", role=Role.VIEWER, timezone="Europe/Berlin"
)

# Quarters of an hour by day only, as people post: 52 of the 96 quarters of a day.
_AT = (
    "(:day0 + (CAST(n AS bigint) * 7919 % 1000003 % 364)) * 86400 + 21600"
    " + (CAST(n AS bigint) * 104729 % 999983 % 52) * 900"
)
_STATEMENTS = (
    "INSERT INTO post (id, author_id, text, thread, status, timezone, wall_time, labels, options, missed_policy,"
    " created_at, updated_at, version) SELECT {pid}, {author}, 'Post number ' || n || ' about releases', '[]',"
    " 'Published', 'UTC', '', '[]', '{{}}', 'publish_late', {at}, {at}, 1 FROM counter",
    "INSERT INTO job (id, queue, kind, dedupe_key, account_id, post_id, payload, progress, state, due_at,"
    " scheduled_at, expires_at, on_missed, priority, attempt, max_attempts, crashes, lookups, snoozes, fence,"
    " idempotency_key, remote_id, remote_extra, sent_at, ended_at, created_at, version) SELECT n, 'publish',"
    " 'publish', 'bench' || n, {account}, {pid}, '{{}}', '{{}}', 'published', {at}, {at}, {at}, 'hold', 100, 1, 4,"
    " 0, 0, 0, 1, 'key' || n, 'remote' || n, '{{}}', {at}, {at}, {at}, 1 FROM counter",
    "INSERT INTO target (id, post_id, account_id, part, options, job_id)"
    " SELECT {pid}, {pid}, {account}, 0, '{{}}', n FROM counter",
    "INSERT INTO post_label (label, post_id) SELECT 'label ' || (n % {labels}), {pid} FROM counter",
    "INSERT INTO metric_post (job_id, account_id, post_id, author_id, remote_id, published_at, ended_at, bucket,"
    " measured_at, likes, reposts, replies, engagements) SELECT n, {account}, {pid}, {author}, 'remote' || n, {at},"
    " {at}, ({seconds}) / 900, {at}, {count}, n % 7, n % 3, {count} + n % 7 + n % 3 FROM counter",
    "INSERT INTO metric_snapshot (job_id, slot, taken_at, likes, reposts, replies) SELECT n, slot.value, {at},"
    " {count} * (slot.value + 1) / :slots, n % 7, n % 3 FROM counter CROSS JOIN slot",
)
_COUNTER = (
    "WITH RECURSIVE counter(n) AS (SELECT CAST(:start AS bigint) UNION ALL SELECT n + 1 FROM counter WHERE n < :stop),"
    " slot(value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM slot WHERE value < :slots - 1) "
)


def fill(database: Database, posts: int, slots: int) -> float:
    """Write so many posts with so many snapshots each; returns the seconds it took."""
    began = time.monotonic()
    with database.transaction() as session:
        people = [factories.create_user(session, name=f"Person {n}") for n in range(AUTHORS)]
        channels = [factories.create_account(session, people[0]) for _ in range(CHANNELS)]
    is_postgres = database.is_postgres
    places = {
        "pid": "lpad(CAST(n AS text), 26, '0')" if is_postgres else "printf('%026d', n)",
        "seconds": _AT,
        "at": f"to_timestamp({_AT})"
        if is_postgres
        else f"strftime('%Y-%m-%d %H:%M:%f000', {_AT}, 'unixepoch')",
        "author": _pick([person.id for person in people], 32452843),
        "account": _pick([account.id for account in channels], 15485863),
        "labels": str(LABELS),
        "count": "CAST(n AS bigint) * 7907 % 997 * (1 + n % 5) / 20",
    }
    day0 = int((utc_now() - timedelta(days=364)).timestamp() // 86_400)
    for start in range(1, posts + 1, BATCH):
        values = {
            "start": start, "stop": min(start + BATCH - 1, posts), "day0": day0, "slots": slots,
        }  # fmt: skip
        with database.engine.begin() as connection:
            for template in _STATEMENTS:
                insert, _, query = template.format(**places).partition(" SELECT ")
                statement = text(f"{insert} {_COUNTER} SELECT {query}")
                used = {name: value for name, value in values.items() if f":{name}" in str(statement)}
                connection.execute(statement, used)
        print(f"  {values['stop']:,} posts after {time.monotonic() - began:.0f} s", flush=True)
    with database.transaction() as session:
        rebuild(session)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE" if is_postgres else "ANALYZE")
    return time.monotonic() - began


def _pick(ids: list[str], step: int) -> str:
    cases = " ".join(f"WHEN {number} THEN '{own_id}'" for number, own_id in enumerate(ids))
    return f"(CASE CAST(n AS bigint) * {step} % 999979 % {len(ids)} {cases} END)"


def measure(database: Database, calls: int) -> list[list[object]]:
    today = utc_now().date()
    with database.reading() as session:
        channels = [view.account_id for view in analytics.channels(session, VIEWER)]
    views: dict[str, Callable[..., object]] = {
        "summary": analytics.summary,
        "series": analytics.series,
        "heat map": analytics.heat_map,
        "by channel": analytics.by_channel,
        "by author": analytics.by_author,
        "by label": analytics.by_label,
        "best posts": analytics.top_posts,
        "worst posts": lambda *scope: analytics.top_posts(*scope, order="worst"),
        "bot effect": bot_effect,
    }
    dice, rows = random.Random(5), []
    scopes: dict[str, Callable[[], Scope]] = {
        "all": Scope,
        "one channel": lambda: Scope(account_id=dice.choice(channels)),
        "one network": lambda: Scope(network="sandbox"),
        "one label": lambda: Scope(label=f"label {dice.randrange(LABELS)}"),
    }
    for days in (7, 30, 365):
        for name, view in views.items():
            for of, scope in scopes.items():
                times = []
                for _ in range(calls + 1):
                    last = today - timedelta(days=0 if days == 365 else dice.randrange(200))
                    period = Period(last - timedelta(days=days - 1), last, VIEWER.timezone)
                    asked = scope()
                    began = time.perf_counter()
                    with database.reading() as session:
                        view(session, VIEWER, period, asked)
                    times.append((time.perf_counter() - began) * 1000)
                times = sorted(times[1:])
                p95 = percentile(times, 0.95)
                good = "yes" if p95 < AIM_MS else "NO"
                rows.append([f"{name}, {days} days, {of}", percentile(times, 0.5), p95, good])
    return rows


def measure_writing(database: Database, calls: int) -> list[object]:
    """How long the collector holds its transaction for the counts of one step: on SQLite nobody sends meanwhile."""
    dice, times = random.Random(7), []
    with database.reading() as session:
        channel = analytics.channels(session, VIEWER)[0].account_id
        ids = list(
            session.execute(select(MetricPost.job_id).where(MetricPost.account_id == channel)).scalars()
        )
    for number in range(calls + 1):
        measured = [
            Measured(job_id, 100 + number, utc_now(), PostCounts(likes=number, reposts=1, replies=1))
            for job_id in dice.sample(ids, COUNTS_AT_ONCE)
        ]
        with database.transaction() as session:
            session.execute(select(1))
            began = time.perf_counter()
            record(session, channel, measured)
        times.append((time.perf_counter() - began) * 1000)
    times = sorted(times[1:])
    p95 = percentile(times, 0.95)
    good = "yes" if p95 < WRITING_AIM_MS else "NO"
    what = f"write the counts of {COUNTS_AT_ONCE} posts (aim {WRITING_AIM_MS})"
    return [what, percentile(times, 0.5), p95, good]


def run(stack_name: str, posts: int, snapshots: int, calls: int) -> bool:
    """Fill, measure and print; whether every view is quick enough."""
    posts = posts or (1_000_000 if stack_name == "postgres" else 100_000)
    folder, servers = Path(tempfile.mkdtemp(prefix="contentcaster-bench-")), Servers()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.callback(servers.close)
        if stack_name == "postgres":
            own = {"database_url": stack.enter_context(servers.new_postgres_database())}
        else:
            own = {"database_url": servers.new_sqlite_database(folder)}
        built = stack.enter_context(activated(stack_name, as_environment(data_dir=folder, **own)))
        seconds = fill(built.database, posts, snapshots)
        rows = measure(built.database, calls)
        rows.append(measure_writing(built.database, calls))
    table(
        f"analytics with {posts:,} posts and {posts * snapshots:,} snapshots on {stack_name}, "
        f"filled in {seconds:.0f} s ({machine()})",
        ["what", "p50 ms", "p95 ms", f"below {AIM_MS}"],
        rows,
    )
    return all(row[-1] == "yes" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", choices=("both", "postgres", "sqlite"), default="both")
    parser.add_argument("--posts", type=int, default=0)
    parser.add_argument("--snapshots", type=int, default=10)
    parser.add_argument("--calls", type=int, default=20)
    given = parser.parse_args()
    stacks = ("postgres", "sqlite") if given.stack == "both" else (given.stack,)
    good = [run(name, given.posts, given.snapshots, given.calls) for name in stacks]
    raise SystemExit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
