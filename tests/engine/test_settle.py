"""What becomes of an attempt: each outcome, the retry ladder, proof that always counts, and failed tasks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from contentcaster import live
from contentcaster.engine import failures, reconciler, settlement
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
from contentcaster.engine.policy import MAX_LOOKUPS
from contentcaster.engine.settlement import Settlement
from contentcaster.models import Account, AccountStatus, JobState
from tests.engine.ledger_kit import Ledger, add_account


def test_the_end_of_what_belongs_to_no_post_is_announced_with_the_commit_that_knows_it(
    ledger: Ledger,
) -> None:
    """Announced any earlier, a page would read the state before and hear of nothing more."""
    ledger.add(kind="webhook")
    job = ledger.claim_one()
    ledger.begin_send(job)
    with ledger.database.transaction() as session:
        settlement.settle(session, [Settlement(job, "worker-1", Published(remote_id="1"))], ledger.policy)
        assert session.info[live.TOPICS] == {"jobs"}


def test_what_expires_or_is_discarded_and_belongs_to_no_post_is_announced_too(ledger: Ledger) -> None:
    job_id = ledger.add(kind="webhook")
    ledger.wait(25 * 3600)
    with ledger.database.transaction() as session:
        assert reconciler.give_up_expired(session, now=ledger.clock) == 1
        assert "jobs" in session.info[live.TOPICS]
    (task,) = ledger.failed_tasks(job_id)
    with ledger.database.transaction() as session:
        failures.discard(session, task.id or 0, actor="Ada", now=ledger.clock)
        assert "jobs" in session.info[live.TOPICS]


def test_published_keeps_the_networks_proof(ledger: Ledger) -> None:
    job_id = ledger.add()

    ledger.send(Published(remote_id="42", remote_url="https://example.org/42", remote_extra={"cid": "x"}))

    job = ledger.job(job_id)
    assert (job.state, job.remote_id, job.remote_url) == (
        JobState.PUBLISHED,
        "42",
        "https://example.org/42",
    )
    assert job.remote_extra == {"cid": "x"}
    assert job.ended_at == ledger.now
    assert job.lease_until is None
    assert job.lease_owner is None


def test_retries_come_after_1_2_and_4_seconds_then_the_job_is_dead_with_its_failed_task(
    ledger: Ledger,
) -> None:
    job_id = ledger.add()
    waits = []
    for _ in range(3):
        ledger.send(RetryLater(message="503"))
        job = ledger.job(job_id)
        assert job.state is JobState.RETRY_WAIT
        waits.append((job.due_at - ledger.now).total_seconds())
        assert ledger.failed_tasks(job_id) == []
        ledger.now = job.due_at

    ledger.send(RetryLater(message="503 again", error_class="temporarily_rejected", http_status=503))

    assert waits == [1, 2, 4]
    job = ledger.job(job_id)
    assert (job.state, job.attempt, job.error_message) == (JobState.DEAD, 4, "503 again")
    (task,) = ledger.failed_tasks(job_id)
    assert (task.reason, task.message, task.resolved_at) == ("retries_spent", "503 again", None)
    assert task.snapshot["http_status"] == 503
    assert [attempt.outcome for attempt in ledger.attempts(job_id)] == ["retry_later"] * 4


def test_a_dead_job_and_its_failed_task_are_one_commit(ledger: Ledger) -> None:
    job_id = ledger.add()
    job = ledger.claim_one()
    ledger.begin_send(job)

    with pytest.raises(RuntimeError, match="crash"), ledger.database.transaction() as session:
        settlement.settle(
            session,
            [settlement.Settlement(job, "worker-1", Refused(message="no"))],
            ledger.policy,
            now=ledger.clock,
        )
        raise RuntimeError("crash before the commit")

    assert ledger.state(job_id) is JobState.SENDING
    assert ledger.failed_tasks(job_id) == []
    assert ledger.attempts(job_id) == []


def test_a_snooze_gives_the_attempt_back_and_pauses_the_channel(ledger: Ledger) -> None:
    job_id = ledger.add()

    ledger.send(Snooze(retry_after_seconds=90, http_status=429))

    job = ledger.job(job_id)
    assert (job.state, job.attempt, job.snoozes) == (JobState.SNOOZED, 0, 1)
    assert job.due_at == ledger.now + timedelta(seconds=90)
    with ledger.database.reading() as session:
        account = session.get_one(Account, ledger.account_id)
        assert account.rate_limited_until == ledger.now + timedelta(seconds=90)


def test_snoozes_never_spend_the_tries_but_end_when_the_job_expires(ledger: Ledger) -> None:
    job_id = ledger.add(expires_at=ledger.now + timedelta(hours=1))
    snoozes = 0
    while ledger.now < ledger.job(job_id).expires_at:
        ledger.send(Snooze(retry_after_seconds=600, message="Slow down."))
        snoozes += 1
        ledger.wait(600)
    assert snoozes == 6

    assert ledger.claim() == []
    assert ledger.reconcile().expired == 1

    assert ledger.state(job_id) is JobState.DEAD
    (task,) = ledger.failed_tasks(job_id)
    assert (task.reason, task.message) == ("expired", "Slow down.")


@pytest.mark.parametrize("outcome", [RetryLater(), Snooze(retry_after_seconds=1)])
def test_what_fails_in_preparation_is_not_tried_again_before_its_time(
    ledger: Ledger, outcome: RetryLater | Snooze
) -> None:
    due_at = ledger.now + timedelta(seconds=3)
    job_id = ledger.add(due_at=due_at)

    ledger.settle(ledger.claim_one(), outcome)

    assert ledger.job(job_id).due_at == due_at


def test_keeping_to_a_known_pause_does_not_prolong_it(ledger: Ledger) -> None:
    ledger.add()
    ledger.add()
    first, second = ledger.claim()
    ledger.settle(first, Snooze(retry_after_seconds=60))
    ledger.wait(30)

    ledger.settle(second, Snooze(retry_after_seconds=3600, is_known_limit=True))

    with ledger.database.reading() as session:
        until = session.get_one(Account, ledger.account_id).rate_limited_until
        assert until == ledger.now + timedelta(seconds=30)


def test_a_snooze_beyond_the_end_of_the_job_ends_with_it(ledger: Ledger) -> None:
    job_id = ledger.add(expires_at=ledger.now + timedelta(hours=1))
    ledger.send(Snooze(retry_after_seconds=10 * 24 * 3600))
    ledger.wait(3600)

    assert ledger.reconcile().expired == 1
    assert ledger.state(job_id) is JobState.DEAD


def test_a_snooze_of_no_time_at_all_still_leaves_the_network_alone_for_a_moment(ledger: Ledger) -> None:
    for seconds in (0.0, -5.0):
        job_id = ledger.add()
        ledger.send(Snooze(retry_after_seconds=seconds))

        assert ledger.job(job_id).due_at >= ledger.now + timedelta(seconds=1)
        ledger.cancel(job_id)


def test_unknown_waits_for_the_settle_time_before_it_is_looked_up(ledger: Ledger) -> None:
    job_id = ledger.add()
    ledger.send(Unknown(message="The connection broke."))
    assert ledger.state(job_id) is JobState.UNKNOWN

    ledger.wait(29.999)
    assert ledger.claim_lookups() == []
    assert ledger.claim() == []
    ledger.wait(0.001)

    assert [job.id for job in ledger.claim_lookups()] == [job_id]
    assert ledger.state(job_id) is JobState.RESOLVING


def test_a_refusal_is_final_and_says_why(ledger: Ledger) -> None:
    job_id = ledger.add()

    ledger.send(Refused(message="The text is too long.", error_class="rejected", http_status=422))

    assert ledger.state(job_id) is JobState.DEAD
    (task,) = ledger.failed_tasks(job_id)
    assert (task.reason, task.message) == ("rejected", "The text is too long.")


def test_a_refused_token_flags_the_channel(ledger: Ledger) -> None:
    job_id = ledger.add()

    ledger.send(Refused(message="Connect it again.", account_needs_reauthorising=True))

    assert ledger.failed_tasks(job_id)[0].reason == "reauthorise"
    with ledger.database.reading() as session:
        account = session.get_one(Account, ledger.account_id)
        assert (account.status, account.status_reason) == (AccountStatus.REAUTHORISE, "Connect it again.")


def test_a_channel_that_a_person_switched_off_stays_switched_off(ledger: Ledger) -> None:
    account_id = add_account(ledger.database, status=AccountStatus.DISABLED)
    ledger.add(account_id=account_id)

    ledger.send(Refused(message="Token refused.", account_needs_reauthorising=True))

    with ledger.database.reading() as session:
        assert session.get_one(Account, account_id).status is AccountStatus.DISABLED


def test_a_job_given_back_costs_no_attempt_and_can_be_claimed_at_once(ledger: Ledger) -> None:
    job_id = ledger.add()
    job = ledger.claim_one()

    ledger.settle(job, Released())

    assert (ledger.state(job_id), ledger.job(job_id).attempt) == (JobState.PENDING_QUEUE, 0)
    assert ledger.claim_one("worker-2").fence == job.fence + 1


# ── look-ups ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def unknown_job(ledger: Ledger) -> int:
    """A job whose send ended in doubt and whose settle time is over."""
    job_id = ledger.add()
    ledger.send(Unknown())
    ledger.wait(30)
    return job_id


def test_a_look_up_that_finds_the_post_publishes_it(ledger: Ledger, unknown_job: int) -> None:
    ledger.look_up(Published(remote_id="7"))

    assert ledger.state(unknown_job) is JobState.PUBLISHED
    assert [attempt.kind for attempt in ledger.attempts(unknown_job)] == ["send", "lookup"]


def test_a_look_up_that_proves_absence_lets_it_be_sent_again(ledger: Ledger, unknown_job: int) -> None:
    ledger.look_up(SafeToSend())

    assert ledger.state(unknown_job) is JobState.RETRY_WAIT
    assert ledger.claim_one().attempt == 2


def test_proven_absence_after_the_last_try_is_a_failed_task(ledger: Ledger) -> None:
    job_id = ledger.add(max_attempts=1)
    ledger.send(Unknown(message="The server answered 503.", http_status=503))
    ledger.wait(30)

    ledger.look_up(SafeToSend(message="It is not there."))

    assert ledger.state(job_id) is JobState.DEAD
    (task,) = ledger.failed_tasks(job_id)
    assert task.reason == "retries_spent"
    # What went wrong was the send, not the look-up that proved it.
    assert (task.message, task.snapshot["http_status"]) == ("The server answered 503.", 503)


def test_a_failed_look_up_is_tried_again_ever_later_and_in_the_end_a_person_is_asked(
    ledger: Ledger, unknown_job: int
) -> None:
    waits = []
    for _ in range(MAX_LOOKUPS - 1):
        ledger.look_up(LookupFailed(message="No answer."))
        job = ledger.job(unknown_job)
        assert job.state is JobState.UNKNOWN
        waits.append((job.due_at - ledger.now).total_seconds())
        ledger.now = job.due_at
        assert ledger.claim() == []

    ledger.look_up(LookupFailed(message="No answer."))

    assert waits == [30, 60, 120, 240, 480, 960, 1800]
    assert ledger.state(unknown_job) is JobState.HELD
    assert ledger.failed_tasks(unknown_job)[0].reason == "needs_review"


def test_a_network_that_cannot_tell_leaves_it_to_a_person(ledger: Ledger, unknown_job: int) -> None:
    ledger.look_up(CannotTell(message="Is it there?"))

    assert ledger.state(unknown_job) is JobState.HELD
    (task,) = ledger.failed_tasks(unknown_job)
    assert (task.reason, task.message) == ("needs_review", "Is it there?")


@pytest.mark.parametrize(
    "outcome",
    [
        Snooze(retry_after_seconds=60),
        Refused(message="no"),
        Refused(account_needs_reauthorising=True),
        RetryLater(),
        Released(),
        Unknown(),
    ],
    ids=lambda outcome: type(outcome).__name__,
)
def test_no_outcome_of_a_look_up_without_proof_makes_the_job_sendable_or_dead(
    ledger: Ledger, unknown_job: int, outcome: Outcome
) -> None:
    ledger.look_up(outcome)

    assert ledger.state(unknown_job) in (JobState.UNKNOWN, JobState.HELD)
    ledger.wait(24 * 3600)
    assert ledger.claim() == []


def test_a_look_up_that_is_rate_limited_for_ever_ends_with_a_person(ledger: Ledger, unknown_job: int) -> None:
    for _ in range(MAX_LOOKUPS):
        ledger.look_up(Snooze(retry_after_seconds=900))
        ledger.wait(3600)

    assert ledger.state(unknown_job) is JobState.HELD


# ── proof always counts ─────────────────────────────────────────────────────────────────────────────────────


def test_a_late_success_counts_although_the_lease_was_lost(ledger: Ledger) -> None:
    job_id = ledger.add()
    job = ledger.claim_one()
    ledger.begin_send(job)
    ledger.wait(61)
    assert ledger.reconcile().lapsed_sends == 1

    ledger.settle(job, Published(remote_id="9"))

    assert (ledger.state(job_id), ledger.job(job_id).remote_id) == (JobState.PUBLISHED, "9")
    assert [attempt.outcome for attempt in ledger.attempts(job_id)] == ["published"]
    ledger.wait(60)
    assert ledger.claim_lookups() == []


@pytest.mark.parametrize("ending", [CannotTell(), Refused(message="no")])
def test_a_late_success_overwrites_dead_and_held_and_closes_the_failed_task(
    ledger: Ledger, ending: Outcome
) -> None:
    job_id = ledger.add()
    late = ledger.claim_one("late")
    ledger.begin_send(late)
    ledger.wait(61)
    ledger.reconcile()
    ledger.wait(30)
    ledger.look_up(SafeToSend() if isinstance(ending, Refused) else ending)
    if isinstance(ending, Refused):
        ledger.send(ending)
    assert ledger.failed_tasks(job_id)[0].resolved_at is None

    ledger.settle(late, Published(remote_id="9"), worker="late")

    assert ledger.state(job_id) is JobState.PUBLISHED
    (task,) = ledger.failed_tasks(job_id)
    assert (task.resolution, task.resolved_by) == ("published", "ContentCaster")
    assert ledger.job(job_id).error_class is None


def test_a_late_success_stops_a_second_worker_before_it_sends(ledger: Ledger) -> None:
    ledger.add()
    late = ledger.claim_one("late")
    ledger.begin_send(late)
    ledger.wait(61)
    ledger.reconcile()
    ledger.wait(30)
    ledger.look_up(SafeToSend())
    second = ledger.claim_one("second")

    ledger.settle(late, Published(remote_id="9"), worker="late")

    assert ledger.begin_send(second) == set()


def test_settling_the_same_success_again_changes_nothing(ledger: Ledger) -> None:
    """The answer to the commit was lost on the way, so the worker settles once more."""
    job_id = ledger.add()
    job = ledger.send(Published(remote_id="9"))
    before = ledger.job(job_id).model_dump()

    ledger.settle(job, Published(remote_id="9"))

    assert ledger.job(job_id).model_dump() == before
    assert len(ledger.attempts(job_id)) == 1
    assert not [event for event in ledger.events(job_id) if event.name == "duplicate_incident"]


@pytest.mark.parametrize(
    "outcome",
    [RetryLater(), Snooze(retry_after_seconds=5), Unknown(), Refused(), Released()],
    ids=lambda outcome: type(outcome).__name__,
)
def test_settling_the_same_failure_again_changes_nothing(ledger: Ledger, outcome: Outcome) -> None:
    job_id = ledger.add()
    job = ledger.send(outcome)
    before = ledger.job(job_id).model_dump()

    ledger.settle(job, outcome)

    assert ledger.job(job_id).model_dump() == before
    assert len(ledger.attempts(job_id)) == 1
    assert len(ledger.failed_tasks(job_id)) == (1 if isinstance(outcome, Refused) else 0)


def test_another_id_for_a_published_job_is_recorded_as_a_duplicate(ledger: Ledger) -> None:
    job_id = ledger.add()
    job = ledger.send(Published(remote_id="9"))

    ledger.settle(replace(job, fence=job.fence + 5), Published(remote_id="10", remote_url="https://n/10"))

    assert ledger.job(job_id).remote_id == "9"
    (incident,) = [event for event in ledger.events(job_id) if event.name == "duplicate_incident"]
    assert "https://n/10" in incident.message


@pytest.mark.parametrize(
    "outcome",
    [RetryLater(), Snooze(retry_after_seconds=5), Unknown(), Refused(), Released(), CannotTell()],
    ids=lambda outcome: type(outcome).__name__,
)
def test_a_stale_fence_changes_nothing_but_a_success(ledger: Ledger, outcome: Outcome) -> None:
    job_id = ledger.add()
    stale = ledger.claim_one("stale")
    ledger.begin_send(stale)
    ledger.wait(61)
    ledger.reconcile()
    ledger.wait(30)
    ledger.look_up(SafeToSend())
    current = ledger.claim_one("current")
    ledger.begin_send(current)
    before = ledger.job(job_id).model_dump()

    ledger.settle(stale, outcome, worker="stale")

    assert ledger.job(job_id).model_dump() == before
    assert ledger.failed_tasks(job_id) == []


def test_a_look_up_that_lost_its_lease_changes_nothing(ledger: Ledger, unknown_job: int) -> None:
    stale = ledger.claim_lookup("stale")
    ledger.wait(61)
    assert ledger.reconcile().lapsed_lookups == 1
    before = ledger.job(unknown_job).model_dump()

    ledger.settle(stale, SafeToSend(), worker="stale", is_lookup=True)

    assert ledger.job(unknown_job).model_dump() == before


# ── foreign text ────────────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_with_control_characters_or_of_any_length_can_be_stored(ledger: Ledger) -> None:
    """Postgres stores no NUL; a network that answers with one must not stop the settling of others."""
    job_id = ledger.add()

    ledger.send(
        Refused(
            message="bad \x00 answer" * 1000, error_class="x" * 500, diagnostics="\x00\ud800", http_status=500
        )
    )

    assert ledger.state(job_id) is JobState.DEAD
    assert "\x00" not in (ledger.job(job_id).error_message or "")
