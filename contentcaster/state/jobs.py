"""One job, and the list of those that wait or run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs

import reflex as rx

from contentcaster.errors import NotFound
from contentcaster.security.permissions import Permission
from contentcaster.services import jobs
from contentcaster.services.jobs import JobDetail, JobRow
from contentcaster.services.views import AttemptView
from contentcaster.state.bridge import read
from contentcaster.state.page import page_load
from contentcaster.state.queues import STATES as QUEUE_STATES

_OUTCOMES = {
    "published": ("Published", "ok"),
    "retry_later": ("Not sent", "warn"),
    "snooze": ("Asked to wait", "warn"),
    "unknown": ("No answer", "bad"),
    "refused": ("Refused", "bad"),
    "safe_to_send": ("Not there: safe to send", "ok"),
    "lookup_failed": ("Look-up failed", "warn"),
    "cannot_tell": ("Cannot tell", "bad"),
    "released": ("Given back", "warn"),
    "lost": ("Worker lost", "bad"),
}
_LIST_LIMIT = 100


@dataclass(frozen=True)
class Phase:
    """A stretch of one try, as it is drawn."""

    words: str
    tone: str
    width: str


@dataclass(frozen=True)
class AttemptCard:
    attempt: AttemptView
    title: str
    fence: int
    words: str
    tone: str
    phases: list[Phase]


class JobsState(rx.State):
    rows: list[JobRow] = []
    title: str = ""
    """What of all jobs is shown, in words."""
    is_cut: bool = False

    @page_load(Permission.VIEW_OPERATIONS)
    async def load(self) -> None:
        """Read what the address asks for: ?queue=, ?state=, ?worker=."""
        asked = {key: values[-1][:80] for key, values in parse_qs(self.router.url.query).items()}
        queue, state, worker = (asked.get(key, "") for key in ("queue", "state", "worker"))
        self.rows = await read(jobs.list_jobs, queue=queue, state=state, worker=worker, limit=_LIST_LIMIT)
        self.is_cut = len(self.rows) == _LIST_LIMIT
        words = QUEUE_STATES.get(state, (state, ""))[0]
        parts = [
            f"queue {queue}" if queue else "",
            words.lower() if state else "",
            f"held by {worker}" if worker else "",
        ]
        self.title = " · ".join(part for part in parts if part) or "everything that waits or runs"


class JobState(rx.State):
    found: list[JobDetail] = []
    """The job; none or one."""
    cards: list[AttemptCard] = []
    hint: str = ""
    hint_tone: str = ""
    lease: str = ""
    lease_tone: str = ""

    @page_load(Permission.VIEW_OPERATIONS)
    async def load(self) -> None:
        """Read the job; runs again as it moves."""
        number = str(self.job_id)
        if not (number.isascii() and number.isdigit() and len(number) < 19):
            raise NotFound("There is no job with this number.")
        detail = await read(jobs.get_job, int(number))
        self.found = [detail]
        self.cards = [
            _card(attempt, fence) for attempt, fence in zip(detail.attempts, detail.fences, strict=True)
        ][::-1]
        self.hint, self.hint_tone = _hint(detail)
        self.lease, self.lease_tone = _lease(detail)


def _card(attempt: AttemptView, fence: int) -> AttemptCard:
    words, tone = _OUTCOMES.get(attempt.outcome, (attempt.outcome.replace("_", " ").capitalize(), ""))
    title = "Look-up" if attempt.kind == "lookup" else f"Try {max(1, attempt.attempt)}"
    return AttemptCard(attempt, title, fence, words, tone, _phases(attempt))


def _phases(attempt: AttemptView) -> list[Phase]:
    """Preparing, waiting for the time, sending: with a width by how long each took."""
    if attempt.kind == "lookup":
        marks = [("looking", "acc", attempt.started_at, attempt.ended_at)]
    else:
        ready = attempt.prepared_at or attempt.sent_at or attempt.ended_at
        sent = attempt.sent_at
        marks = [("preparing", "info", attempt.started_at, ready)]
        if sent is not None:
            marks += [
                ("waiting for its time", "idle", ready, sent),
                ("sending", "acc", sent, attempt.ended_at),
            ]
        else:
            marks += [("waiting for its time", "idle", ready, attempt.ended_at)]
    spans = [(name, tone, _seconds(start, end)) for name, tone, start, end in marks]
    spans = [span for span in spans if span[2] >= 0.0005]
    total = sum(seconds for *_, seconds in spans) or 1.0
    return [
        Phase(f"{name} {_span(seconds)}", tone, f"{max(3.0, seconds / total * 100):.1f}%")
        for name, tone, seconds in spans
    ]


def _seconds(start: datetime, end: datetime) -> float:
    return max(0.0, (end - start).total_seconds())


def _span(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _hint(detail: JobDetail) -> tuple[str, str]:
    """Where its hint is, and what that means."""
    state = detail.job.state
    if state == "queued":
        return "A queue has it.", "ok"
    if state == "pending_queue" and detail.hinted_at is None:
        return "No queue has taken it yet. The job goes out from the database all the same.", "warn"
    if state == "pending_queue":
        return "It was lost on its way and is offered anew.", "warn"
    if detail.hinted_at is None:
        return "None was needed: a worker found the job in the database.", ""
    return "Done with: the job has been taken.", ""


def _lease(detail: JobDetail) -> tuple[str, str]:
    if detail.lease_until is None:
        return "Nobody holds it.", ""
    if detail.is_lease_over:
        return "Its lease is over; the reconciler takes it back within seconds.", "bad"
    if not detail.is_worker_alive:
        return "Its worker is silent. When the lease is over, another one takes up the job.", "warn"
    return "A living worker holds it.", "ok"
