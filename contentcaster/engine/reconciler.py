"""Finds what was lost on the way: hints, leases of dead workers, posts past their time.

`reconcile` is one pass, safe to run anywhere, any number of times at once; the worker processes run it every second
behind a leader lease so that only one of them pays for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.engine import Row
from sqlmodel import Session

from contentcaster.db import Database
from contentcaster.engine import hints
from contentcaster.engine.conditions import (
    can_be_missed,
    has_lost_its_thread,
    is_free_to_run,
    is_leased,
    is_next_in_thread,
    is_overdue,
    is_waiting,
)
from contentcaster.engine.crash import crash_point
from contentcaster.engine.failed_tasks import add_failed_task
from contentcaster.engine.ledger import record_events
from contentcaster.engine.policy import CLOCK, MAX_CRASHES, MAX_LOOKUPS, Now, Policy
from contentcaster.engine.post_status import MISSED, refresh_posts
from contentcaster.engine.settlement import LOST
from contentcaster.models import (
    IdempotencyRecord,
    Job,
    JobAttempt,
    JobState,
    PeriodicRun,
    Worker,
)

_NO_SYNC = {"synchronize_session": False}
_BATCH = 500
_BEAT_GRACE_SECONDS = 3.0
"""A live worker's last heartbeat is no older than this, and one more second for the reconciler, when a lease lapses."""
_FORGET_WORKER_SECONDS = 24 * 3600
_FORGET_IDEMPOTENCY_SECONDS = 48 * 3600
_FORGET_PERIODIC_RUN_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True)
class Reconciled:
    """What one pass did."""

    lapsed_claims: int = 0
    lapsed_sends: int = 0
    lapsed_lookups: int = 0
    parked: int = 0
    doubted: int = 0
    lost_hints: int = 0
    missed: int = 0
    expired: int = 0
    threads_broken: int = 0
    hints_offered: int = 0

    def __bool__(self) -> bool:
        return any(asdict(self).values())


def reconcile(
    database: Database, policy: Policy, *, worker: str = "reconciler", now: Now = CLOCK
) -> Reconciled:
    """One pass over the ledger; commits its parts one by one and says what it did."""
    with database.transaction() as session:
        lapsed = take_back_lapsed(session, policy, worker=worker, now=now)
        crash_point("reconcile.before_commit")
    crash_point("reconcile.after_commit")
    with database.transaction() as session:
        doubted = doubt_again(session, policy, now=now)
        missed = hold_missed(session, now=now)
        expired = give_up_expired(session, now=now)
        broken = end_broken_threads(session, now=now)
        lost = find_lost_hints(session, policy, now=now)
    offered = hints.offer(database)
    return Reconciled(
        **lapsed,
        doubted=doubted,
        missed=missed,
        expired=expired,
        threads_broken=broken,
        lost_hints=lost,
        hints_offered=offered,
    )


def take_back_lapsed(session: Session, policy: Policy, *, worker: str, now: Now = CLOCK) -> dict[str, int]:
    """Take jobs back from workers whose lease has lapsed.

    Not yet sent: it can be claimed again. Perhaps sent: it becomes unknown and is looked up, never just sent again.
    """
    rows = session.execute(
        select(
            Job.id,
            Job.state,
            Job.fence,
            Job.attempt,
            Job.crashes,
            Job.lookups,
            Job.post_id,
            Job.account_id,
            Job.lease_owner,
            Job.claimed_at,
            Job.sent_at,
            Job.lease_until,
            _last_beat().label("last_beat"),
        )
        .where(
            is_leased(),
            # Nobody takes a lease for so long: the database's clock was stepped back since.
            or_(Job.lease_until <= now(0), Job.lease_until > now(2 * policy.lease_seconds)),  # type: ignore[operator]
        )
        .order_by(Job.id)  # type: ignore[arg-type]
        .limit(_BATCH)
        .with_for_update(skip_locked=True, of=Job)
    ).all()
    claims = [row for row in rows if row.state is JobState.CLAIMED]
    # Whoever still gives signs of life did not die of this job; it was too slow, and that says nothing of the job.
    grace = timedelta(seconds=min(_BEAT_GRACE_SECONDS, policy.lease_seconds / 2))
    slow, claims = (
        [row for row in claims if _beat_since(row, grace)],
        [row for row in claims if not _beat_since(row, grace)],
    )
    poisoned = [row for row in claims if row.crashes + 1 >= MAX_CRASHES]
    rescued = [row for row in claims if row.crashes + 1 < MAX_CRASHES]
    sends = [row for row in rows if row.state is JobState.SENDING]
    lookups = [row for row in rows if row.state is JobState.RESOLVING]
    hopeless = [row for row in lookups if row.lookups + 1 >= MAX_LOOKUPS]
    repeated = [row for row in lookups if row.lookups + 1 < MAX_LOOKUPS]

    crashed = {"attempt": Job.attempt - 1, "crashes": Job.crashes + 1}
    in_doubt = {"due_at": now(policy.settle_seconds)}
    looked_up = {"lookups": Job.lookups + 1}
    _release(session, rescued, JobState.PENDING_QUEUE, {**crashed, "hinted_at": None})
    _release(session, slow, JobState.PENDING_QUEUE, {"attempt": Job.attempt - 1, "hinted_at": None})
    _release(session, sends, JobState.UNKNOWN, in_doubt)
    _release(session, repeated, JobState.UNKNOWN, in_doubt | looked_up)
    ended = {"ended_at": now(0), "error_class": "crashed"}
    parked = f"The worker stopped {MAX_CRASHES} times while preparing this; nothing was sent."
    unseen = f"It was sent, and {MAX_LOOKUPS} look-ups told nothing. Is it on the network?"
    _release(session, poisoned, JobState.DEAD, crashed | ended | {"error_message": parked})
    _release(session, hopeless, JobState.HELD, looked_up | ended | {"error_message": unseen})
    for row in poisoned:
        add_failed_task(
            session,
            job_id=row.id,
            fence=row.fence,
            reason="crashed",
            message=parked,
            snapshot={"account_id": row.account_id, "post_id": row.post_id},
        )
    for row in hopeless:
        add_failed_task(
            session,
            job_id=row.id,
            fence=row.fence,
            reason="needs_review",
            message=unseen,
            snapshot={"account_id": row.account_id, "post_id": row.post_id},
        )
    _record_lost_attempts(session, rows, now)
    refresh_posts(session, (row.post_id for row in rows))
    return {
        "lapsed_claims": len(rescued) + len(slow),
        "lapsed_sends": len(sends),
        "lapsed_lookups": len(repeated),
        "parked": len(poisoned) + len(hopeless),
    }


def _beat_since(row: Row[Any], grace: timedelta) -> bool:
    return row.last_beat is not None and row.last_beat > row.lease_until - grace


def _last_beat() -> Any:
    """When the holder of the lease last gave a sign of life."""
    return (
        select(Worker.heartbeat_at)
        .where(Worker.id == Job.lease_owner)  # type: ignore[arg-type]
        .correlate(Job)
        .scalar_subquery()
    )


def find_lost_hints(session: Session, policy: Policy, *, now: Now = CLOCK) -> int:
    """Jobs that should have been started and whose hint is old go back to `pending_queue`.

    What waits for a paused queue or for the thread part before it has lost nothing.
    """
    # So many at a time: tens of thousands of bots' jobs that wait their turn must not hold up what else is looked for.
    lost = (
        select(Job.id)
        .where(
            is_overdue(now),
            Job.state == JobState.QUEUED,
            or_(Job.hinted_at.is_(None), Job.hinted_at <= now(-policy.hint_timeout_seconds)),  # type: ignore
            is_free_to_run(),
        )
        .order_by(Job.priority, Job.due_at)  # type: ignore[arg-type]
        .limit(_BATCH)
        .with_for_update(skip_locked=True, of=Job)
    )
    rows = session.execute(
        update(Job)
        .where(Job.id.in_(session.execute(lost).scalars().all()))  # type: ignore[union-attr]
        .values(state=JobState.PENDING_QUEUE, hinted_at=None, version=Job.version + 1)
        .returning(Job.post_id)
        .execution_options(**_NO_SYNC)
    ).all()
    refresh_posts(session, (row.post_id for row in rows))
    return len(rows)


def doubt_again(session: Session, policy: Policy, *, now: Now = CLOCK) -> int:
    """Resends that only the network's key made safe and that waited until it no longer does: look them up again."""
    rows = session.execute(
        update(Job)
        .where(
            is_waiting(),
            Job.resend_until <= now(policy.lead_seconds),  # type: ignore[operator]
        )
        .values(
            state=JobState.UNKNOWN,
            due_at=now(0),
            resend_until=None,
            fence=Job.fence + 1,
            version=Job.version + 1,
        )
        .returning(Job.post_id)
        .execution_options(**_NO_SYNC)
    ).all()
    refresh_posts(session, (row.post_id for row in rows))
    return len(rows)


def hold_missed(session: Session, *, now: Now = CLOCK) -> int:
    """Posts that were not started in time, each by the policy that its author chose."""
    rows = session.execute(
        select(Job.id, Job.fence, Job.post_id, Job.account_id, Job.on_missed)
        .where(
            is_overdue(now),
            can_be_missed(),
            Job.late_until <= now(0),  # type: ignore[operator]
        )
        .limit(_BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        is_held = row.on_missed == "hold"
        values = {
            "ended_at": now(0),
            "error_class": MISSED,
            "error_message": "Its time passed while nothing could run.",
        }
        _release(session, [row], JobState.HELD if is_held else JobState.CANCELLED, values)
        if is_held:
            add_failed_task(
                session,
                job_id=row.id,
                fence=row.fence,
                reason=MISSED,
                message="Its time passed while publishing was down. Publish it now, or let it go.",
                snapshot={"account_id": row.account_id, "post_id": row.post_id},
            )
    record_events(session, [row.id for row in rows], MISSED)
    refresh_posts(session, (row.post_id for row in rows))
    return len(rows)


def give_up_expired(session: Session, *, now: Now = CLOCK) -> int:
    """Jobs that could not be sent before their end (rate limits, a paused queue) become failed tasks.

    A thread part whose turn has not come waits on: what stands under Failed tasks is the part before it.
    """
    rows = session.execute(
        select(Job.id, Job.fence, Job.post_id, Job.account_id, Job.error_message)
        .where(
            is_overdue(now),
            Job.expires_at <= now(0),
            Job.resend_until.is_(None),  # in doubt: looked up first
            is_next_in_thread(),
        )  # type: ignore[attr-defined,arg-type]
        .limit(_BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    _release(session, rows, JobState.DEAD, {"ended_at": now(0), "error_class": "expired"})
    for row in rows:
        add_failed_task(
            session,
            job_id=row.id,
            fence=row.fence,
            reason="expired",
            message=row.error_message or "It could not be sent in time.",
            snapshot={"account_id": row.account_id, "post_id": row.post_id},
        )
    refresh_posts(session, (row.post_id for row in rows))
    return len(rows)


def end_broken_threads(session: Session, *, now: Now = CLOCK) -> int:
    """Thread parts whose part before was let go will never have their turn: they become failed tasks that say so.

    Those that waited went with it; what is left was in doubt at that time (after a restore) and proved unsent since.
    """
    rows = session.execute(
        select(Job.id, Job.fence, Job.post_id, Job.account_id)
        .where(is_overdue(now), has_lost_its_thread())
        .limit(_BATCH)
        .with_for_update(skip_locked=True, of=Job)
    ).all()
    _release(session, rows, JobState.DEAD, {"ended_at": now(0), "error_class": "thread_broken"})
    for row in rows:
        add_failed_task(
            session,
            job_id=row.id,
            fence=row.fence,
            reason="thread_broken",
            message="The part of the thread before it was let go: there is nothing it could follow. It was not sent.",
            snapshot={"account_id": row.account_id, "post_id": row.post_id},
        )
    refresh_posts(session, (row.post_id for row in rows))
    return len(rows)


def tidy(session: Session, *, now: Now = CLOCK) -> None:
    """Forget workers that stopped long ago, idempotency keys nobody repeats any more and periodic runs long past."""
    session.execute(delete(Worker).where(Worker.heartbeat_at < now(-_FORGET_WORKER_SECONDS)))  # type: ignore[arg-type]
    session.execute(
        delete(IdempotencyRecord).where(IdempotencyRecord.created_at < now(-_FORGET_IDEMPOTENCY_SECONDS))  # type: ignore[arg-type]
    )
    session.execute(delete(PeriodicRun).where(PeriodicRun.slot < now(-_FORGET_PERIODIC_RUN_SECONDS)))  # type: ignore[arg-type]


def _release(session: Session, rows: Sequence[Row[Any]], state: JobState, values: dict[str, Any]) -> None:
    """Rows of this transaction, locked by it, leave their lease or their wait."""
    if not rows:
        return
    session.execute(
        update(Job)
        .where(Job.id.in_([row.id for row in rows]))  # type: ignore[union-attr]
        .values(
            {
                "state": state,
                "fence": Job.fence + 1,
                "lease_owner": None,
                "lease_until": None,
                "version": Job.version + 1,
            }
            | values
        )
        .execution_options(**_NO_SYNC)
    )


def _record_lost_attempts(session: Session, rows: Sequence[Row[Any]], now: Now) -> None:
    lost = [
        {
            "job_id": row.id,
            "fence": row.fence,
            "kind": "lookup" if row.state is JobState.RESOLVING else "send",
            "worker": row.lease_owner or "",
            "attempt": row.attempt,
            "started_at": row.claimed_at,
            "sent_at": row.sent_at if row.state is JobState.SENDING else None,
            "outcome": LOST,
            "message": "The worker stopped answering; its lease ran out.",
        }
        for row in rows
    ]
    if lost:
        session.connection().execute(insert(JobAttempt.__table__).values({"ended_at": now(0)}), lost)  # type: ignore[attr-defined]
