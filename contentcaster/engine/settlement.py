"""What becomes of an attempt: one commit writes the job's next state, its attempt row and, at the end, a failed task.

Success is monotone and never fenced: proof is proof, whoever brings it and however late. Everything else is fenced:
a worker that has lost its lease changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import bindparam, insert, select, update
from sqlmodel import Session

from contentcaster import live
from contentcaster.engine.ledger import ClaimedJob, record_events
from contentcaster.engine.outcomes import (
    AttemptTimes,
    CannotTell,
    LookupFailed,
    Outcome,
    Published,
    Refused,
    Released,
    RetryLater,
    SafeToSend,
    Snooze,
    Unknown,
)
from contentcaster.engine.policy import CLOCK, MAX_LOOKUPS, Now, Policy
from contentcaster.engine.post_status import refresh_posts
from contentcaster.models import Account, AccountStatus, FailedTask, Job, JobAttempt, JobState

log = structlog.get_logger(__name__)

_NO_SYNC = {"synchronize_session": False}
_HELD_BY_CLAIM = {False: (JobState.CLAIMED, JobState.SENDING), True: (JobState.RESOLVING,)}


@dataclass(frozen=True)
class Settlement:
    """One attempt's end."""

    job: ClaimedJob
    worker: str
    outcome: Outcome
    times: AttemptTimes = field(default_factory=AttemptTimes)
    is_lookup: bool = False


def settle(session: Session, settlements: Sequence[Settlement], policy: Policy, *, now: Now = CLOCK) -> None:
    """Write what became of these attempts."""
    published = [item for item in settlements if isinstance(item.outcome, Published)]
    if published:
        _settle_published(session, published, now)
    for item in settlements:
        if not isinstance(item.outcome, Published):
            _settle_other(session, item, policy, now)
    _record_attempts(session, settlements, now)
    refresh_posts(session, (item.job.post_id for item in settlements))


def _settle_published(session: Session, items: Sequence[Settlement], now: Now) -> None:
    proofs = [(item.job.id, item.outcome) for item in items if isinstance(item.outcome, Published)]
    # One prepared statement for all: psycopg sends the whole batch in one round trip.
    result = session.connection().execute(
        update(_job)
        .where(_job.c.id == bindparam("b_id"), _job.c.remote_id.is_(None))
        .values(
            state=JobState.PUBLISHED,
            remote_id=bindparam("b_remote_id"),
            remote_url=bindparam("b_remote_url"),
            remote_extra=bindparam("b_remote_extra"),
            fence=_job.c.fence + 1,
            lease_owner=None,
            lease_until=None,
            ended_at=now(0),
            error_class=None,
            error_message=None,
            version=_job.c.version + 1,
        ),
        [
            {
                "b_id": job_id,
                "b_remote_id": proof.remote_id,
                "b_remote_url": proof.remote_url,
                "b_remote_extra": proof.remote_extra,
            }
            for job_id, proof in proofs
        ],
    )
    resolve_open_failures(
        session, [item.job.id for item in items], by="ContentCaster", resolution="published", now=now
    )
    if result.rowcount != len(items):
        _report_duplicates(session, items)


def _report_duplicates(session: Session, items: Sequence[Settlement]) -> None:
    """A job had its proof already. The same id again is a repeat of good news; another id is a doubled effect."""
    known: dict[int, str | None] = dict(
        session.execute(
            select(Job.id, Job.remote_id).where(Job.id.in_([item.job.id for item in items]))
        ).all()  # type: ignore[union-attr]
    )
    for item in items:
        assert isinstance(item.outcome, Published)
        if known.get(item.job.id) == item.outcome.remote_id:
            continue
        log.error(
            "duplicate_incident",
            job_id=item.job.id,
            kept=known.get(item.job.id),
            other=item.outcome.remote_id,
        )
        record_events(
            session,
            [item.job.id],
            "duplicate_incident",
            actor=item.worker,
            message=f"The network also has {item.outcome.remote_url or item.outcome.remote_id}: one of the two "
            "should be removed by hand.",
        )


def _settle_other(session: Session, item: Settlement, policy: Policy, now: Now) -> None:
    job, outcome = item.job, item.outcome
    is_last_try = job.attempt >= job.max_attempts
    match outcome:
        case Released():
            _leave(session, item, JobState.PENDING_QUEUE, {"attempt": Job.attempt - 1, "hinted_at": None})
        case RetryLater() if is_last_try:
            _fail(session, item, JobState.DEAD, "retries_spent", now)
        case RetryLater():
            delay = policy.retry_delay_seconds(job.attempt)
            _leave(session, item, JobState.RETRY_WAIT, {"due_at": now(delay)})
        case Snooze(retry_after_seconds=seconds):
            _snooze(session, item, seconds, now)
        case Unknown():
            _leave(session, item, JobState.UNKNOWN, {"due_at": now(policy.settle_seconds)})
        case Refused():
            reason = "reauthorise" if outcome.account_needs_reauthorising else "rejected"
            if _fail(session, item, JobState.DEAD, reason, now) and outcome.account_needs_reauthorising:
                _flag_account(session, job.account_id, outcome.message)
        case SafeToSend() if is_last_try:
            _fail(session, item, JobState.DEAD, "retries_spent", now)
        case SafeToSend():
            _leave(session, item, JobState.RETRY_WAIT, {"due_at": now(0), "lookups": 0})
        case LookupFailed() if job.lookups + 1 >= MAX_LOOKUPS:
            _fail(session, item, JobState.HELD, "needs_review", now)
        case LookupFailed():
            delay = policy.lookup_delay_seconds(job.lookups + 1)
            _leave(session, item, JobState.UNKNOWN, {"due_at": now(delay), "lookups": Job.lookups + 1})
        case CannotTell():
            _fail(session, item, JobState.HELD, "needs_review", now)
        case Published():
            raise AssertionError("settled above")


def _snooze(session: Session, item: Settlement, seconds: float, now: Now) -> None:
    """A look-up that is rate limited stays unknown: it must never become sendable without its answer."""
    if item.is_lookup:
        _leave(session, item, JobState.UNKNOWN, {"due_at": now(seconds)})
    else:
        values = {"due_at": now(seconds), "attempt": Job.attempt - 1, "snoozes": Job.snoozes + 1}
        _leave(session, item, JobState.SNOOZED, values)
    if item.job.account_id:
        session.execute(
            update(Account)
            .where(Account.id == item.job.account_id)  # type: ignore[arg-type]
            .values(rate_limited_until=now(seconds))
            .execution_options(**_NO_SYNC)
        )


def _leave(session: Session, item: Settlement, state: JobState, values: dict[str, Any]) -> bool:
    """Move the job on if this worker still holds it; returns whether it did."""
    outcome = item.outcome
    result = session.execute(
        update(Job)
        .where(
            Job.id == item.job.id,  # type: ignore[arg-type]
            Job.fence == item.job.fence,  # type: ignore[arg-type]
            Job.state.in_(_HELD_BY_CLAIM[item.is_lookup]),  # type: ignore[attr-defined]
        )
        .values(
            {
                "state": state,
                "lease_owner": None,
                "lease_until": None,
                "error_class": outcome.error_class or None,
                "error_message": outcome.message or None,
                "version": Job.version + 1,
            }
            | values
        )
        .execution_options(**_NO_SYNC)
    )
    return bool(result.rowcount)  # type: ignore[attr-defined]


def _fail(session: Session, item: Settlement, state: JobState, reason: str, now: Now) -> bool:
    """End the job as dead or held, with its failed task in the same commit."""
    if not _leave(session, item, state, {"ended_at": now(0)}):
        return False
    add_failed_task(
        session,
        job_id=item.job.id,
        fence=item.job.fence,
        reason=reason,
        message=item.outcome.message,
        snapshot={
            "error_class": item.outcome.error_class,
            "http_status": item.outcome.http_status,
            "attempt": item.job.attempt,
            "account_id": item.job.account_id,
            "post_id": item.job.post_id,
            "text": str(item.job.payload.get("text", ""))[:500],
        },
    )
    return True


def add_failed_task(
    session: Session, *, job_id: int, fence: int, reason: str, message: str, snapshot: dict[str, Any]
) -> None:
    """Write the dead letter of a job that just became dead or held."""
    session.add(FailedTask(job_id=job_id, fence=fence, reason=reason, message=message, snapshot=snapshot))
    session.flush()
    live.note(session, "failed_tasks")


def resolve_open_failures(
    session: Session, job_ids: Sequence[int], *, by: str, resolution: str, now: Now = CLOCK
) -> int:
    """Close the open failed tasks of these jobs; returns how many there were."""
    result = session.execute(
        update(FailedTask)
        .where(FailedTask.job_id.in_(job_ids), FailedTask.resolved_at.is_(None))  # type: ignore[attr-defined,union-attr]
        .values(resolved_at=now(0), resolved_by=by, resolution=resolution)
        .execution_options(**_NO_SYNC)
    )
    if result.rowcount:  # type: ignore[attr-defined]
        live.note(session, "failed_tasks")
    return int(result.rowcount)  # type: ignore[attr-defined]


def _flag_account(session: Session, account_id: str | None, reason: str) -> None:
    if account_id is None:
        return
    session.execute(
        update(Account)
        .where(Account.id == account_id, Account.status == AccountStatus.CONNECTED)  # type: ignore[arg-type]
        .values(status=AccountStatus.REAUTHORISE, status_reason=reason)
        .execution_options(**_NO_SYNC)
    )
    live.note(session, "accounts")


def _record_attempts(session: Session, items: Sequence[Settlement], now: Now) -> None:
    session.connection().execute(
        insert(_attempt).values({"ended_at": now(0)}),
        [
            {
                "job_id": item.job.id,
                "fence": item.job.fence,
                "kind": "lookup" if item.is_lookup else "send",
                "worker": item.worker,
                "attempt": item.job.attempt,
                "started_at": item.job.claimed_at,
                "prepared_at": item.times.prepared_at,
                "sent_at": item.times.sent_at,
                "outcome": _name(item.outcome),
                "http_status": item.outcome.http_status,
                "retry_after_seconds": getattr(item.outcome, "retry_after_seconds", None),
                "error_class": item.outcome.error_class or None,
                "message": item.outcome.message or None,
                "diagnostics": item.outcome.diagnostics or None,
            }
            for item in items
        ],
    )


def _name(outcome: Outcome) -> str:
    name = type(outcome).__name__
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name).lstrip("_")


_job = Job.__table__  # type: ignore[attr-defined]
_attempt = JobAttempt.__table__  # type: ignore[attr-defined]
