"""kill -9 at every step: the worker ends at a named point, a healthy one goes on, the network has the post once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime

import pytest
from sqlalchemy import update

from contentcaster.clock import utc_now
from contentcaster.engine import ledger
from contentcaster.engine.crash import CRASH_POINTS
from contentcaster.models import Job, JobState, PostStatus
from tests.engine.ledger_kit import at
from tests.services_for_tests.stack import Stack
from tests.tasks import product_kit
from tests.tasks.product_kit import QUICK, Product, past
from tests.tasks.quick_worker import QuickWorkers

_TEXT = "Once, whatever happens"
_KILLED = 137
# After these the network may have the post: run on networks without a key too, each on one of the stacks.
_DOUBTFUL = (
    "begin_send.after_commit",
    "send.after_answer",
    "settle.before_commit",
    "lookup.claimed",
    "lookup.after_answer",
)


@pytest.fixture
def product(stack: Stack) -> Iterator[Product]:
    """Leases as short as they may be: most of the time here is waiting for the dead worker's to lapse."""
    with product_kit.product(stack, **QUICK | {"lease_seconds": 2, "send_deadline_seconds": 1}) as built:
        built.connect()
        yield built


@pytest.fixture(scope="module")
def workers() -> Iterator[QuickWorkers]:
    with QuickWorkers() as running:
        yield running


def _crash(workers: QuickWorkers, product: Product, point: str) -> None:
    """Run a worker that dies at `point`."""
    code = workers.run(os.environ | dict(product.stack.environment) | {"CRASH_AT": point})
    assert code is not None, f"no worker ever came to {point}"
    assert code == _KILLED


def _arrange(product: Product, point: str) -> str:
    """A post in a state from which a worker comes to `point`."""
    # A hint is offered only for what nobody has claimed yet: due much later, for now.
    post_id = product.schedule(_TEXT, in_seconds=3600 if point.startswith("enqueue") else 0.5)
    if point.startswith("lookup"):
        product.sandbox.fault("drop_after", {"path": "/api/v1/statuses", "method": "POST"}, times=1)
    if point.startswith("reconcile"):
        _leave_a_lapsed_send(product, post_id)
    return post_id


def _make_due(product: Product, post_id: str, moment: datetime) -> None:
    job_id = product.job_of(post_id).id
    with product.database.transaction() as session:
        session.execute(update(Job).where(Job.id == job_id).values(due_at=moment))  # type: ignore[arg-type]


def _leave_a_lapsed_send(product: Product, post_id: str) -> None:
    """As a worker leaves it that died ten seconds ago while it was sending."""
    _make_due(product, post_id, past(11))
    with product.database.transaction() as session:
        (job,) = ledger.claim(
            session,
            queues=("publish",),
            worker="dead",
            limit=1,
            lead_seconds=0.5,
            lease_seconds=2,
            now=at(past(10)),
        )
        assert ledger.begin_send(session, [(job.id, job.fence)], lease_seconds=2, now=at(past(10)))


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_a_worker_killed_here_costs_neither_the_post_nor_a_second_one(
    workers: QuickWorkers, product: Product, point: str
) -> None:
    post_id = _arrange(product, point)

    _crash(workers, product, point)
    if point.startswith("enqueue"):
        _make_due(product, post_id, utc_now())
    with product.sender():
        product.wait_for(post_id, PostStatus.PUBLISHED)

    product.assert_published_once(post_id, _TEXT)


@pytest.mark.parametrize("stack", ["sqlite"], indirect=True)
@pytest.mark.parametrize("point", _DOUBTFUL)
def test_without_a_key_the_own_timeline_tells_and_it_is_there_once(
    workers: QuickWorkers, product: Product, point: str
) -> None:
    product.sandbox.config(keyless=True, software="pleroma")
    product.connect("keyless")
    post_id = _arrange(product, point)

    _crash(workers, product, point)
    with product.sender():
        product.wait_for(post_id, PostStatus.PUBLISHED)

    product.assert_published_once(post_id, _TEXT)


@pytest.mark.parametrize("stack", ["postgres"], indirect=True)
@pytest.mark.parametrize("point", _DOUBTFUL)
def test_without_key_and_read_back_it_is_there_at_most_once_and_a_person_is_asked(
    workers: QuickWorkers, product: Product, point: str
) -> None:
    product.sandbox.config(keyless=True, software="pleroma", hide_timeline=True)
    product.connect("blind")
    post_id = _arrange(product, point)

    _crash(workers, product, point)
    with product.sender():
        product.wait_for_state(post_id, JobState.HELD, JobState.PUBLISHED)

    assert product.job_of(post_id).state is JobState.HELD
    assert product.status(post_id) is PostStatus.NEEDS_REVIEW
    assert len(product.on_network(_TEXT)) <= 1
