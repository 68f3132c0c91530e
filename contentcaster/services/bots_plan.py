"""When rules run, and what is forgotten: called once a minute by the finder queue's periodic task."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, delete, or_, select
from sqlmodel import Session

from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.engine import ledger
from contentcaster.engine.conditions import is_leased, is_waiting
from contentcaster.models import (
    Account,
    AccountStatus,
    BotFollowers,
    BotKind,
    BotProspect,
    BotRule,
    BotSeen,
    Job,
)
from contentcaster.models.types import new_id
from contentcaster.services import bots_channels, bots_log, bots_outcomes

RUN = "run_rule"
_SEEN_DAYS = 120
_PROSPECT_DAYS = 60
_MAX_RUNS = 100
_TELL_AT_ONCE = 50
_MAX_FINDERS = 16
"""Finder runs that wait or read at a time, however many rules are due: slow sources never take the places of others."""
_QUEUES = {BotKind.FINDER: "finder", BotKind.ENGAGEMENT: "engagement", BotKind.GROWTH: "growth"}
_PRIORITIES = {BotKind.FINDER: 250, BotKind.ENGAGEMENT: 120, BotKind.GROWTH: 200}


@dataclass(frozen=True)
class Planned:
    rules: int
    told: int


def tick(database: Database, *, now: datetime | None = None) -> Planned:
    """Make the runs that are due, and tell what ended unheard, such as acts of a worker that was killed."""
    now = now or utc_now()
    # Looked for in a read transaction, and written in small parts: on SQLite nobody sends while one of them lasts.
    with database.reading() as session:
        is_due = session.execute(_due_rules(now).limit(1)).first() is not None
        ended = bots_outcomes.ended_jobs(session)
    rules = database.write(lambda session: plan_due(session, now=now)) if is_due else 0
    told = 0
    for start in range(0, len(ended), _TELL_AT_ONCE):
        part = ended[start : start + _TELL_AT_ONCE]
        told += database.write(lambda session, part=part: bots_outcomes.collect(session, part, now=now))  # type: ignore[misc]
    return Planned(rules, told)


def _due_rules(now: datetime) -> Select[Any]:
    return (
        select(BotRule)
        .join(Account, Account.id == BotRule.account_id)
        .where(
            BotRule.is_enabled.is_(True),
            BotRule.deleted_at.is_(None),
            or_(BotRule.next_run_at.is_(None), BotRule.next_run_at <= now),
            Account.status == AccountStatus.CONNECTED,
            Account.deleted_at.is_(None),
        )
    )


def plan_due(session: Session, *, now: datetime) -> int:
    """One job per rule that is due, enabled, and whose channel may act; returns how many."""
    if bots_channels.all_stopped(session).is_stopped:
        return 0
    rows = session.execute(
        _due_rules(now)
        .order_by(BotRule.bot == BotKind.FINDER, BotRule.next_run_at)
        .limit(_MAX_RUNS)
        .with_for_update(skip_locked=True, of=BotRule)
    ).scalars()
    jobs = []
    finders_left = _MAX_FINDERS - _finder_runs(session)
    for rule in rows:
        if bots_channels.stop_reason(session, rule.account_id):
            continue
        if rule.bot is BotKind.FINDER:
            if finders_left <= 0:
                continue  # it stays due, and first in line
            finders_left -= 1
        slot = rule.next_run_at or now
        jobs.append(new_run(rule, slot, now))
        rule.next_run_at = now + timedelta(minutes=int(rule.spec.get("every_minutes", 30)))
    if jobs:
        ledger.add_jobs(session, jobs, actor="schedule")
    return len(jobs)


def _finder_runs(session: Session) -> int:
    waiting = select(Job.id).where(is_waiting(), Job.queue == "finder")
    working = select(Job.id).where(is_leased(), Job.queue == "finder")
    return sum(len(session.execute(query.limit(_MAX_FINDERS)).all()) for query in (waiting, working))


def new_run(rule: BotRule, slot: datetime, now: datetime) -> ledger.NewJob:
    """A run of the rule now; the slot makes it one run however often it is planned."""
    return ledger.NewJob(
        queue=_QUEUES[rule.bot],
        kind=RUN,
        dedupe_key=f"run:{rule.id}:{slot.isoformat(timespec='seconds')}",
        account_id=rule.account_id,
        payload={"rule_id": rule.id},
        due_at=now,
        expires_at=now + timedelta(hours=2),
        idempotency_key=new_id(),
        priority=_PRIORITIES[rule.bot],
        max_attempts=2,
    )


def forget(database: Database, *, now: datetime | None = None) -> int:
    """Drop log lines, seen marks and prospects past their time; returns how many lines went."""
    now = now or utc_now()
    with database.transaction() as session:
        session.execute(delete(BotSeen).where(BotSeen.at < now - timedelta(days=_SEEN_DAYS)))
        session.execute(
            delete(BotProspect).where(
                BotProspect.found_at < now - timedelta(days=_PROSPECT_DAYS), BotProspect.state == "new"
            )
        )
        session.execute(delete(BotFollowers).where(BotFollowers.at < now - timedelta(days=400)))
    return bots_log.prune(database, keep_days=database.settings.bot_log_days, now=now)
