"""Periodic tasks with real consumers that are killed and started again while the minutes pass (make chaos)."""

from __future__ import annotations

import signal
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from contentcaster.clock import utc_now
from contentcaster.models import PeriodicRun
from tests.services_for_tests.programs import wait_until
from tests.tasks.product_kit import HUEY_CONSUMER, Product

_MAINTENANCE = ["tasks.maintenance.huey" if part == "tasks.publish.huey" else part for part in HUEY_CONSUMER]
_EVERY_MINUTE = ("bots", "metrics", "notifications", "checks")


def _runs(product: Product) -> list[tuple[str, datetime, str]]:
    with product.database.reading() as session:
        query = select(PeriodicRun.task, PeriodicRun.slot, PeriodicRun.worker).where(
            PeriodicRun.task.in_(_EVERY_MINUTE)  # type: ignore[attr-defined]
        )
        return [(row.task, row.slot, row.worker) for row in session.execute(query)]


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_each_minute_runs_once_with_three_consumers_of_which_one_after_the_other_is_killed(
    product: Product,
) -> None:
    consumers = [product.start(_MAINTENANCE) for _ in range(3)]
    first = utc_now().replace(second=0, microsecond=0) + timedelta(minutes=1)
    minutes = [first + timedelta(minutes=number) for number in range(4)]

    for minute in minutes:
        wait_until(
            lambda minute=minute: (
                {task for task, slot, _ in _runs(product) if slot == minute}  # type: ignore[misc]
                >= set(_EVERY_MINUTE)
            ),
            what=f"the tasks of {minute:%H:%M}",
            seconds=90,
        )
        killed = consumers.pop(0)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        consumers.append(product.start(_MAINTENANCE))

    ran = [(task, slot) for task, slot, _ in _runs(product) if slot in minutes]
    assert sorted(ran) == sorted((task, minute) for task in _EVERY_MINUTE for minute in minutes)
    assert len({worker for _, _, worker in _runs(product)}) > 1, (
        "one consumer alone ran all: nothing was shown"
    )
