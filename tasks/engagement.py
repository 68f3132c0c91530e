"""The engagement queue: hints for likes, reposts and replies. Run it with `huey_consumer tasks.engagement.huey`."""

from __future__ import annotations

from tasks import runtime
from tasks.hint_queue import create_huey

huey = create_huey("engagement")
runtime.serve(huey, "engagement")


@huey.task(name="run")
def run(job_id: int) -> None:
    """Look at the ledger: job `job_id` is about due. Harmless when early, late, doubled or forged."""
    runtime.wake("engagement", job_id)
