"""What the workers ask every second reads what is due, not what waits for next week: Postgres' plans, read.

CONTENTCASTER_PLAN_ROWS=1000000 makes the table as long as that and prints the plans with their times (`-s`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlmodel import Session

from contentcaster.db import Database
from contentcaster.engine import heartbeat, ledger, reconciler
from contentcaster.engine.policy import Policy
from tests.services_for_tests.stack import Stack

_ROWS = int(os.environ.get("CONTENTCASTER_PLAN_ROWS", "30000"))
_POLICY = Policy()
_LEASES = "ix_job_lease"

# Of a long-lived installation: most is published, much waits for its day, little is due, some is in doubt or leased.
_FILL = """
INSERT INTO job (queue, kind, dedupe_key, payload, progress, state, due_at, scheduled_at, expires_at, on_missed,
                 priority, attempt, max_attempts, crashes, lookups, snoozes, fence, idempotency_key, remote_id,
                 remote_extra, created_at, version, hinted_at, lease_until)
SELECT CASE n % 10 WHEN 0 THEN 'engagement' WHEN 1 THEN 'growth' ELSE 'publish' END, 'publish', 'filled:' || n,
       '{}', '{}', state, due, due, due + interval '1 day', 'hold', 100, 0, 4, 0, 0, 0, 0, 'filled:' || n,
       CASE WHEN state = 'published' THEN n::text END, '{}', now(), 1,
       CASE WHEN state = 'queued' THEN now() END,
       CASE WHEN state IN ('claimed', 'sending') THEN now() + interval '30 seconds' END
FROM (SELECT n,
             CASE WHEN n % 10 < 5 THEN 'published' WHEN n % 1000 = 999 THEN 'unknown' WHEN n % 1000 = 998 THEN 'claimed'
                  WHEN n % 1000 = 997 THEN 'pending_queue' ELSE 'queued' END AS state,
             CASE WHEN n % 2000 = 6 THEN now() - interval '1 second'
                  ELSE now() + make_interval(secs => 60 + n % 100000) END AS due
      FROM generate_series(1, :rows) AS n) AS planned
"""


def _claim(queues: tuple[str, ...]) -> Callable[[Session], object]:
    return lambda session: ledger.claim(
        session, queues=queues, worker="w", limit=250, lead_seconds=3.0, lease_seconds=60.0
    )


_ASKED_OFTEN: dict[str, tuple[Callable[[Session], object], str]] = {
    "claim": (_claim(("publish",)), "ix_job_due"),
    "claim of several queues": (_claim(("engagement", "growth", "finder")), "ix_job_due"),
    "next due": (
        lambda session: ledger.seconds_until_next(
            session, queues=("publish", "maintenance"), lead_seconds=3.0
        ),
        "ix_job_due",
    ),
    "look-ups": (
        lambda session: ledger.claim_lookups(
            session, queues=("publish",), worker="w", limit=50, lease_seconds=60.0
        ),
        "ix_job_unknown",
    ),
    # Not bounded by time: the index holds what is leased right now, and that is little.
    "lapsed leases": (lambda session: reconciler.take_back_lapsed(session, _POLICY, worker="w"), _LEASES),
    "doubt again": (lambda session: reconciler.doubt_again(session, _POLICY), "ix_job_resend"),
    "lost hints": (lambda session: reconciler.find_lost_hints(session, _POLICY), "ix_job_due"),
    "missed": (lambda session: reconciler.hold_missed(session), "ix_job_due"),
    "expired": (lambda session: reconciler.give_up_expired(session), "ix_job_due"),
    "lag": (lambda session: heartbeat.read_heartbeat(session), "ix_job_due"),
}


@pytest.fixture
def long_ledger(postgres_stack: Stack) -> Database:
    with postgres_stack.database.engine.begin() as connection:
        connection.execute(text(_FILL), {"rows": _ROWS})
    with postgres_stack.database.engine.connect().execution_options(
        isolation_level="AUTOCOMMIT"
    ) as connection:
        connection.execute(text("VACUUM ANALYZE job"))
    return postgres_stack.database


def test_what_is_asked_every_second_is_bounded_by_time_in_its_index(long_ledger: Database) -> None:
    for name, (ask, index) in _ASKED_OFTEN.items():
        plans = [plan for plan in _plans(long_ledger, ask) if index in plan]
        assert plans, f"{name} does not use {index}"
        for plan in plans:
            if _ROWS > 100_000:
                print(f"\n{name}\n{plan}")
            assert "Seq Scan on job" not in plan, f"{name} reads the whole table:\n{plan}"
            if index == _LEASES:
                continue
            condition = re.search(rf"{index}.*?Index Cond: (.*?)\n", plan, re.DOTALL)
            assert condition is not None, f"{name} has no bound in {index}:\n{plan}"
            assert re.search(r"(due_at|lease_until|resend_until) [<>]", condition[1]), (
                f"{name} is not bounded by time:\n{plan}"
            )


def _plans(database: Database, ask: Callable[[Session], object]) -> list[str]:
    """The plans, run, of each statement about jobs that `ask` makes; nothing of it is kept."""
    plans: list[str] = []
    with database.engine.connect() as connection, _seen(connection) as statements:
        transaction = connection.begin()
        session = Session(connection)
        session.info["live_topics"] = set()
        ask(session)
        transaction.rollback()
        for statement, parameters in [*statements]:
            if "job" not in statement:
                continue
            with connection.begin() as transaction:
                rows = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", parameters)
                plans.append("\n".join(row[0] for row in rows) + "\n")
                transaction.rollback()
    return plans


@contextmanager
def _seen(connection: Any) -> Iterator[list[tuple[str, Any]]]:
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if not statement.startswith("EXPLAIN"):
            statements.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    yield statements
    event.remove(connection, "before_cursor_execute", note)
