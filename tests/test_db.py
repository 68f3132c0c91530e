"""Transactions: what happens at a deadlock and after a commit."""

from __future__ import annotations

import threading

from sqlalchemy import text
from sqlmodel import Session

from contentcaster.db import after_commit
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
