"""Turns: the lock that the threads of a process take before they write to SQLite."""

from __future__ import annotations

import threading

from contentcaster.turns import Turns
from tests.services_for_tests.programs import wait_until


def _wait_in_line(turns: Turns, name: str, order: list[str]) -> threading.Thread:
    def work() -> None:
        assert turns.acquire(10)
        order.append(name)
        turns.release()

    before = turns.waiting
    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: turns.waiting == before + 1, what="the thread to stand in line")
    return thread


def test_turns_come_in_the_order_in_which_they_were_asked_for() -> None:
    turns = Turns()
    order: list[str] = []
    assert turns.acquire(1)
    threads = [_wait_in_line(turns, name, order) for name in "abcde"]
    turns.release()
    for thread in threads:
        thread.join(10)
    assert order == list("abcde")


def test_who_comes_by_at_the_moment_of_the_release_does_not_get_in_first() -> None:
    turns = Turns()
    assert turns.acquire(1)
    order: list[str] = []
    waiting = _wait_in_line(turns, "first", order)
    turns.release()
    assert turns.acquire(10)
    order.append("second")
    turns.release()
    waiting.join(10)
    assert order == ["first", "second"]


def test_who_gives_up_waiting_leaves_no_hole_in_the_line() -> None:
    turns = Turns()
    assert turns.acquire(1)
    assert not turns.acquire(0.01)
    assert turns.waiting == 0
    turns.release()
    assert turns.acquire(0.01)
