"""Known wrong ways to build this engine, planted one at a time: each must break the state machine's invariants."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import func, update

from contentcaster.engine import ledger, reconciler, settlement
from contentcaster.engine.outcomes import RetryLater, Unknown
from contentcaster.engine.policy import CLOCK, Policy
from contentcaster.models import Job, JobState
from tests.engine.machine import LedgerMachine
from tests.engine.model_network import Mode


def no_deadline_guard(patch: pytest.MonkeyPatch) -> None:
    """A worker that overslept sends all the same."""
    patch.setattr(Policy, "may_still_send", lambda self, seconds: True)


def rescue_of_sending_to_pending(patch: pytest.MonkeyPatch) -> None:
    """A lapsed lease means a retry, also when bytes may have left."""
    original = reconciler._release

    def release(session: Any, rows: Any, state: JobState, values: dict[str, Any]) -> None:
        is_rescue = state is JobState.UNKNOWN and rows and rows[0].state is JobState.SENDING
        original(session, rows, JobState.PENDING_QUEUE if is_rescue else state, values)

    patch.setattr(reconciler, "_release", release)


def timeout_to_retry(patch: pytest.MonkeyPatch) -> None:
    """No answer counts as not sent."""
    original = settlement._settle_send

    def settle_send(session: Any, item: Any, policy: Any, now: Any) -> None:
        if isinstance(item.outcome, Unknown):
            item = replace(item, outcome=RetryLater())
        original(session, item, policy, now)

    patch.setattr(settlement, "_settle_send", settle_send)


def begin_send_without_fence(patch: pytest.MonkeyPatch) -> None:
    """The intent is written for whoever asks, as long as the job is not over."""

    def begin_send(
        session: Any, claims: Sequence[tuple[int, int]], *, lease_seconds: float, now: Any = CLOCK
    ) -> set[int]:
        rows = session.execute(
            update(Job)
            .where(
                Job.id.in_([job_id for job_id, _ in claims]),  # type: ignore[union-attr]
                Job.state.in_((JobState.CLAIMED, JobState.SENDING)),  # type: ignore[attr-defined]
            )
            .values(
                state=JobState.SENDING,
                lease_until=now(lease_seconds),
                sent_at=now(0),
                first_sent_at=func.coalesce(Job.first_sent_at, now(0)),
            )
            .returning(Job.id)
            .execution_options(synchronize_session=False)
        )
        return {row.id for row in rows}

    patch.setattr(ledger, "begin_send", begin_send)


def unfenced_failure(patch: pytest.MonkeyPatch) -> None:
    """A worker that has lost its lease still says how it ended."""
    original = settlement._leave

    def leave(session: Any, item: Any, state: JobState, values: dict[str, Any]) -> bool:
        fence = session.get_one(Job, item.job.id, populate_existing=True).fence
        return original(session, replace(item, job=replace(item.job, fence=fence)), state, values)

    patch.setattr(settlement, "_leave", leave)


def missing_unique_row(patch: pytest.MonkeyPatch) -> None:
    """Nothing keeps one target from having two jobs."""
    original = ledger.add_jobs
    numbers = itertools.count()

    def add_jobs(session: Any, jobs: Sequence[Any], **more: Any) -> list[int]:
        unkept = [replace(job, dedupe_key=f"{job.dedupe_key}-{next(numbers)}") for job in jobs]
        return original(session, unkept, **more)

    patch.setattr(ledger, "add_jobs", add_jobs)


# ── where the engine stands and the mutant falls ────────────────────────────────────────────────────────────


class Nth:
    """Stands in for Hypothesis' draws: always the n-th of what can be chosen."""

    def __init__(self, index: int) -> None:
        self._index = index

    def draw(self, strategy: Any) -> Any:
        return strategy.elements[self._index]


_FIRST, _LAST = Nth(0), Nth(-1)


def _do(machine: LedgerMachine, step: Callable[..., None], *arguments: Any) -> None:
    step(*arguments)
    machine.everything_holds()


def _send(m: LedgerMachine, worker: str) -> None:
    """Claim, begin, write, land: if the engine lets it."""
    _do(m, m.claim, worker)
    while m._armable() and not m._armable()[-1].begun_at:
        _do(m, m.begin_send, _LAST)
        if m._writable():
            _do(m, m.write_the_request, _LAST)
    while m._in_the_air():
        _do(m, m.land, _FIRST)


def _resolve_as_absent(m: LedgerMachine) -> None:
    """The lease of whoever is sending lapses; another worker looks it up and finds nothing."""
    _do(m, m.wait, 61.0)
    _do(m, m.reconcile)
    _do(m, m.wait, 41.0)
    _do(m, m.claim_lookups, "w2")
    _do(m, m.look, _LAST, True)
    _do(m, m.settle, _LAST, False)


def oversleep_and_write(m: LedgerMachine) -> None:
    _do(m, m.schedule, Mode.READABLE, 3)
    _do(m, m.claim, "w1")
    _do(m, m.begin_send, _FIRST)
    sleeper = m.held[0]
    _resolve_as_absent(m)
    _send(m, "w2")
    assert sleeper in m._writable()
    _do(m, m.write_the_request, _FIRST)
    while m._in_the_air():
        _do(m, m.land, _FIRST)


def die_after_landing(m: LedgerMachine) -> None:
    _do(m, m.schedule, Mode.READABLE, 3)
    _send(m, "w1")
    _do(m, m.crash, "w1")
    _do(m, m.wait, 61.0)
    _do(m, m.reconcile)


def land_and_never_hear(m: LedgerMachine) -> None:
    _do(m, m.schedule, Mode.READABLE, 3)
    _send(m, "w1")
    _do(m, m.answer, _FIRST, False, RetryLater())
    _do(m, m.settle, _FIRST, False)
    _send(m, "w2")


def begin_with_a_lost_lease(m: LedgerMachine) -> None:
    _do(m, m.schedule, Mode.READABLE, 3)
    _do(m, m.claim, "w1")
    _do(m, m.wait, 61.0)
    _do(m, m.reconcile)
    _do(m, m.claim, "w2")
    _do(m, m.begin_send, _FIRST)


def fail_with_a_lost_lease(m: LedgerMachine) -> None:
    _do(m, m.schedule, Mode.READABLE, 3)
    _do(m, m.claim, "w1")
    _do(m, m.begin_send, _FIRST)
    _do(m, m.write_the_request, _FIRST)
    _do(m, m.lose, _FIRST)
    _do(m, m.answer, _FIRST, True, RetryLater())
    _resolve_as_absent(m)
    _do(m, m.claim, "w2")
    _do(m, m.begin_send, _LAST)
    _do(m, m.settle, _FIRST, False)


def schedule_twice(m: LedgerMachine) -> None:
    _do(m, m.schedule, Mode.READABLE, 3)
    _do(m, m.schedule_the_same_target_again, _FIRST)
    _send(m, "w1")


@dataclass(frozen=True)
class Mutant:
    plant: Callable[[pytest.MonkeyPatch], None]
    script: Callable[[LedgerMachine], None]
    breaks: str
    """Which invariant it breaks."""


MUTANTS = (
    Mutant(no_deadline_guard, oversleep_and_write, "I2"),
    Mutant(rescue_of_sending_to_pending, die_after_landing, "I7"),
    Mutant(timeout_to_retry, land_and_never_hear, "I7"),
    Mutant(begin_send_without_fence, begin_with_a_lost_lease, "I4"),
    Mutant(unfenced_failure, fail_with_a_lost_lease, "I5"),
    Mutant(missing_unique_row, schedule_twice, "I2"),
)
