"""The growth queue: hints for follows and unfollows. Run it with `huey_consumer tasks.growth.huey`."""

from __future__ import annotations

from tasks import runtime
from tasks.hint_queue import create_huey

huey = create_huey("growth")
runtime.serve(huey, "growth")


@huey.task(name="run")
def run(job_id: int) -> None:
    """Look at the ledger: job `job_id` is about due. Harmless when early, late, doubled or forged."""
    runtime.wake("growth", job_id)
