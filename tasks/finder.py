"""The finder queue: hints for searches for people and posts. Run it with `huey_consumer tasks.finder.huey`."""

from __future__ import annotations

from tasks import runtime
from tasks.hint_queue import create_huey

huey = create_huey("finder")
runtime.serve(huey, "finder")


@huey.task(name="run")
def run(job_id: int) -> None:
    """Look at the ledger: job `job_id` is about due. Harmless when early, late, doubled or forged."""
    runtime.wake("finder", job_id)
