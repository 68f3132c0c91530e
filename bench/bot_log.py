"""How quickly the bot log answers with millions of lines: first page, older pages, filters, text search, the head.

python -m bench.bot_log [--stack postgres] [--lines 5000000] [--calls 40]
python -m bench.bot_log --stack sqlite --lines 1000000

Fills the table inside the database and makes its indexes afterwards, as they were declared; then calls the service that
the console and REST call. The aim is a p95 below 150 ms for each. `--plans` prints how the database answers each.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event, text

from bench.harness import machine, percentile, table
from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.models import Role
from contentcaster.security.permissions import Principal
from contentcaster.services import bots_log
from contentcaster.services.bots_log import LogFilter
from tests.services_for_tests.stack import Servers, activated, as_environment

AIM_MS = 150
DAYS = 90
MONITOR = Principal(user_id="bench", email="m@example.org", name="Mona", role=Role.MONITOR, timezone="UTC")
BATCH = 250_000

# 4 bots' worth of everyday lines: 40 rules, 12 channels, outcomes as they come, a rare word every 100,000 lines.
_COLUMNS = (
    "at, bot, rule_id, rule_name, account_id, channel, action, target, target_url, outcome, detail, why, budget, "
    "actor, act_id"
)
_POSTGRES = f"""
INSERT INTO bot_log ({_COLUMNS})
SELECT clock_timestamp() - make_interval(secs => (:total - n) * {DAYS} * 86400.0 / :total),
 (ARRAY['engagement','engagement','engagement','growth','finder'])[1 + n % 5], 'rule' || (n % 40),
 'Rule number ' || (n % 40), 'account' || (n % 12), 'Mastodon · @channel' || (n % 12),
 (ARRAY['like','reply','repost','follow','discover'])[1 + n % 5],
 '@person' || ((n * 7919) % 200003) || '@' || (ARRAY['mastodon.art','example.social','bsky.social'])[1 + n % 3],
 '', CASE WHEN n % 100000 = 1 THEN 'in_doubt' ELSE
 (ARRAY['done','done','done','done','skipped','skipped','snoozed','refused','planned','planned'])[1 + (n / 7) % 10] END,
 '', 'mentions #topic' || (n % 500) || ', ' || (n % 90) || 'k followers' ||
 CASE WHEN n % 100000 = 0 THEN ' zanzibar' ELSE '' END, '17 of 20 today', 'ContentCaster', ''
FROM generate_series(CAST(:start AS bigint), CAST(:stop AS bigint)) AS n"""
_SQLITE = f"""
WITH RECURSIVE counter(n) AS (SELECT :start UNION ALL SELECT n + 1 FROM counter WHERE n < :stop)
INSERT INTO bot_log ({_COLUMNS})
SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now', -((:total - n) * {DAYS} * 86400.0 / :total) || ' seconds'),
 CASE n % 5 WHEN 3 THEN 'growth' WHEN 4 THEN 'finder' ELSE 'engagement' END, 'rule' || (n % 40),
 'Rule number ' || (n % 40), 'account' || (n % 12), 'Mastodon · @channel' || (n % 12),
 CASE n % 5 WHEN 0 THEN 'like' WHEN 1 THEN 'reply' WHEN 2 THEN 'repost' WHEN 3 THEN 'follow' ELSE 'discover' END,
 '@person' || ((n * 7919) % 200003) || '@' || CASE n % 3 WHEN 0 THEN 'mastodon.art' WHEN 1 THEN 'example.social' ELSE 'bsky.social' END,
 '', CASE WHEN n % 100000 = 1 THEN 'in_doubt' ELSE CASE (n / 7) % 10 WHEN 4 THEN 'skipped' WHEN 5 THEN 'skipped' WHEN 6 THEN 'snoozed' WHEN 7 THEN 'refused'
 WHEN 8 THEN 'planned' WHEN 9 THEN 'planned' ELSE 'done' END END, '',
 'mentions #topic' || (n % 500) || ', ' || (n % 90) || 'k followers' ||
 CASE WHEN n % 100000 = 0 THEN ' zanzibar' ELSE '' END, '17 of 20 today', 'ContentCaster', ''
FROM counter"""  # noqa: E501


_DIMENSIONS = "bot, rule_id, account_id, action, outcome"
_PERIOD = 840
"""The generated combinations repeat after so many lines, but for the rare outcome."""
_RARE = 100_000


def _with_facets(database: Database, template: str) -> str:
    """Number every combination that will occur; the statement that gives each line its number."""
    into = f"INSERT INTO bot_log ({_COLUMNS})"
    with database.engine.begin() as connection:
        for start, stop in ((2, _PERIOD + 1), *((n, n) for n in range(1, 4 * _RARE, _RARE))):
            connection.execute(text(template), {"start": start, "stop": stop, "total": 4 * _RARE})
        connection.exec_driver_sql(
            f"INSERT INTO bot_log_facet ({_DIMENSIONS}) SELECT DISTINCT {_DIMENSIONS} FROM bot_log"
        )
        connection.exec_driver_sql("DELETE FROM bot_log")
    new, old = f"INSERT INTO bot_log ({_COLUMNS}, facet)", template.partition(into)
    same = " AND ".join(f"f.{name} = made.{name}" for name in _DIMENSIONS.split(", "))
    made = ", ".join(f"made.{name}" for name in _COLUMNS.split(", "))
    named = f"made({_COLUMNS})"
    if database.is_postgres:
        return f"{new} SELECT {made}, f.id FROM ({old[2]}) AS {named} JOIN bot_log_facet f ON {same}"
    counted = f"{old[0].rstrip()}, {named} AS ({old[2]})"
    return f"{counted} {new} SELECT {made}, f.id FROM made JOIN bot_log_facet f ON {same}"


def fill(database: Database, lines: int) -> float:
    """Write so many lines, then the indexes, which is many times quicker than both together; returns the seconds."""
    began = time.monotonic()
    template = _POSTGRES if database.is_postgres else _SQLITE
    statement = text(_with_facets(database, template))
    with _without_indexes(database):
        for start in range(1, lines + 1, BATCH):
            values = {"start": start, "stop": min(start + BATCH - 1, lines), "total": lines}
            with database.engine.begin() as connection:
                connection.execute(statement, values)
            print(f"  {values['stop']:,} lines after {time.monotonic() - began:.0f} s", flush=True)
    print(f"  indexes after {time.monotonic() - began:.0f} s", flush=True)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE bot_log" if database.is_postgres else "ANALYZE")
        if database.is_postgres:
            connection.exec_driver_sql("CHECKPOINT")
    return time.monotonic() - began


_TRIGGER = "fts_bot_log_insert"


@contextmanager
def _without_indexes(database: Database) -> Iterator[None]:
    """Take away what each line would have to enter, and make it again as it was declared."""
    find = (
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'bot_log' AND indexname <> 'pk_bot_log'"
        if database.is_postgres
        else "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'bot_log' AND type = 'index' AND sql IS NOT NULL"
    )
    trigger = f"SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = '{_TRIGGER}'"
    made_again: list[str] = []
    with database.engine.begin() as connection:
        for name, definition in connection.exec_driver_sql(find).all():
            made_again.append(definition)
            connection.exec_driver_sql(f"DROP INDEX {name}")
        if not database.is_postgres:
            made_again.append(connection.exec_driver_sql(trigger).scalar_one())
            connection.exec_driver_sql(f"DROP TRIGGER {_TRIGGER}")
    yield
    with database.engine.begin() as connection:
        if database.is_postgres:
            connection.exec_driver_sql("SET LOCAL maintenance_work_mem = '512MB'")
            connection.exec_driver_sql("SET LOCAL max_parallel_maintenance_workers = 2")
        else:
            # In few large parts instead of hundreds that are merged again and again.
            connection.exec_driver_sql(
                "INSERT INTO fts_bot_log(fts_bot_log, rank) VALUES ('hashsize', 67108864)"
            )
            connection.exec_driver_sql("INSERT INTO fts_bot_log(fts_bot_log) VALUES ('rebuild')")
            connection.exec_driver_sql(
                "INSERT INTO fts_bot_log(fts_bot_log, rank) VALUES ('hashsize', 1048576)"
            )
        for definition in made_again:
            connection.exec_driver_sql(definition)


def cases(dice: random.Random) -> dict[str, Callable[[], LogFilter]]:
    """What people do on the page; drawn anew for each call, so that no call repeats another's cache."""
    return {
        "first page": LogFilter,
        "by bot": lambda: LogFilter(bot=dice.choice(("engagement", "growth", "finder"))),
        "by outcome": lambda: LogFilter(outcome=dice.choice(("done", "refused", "snoozed", "planned"))),
        "by an outcome that never occurs": lambda: LogFilter(outcome="resumed"),
        "by an outcome of 10 lines in a million": lambda: LogFilter(outcome="in_doubt"),
        "by rule": lambda: LogFilter(rule_id=f"rule{dice.randrange(40)}"),
        "by channel, bot and outcome": lambda: LogFilter(
            account_id=f"account{dice.randrange(12)}", bot="growth", outcome="refused"
        ),
        "by channel, action and outcome": lambda: LogFilter(
            account_id=f"account{dice.randrange(12)}", action="reply", outcome="snoozed"
        ),
        "by all five, rarely met": lambda: LogFilter(
            bot="engagement", rule_id="rule7", account_id="account7", action="repost", outcome="done"
        ),
        "by bot and an action it never does": lambda: LogFilter(bot="engagement", action="follow"),
        "by channel, last 24 h": lambda: LogFilter(hours=24, account_id=f"account{dice.randrange(12)}"),
        "last 24 h, by action": lambda: LogFilter(hours=24, action=dice.choice(("like", "follow"))),
        "text: a common word": lambda: LogFilter(text=dice.choice(("mentions", "mastodon", "followers"))),
        "text: one topic of 500": lambda: LogFilter(text=f"topic{dice.randrange(100, 500)}"),
        "text: one person of 200,000": lambda: LogFilter(text=f"person{dice.randrange(100_000, 200_000)}"),
        "text: a rare word": lambda: LogFilter(text="zanzibar"),
        "text: a word that never occurs": lambda: LogFilter(text="nowhere"),
        "text: one line in 90": lambda: LogFilter(text=f"{dice.randrange(10, 90)}k"),
        "text and outcome": lambda: LogFilter(text=f"topic{dice.randrange(100, 500)}", outcome="refused"),
        "text: a common word, and a rare outcome": lambda: LogFilter(text="mentions", outcome="in_doubt"),
        "text: a common word that this channel never has": lambda: LogFilter(
            text="channel3", account_id="account4"
        ),
        "text: two words": lambda: LogFilter(text=f"topic{dice.randrange(100, 500)} followers"),
    }


def measure(database: Database, calls: int, *, is_explaining: bool = False) -> list[list[object]]:
    dice = random.Random(11)
    rows: list[list[object]] = []

    def timed(name: str, call: Callable[[], int]) -> None:
        found = call()
        times = []
        for _ in range(calls):
            began = time.perf_counter()
            found = max(found, call())
            times.append((time.perf_counter() - began) * 1000)
        times.sort()
        p95 = percentile(times, 0.95)
        if found == 0 and "never" not in name:
            raise SystemExit(f"“{name}” found nothing: the lines are not what they should be")
        rows.append([name, found, percentile(times, 0.5), p95, max(times), "yes" if p95 < AIM_MS else "NO"])

    for name, make in cases(dice).items():

        def page(make: Callable[[], LogFilter] = make) -> int:
            with database.reading() as session:
                return len(bots_log.list_lines(session, MONITOR, make(), limit=50).items)

        timed(name, page)

    def deep() -> int:
        with database.reading() as session:
            cursor = str(dice.randrange(10_000, 500_000))
            page = bots_log.list_lines(session, MONITOR, LogFilter(bot="growth"), cursor=cursor, limit=50)
            return len(page.items)

    def head() -> int:
        with database.reading() as session:
            return len(bots_log.summarise(session, MONITOR).last_day)

    def hours() -> int:
        with database.reading() as session:
            return len(bots_log.count_hours(session, hours=24, now=utc_now()))

    def plans(name: str, make: Callable[[], LogFilter]) -> None:
        """How the database answers: EXPLAIN ANALYZE of every statement of one call."""
        asked: list[tuple[str, Any]] = []

        def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
            asked.append((statement, parameters))

        event.listen(database.engine, "before_cursor_execute", note)
        with database.reading() as session:
            bots_log.list_lines(session, MONITOR, make(), limit=50)
        event.remove(database.engine, "before_cursor_execute", note)
        explain = "EXPLAIN (ANALYZE, BUFFERS) " if database.is_postgres else "EXPLAIN QUERY PLAN "
        with database.engine.connect() as connection:
            for statement, parameters in asked:
                found = connection.exec_driver_sql(explain + statement, parameters).all()
                print(f"\n{name}: {statement[-300:]}\n  " + "\n  ".join(str(row[-1]) for row in found))

    if is_explaining:
        for name, make in cases(dice).items():
            plans(name, make)
    timed("a page far back, by bot", deep)
    timed("the Bots page: a day by hour, bot, action and outcome", hours)
    timed("the head: lines and last day", head)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", choices=("postgres", "sqlite"), default="postgres")
    parser.add_argument("--lines", type=int, default=0)
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--plans", action="store_true", help="print the plans as well")
    given = parser.parse_args()
    lines = given.lines or (5_000_000 if given.stack == "postgres" else 1_000_000)
    folder, servers = Path(tempfile.mkdtemp(prefix="contentcaster-bench-")), Servers()
    with ExitStack() as stack:
        stack.callback(servers.close)
        if given.stack == "postgres":
            own = {"database_url": stack.enter_context(servers.new_postgres_database())}
        else:
            own = {"database_url": servers.new_sqlite_database(folder)}
        built = stack.enter_context(activated(given.stack, as_environment(data_dir=folder, **own)))
        seconds = fill(built.database, lines)
        rows = measure(built.database, given.calls, is_explaining=given.plans)
    table(
        f"bot log with {lines:,} lines on {given.stack}, filled in {seconds:.0f} s ({machine()})",
        ["what", "rows", "p50 ms", "p95 ms", "most ms", f"below {AIM_MS}"],
        rows,
    )
    raise SystemExit(0 if all(row[-1] == "yes" for row in rows) else 1)


if __name__ == "__main__":
    main()
