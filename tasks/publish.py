"""The publish queue: hints for posts. Run it with `huey_consumer tasks.publish.huey`.

With PUBLISH_REDIS_URLS it has several shards: `huey_consumer tasks.publish.huey_0`, `huey_1` and so on, any number of
consumers for each; `contentcaster worker publish` runs all of them, or those named by `--shard`.
"""

from __future__ import annotations

from tasks import runtime
from tasks.hint_queue import create_publish_shards


def run(job_id: int) -> None:
    """Look at the ledger: job `job_id` is about due. Harmless when early, late, doubled or forged."""
    runtime.wake("publish", job_id)


shards = create_publish_shards()
huey = shards[0]
runs = [shard.task(name="run")(run) for shard in shards]
for _number, _shard in enumerate(shards):
    globals()[f"huey_{_number}"] = _shard
    runtime.serve(_shard, "publish", name=f"publish-{_number}")
