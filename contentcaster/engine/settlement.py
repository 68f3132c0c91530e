"""What becomes of an attempt: one commit writes the job's next state, its attempt row and, at the end, a failed task.

Success is monotone and never fenced: proof is proof, whoever brings it and however late. Everything else is fenced:
a worker that has lost its lease changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import bindparam, case, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from contentcaster import live
from contentcaster.engine import announcements
from contentcaster.engine.failed_tasks import add_failed_task, resolve_open_failures
from contentcaster.engine.ledger import ClaimedJob, record_events
from contentcaster.engine.outcomes import (
    AttemptTimes,
    CannotTell,
    Outcome,
    Published,
    Refused,
    Released,
    RetryLater,
    SafeToSend,
    Snooze,
)
from contentcaster.engine.policy import CLOCK, MAX_LOOKUPS, Now, Policy
from contentcaster.engine.post_status import refresh_posts
from contentcaster.models import Account, AccountStatus, Job, JobAttempt, JobState

log = structlog.get_logger(__name__)

_NO_SYNC = {"synchronize_session": False}
LOST = "lost"
"""Outcome of an attempt whose worker was not heard of again."""
_CLASS_LENGTH = 40
_TEXT_LENGTH = 4000
_MIN_SNOOZE_SECONDS = 1.0
"""However little a network asks for: a job that gives its attempt back must not go round in circles."""
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
    rows = session.execute(
        select(Job.id, Job.remote_id, Job.remote_url).where(Job.id.in_([item.job.id for item in items]))
    ).all()
    known = {row.id: (row.remote_id, row.remote_url) for row in rows}
    for item in items:
        assert isinstance(item.outcome, Published)
        kept = known.get(item.job.id)
        if kept is None or item.outcome.remote_id in kept or (item.outcome.remote_url or None) in kept:
            continue  # the same post; a person who reported it by hand may have given its address only
        log.error(
            "duplicate_incident",
            job_id=item.job.id,
            kept=kept[0],
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
    if item.is_lookup:
        _settle_lookup(session, item, policy, now)
    else:
        _settle_send(session, item, policy, now)


def _settle_send(session: Session, item: Settlement, policy: Policy, now: Now) -> None:
    job, outcome = item.job, item.outcome
    match outcome:
        case Released():
            _leave(session, item, JobState.PENDING_QUEUE, {"attempt": Job.attempt - 1, "hinted_at": None})
        case RetryLater() if job.attempt >= job.max_attempts:
            _give_up(session, item, "retries_spent", now)
        case RetryLater():
            delay = policy.retry_delay_seconds(job.attempt)
            _leave(session, item, JobState.RETRY_WAIT, {"due_at": _not_before_its_time(now(delay))})
        case Snooze(retry_after_seconds=seconds):
            wait = max(seconds, _MIN_SNOOZE_SECONDS)
            # However long the network asks for: at its end somebody is told.
            due_at = case((Job.expires_at < now(wait), Job.expires_at), else_=_not_before_its_time(now(wait)))
            values = {"due_at": due_at, "attempt": Job.attempt - 1, "snoozes": Job.snoozes + 1}
            _leave(session, item, JobState.SNOOZED, values)
            if not outcome.is_known_limit:
                _pause_account(session, job.account_id, wait, now)
        case Refused():
            reason = "reauthorise" if outcome.account_needs_reauthorising else "rejected"
            if _give_up(session, item, reason, now) and outcome.account_needs_reauthorising:
                _flag_account(session, job.account_id, outcome.message)
        case CannotTell():
            _fail(session, item, JobState.HELD, "needs_review", now)
        case _:  # Unknown, and whatever does not say that nothing happened
            _leave(session, item, JobState.UNKNOWN, {"due_at": now(policy.settle_seconds)})


def _not_before_its_time(moment: Any) -> Any:
    """What fails in preparation fails up to the lead before the due time: the next try must not be early either."""
    return case((Job.scheduled_at > moment, Job.scheduled_at), else_=moment)


def _give_up(session: Session, item: Settlement, reason: str, now: Now) -> bool:
    """Dead, unless an earlier try is still in doubt: then it may be live, and a person looks."""
    if item.job.resend_until is not None:
        return _fail(session, item, JobState.HELD, "needs_review", now)
    return _fail(session, item, JobState.DEAD, reason, now)


def _settle_lookup(session: Session, item: Settlement, policy: Policy, now: Now) -> None:
    """Only SafeToSend makes the job sendable again; whatever else is no proof keeps it in doubt."""
    job, outcome = item.job, item.outcome
    match outcome:
        case SafeToSend(valid_seconds=None) if job.attempt >= job.max_attempts:
            _fail(session, item, JobState.DEAD, "retries_spent", now)
        case SafeToSend() if job.attempt >= job.max_attempts:
            _fail(session, item, JobState.HELD, "needs_review", now)
        case SafeToSend(valid_seconds=seconds):
            until = None if seconds is None else now(seconds)
            _leave(
                session, item, JobState.RETRY_WAIT, {"due_at": now(0), "lookups": 0, "resend_until": until}
            )
        case CannotTell() | Refused():
            held = _fail(session, item, JobState.HELD, "needs_review", now)
            if held and isinstance(outcome, Refused) and outcome.account_needs_reauthorising:
                _flag_account(session, job.account_id, outcome.message)
        case _ if job.lookups + 1 >= MAX_LOOKUPS:
            _fail(session, item, JobState.HELD, "needs_review", now)
        case _:
            delay = policy.lookup_delay_seconds(job.lookups + 1)
            if isinstance(outcome, Snooze):
                delay = max(delay, outcome.retry_after_seconds)
                _pause_account(session, job.account_id, outcome.retry_after_seconds, now)
            _leave(session, item, JobState.UNKNOWN, {"due_at": now(delay), "lookups": Job.lookups + 1})


def _pause_account(session: Session, account_id: str | None, seconds: float, now: Now) -> None:
    """What the network said of its limit holds for the whole channel, whoever asked."""
    if account_id is not None:
        session.execute(
            update(Account)
            .where(Account.id == account_id)  # type: ignore[arg-type]
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
                "error_class": _storable(outcome.error_class, _CLASS_LENGTH),
                "error_message": _storable(outcome.message),
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
    message, error_class, http_status = _answer_for_people(session, item, reason)
    add_failed_task(
        session,
        job_id=item.job.id,
        fence=item.job.fence,
        reason=reason,
        message=_storable(message) or "",
        snapshot={
            "error_class": _storable(error_class, _CLASS_LENGTH) or "",
            "http_status": http_status,
            "attempt": item.job.attempt,
            "account_id": item.job.account_id,
            "post_id": item.job.post_id,
            "text": str(item.job.payload.get("text", ""))[:500],
        },
    )
    return True


def _answer_for_people(session: Session, item: Settlement, reason: str) -> tuple[str, str, int | None]:
    """Message, class and status that explain the failure: when tries end with a look-up, those of the last send."""
    if item.is_lookup and reason == "retries_spent":
        last = session.execute(
            select(JobAttempt.message, JobAttempt.error_class, JobAttempt.http_status)
            .where(JobAttempt.job_id == item.job.id, JobAttempt.kind == "send")
            .order_by(JobAttempt.id.desc())
            .limit(1)
        ).one_or_none()
        if last is not None and last.message:
            return last.message, last.error_class or "", last.http_status
    return item.outcome.message, item.outcome.error_class, item.outcome.http_status


def _flag_account(session: Session, account_id: str | None, reason: str) -> None:
    if account_id is None:
        return
    flagged = session.execute(
        update(Account)
        .where(Account.id == account_id, Account.status == AccountStatus.CONNECTED)  # type: ignore[arg-type]
        .values(status=AccountStatus.REAUTHORISE, status_reason=reason)
        .execution_options(**_NO_SYNC)
    )
    if flagged.rowcount:  # type: ignore[attr-defined]
        announcements.channel_lost(session, account_id)
    live.note(session, "accounts")


def _record_attempts(session: Session, items: Sequence[Settlement], now: Now) -> None:
    """One row per lease. Settling again (the answer to the commit was lost) adds nothing; the reconciler's "lost",
    which only says that nothing was heard, gives way to what the worker knows after all."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(_attempt).values(
        {column: bindparam(f"b_{column}") for column in _ATTEMPT_COLUMNS} | {"ended_at": now(0)}
    )
    session.connection().execute(
        statement.on_conflict_do_update(
            index_elements=["job_id", "fence"],
            set_={
                column: statement.excluded[column]
                for column in (*_ATTEMPT_COLUMNS, "ended_at")
                if column not in ("job_id", "fence")
            },
            where=_attempt.c.outcome == LOST,
        ),
        [{f"b_{column}": value for column, value in _attempt_row(item).items()} for item in items],
    )


def _attempt_row(item: Settlement) -> dict[str, Any]:
    outcome = item.outcome
    values = (
        item.job.id,
        item.job.fence,
        "lookup" if item.is_lookup else "send",
        item.worker,
        item.job.attempt,
        item.job.claimed_at,
        item.times.prepared_at,
        item.times.sent_at,
        _name(outcome),
        outcome.http_status,
        getattr(outcome, "retry_after_seconds", None),
        _storable(outcome.error_class, _CLASS_LENGTH),
        _storable(outcome.message),
        _storable(outcome.diagnostics),
    )
    return dict(zip(_ATTEMPT_COLUMNS, values, strict=True))


def _storable(text: str, limit: int = _TEXT_LENGTH) -> str | None:
    """Foreign text as both databases take it: without NUL and lone surrogates, and cut."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:limit] or None


def _name(outcome: Outcome) -> str:
    name = type(outcome).__name__
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name).lstrip("_")


_ATTEMPT_COLUMNS = (
    "job_id",
    "fence",
    "kind",
    "worker",
    "attempt",
    "started_at",
    "prepared_at",
    "sent_at",
    "outcome",
    "http_status",
    "retry_after_seconds",
    "error_class",
    "message",
    "diagnostics",
)
_job = Job.__table__  # type: ignore[attr-defined]
_attempt = JobAttempt.__table__  # type: ignore[attr-defined]
