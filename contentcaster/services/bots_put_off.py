"""An act whose turn has not come gets a later place in the budget, and all that waits behind it in the same go.

After an outage thousands of acts of a channel are due at once, and its caps let a few through. Claimed, refused and put
off one by one they would keep the database busy for minutes, beside publishing.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import bindparam, insert, select, update
from sqlmodel import Session

from contentcaster.bots.budget import Budget, TakenTimes
from contentcaster.engine.conditions import is_waiting
from contentcaster.engine.postpone import LATE, postpone
from contentcaster.models import ActState, BotAct, Job, JobEvent, JobState
from contentcaster.services.bots_channels import SlotsTaken

_DAY = timedelta(days=1)
_BACKLOG = timedelta(days=2)
"""Acts expire a day after their place; older ones wait for nobody."""
_BATCH = {"postgresql": 500, "sqlite": 60}
"""Acts in one go. On SQLite everybody else who writes waits meanwhile."""
_ACTOR = "bot"


def put_off(
    session: Session,
    act: BotAct,
    fence: int,
    budget: Budget,
    *,
    at: datetime,
    dice: random.Random,
) -> datetime:
    """Give the claimed act the next free place after `at`, and the others that are due the ones behind it.

    The channel's row is locked. Returns the act's own place.
    """
    others = _backlog(session, act, at)
    jitter = budget.cap.jitter_seconds
    if not others:
        taken = SlotsTaken(session, act.account_id, act.action, at - _DAY, without=act.id)
        slots = [budget.next_slot(taken, at, jitter_seconds=dice.uniform(0, jitter))]
    else:
        times = _given(session, act, budget, at, [act_id for act_id, _ in others])
        slots = []
        for _ in range(1 + len(others)):
            slots.append(budget.next_slot(TakenTimes(times), at, jitter_seconds=dice.uniform(0, jitter)))
            times.append(slots[-1])
    act.slot_at, act.permitted_at = slots[0], None
    if act.job_id is not None:
        postpone(session, act.job_id, fence, due_at=slots[0], why=words(slots[0]), actor=_ACTOR)
    _move(session, others, slots[1:])
    return slots[0]


def words(slot: datetime) -> str:
    """Why it waits, for the timeline."""
    return f"caps or quiet hours: it goes out at {slot:%H:%M:%S} UTC"


def _backlog(session: Session, act: BotAct, at: datetime) -> list[tuple[str, int]]:
    """Acts of the same channel and kind that are due, nobody holds and never were sent, and their jobs."""
    rows = session.execute(
        select(BotAct.id, Job.id)
        .join(Job, Job.id == BotAct.job_id)
        .where(
            BotAct.account_id == act.account_id,
            BotAct.action == act.action,
            BotAct.state == ActState.PLANNED,
            BotAct.slot_at > at - _BACKLOG,
            BotAct.slot_at <= at,
            BotAct.id != act.id,
            is_waiting(),
            Job.first_sent_at.is_(None),
            Job.due_at <= at,
        )
        .order_by(BotAct.slot_at, BotAct.id)
        .limit(_BATCH[session.get_bind().dialect.name])
        .with_for_update(skip_locked=True)
    ).all()
    return [(act_id, job_id) for act_id, job_id in rows]


def _given(
    session: Session, act: BotAct, budget: Budget, at: datetime, without: Sequence[str]
) -> list[datetime]:
    """Places that are given to others than these, ascending; as many of the newest as can decide."""
    moving = {act.id, *without}
    rows = session.execute(
        select(BotAct.id, BotAct.slot_at)
        .where(BotAct.account_id == act.account_id, BotAct.action == act.action, BotAct.slot_at > at - _DAY)
        .order_by(BotAct.slot_at.desc())
        .limit(budget.cap.per_day + len(moving))
    ).all()
    return [slot for act_id, slot in reversed(rows) if act_id not in moving]


def _move(session: Session, others: Sequence[tuple[str, int]], slots: Sequence[datetime]) -> None:
    if not others:
        return
    pairs = list(zip(others, slots, strict=True))
    job, act = Job.__table__, BotAct.__table__
    connection = session.connection()
    connection.execute(
        update(job)
        .where(job.c.id == bindparam("of"))
        .values(
            state=JobState.SNOOZED,
            due_at=bindparam("due"),
            expires_at=bindparam("end"),
            error_message=bindparam("why"),
            hinted_at=None,
            version=job.c.version + 1,
        ),
        [{"of": job_id, "due": slot, "end": slot + LATE, "why": words(slot)} for (_, job_id), slot in pairs],
    )
    connection.execute(
        update(act).where(act.c.id == bindparam("of")).values(slot_at=bindparam("due"), permitted_at=None),
        [{"of": act_id, "due": slot} for (act_id, _), slot in pairs],
    )
    session.execute(
        insert(JobEvent),
        [
            {"job_id": job_id, "name": "postponed", "actor": _ACTOR, "message": words(slot)}
            for (_, job_id), slot in pairs
        ],
    )
