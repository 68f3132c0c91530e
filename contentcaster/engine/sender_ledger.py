"""What a sender asks of the ledger: each call is one short transaction, made in a thread beside the sender's loop."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from contentcaster.db import Database
from contentcaster.engine import heartbeat, ledger, reconciler, settlement
from contentcaster.engine.crash import crash_point
from contentcaster.engine.ledger import ClaimedJob
from contentcaster.engine.outcomes import CannotTell
from contentcaster.engine.policy import Policy
from contentcaster.engine.settlement import Settlement

log = structlog.get_logger(__name__)

_LEADER_SECONDS = 5.0
_LOOKUP_GAP_SECONDS = 0.5
_MOST_LOOKUPS = 50


class SenderLedger:
    """The ledger as one worker sees it. Raises Unavailable or DBAPIError while the database is away."""

    def __init__(self, database: Database, policy: Policy, *, worker_id: str, queues: Sequence[str]) -> None:
        self._database = database
        self._policy = policy
        self._worker_id = worker_id
        self._queues = tuple(queues)
        self._next_lookups = 0.0

    def claim(self, room: int, *, is_behind: bool) -> tuple[list[ClaimedJob], list[ClaimedJob], float | None]:
        """Up to `room` jobs to send, some to look up, and the seconds until the next comes (None: nobody knows).

        `is_behind`: more was due at the last look than there was room for, so there is something to claim.
        """
        policy = self._policy
        if not self._database.is_postgres and not is_behind:
            is_anything_due, wait = self._look()
            if not is_anything_due:
                return [], [], wait
        with self._database.transaction() as session:
            jobs = ledger.claim(
                session,
                queues=self._queues,
                worker=self._worker_id,
                limit=room,
                lead_seconds=policy.lead_seconds,
                lease_seconds=policy.lease_seconds,
            )
            lookups = []
            if time.monotonic() >= self._next_lookups:
                self._next_lookups = time.monotonic() + _LOOKUP_GAP_SECONDS
                lookups = ledger.claim_lookups(
                    session,
                    queues=self._queues,
                    worker=self._worker_id,
                    limit=max(1, min(_MOST_LOOKUPS, room)),
                    lease_seconds=policy.lease_seconds,
                )
            wait = None
            if len(jobs) < room:
                wait = ledger.seconds_until_next(
                    session, queues=self._queues, lead_seconds=policy.lead_seconds
                )
            crash_point("claim.before_commit")
        crash_point("claim.after_commit")
        return jobs, lookups, wait

    def _look(self) -> tuple[bool, float | None]:
        """Whether something is due, and the wait until something is. On SQLite a look that finds nothing must not take
        the one lock for writing from those who have something to write."""
        lead_seconds = self._policy.lead_seconds
        with self._database.reading() as session:
            if ledger.is_anything_due(session, queues=self._queues, lead_seconds=lead_seconds):
                return True, None
            return False, ledger.seconds_until_next(session, queues=self._queues, lead_seconds=lead_seconds)

    def begin(self, claims: Sequence[tuple[int, int]]) -> set[int]:
        """Commit the intent to send of (job, fence) pairs; returns the ids whose lease still holds."""
        with self._database.transaction() as session:
            begun = ledger.begin_send(session, claims, lease_seconds=self._policy.lease_seconds)
            crash_point("begin_send.before_commit")
        crash_point("begin_send.after_commit")
        return begun

    def settle(self, items: Sequence[Settlement]) -> None:
        """Write what came of these jobs: together, or one by one where one of them is refused."""
        try:
            self._settle_together(items)
        except DBAPIError:
            # One of them is refused, or a deadlock: none may hold up the others.
            for item in items:
                self._settle_alone(item)

    def _settle_together(self, items: Sequence[Settlement]) -> None:
        with self._database.transaction() as session:
            settlement.settle(session, items, self._policy)
            crash_point("settle.before_commit")
        crash_point("settle.after_commit")

    def _settle_alone(self, item: Settlement) -> None:
        try:
            self._settle_together([item])
        except (IntegrityError, DataError) as error:
            log.error("settle_refused", job_id=item.job.id, error=type(error.orig).__name__)
            doubt = CannotTell(
                error_class="unusable_answer",
                message="The network answered with an id that cannot be right: too long, or that of another post of "
                "this channel. Is the post there?",
            )
            self._settle_together([Settlement(item.job, item.worker, doubt, item.times, item.is_lookup)])

    def beat(self, *, in_flight: int, is_queue_reachable: bool) -> None:
        """Give a sign of life."""
        with self._database.transaction() as session:
            heartbeat.beat(
                session,
                self._worker_id,
                queues=self._queues,
                in_flight=in_flight,
                is_queue_reachable=is_queue_reachable,
            )

    def reconcile(self) -> None:
        """One pass over the ledger, if this worker leads."""
        with self._database.transaction() as session:
            if not heartbeat.take_lead(session, "reconciler", self._worker_id, seconds=_LEADER_SECONDS):
                return
        done = reconciler.reconcile(self._database, self._policy, worker=self._worker_id)
        if done:
            log.info("reconciled", **done.__dict__)

    def tell_time(self) -> tuple[datetime, float]:
        """What the database's clock showed, and the monotonic time at which the answer was in hand."""
        with self._database.reading() as session:
            told = heartbeat.read_clock(session)
            return told, time.monotonic()

    def say_goodbye(self) -> None:
        with self._database.transaction() as session:
            heartbeat.say_goodbye(session, self._worker_id)
