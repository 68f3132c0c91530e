"""Queues and workers: how deep, how late, how alive; pausing and rebuilding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import reflex as rx
from pydantic import Field

from contentcaster.security.permissions import Permission
from contentcaster.services import operations
from contentcaster.services.views import QueueView, WorkerView
from contentcaster.settings import get_settings
from contentcaster.state.bridge import read, write
from contentcaster.state.drawing import bars_path
from contentcaster.state.flash import flash
from contentcaster.state.forms import Form, text_of
from contentcaster.state.marks import guarded
from contentcaster.state.page import page_load

Name = Annotated[str, Field(max_length=40)]

STATES: dict[str, tuple[str, str]] = {
    "pending_queue": ("Saved, not in the queue yet", "warn"),
    "queued": ("In the queue", "info"),
    "claimed": ("Preparing", "acc"),
    "sending": ("Sending", "acc"),
    "retry_wait": ("Waiting to try again", "warn"),
    "snoozed": ("Rate limited", "warn"),
    "unknown": ("No answer, looked up next", "bad"),
    "resolving": ("Being looked up", "bad"),
    "held": ("Waiting for a person", "bad"),
}
"""Job state -> words and tone, in the order in which a job goes through them."""


@dataclass(frozen=True)
class Depth:
    """One piece of a queue's depth."""

    state: str
    words: str
    tone: str
    count: int
    share: str
    """Of the whole, as a CSS width."""


@dataclass(frozen=True)
class QueueCard:
    """A queue with what is drawn of it."""

    queue: QueueView
    depths: list[Depth]
    total: int
    bars: str
    peak: int
    lag: str


class QueuesState(rx.State):
    cards: list[QueueCard] = []
    workers: list[WorkerView] = []
    gone: list[WorkerView] = []
    """Stopped or silent ones, the newest few."""
    waiting: int = 0
    in_flight: int = 0
    overdue: int = 0
    lag: str = ""
    lag_tone: str = "ok"
    per_minute: str = ""
    is_embedded: bool = True
    """Whether `contentcaster up` and `worker` are the usual way here, rather than huey_consumer on Redis."""
    unserved: list[str] = []
    """Titles of queues that no living worker runs."""
    pausing: str = ""
    """The queue whose pause is being asked about; "" closes the dialog."""
    pausing_title: str = ""

    @page_load(Permission.VIEW_OPERATIONS)
    async def load(self) -> None:
        """Read all queues and workers; runs again with every heartbeat."""
        queues = await read(operations.list_queues)
        workers = await read(operations.list_workers)
        self.cards = [_card(queue) for queue in queues]
        self.workers = [worker for worker in workers if worker.is_alive]
        self.gone = [worker for worker in workers if not worker.is_alive][:5]
        self.waiting = sum(queue.waiting for queue in queues)
        self.in_flight = sum(queue.in_flight for queue in queues)
        self.overdue = sum(queue.overdue for queue in queues)
        lag_seconds = max((queue.lag_seconds for queue in queues), default=0.0)
        self.lag = _span(lag_seconds)
        self.lag_tone = "ok" if lag_seconds < 5 else "warn" if lag_seconds < 60 else "bad"
        self.per_minute = f"{sum(queue.per_minute for queue in queues):g}"
        self.is_embedded = not get_settings().redis_url
        served = {name for worker in self.workers for name in worker.queues}
        self.unserved = [queue.title for queue in queues if queue.name not in served]

    @guarded(Permission.OPERATE)
    async def ask_pause(self, name: Name) -> None:
        self.pausing = name
        self.pausing_title = next((card.queue.title for card in self.cards if card.queue.name == name), name)

    @guarded(Permission.OPERATE)
    async def set_pause_open(self, is_open: bool) -> None:
        if not is_open:
            self.pausing = ""

    @guarded(Permission.OPERATE)
    async def pause(self, form: Form) -> None:
        """Stop taking work from the queue that was asked about."""
        queue = await write(operations.pause_queue, self.pausing, reason=text_of(form, "reason"))
        self.pausing = ""
        await flash(
            self, "ok", f"{queue.title} is paused. What waits stays in the database until you resume it."
        )

    @guarded(Permission.OPERATE)
    async def resume(self, name: Name) -> None:
        queue = await write(operations.resume_queue, name)
        await flash(self, "ok", f"{queue.title} runs again. What came due meanwhile goes out now.")

    @guarded(Permission.OPERATE)
    async def rebuild(self) -> None:
        """Tell the queues anew of everything that waits."""
        count = await write(operations.rebuild_queues)
        jobs = "1 job waits" if count == 1 else f"{count:,} jobs wait"
        await flash(self, "ok", f"Rebuilt from the database: {jobs}. Nothing is sent twice by this.")


def _card(queue: QueueView) -> QueueCard:
    counted = [(state, queue.states[state]) for state in STATES if queue.states.get(state)]
    total = sum(count for _, count in counted)
    return QueueCard(
        queue=queue,
        depths=[
            Depth(state, *STATES[state], count=count, share=f"{max(2.0, count / total * 100):.1f}%")
            for state, count in counted
        ],
        total=total,
        bars=bars_path(queue.sparkline),
        peak=max(queue.sparkline, default=0),
        lag=_span(queue.lag_seconds),
    )


def _span(seconds: float) -> str:
    """2.1 s, 48 s, 12 min, 3.2 h"""
    if seconds < 0.05:
        return "0 s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
