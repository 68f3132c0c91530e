"""What became of acts, told once each: the ledger knows, and this carries it into the acts and the bot log.

An act's state changes in the transaction that writes its line, by compare-and-set: running this twice, or in two
processes, tells nothing twice. Alarms that stop a channel by itself are raised here.

Who carries out acts tells their ends by id, within a second; `collect` sweeps over all once a minute, for what a killed
worker left untold.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, or_, select, update
from sqlmodel import Session

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.engine import failures
from contentcaster.models import (
    CLAIMABLE,
    Account,
    ActState,
    BotAct,
    BotChannel,
    BotLog,
    BotProspect,
    BotRule,
    FailedTask,
    Job,
    JobState,
)
from contentcaster.services import bots_log
from contentcaster.services.bots_acts import budget_left, line_of
from contentcaster.services.bots_channels import TOPIC, locked_channel, rails_of, stop_by_itself

RATE_LIMITED = "rate limited"
BY_NETWORK = "by the network"
PAUSE_WORDS = "The network asked for a pause"
"""Acts that wait because another one was told to slow down are no further complaint of the network."""
_ALARMING = ("snoozed", "failed", "refused")
_OUR_SIDE = ("crashed", "internal", "expired", "database_away", "channel_removed", "channel_disabled")
"""Failures that say nothing of the network: worker processes that died, our own bugs, a channel switched off."""
ON_OUR_SIDE = "on our side"
_NOT_ALARMING = ("waits too", ON_OUR_SIDE)
_OPEN = (ActState.PLANNED, ActState.IN_DOUBT)
_MOVING = (*CLAIMABLE, JobState.CLAIMED, JobState.SENDING, JobState.UNKNOWN, JobState.RESOLVING)
_ENDS: dict[JobState, tuple[ActState, str]] = {
    JobState.PUBLISHED: (ActState.DONE, "done"),
    JobState.DONE: (ActState.DONE, "done"),
    JobState.DEAD: (ActState.FAILED, "failed"),
    JobState.HELD: (ActState.IN_DOUBT, "in_doubt"),
    JobState.CANCELLED: (ActState.STOPPED, "stopped"),
}


def ended_jobs(session: Session, *, limit: int = 500) -> list[int]:
    """Jobs of acts that have something to tell; in a read transaction, for `collect`."""
    query = _ended().with_only_columns(Job.id).order_by(Job.ended_at, BotAct.id).limit(limit)
    return list(session.execute(query).scalars())


def collect(session: Session, job_ids: Collection[int] | None = None, *, now: datetime | None = None) -> int:
    """Tell what has ended or been put off since the last time; returns how many lines that made."""
    ids = ended_jobs(session) if job_ids is None else job_ids
    query = _ended().where(BotAct.job_id.in_(ids)).order_by(Job.ended_at, BotAct.id)
    return len(_collect(session, query, now or utc_now())) if ids else 0


def collect_jobs(session: Session, job_ids: Collection[int], *, now: datetime | None = None) -> set[int]:
    """As `collect`, for the acts of these jobs alone; returns the jobs whose end is told."""
    told: set[int] = set()
    ids = sorted(job_ids)
    for start in range(0, len(ids), 500):
        query = _ended().where(BotAct.job_id.in_(ids[start : start + 500]))
        told |= {
            line.job_id
            for line in _collect(session, query, now or utc_now())
            if line.job_id is not None and line.outcome != "snoozed"
        }
    return told


def _collect(session: Session, query: Any, now: datetime) -> list[bots_log.Line]:
    lines = []
    rows = session.execute(query).all()
    # Channels first, in order, as `permit` and the switches do it: whoever waits for an act then holds no channel.
    for account_id in sorted({act.account_id for act, _ in rows}):
        locked_channel(session, account_id)
    for act, job in rows:
        if (line := _tell(session, act, job, now)) is not None:
            lines.append(line)
    bots_log.write(session, lines)
    if lines:
        live.note(session, TOPIC)
        for account_id in {line.account_id for line in lines if line.outcome in _ALARMING}:
            session.flush()
            _watch(session, account_id, now)
    return lines


def _ended() -> Any:
    """Acts that have ended, were put off, or move again because a person retries what had failed."""
    return (
        select(BotAct, Job)
        .join(Job, Job.id == BotAct.job_id)
        .where(
            or_(
                and_(
                    BotAct.state.in_(_OPEN),
                    or_(
                        Job.state.in_((JobState.PUBLISHED, JobState.DONE, JobState.DEAD, JobState.CANCELLED)),
                        and_(Job.state == JobState.HELD, BotAct.state == ActState.PLANNED),
                        and_(Job.state == JobState.SNOOZED, Job.snoozes > BotAct.snoozes_told),
                    ),
                ),
                and_(
                    BotAct.state == ActState.FAILED,
                    Job.state.in_((*_MOVING, JobState.PUBLISHED, JobState.DONE)),
                ),
            ),
        )
    )


def _tell(session: Session, act: BotAct, job: Job, now: datetime) -> bots_log.Line | None:
    account = session.get_one(Account, act.account_id)
    rule = session.get(BotRule, act.rule_id) if act.rule_id else None
    name = rule.name if rule else ""
    if act.state is ActState.FAILED and job.state in _MOVING:
        if not _advance(session, act, ActState.PLANNED, snoozes_told=0):
            return None
        return line_of(act, name, account, "planned", "a person lets it be tried again", now)
    if job.state is JobState.SNOOZED:
        if not _advance(session, act, act.state, snoozes_told=job.snoozes):
            return None
        why = f"{job.error_message or 'too many requests'} Again at {job.due_at:%H:%M:%S} UTC."
        is_own = not why.startswith(PAUSE_WORDS)
        return line_of(
            act, name, account, "snoozed", why, now, detail=RATE_LIMITED if is_own else "waits too"
        )
    state, outcome = _ENDS[job.state]
    detail = ""
    if job.state is JobState.DEAD and job.error_class == "rejected":
        # Blocked, locked or deleted: what a bot may expect, and nothing for a person to repair.
        state, outcome, detail = ActState.REFUSED, "refused", BY_NETWORK
    elif job.state is JobState.DEAD and job.error_class in _OUR_SIDE:
        detail = ON_OUR_SIDE
    values: dict[str, Any] = {"done_at": job.ended_at or now}
    if state is ActState.STOPPED:
        values = {"slot_at": None, "permitted_at": None}
    if not _advance(session, act, state, **values):
        return None
    if state is ActState.DONE:
        _mark_used(session, act)
    if detail == BY_NETWORK:
        _settle_failure(session, job)
    channel = session.get(BotChannel, act.account_id)
    budget = budget_left(session, channel, act.action, now) if channel is not None else ""
    why = act.why if state is ActState.DONE else (job.error_message or act.why)
    if state is ActState.STOPPED:
        why = "cancelled before anything was sent"
    at = act.permitted_at or job.ended_at or now
    return line_of(
        act, name, account, outcome, why, at if state is ActState.DONE else now, budget, detail=detail
    )


def _advance(session: Session, act: BotAct, state: ActState, **values: Any) -> bool:
    result = session.execute(
        update(BotAct)
        .where(BotAct.id == act.id, BotAct.version == act.version)
        .values(state=state, version=BotAct.version + 1, **values)
        .execution_options(synchronize_session=False)
    )
    return bool(result.rowcount)


def _settle_failure(session: Session, job: Job) -> None:
    """Its failed task is closed: the refusal stands in the bot log and counts for the alarm."""
    open_tasks = select(FailedTask.id).where(FailedTask.job_id == job.id, FailedTask.resolved_at.is_(None))
    for task_id in session.execute(open_tasks).scalars().all():
        failures.discard(session, task_id, actor="bot")


def _mark_used(session: Session, act: BotAct) -> None:
    session.execute(
        update(BotProspect)
        .where(BotProspect.account_id == act.account_id, BotProspect.ref == act.target_ref)
        .values(state="used")
        .execution_options(synchronize_session=False)
    )


def _watch(session: Session, account_id: str, now: datetime) -> None:
    """Stop the channel's bots if the network has said "too many" or "no" too often within an hour.

    What failed on our side does not count: the acts of a worker that was killed stand under Failed tasks, and calling
    off all that waits would lose them."""
    channel = session.get(BotChannel, account_id)
    if channel is None or channel.stopped_at is not None:
        return
    rails = rails_of(channel)
    counted: dict[str, int] = {
        outcome: number
        for outcome, number in session.execute(
            select(BotLog.outcome, func.count())
            .where(
                BotLog.account_id == account_id,
                BotLog.at > now - timedelta(hours=1),
                BotLog.outcome.in_(_ALARMING),
                BotLog.detail.not_in(_NOT_ALARMING),
                or_(BotLog.outcome != "refused", BotLog.detail == BY_NETWORK),
            )
            .group_by(BotLog.outcome)
        )
    }
    if counted.get("snoozed", 0) >= rails.stop_after_rate_limits:
        reason = f"the network asked to slow down {counted['snoozed']} times within an hour"
    elif (failed := counted.get("failed", 0) + counted.get("refused", 0)) >= rails.stop_after_failures:
        reason = f"{failed} acts failed or were refused by the network within an hour"
    else:
        return
    stop_by_itself(session, account_id, reason=reason, at=now)
