"""The ledger as a state machine that Hypothesis drives, in virtual time, against a model network.

Workers claim, arm, write, hear or never hear, settle late or twice, crash and oversleep; people cancel, retry and
resolve; the reconciler comes when it comes. After every step the invariants of the engine must hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from contentcaster.db import Database
from contentcaster.engine import failures, hints, ledger
from contentcaster.engine.ledger import ClaimedJob
from contentcaster.engine.outcomes import (
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
from contentcaster.engine.policy import Policy
from contentcaster.models import CLAIMABLE, FailedTask, Job, JobAttempt, JobEvent, JobState
from tests.engine.ledger_kit import Ledger
from tests.engine.model_network import Flight, Mode, ModelNetwork

_TRUSTED_KEY_SECONDS = 3000.0
_MAX_JOBS = 3
_REFUSALS: list[Outcome] = [RetryLater(), Snooze(retry_after_seconds=5), Refused()]


@dataclass
class Held:
    """A claim in the hands of a worker of the model."""

    job: ClaimedJob
    worker: str
    lease_until: datetime
    is_lookup: bool = False
    begun_at: datetime | None = None
    flight: Flight | None = None
    outcome: Outcome | None = None


class LedgerMachine(RuleBasedStateMachine):
    """Set `database` on a subclass before running it."""

    database: ClassVar[Database]
    account_id: ClassVar[str]
    serial: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(self.database, Policy(lead_seconds=3.0))
        self.ledger._account_id = self.account_id
        self.network = ModelNetwork()
        self.modes: dict[int, Mode] = {}
        self.targets: dict[int, str] = {}
        self.held: list[Held] = []
        self.before: dict[int, Job] = {}

    @classmethod
    def started(cls) -> LedgerMachine:
        """An empty ledger, to be driven by a script."""
        machine = cls()
        machine.empty()
        return machine

    @initialize()
    def empty(self) -> None:
        with self.database.transaction() as session:
            for table in (JobAttempt, JobEvent, FailedTask, Job):
                session.execute(delete(table))

    # ── people and the web ──────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: len(self.modes) < _MAX_JOBS)
    @rule(mode=st.sampled_from(Mode), max_attempts=st.integers(1, 3))
    def schedule(self, mode: Mode, max_attempts: int) -> None:
        type(self).serial += 1
        self._add(f"target-{type(self).serial}", mode, max_attempts)

    @precondition(lambda self: self.modes)
    @rule(data=st.data())
    def schedule_the_same_target_again(self, data: st.DataObject) -> None:
        """A double click, a repeated request: the unique row refuses it."""
        job_id = data.draw(st.sampled_from(sorted(self.modes)))
        try:
            self._add(self.targets[job_id], self.modes[job_id], 2)
        except IntegrityError:
            return
        raise AssertionError("I2: one target has two jobs")

    def _add(self, target: str, mode: Mode, max_attempts: int) -> None:
        job_id = self.ledger.add(dedupe_key=target, payload={"target": target}, max_attempts=max_attempts)
        self.modes[job_id], self.targets[job_id] = mode, target

    @precondition(lambda self: self.modes)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.ledger.cancel(data.draw(st.sampled_from(sorted(self.modes))))

    @precondition(
        lambda self: any(row.state in (JobState.DEAD, JobState.HELD) for row in self.before.values())
    )
    @rule(data=st.data(), is_patient=st.booleans())
    def a_person_decides(self, data: st.DataObject, is_patient: bool) -> None:
        """They look at the network and say the truth: it is there, or post it again, or let it go."""
        with self.database.reading() as session:
            open_ids = session.execute(
                select(FailedTask.id, FailedTask.job_id).where(FailedTask.resolved_at.is_(None))  # type: ignore[union-attr]
            ).all()
        task_id, job_id = data.draw(st.sampled_from([tuple(row) for row in open_ids]))
        if any(
            flight.is_in_the_air and flight.target == self.targets[job_id] for flight in self.network.flights
        ):
            return  # nobody decides within seconds of the send
        found = self.network.found(self.targets[job_id])
        with self.database.transaction() as session:
            if found is not None:
                failures.resolve_published(
                    session,
                    task_id,
                    remote_id=found,
                    remote_url=f"https://n/{found}",
                    actor="Ada",
                    now=self.ledger.clock,
                )
            elif is_patient:
                failures.retry(session, task_id, actor="Ada", now=self.ledger.clock)
            else:
                failures.discard(session, task_id, actor="Ada", now=self.ledger.clock)

    # ── workers ─────────────────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: self.modes)
    @rule(worker=st.sampled_from(["w1", "w2"]))
    def claim(self, worker: str) -> None:
        until = self.ledger.now + timedelta(seconds=self.ledger.policy.lease_seconds)
        for job in self.ledger.claim(worker):
            self._check_single_lease(job)
            self.held.append(Held(job, worker, until))

    @precondition(lambda self: any(row.state is JobState.UNKNOWN for row in self.before.values()))
    @rule(worker=st.sampled_from(["w1", "w2"]))
    def claim_lookups(self, worker: str) -> None:
        until = self.ledger.now + timedelta(seconds=self.ledger.policy.lease_seconds)
        for job in self.ledger.claim_lookups(worker):
            self._check_single_lease(job)
            self.held.append(Held(job, worker, until, is_lookup=True))

    def _check_single_lease(self, job: ClaimedJob) -> None:
        """I6: whoever held it before has given it up, was cancelled, or has let the lease lapse."""
        previous = self.before.get(job.id)
        assert previous is None or previous.lease_until is None or previous.lease_until <= self.ledger.now

    @precondition(lambda self: self._armable())
    @rule(data=st.data())
    def begin_send(self, data: st.DataObject) -> None:
        """Possibly much later than claimed, possibly by a worker that has lost its lease, possibly asked twice."""
        held = data.draw(st.sampled_from(self._armable()))
        allowed = ledger_begin(self.ledger, held.job)
        if not allowed:
            self.held.remove(held)
            return
        held.begun_at = held.begun_at or self.ledger.now
        row = self.ledger.job(held.job.id)
        assert (row.state, row.fence) == (JobState.SENDING, held.job.fence), "I4/I5: allowed without the row"

    @precondition(lambda self: self._unbegun())
    @rule(data=st.data(), refusal=st.sampled_from([*_REFUSALS, Released()]))
    def fail_to_prepare(self, data: st.DataObject, refusal: Outcome) -> None:
        """The token, the media, a known pause: it ends before anything of the post has left."""
        data.draw(st.sampled_from(self._unbegun())).outcome = refusal

    @precondition(lambda self: self._writable())
    @rule(data=st.data())
    def write_the_request(self, data: st.DataObject) -> None:
        held = data.draw(st.sampled_from(self._writable()))
        assert held.begun_at is not None
        policy = self.ledger.policy
        if not policy.may_still_send((self.ledger.now - held.begun_at).total_seconds()):
            held.outcome = Released()
            return
        lands_before = self.ledger.now + timedelta(seconds=policy.send_deadline_seconds)
        assert lands_before <= held.begun_at + timedelta(seconds=policy.lease_seconds), (
            "I2: written so late that somebody else may look it up before it lands"
        )
        held.flight = self.network.write(
            self.targets[held.job.id],
            self.modes[held.job.id],
            self.ledger.now,
            policy.send_deadline_seconds,
        )

    @precondition(lambda self: self._in_the_air())
    @rule(data=st.data())
    def land(self, data: st.DataObject) -> None:
        self.network.land(data.draw(st.sampled_from(self._in_the_air())), self.ledger.now)

    @precondition(lambda self: self._in_the_air())
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self._in_the_air())).is_lost = True

    @precondition(lambda self: self._hearing())
    @rule(
        data=st.data(),
        is_heard=st.booleans(),
        refusal=st.sampled_from(_REFUSALS),
    )
    def answer(self, data: st.DataObject, is_heard: bool, refusal: Outcome) -> None:
        """Proof, doubt, or a refusal, which a network gives only for what did not happen."""
        held = data.draw(st.sampled_from(self._hearing()))
        assert held.flight is not None
        if not is_heard or held.flight.is_in_the_air:
            held.outcome = Unknown()
        elif held.flight.landed_id is not None:
            held.outcome = Published(remote_id=held.flight.landed_id)
        else:
            held.outcome = refusal

    @precondition(lambda self: self._looking())
    @rule(data=st.data(), is_heard=st.booleans())
    def look(self, data: st.DataObject, is_heard: bool) -> None:
        held = data.draw(st.sampled_from(self._looking()))
        held.outcome = self._look(held.job) if is_heard else LookupFailed()

    def _look(self, job: ClaimedJob) -> Outcome:
        mode, target = self.modes[job.id], self.targets[job.id]
        if mode is Mode.BLIND:
            return CannotTell()
        if mode is Mode.READABLE:
            found = self.network.found(target)
            return Published(remote_id=found) if found else SafeToSend()
        assert job.first_sent_at is not None
        left = _TRUSTED_KEY_SECONDS - (self.ledger.now - job.first_sent_at).total_seconds()
        return SafeToSend(valid_seconds=left) if left > 0 else CannotTell()

    @precondition(lambda self: self._settleable())
    @rule(data=st.data(), is_repeated=st.booleans())
    def settle(self, data: st.DataObject, is_repeated: bool) -> None:
        """At once, or long after the lease was lost; twice when the answer to the commit was lost."""
        held = data.draw(st.sampled_from(self._settleable()))
        assert held.outcome is not None
        before = self.ledger.job(held.job.id)
        is_stale = before.fence != held.job.fence
        self.ledger.settle(held.job, held.outcome, worker=held.worker, is_lookup=held.is_lookup)
        if is_stale and not isinstance(held.outcome, Published):
            assert self.ledger.job(held.job.id).model_dump() == before.model_dump(), (
                "I5: a stale fence changed it"
            )
        if isinstance(held.outcome, Unknown):
            assert self.ledger.state(held.job.id) not in CLAIMABLE or is_stale, "I7: a doubt became sendable"
        if not is_repeated:
            self.held.remove(held)

    @precondition(lambda self: self.held)
    @rule(worker=st.sampled_from(["w1", "w2"]))
    def crash(self, worker: str) -> None:
        """kill -9: what it knew is gone, what it wrote is still under way."""
        self.held = [held for held in self.held if held.worker != worker]

    # ── the rest of the world ───────────────────────────────────────────────────────────────────────────────

    @rule(seconds=st.sampled_from([1.0, 10.0, 41.0, 61.0, 61.0, 4000.0]))
    def wait(self, seconds: float) -> None:
        self.ledger.wait(seconds)
        self.network.pass_time(self.ledger.now)

    @precondition(lambda self: self.modes)
    @rule()
    def reconcile(self) -> None:
        was = {job_id: self.ledger.job(job_id) for job_id in self.modes}
        self.ledger.reconcile()
        for job_id, row in was.items():
            state = self.ledger.state(job_id)
            if row.state is JobState.SENDING:
                assert state in (JobState.SENDING, JobState.UNKNOWN), "I7: a perhaps sent job became sendable"
        assert not self.ledger.reconcile(), "I11: a second pass had something left to do"

    @precondition(lambda self: self.modes)
    @rule(data=st.data())
    def a_hint_is_accepted(self, data: st.DataObject) -> None:
        """For any job at all: late, doubled, forged."""
        job_ids = data.draw(st.lists(st.sampled_from(sorted(self.modes)), max_size=3))
        with self.database.transaction() as session:
            hints.mark_queued(session, job_ids, now=self.ledger.clock)

    # ── what must always hold ───────────────────────────────────────────────────────────────────────────────

    @invariant()
    def everything_holds(self) -> None:
        with self.database.reading() as session:
            rows = {job.id: job for job in session.execute(select(Job)).scalars()}
            reported = set(
                session.execute(select(FailedTask.job_id).where(FailedTask.resolved_at.is_(None))).scalars()  # type: ignore[union-attr]
            )
        assert set(self.modes) <= set(rows), "I1: a committed job has gone"
        for target, effects in self.network.effects.items():
            assert len(effects) <= 1, f"I2: {target} is there {len(effects)} times"
        for job_id in self.modes:
            row = rows[job_id]
            effects = self.network.effects.get(self.targets[job_id], [])
            if row.state is JobState.PUBLISHED:
                assert effects == [row.remote_id], "I3: published, and the network has something else"
            if row.state is JobState.DEAD:
                assert not effects, "a post that is there is shown as failed"
            assert row.attempt <= row.max_attempts, "I8: more tries than allowed"
            assert row.attempt >= 0
            if row.state in (JobState.DEAD, JobState.HELD):
                assert job_id in reported, "I10: nobody is told"
            self._check_step(self.before.get(job_id), row)
        self.before = {job_id: rows[job_id] for job_id in self.modes}

    def _check_step(self, before: Job | None, after: Job) -> None:
        if before is None or before.state is after.state:
            return
        assert before.state is not JobState.PUBLISHED, "I3: success is for ever"
        if before.state is JobState.UNKNOWN:
            allowed = (JobState.RESOLVING, JobState.PUBLISHED)
            assert after.state in allowed, f"I7: from unknown to {after.state} without a look-up"

    # ── who can do what ─────────────────────────────────────────────────────────────────────────────────────

    def _armable(self) -> list[Held]:
        return [h for h in self.held if not h.is_lookup and h.flight is None and h.outcome is None]

    def _unbegun(self) -> list[Held]:
        return [h for h in self._armable() if not h.begun_at]

    def _writable(self) -> list[Held]:
        return [h for h in self.held if h.begun_at and h.flight is None and h.outcome is None]

    def _hearing(self) -> list[Held]:
        return [h for h in self.held if h.flight is not None and h.outcome is None]

    def _looking(self) -> list[Held]:
        return [h for h in self.held if h.is_lookup and h.outcome is None]

    def _settleable(self) -> list[Held]:
        return [h for h in self.held if h.outcome is not None]

    def _in_the_air(self) -> list[Flight]:
        return [flight for flight in self.network.flights if flight.is_in_the_air]


def ledger_begin(book: Ledger, job: ClaimedJob) -> bool:
    """Through the module, so that a planted mutant is what runs."""
    with book.database.transaction() as session:
        claims = [(job.id, job.fence)]
        return job.id in ledger.begin_send(
            session, claims, lease_seconds=book.policy.lease_seconds, now=book.clock
        )


class NarrowMachine(LedgerMachine):
    """The same rules and invariants around a single job that workers fight over: chance goes deep more often."""

    cancel = a_person_decides = a_hint_is_accepted = None  # type: ignore[assignment]
    schedule_the_same_target_again = crash = lose = None  # type: ignore[assignment]

    @precondition(lambda self: not self.modes)
    @rule()
    def schedule(self) -> None:  # type: ignore[override]
        super().schedule(Mode.READABLE, 3)

    @precondition(lambda self: self.held)
    @rule()
    def wait(self) -> None:  # type: ignore[override]
        super().wait(61.0)
