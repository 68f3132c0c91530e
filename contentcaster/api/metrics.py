"""Numbers for Prometheus, read from the database at each scrape: true whichever process did the work.

Counters come from the append-only attempts. A web process sums them once and then only adds what is new; what ended
in the last seconds waits for the next scrape, because ids become visible in the order of commits, not of numbers.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from sqlalchemy import text
from sqlmodel import Session, col, func, select

from contentcaster import __version__
from contentcaster.db import Database
from contentcaster.models import (
    CLAIMABLE,
    LEASED,
    Account,
    FailedTask,
    Job,
    JobAttempt,
    JobState,
    QueueState,
    Worker,
)
from contentcaster.models.types import database_now
from contentcaster.settings import QUEUES

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

LATENESS_BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
_ALIVE_SECONDS = 10
_SETTLED_SECONDS = 5


@dataclass
class Totals:
    """Everything counted so far, up to and including the attempt `last_id`."""

    last_id: int = 0
    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    lateness_buckets: list[int] = field(default_factory=lambda: [0] * len(LATENESS_BUCKETS_SECONDS))
    lateness_count: int = 0
    lateness_sum_seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def catch_up(self, session: Session) -> None:
        """Add the attempts that ended since the last call."""
        with self._lock:
            upto = session.exec(
                select(JobAttempt.id)
                .where(col(JobAttempt.ended_at) < database_now(-_SETTLED_SECONDS))
                .order_by(col(JobAttempt.id).desc())
                .limit(1)
            ).first()
            if upto is None or upto <= self.last_id:
                return
            self._add_outcomes(session, upto)
            self._add_lateness(session, upto)
            self.last_id = upto

    def _add_outcomes(self, session: Session, upto: int) -> None:
        statement = (
            select(Job.queue, JobAttempt.kind, JobAttempt.outcome, func.count())
            .join(Job, col(Job.id) == col(JobAttempt.job_id))
            .where(col(JobAttempt.id) > self.last_id, col(JobAttempt.id) <= upto)
            .group_by(Job.queue, JobAttempt.kind, JobAttempt.outcome)
        )
        for queue, kind, outcome, count in session.exec(statement).all():
            self.outcomes[(queue, kind, outcome)] += count

    def _add_lateness(self, session: Session, upto: int) -> None:
        is_postgres = session.get_bind().dialect.name == "postgresql"
        row = session.execute(_lateness_query(is_postgres), {"after": self.last_id, "upto": upto}).one()
        self.lateness_count += row[0] or 0
        self.lateness_sum_seconds += float(row[1] or 0)
        for index, count in enumerate(row[2:]):
            self.lateness_buckets[index] += count or 0


def _lateness_query(is_postgres: bool) -> Any:
    """How late the first request of each publish left; later tries are late on purpose."""
    lateness = (
        "CAST(EXTRACT(EPOCH FROM a.sent_at - j.scheduled_at) AS double precision)"
        if is_postgres
        else "(julianday(a.sent_at) - julianday(j.scheduled_at)) * 86400.0"
    )
    counts = ", ".join(
        f"SUM(CASE WHEN late <= {limit} THEN 1 ELSE 0 END)" for limit in LATENESS_BUCKETS_SECONDS
    )
    return text(  # only numbers and names from this file are put into the statement
        f"""
        SELECT COUNT(*), SUM(late), {counts} FROM (
          SELECT {lateness} AS late
          FROM job_attempt a JOIN job j ON j.id = a.job_id
          WHERE a.id > :after AND a.id <= :upto AND a.sent_at IS NOT NULL AND j.kind = 'publish'
            AND NOT EXISTS (SELECT 1 FROM job_attempt b
                            WHERE b.job_id = a.job_id AND b.fence < a.fence AND b.sent_at IS NOT NULL)
        ) AS first_sends
        """  # noqa: S608
    )


_totals: dict[str, Totals] = {}
_totals_lock = threading.Lock()


def render(database: Database) -> bytes:
    """The metrics in Prometheus' text format.

    Raises:
        Unavailable: the database does not answer.
    """
    with _totals_lock:
        totals = _totals.setdefault(database.url, Totals())
    with database.reading() as session:
        totals.catch_up(session)
        families = [*_counters(totals), *_gauges(session)]
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(families))
    return bytes(generate_latest(registry))


class _Collected:
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def _counters(totals: Totals) -> Iterable[Metric]:
    lateness = HistogramMetricFamily(
        "contentcaster_publish_lateness_seconds", "From the due time to the first request of a publish."
    )
    buckets = [
        (str(float(le)), count)
        for le, count in zip(LATENESS_BUCKETS_SECONDS, totals.lateness_buckets, strict=True)
    ]
    buckets.append(("+Inf", totals.lateness_count))
    lateness.add_metric([], buckets, sum_value=totals.lateness_sum_seconds)
    yield lateness
    outcomes = CounterMetricFamily(
        "contentcaster_attempts",
        "Attempts that have ended, by what became of them.",
        labels=["queue", "kind", "outcome"],
    )
    for labels, count in sorted(totals.outcomes.items()):
        outcomes.add_metric(labels, count)
    yield outcomes


def _gauges(session: Session) -> Iterable[Metric]:
    yield from _ledger_gauges(session)
    yield from _failure_gauges(session)
    yield from _worker_gauges(session)
    yield from _channel_gauges(session)
    paused = _gauge("contentcaster_queue_paused", "1 while a person has paused the queue.", ["queue"])
    names = set(session.exec(select(QueueState.queue).where(col(QueueState.paused_at).is_not(None))).all())
    for queue in QUEUES:
        paused.add_metric([queue], float(queue in names))
    yield paused
    build = _gauge("contentcaster_build_info", "Always 1.", ["version"])
    build.add_metric([__version__], 1)
    yield build


def _ledger_gauges(session: Session) -> Iterable[Metric]:
    waiting = _gauge("contentcaster_jobs", "Jobs that have not ended, by state.", ["queue", "state"])
    open_states = (*CLAIMABLE, *LEASED, JobState.UNKNOWN)
    counted = select(Job.queue, Job.state, func.count()).where(col(Job.state).in_(open_states))
    counts = {
        (queue, state): n for queue, state, n in session.exec(counted.group_by(Job.queue, Job.state)).all()
    }
    for queue in QUEUES:
        for state in open_states:
            waiting.add_metric([queue, state.value], counts.get((queue, state), 0))
    yield waiting
    unknown = _gauge("contentcaster_jobs_unknown", "Sent, and not yet known whether it arrived.", [])
    unknown.add_metric([], sum(n for (_, state), n in counts.items() if state is JobState.UNKNOWN))
    yield unknown
    overdue = _gauge(
        "contentcaster_oldest_due_seconds", "How long the oldest job that is due has waited.", ["queue"]
    )
    due = (
        select(Job.queue, func.min(Job.due_at))
        .where(
            col(Job.state).in_(CLAIMABLE), col(Job.due_at) <= database_now(), col(Job.after_job_id).is_(None)
        )
        .group_by(Job.queue)
    )
    now = session.execute(select(database_now().label("now"))).scalar_one()
    oldest = dict(session.exec(due).all())
    for queue in QUEUES:
        overdue.add_metric([queue], max(0.0, (now - oldest[queue]).total_seconds()) if queue in oldest else 0)
    yield overdue


def _failure_gauges(session: Session) -> Iterable[Metric]:
    failed = _gauge("contentcaster_failed_tasks_open", "Failed tasks that nobody has settled yet.", ["queue"])
    held = _gauge("contentcaster_jobs_held", "Sent without proof: waits for a person's look.", ["queue"])
    counted = (
        select(Job.queue, Job.state, func.count())
        .join(FailedTask, col(FailedTask.job_id) == col(Job.id))
        .where(col(FailedTask.resolved_at).is_(None))
        .group_by(Job.queue, Job.state)
    )
    counts: Counter[tuple[str, bool]] = Counter()
    for queue, state, number in session.exec(counted).all():
        counts[(queue, state is JobState.HELD)] += number
    for queue in QUEUES:
        held.add_metric([queue], counts[(queue, True)])
        failed.add_metric([queue], counts[(queue, True)] + counts[(queue, False)])
    yield from (failed, held)


def _worker_gauges(session: Session) -> Iterable[Metric]:
    age = _gauge(
        "contentcaster_worker_heartbeat_age_seconds",
        "Of the queue's liveliest worker; +Inf without one.",
        ["queue"],
    )
    alive = _gauge("contentcaster_workers_alive", "Workers heard of in the last ten seconds.", ["queue"])
    now = session.execute(select(database_now().label("now"))).scalar_one()
    recent = (
        select(Worker.queues, Worker.heartbeat_at)
        .where(col(Worker.stopped_at).is_(None))
        .order_by(col(Worker.heartbeat_at).desc())
        .limit(200)
    )
    rows = [(queues, (now - at).total_seconds()) for queues, at in session.exec(recent).all()]
    for queue in QUEUES:
        ages = [seconds for queues, seconds in rows if queue in queues]
        age.add_metric([queue], max(0.0, min(ages)) if ages else float("inf"))
        alive.add_metric([queue], sum(seconds <= _ALIVE_SECONDS for seconds in ages))
    yield from (age, alive)


def _channel_gauges(session: Session) -> Iterable[Metric]:
    """By id: a handle says who somebody is, and metrics travel far."""
    expiry = _gauge(
        "contentcaster_login_expires_seconds",
        "Until the login of a channel ends; only of those that end.",
        ["channel", "network"],
    )
    channels = _gauge(
        "contentcaster_channels", "Channels, by what their login is worth.", ["network", "status"]
    )
    rows = session.exec(
        select(Account.id, Account.platform, Account.status, Account.token_expires_at).where(
            col(Account.deleted_at).is_(None)
        )
    ).all()
    now = session.execute(select(database_now().label("now"))).scalar_one()
    for account_id, network, _, expires_at in rows:
        if expires_at is not None:
            expiry.add_metric([account_id, network], (expires_at - now).total_seconds())
    for (network, status), number in sorted(Counter((row[1], row[2].value) for row in rows).items()):
        channels.add_metric([network, status], number)
    yield from (expiry, channels)


def _gauge(name: str, documentation: str, labels: list[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, documentation, labels=labels)
