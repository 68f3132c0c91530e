"""Transactions: what happens at a deadlock and after a commit."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlmodel import Session

from contentcaster import db
from contentcaster.db import Database, after_commit
from contentcaster.errors import Unavailable
from tests.services_for_tests.stack import Stack


def test_who_loses_a_deadlock_is_run_again_and_loses_nothing(postgres_stack: Stack) -> None:
    database = postgres_stack.database
    with database.transaction() as session:
        session.execute(text("CREATE TABLE pair (id int PRIMARY KEY, n int)"))
        session.execute(text("INSERT INTO pair VALUES (1, 0), (2, 0)"))
    both_hold_one = threading.Barrier(2, timeout=10)
    runs: list[int] = []

    def add(first: int, second: int) -> None:
        def work(session: Session) -> None:
            runs.append(first)
            session.execute(text("UPDATE pair SET n = n + 1 WHERE id = :id"), {"id": first})
            if runs.count(first) == 1:
                both_hold_one.wait()
            session.execute(text("UPDATE pair SET n = n + 1 WHERE id = :id"), {"id": second})

        database.write(work)

    threads = [threading.Thread(target=add, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    with database.reading() as session:
        assert session.execute(text("SELECT n FROM pair ORDER BY id")).scalars().all() == [2, 2]
    assert len(runs) == 3


def test_what_waits_for_a_commit_does_not_run_after_a_rollback(stack: Stack) -> None:
    ran: list[str] = []
    try:
        with stack.database.transaction() as session:
            after_commit(session, lambda _: ran.append("rolled back"))
            raise LookupError
    except LookupError:
        pass
    with stack.database.transaction() as session:
        after_commit(session, lambda _: ran.append("committed"))
        assert ran == []
    assert ran == ["committed"]


def test_many_writers_of_one_sqlite_file_all_get_their_turn_soon(sqlite_stack: Stack) -> None:
    """Twelve threads over three pools, as three processes would have them; SQLite's own waiting starves some."""
    databases = [sqlite_stack.database, Database(sqlite_stack.settings), Database(sqlite_stack.settings)]
    with sqlite_stack.database.transaction() as session:
        session.execute(text("CREATE TABLE tally (n int)"))
        session.execute(text("INSERT INTO tally VALUES (0)"))

    def add(database: Database) -> None:
        for _ in range(20):
            with database.transaction() as session:
                session.execute(text("UPDATE tally SET n = n + 1"))

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(add, databases * 4))
    with sqlite_stack.database.reading() as session:
        assert session.execute(text("SELECT n FROM tally")).scalar() == 240
    for database in databases[1:]:
        database.dispose()


def test_a_write_lock_that_is_never_let_go_is_said_and_not_waited_for_for_ever(
    sqlite_stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "_BUSY_TIMEOUT_SECONDS", 0.2)
    with Database(sqlite_stack.settings).transaction(), pytest.raises(Unavailable):
        with sqlite_stack.database.transaction():
            pass
    with sqlite_stack.database.transaction() as session:
        assert session.execute(text("SELECT 1")).scalar() == 1
