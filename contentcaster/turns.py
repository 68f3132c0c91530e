"""A lock that is handed on in the order in which it was asked for."""

from __future__ import annotations

import threading
from collections import deque


class Turns:
    """A mutual exclusion whose next holder is the one that has waited longest.

    `threading.Lock` lets whoever comes by take it from under those who wait, so that with many short holders one of
    them may wait for very long.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_held = False
        self._waiting: deque[threading.Lock] = deque()

    def acquire(self, timeout_seconds: float) -> bool:
        """Wait for one's turn; False when it did not come in time."""
        with self._guard:
            if not self._is_held:
                self._is_held = True
                return True
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        if turn.acquire(timeout=timeout_seconds):
            return True
        with self._guard:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return False
        return True  # handed over in the moment in which the wait ended

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._waiting)

    def release(self) -> None:
        """Hand over to whoever has waited longest."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_held = False
