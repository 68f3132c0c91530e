"""One job of the ledger as operators see it: its lease, its tries, its hint, and what all of that means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from contentcaster.clock import utc_now
from contentcaster.engine.conditions import is_leased, is_unknown, is_waiting
from contentcaster.engine.heartbeat import ALIVE_SECONDS, process_of
from contentcaster.errors import InvalidInput, NotFound
from contentcaster.models import (
    Account,
    FailedTask,
    Job,
    JobAttempt,
    JobEvent,
    JobState,
    Worker,
)
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services.drafts import clean_text
from contentcaster.services.failed_tasks import attempt_view
from contentcaster.services.platforms import channel_view
from contentcaster.services.views import AttemptView, ChannelView
from contentcaster.settings import QUEUES

MAX_LISTED = 200
_EXCERPT_LENGTH = 140
_MOST_ATTEMPTS = 200

STATES: dict[JobState, tuple[str, str, str]] = {
    JobState.PENDING_QUEUE: (
        "Saved, not in the queue yet",
        "warn",
        "No queue has taken its hint. A worker finds it in the database by its time all the same.",
    ),
    JobState.QUEUED: (
        "In the queue",
        "info",
        "A queue holds its hint; a worker takes it just before its time.",
    ),
    JobState.CLAIMED: (
        "Being prepared",
        "acc",
        "A worker holds its lease: login, media, connection. Nothing has been sent.",
    ),
    JobState.SENDING: (
        "Being sent",
        "acc",
        "A worker has committed that it sends. Should it die now, the network is asked first; it is never simply sent "
        "again.",
    ),
    JobState.RETRY_WAIT: (
        "Waiting to try again",
        "warn",
        "The last try provably did not get through, or was refused in a way that may pass.",
    ),
    JobState.SNOOZED: ("Rate limited", "warn", "The network asked to wait. That try does not count."),
    JobState.UNKNOWN: (
        "In doubt",
        "bad",
        "It may have been sent, and no proof came back. The network is asked before anything else happens.",
    ),
    JobState.RESOLVING: ("Being looked up", "bad", "A worker asks the network whether it is there."),
    JobState.PUBLISHED: ("Published", "ok", "Proven: the network gave it an id."),
    JobState.DONE: ("Done", "ok", "Proven to be done."),
    JobState.DEAD: ("Given up", "bad", "It stands in Failed tasks, with its cause and what to do."),
    JobState.HELD: (
        "Waiting for a person",
        "bad",
        "No program can tell whether it is there. Nothing is sent until somebody decides in Failed tasks.",
    ),
    JobState.CANCELLED: ("Cancelled", "", "Nothing more is sent."),
}
"""State -> words, tone, and what it means."""


@dataclass(frozen=True)
class JobRow:
    id: int
    queue: str
    kind: str
    state: str
    words: str
    tone: str
    channel: ChannelView | None
    text: str
    """The first 140 characters of what goes out; "" for what has no text."""
    due_at: datetime
    scheduled_at: datetime
    attempt: int
    max_attempts: int
    worker: str
    """Who holds its lease; "" for nobody."""
    post_id: str


@dataclass(frozen=True)
class JobEventView:
    at: datetime
    name: str
    actor: str
    message: str


@dataclass(frozen=True)
class JobFailureView:
    """A failed task of this job."""

    id: int
    reason: str
    message: str
    created_at: datetime
    is_open: bool
    resolution: str
    resolved_by: str


@dataclass(frozen=True)
class LinkedJob:
    """The thread part before or after."""

    id: int
    words: str
    tone: str


@dataclass(frozen=True)
class JobDetail:
    job: JobRow
    meaning: str
    expires_at: datetime
    late_until: datetime | None
    created_at: datetime
    ended_at: datetime | None
    crashes: int
    lookups: int
    snoozes: int
    fence: int
    lease_until: datetime | None
    is_lease_over: bool
    is_worker_alive: bool
    """Whether the process that holds the lease has been heard of lately."""
    claimed_at: datetime | None
    sent_at: datetime | None
    """When the intent of the latest try to send was committed."""
    resend_until: datetime | None
    """Until then the network would remember our key, and sending again is safe."""
    hinted_at: datetime | None
    idempotency_key: str
    client_ref: str
    remote_id: str
    remote_url: str
    error_class: str
    error_message: str
    before: LinkedJob | None
    after: list[LinkedJob]
    attempts: list[AttemptView]
    """Oldest first; the newest 200."""
    fences: list[int]
    """The fence of each of `attempts`."""
    events: list[JobEventView]
    failures: list[JobFailureView]


def list_jobs(
    session: Session,
    principal: Principal,
    *,
    queue: str = "",
    state: str = "",
    worker: str = "",
    limit: int = 100,
) -> list[JobRow]:
    """Jobs that are not at their end, the one that is due first at the top.

    `worker` is a process as the Workers list names it: only what it holds now.

    Raises:
        InvalidInput: no such queue or state.
    """
    principal.require(Permission.VIEW_OPERATIONS)
    if queue and queue not in QUEUES:
        raise InvalidInput(f"There is no queue called {clean_text(queue)[:40]}.", field="queue")
    limit = max(1, min(limit, MAX_LISTED))
    wanted = _wanted_state(state)
    found: list[Any] = []
    for query in _by_index([queue] if queue else QUEUES, is_any=not worker):
        if wanted is not None:
            query = query.where(Job.state == wanted)
        if queue:
            query = query.where(Job.queue == queue)
        if worker:
            query = query.where(col(Job.lease_owner).startswith(clean_text(worker)[:80], autoescape=True))
        found += session.execute(query.limit(limit)).all()
    found.sort(key=lambda row: (row[0].due_at, row[0].id))
    return [_row(job, account) for job, account in found[:limit]]


def _by_index(queues: Sequence[str], *, is_any: bool) -> Iterator[Any]:
    """Queries for the open jobs, each of which an index answers: a million that have ended lie in the same table."""
    yield _rows().where(is_leased()).order_by(Job.lease_until)
    if not is_any:
        return
    for queue in queues:
        yield _rows().where(is_waiting(), Job.queue == queue).order_by(Job.due_at, Job.priority, Job.id)
    yield _rows().where(is_unknown()).order_by(Job.due_at)
    open_tasks = select(FailedTask.job_id).where(FailedTask.resolved_at.is_(None))
    yield _rows().where(Job.id.in_(open_tasks), Job.state == JobState.HELD).order_by(Job.due_at)


def get_job(session: Session, principal: Principal, job_id: int) -> JobDetail:
    """One job with every try, event and failed task. Raises NotFound."""
    principal.require(Permission.VIEW_OPERATIONS)
    found = session.execute(
        _rows().where(Job.id == job_id).execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound("There is no job with this number.")
    job, account = found
    now = utc_now()
    attempts = _attempts(session, job_id)
    return JobDetail(
        job=_row(job, account),
        meaning=STATES[job.state][2],
        expires_at=job.expires_at,
        late_until=job.late_until,
        created_at=job.created_at,
        ended_at=job.ended_at,
        crashes=job.crashes,
        lookups=job.lookups,
        snoozes=job.snoozes,
        fence=job.fence,
        lease_until=job.lease_until,
        is_lease_over=job.lease_until is not None and job.lease_until <= now,
        is_worker_alive=_is_alive(session, job.lease_owner, now),
        claimed_at=job.claimed_at,
        sent_at=job.sent_at,
        resend_until=job.resend_until,
        hinted_at=job.hinted_at,
        idempotency_key=job.idempotency_key,
        client_ref=job.client_ref or "",
        remote_id=job.remote_id or "",
        remote_url=job.remote_url or "",
        error_class=job.error_class or "",
        error_message=job.error_message or "",
        before=next(iter(_linked(session, Job.id == job.after_job_id)), None) if job.after_job_id else None,
        after=_linked(session, Job.after_job_id == job.id),
        attempts=[attempt_view(attempt) for attempt in attempts],
        fences=[attempt.fence for attempt in attempts],
        events=_events(session, job_id),
        failures=_failures(session, job_id),
    )


def _wanted_state(state: str) -> JobState | None:
    if not state:
        return None
    try:
        return JobState(state)
    except ValueError:
        raise InvalidInput("There is no such state of a job.", field="state") from None


def _rows() -> Any:
    return select(Job, Account).outerjoin(Account, Account.id == Job.account_id)


def _row(job: Job, account: Account | None) -> JobRow:
    words, tone, _meaning = STATES[job.state]
    text = str(job.payload.get("text") or "")
    return JobRow(
        id=job.id or 0,
        queue=job.queue,
        kind=job.kind,
        state=job.state.value,
        words=words,
        tone=tone,
        channel=channel_view(account) if account else None,
        text=text if len(text) <= _EXCERPT_LENGTH else text[: _EXCERPT_LENGTH - 1].rstrip() + "…",
        due_at=job.due_at,
        scheduled_at=job.scheduled_at,
        attempt=job.attempt,
        max_attempts=job.max_attempts,
        worker=process_of(job.lease_owner) if job.lease_owner else "",
        post_id=job.post_id or "",
    )


def _attempts(session: Session, job_id: int) -> list[JobAttempt]:
    query = (
        select(JobAttempt)
        .where(JobAttempt.job_id == job_id)
        .order_by(JobAttempt.id.desc())
        .limit(_MOST_ATTEMPTS)
    )
    return list(session.execute(query).scalars())[::-1]


def _is_alive(session: Session, owner: str | None, now: datetime) -> bool:
    if not owner:
        return False
    worker = session.get(Worker, owner)
    is_running = worker is not None and worker.stopped_at is None
    return is_running and (now - worker.heartbeat_at).total_seconds() <= ALIVE_SECONDS


def _linked(session: Session, condition: Any) -> list[LinkedJob]:
    rows = session.execute(select(Job.id, Job.state).where(condition).order_by(Job.id))
    return [LinkedJob(row.id, *STATES[row.state][:2]) for row in rows]


def _events(session: Session, job_id: int) -> list[JobEventView]:
    query = select(JobEvent).where(JobEvent.job_id == job_id).order_by(JobEvent.at, JobEvent.id)
    return [
        JobEventView(event.at, event.name, event.actor, event.message)
        for event in session.execute(query).scalars()
    ]


def _failures(session: Session, job_id: int) -> list[JobFailureView]:
    query = select(FailedTask).where(FailedTask.job_id == job_id).order_by(FailedTask.id)
    return [
        JobFailureView(
            id=task.id,
            reason=task.reason,
            message=task.message,
            created_at=task.created_at,
            is_open=task.resolved_at is None,
            resolution=task.resolution or "",
            resolved_by=task.resolved_by or "",
        )
        for task in session.execute(query).scalars()
    ]
