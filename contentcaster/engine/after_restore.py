"""After a backup was put back: what may have gone out since it was made is in doubt until it has been looked up."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, or_, update
from sqlmodel import Session

from contentcaster import live
from contentcaster.engine import queues
from contentcaster.engine.ledger import record_events
from contentcaster.engine.policy import CLOCK, Now
from contentcaster.engine.post_status import refresh_posts
from contentcaster.models import CLAIMABLE, LEASED, Job, JobState

_IN_DOUBT = (
    "It was due before the backup was put back and may have gone out: it is looked up on the network first."
)
SENDING_QUEUES = ("publish", "engagement", "growth", "finder")


def doubt_what_was_due(session: Session, *, made_at: datetime, now: Now = CLOCK) -> int:
    """Make every unfinished job that was due by now `unknown`, so that it is looked up and never simply sent.

    `made_at` is when the backup was made: the earliest moment at which what it knows as unsent can have been sent.
    That decides for how long a network's memory of our key can be trusted. Returns how many jobs are in doubt.
    """
    rows = session.execute(
        update(Job)
        .where(
            Job.state.in_((*CLAIMABLE, *LEASED)),  # type: ignore[attr-defined]
            or_(Job.due_at <= now(0), Job.scheduled_at <= now(0), Job.state.in_(LEASED)),  # type: ignore
        )
        .values(
            state=JobState.UNKNOWN,
            fence=Job.fence + 1,
            lease_owner=None,
            lease_until=None,
            due_at=now(0),
            first_sent_at=func.coalesce(Job.first_sent_at, made_at),
            lookups=0,
            resend_until=None,
            hinted_at=None,
            error_class="restored",
            error_message=_IN_DOUBT,
            version=Job.version + 1,
        )
        .returning(Job.id, Job.post_id)
        .execution_options(synchronize_session=False)
    ).all()
    record_events(session, [row.id for row in rows], "restored", message=_IN_DOUBT)
    refresh_posts(session, (row.post_id for row in rows))
    live.note(session, "posts")
    return len(rows)


def hold_everything(session: Session, *, reason: str) -> None:
    """Pause every queue that reaches out, and forget hints: the queue server knows nothing of the restored jobs.

    Look-ups go on while a queue is paused.
    """
    for queue in SENDING_QUEUES:
        queues.pause(session, queue, by="restore", reason=reason)
    queues.rebuild(session)
