"""The publish queue: hints for posts. Run it with `huey_consumer tasks.publish.huey`."""

from __future__ import annotations

from tasks import runtime
from tasks.hint_queue import create_huey

huey = create_huey("publish")
runtime.serve(huey, "publish")


@huey.task(name="run")
def run(job_id: int) -> None:
    """Look at the ledger: job `job_id` is about due. Harmless when early, late, doubled or forged."""
    runtime.wake("publish", job_id)
