"""A resend that is safe only because the network remembers our key: not a moment longer than it does."""

from __future__ import annotations

import pytest

from contentcaster.engine import queues
from contentcaster.engine.outcomes import (
    CannotTell,
    Outcome,
    Published,
    Refused,
    RetryLater,
    SafeToSend,
    Unknown,
)
from contentcaster.models import JobState
from tests.engine.ledger_kit import Ledger


@pytest.fixture
def doubted(ledger: Ledger) -> int:
    """A job whose first send is in doubt and whose key is good for another ten minutes."""
    job_id = ledger.add(max_attempts=2)
    ledger.send(Unknown())
    ledger.wait(30)
    ledger.look_up(SafeToSend(valid_seconds=600))
    return job_id


def test_within_the_life_of_the_key_it_is_sent_again(ledger: Ledger, doubted: int) -> None:
    ledger.wait(590)

    ledger.send(Published(remote_id="1"))

    assert ledger.state(doubted) is JobState.PUBLISHED


def test_a_resend_that_waited_too_long_is_looked_up_again(ledger: Ledger, doubted: int) -> None:
    """The queue was paused, or nothing ran, for longer than the network remembers."""
    with ledger.database.transaction() as session:
        queues.pause(session, "publish", by="Ada")
    ledger.wait(600)
    with ledger.database.transaction() as session:
        queues.resume(session, "publish")

    assert ledger.claim() == []
    assert ledger.reconcile().doubted == 1
    ledger.look_up(CannotTell())

    assert ledger.state(doubted) is JobState.HELD


def test_a_claim_that_waited_too_long_may_not_send(ledger: Ledger, doubted: int) -> None:
    ledger.wait(590)
    job = ledger.claim_one()
    ledger.wait(11)

    assert ledger.begin_send(job) == set()


@pytest.mark.parametrize("outcome", [Refused(message="no"), RetryLater(message="503")])
def test_a_refused_resend_is_not_shown_as_failed_while_the_first_send_may_be_live(
    ledger: Ledger, doubted: int, outcome: Outcome
) -> None:
    ledger.send(outcome)

    assert ledger.state(doubted) is JobState.HELD
    assert ledger.failed_tasks(doubted)[0].reason == "needs_review"


def test_spent_tries_with_a_doubt_left_are_for_a_person(ledger: Ledger) -> None:
    job_id = ledger.add(max_attempts=1)
    ledger.send(Unknown())
    ledger.wait(30)

    ledger.look_up(SafeToSend(valid_seconds=600))

    assert ledger.state(job_id) is JobState.HELD


def test_proven_absence_ends_the_doubt(ledger: Ledger, doubted: int) -> None:
    ledger.send(Unknown())
    ledger.wait(30)
    ledger.look_up(SafeToSend())

    assert ledger.state(doubted) is JobState.DEAD
