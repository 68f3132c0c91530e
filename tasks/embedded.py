"""All consumers inside one worker process, without Huey's signal handlers: what `contentcaster worker` runs."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Sequence

import structlog
from huey.consumer import Consumer

from contentcaster.settings import QUEUES
from tasks import runtime

log = structlog.get_logger(__name__)
logging.getLogger("huey").setLevel(logging.WARNING)  # its start-up chatter, five times over, hides ours

_POLL_SECONDS = 0.25
"""How long a hint may lie in an SQLite queue; Redis wakes at once."""


class EmbeddedConsumer(Consumer):  # type: ignore[misc]
    """Huey's consumer as threads of a process that handles signals itself."""

    def _set_signal_handlers(self) -> None:
        """Python allows signal handlers only in the main thread, and one owner for them."""


def run_worker(queues: Sequence[str] = QUEUES, *, shards: Sequence[int] = ()) -> None:
    """Run the consumers of `queues` until SIGTERM or SIGINT; what is being sent is finished first.

    `shards` are the numbers of the publish queue's shards whose hints are read; all of them if it is empty.
    """
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    consumers = start_consumers(queues, shards=shards)
    log.info("worker_ready", queues=list(queues))
    while not stopped.wait(timeout=10):
        for consumer in consumers:
            consumer.check_worker_health()
    log.info("worker_stopping")
    for consumer in consumers:
        consumer.stop_flag.set()
    is_clean = runtime.stop()
    log.info("worker_stopped", clean=is_clean)


def start_consumers(queues: Sequence[str], *, shards: Sequence[int] = ()) -> list[EmbeddedConsumer]:
    """Start the senders first, so that each knows all its queues, then one consumer per queue and shard."""
    hueys = [(queue, huey) for queue in queues for huey in runtime.hueys_of(queue, shards)]
    runtime.start(queues)
    consumers = []
    for queue, huey in hueys:
        consumer = EmbeddedConsumer(
            huey,
            workers=1,
            initial_delay=0.05,
            max_delay=_POLL_SECONDS,
            periodic=queue == "maintenance",
            check_worker_health=True,
        )
        consumer.start()
        consumers.append(consumer)
    return consumers
