"""What one worker process runs besides Huey's threads: the senders, started with the first consumer thread.

The same for a `huey_consumer` process that serves one queue and for `contentcaster worker`, which serves all.
"""

from __future__ import annotations

import gc
import importlib
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from huey import Huey

from contentcaster.db import get_database
from contentcaster.engine import heartbeat, hints
from contentcaster.engine.hints import Hint
from contentcaster.engine.policy import Policy
from contentcaster.engine.sender import Sender
from contentcaster.logs import configure_logging
from contentcaster.services.executors import create_executors
from contentcaster.services.notifications_events import Teller
from contentcaster.settings import BOT_QUEUES, QUEUES, get_settings
from tasks.hint_queue import is_reachable, send_hints, shard_of

log = structlog.get_logger(__name__)

STOP_SECONDS = 22.0
"""Below huey_consumer's own -t 25."""

GROUPS = {"publish": ("publish",), "maintenance": ("maintenance",), "bots": BOT_QUEUES}
"""Each group has a sender of its own: bots, mails and slow receivers of webhooks never take a slot from publishing."""

_lock = threading.Lock()
_senders: dict[str, Sender] = {}
_served: set[str] = set()
_hueys: dict[str, list[Huey]] = {}
_tellers: list[Teller] = []
_active_threads = 0
_worker_id = heartbeat.new_worker_id()


def serve(huey: Huey, queue: str, *, name: str = "") -> None:
    """Let the consumer of `huey` start and stop this process's sender."""
    _hueys.setdefault(queue, []).append(huey)
    huey.on_startup(name=f"start-{name or queue}")(lambda: start([queue]))
    huey.on_shutdown(name=f"stop-{name or queue}")(_thread_ended)


def start(queues: Sequence[str]) -> None:
    """Start the senders of these queues once; every consumer thread calls this as it begins."""
    global _active_threads
    with _lock:
        _active_threads += 1
        _served.update(queues)
        if not _senders:
            configure_logging(get_settings())  # huey_consumer sets up a log of its own, which redacts nothing
            connect_hints()
            if _served <= set(BOT_QUEUES):
                _step_back(get_settings().bot_niceness)
            _rest_garbage_collector()
        if not _tellers:
            _tellers.append(Teller(get_database()))
            _tellers[0].start()
        for group, members in GROUPS.items():
            served = [queue for queue in members if queue in _served]
            if served and group not in _senders:
                _senders[group] = _create_sender(group, served)
                _senders[group].start()
                log.info("sender_started", worker=_senders[group].worker_id, queues=served)


def _rest_garbage_collector() -> None:
    """What is loaded by now stays: looking through it for garbage again and again took a fifth of a busy worker."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def wake(queue: str, job_id: int) -> None:
    """A hint came in."""
    for group, members in GROUPS.items():
        if queue in members and group in _senders:
            _senders[group].wake()


def stop() -> bool:
    """Stop the senders: give back what is not sent, finish what is; returns whether all ended in time."""
    with _lock:
        senders = list(_senders.values())
        _senders.clear()
        tellers = list(_tellers)
        _tellers.clear()
    for sender in senders:
        sender.begin_stop()
    is_clean = all([sender.join(STOP_SECONDS) for sender in senders])
    for teller in tellers:
        teller.stop()
    return is_clean


def worker_id() -> str:
    return _worker_id


def connect_hints() -> None:
    """Let the services of this process offer hints to Huey."""
    hints.register_sender(
        lambda batch: send_hints(task_of, batch), lead_seconds=get_settings().publish_lead_seconds
    )


def task_of(hint: Hint) -> Any:
    """The task that takes this hint."""
    module = _module_of(hint.queue)
    if hint.queue != "publish":
        return module.run
    return module.runs[shard_of(hint.account_id, len(module.runs))]


def hueys_of(queue: str, shards: Sequence[int] = ()) -> list[Huey]:
    """The Huey instances of a queue: one, or all shards of publishing, or only those numbered `shards`."""
    module = _module_of(queue)
    if queue != "publish":
        return [module.huey]
    return [module.shards[number] for number in shards] if shards else list(module.shards)


def _module_of(queue: str) -> Any:
    if queue not in QUEUES:
        raise KeyError(queue)
    return importlib.import_module(f"tasks.{queue}")


def _thread_ended() -> None:
    """The last consumer thread to end stops the sender, so that a graceful stop of Huey is one of ours."""
    global _active_threads
    with _lock:
        _active_threads -= 1
        is_last = _active_threads == 0
    if is_last:
        stop()


def _step_back(niceness: int) -> None:
    """Leave the processor to others first, as a process that serves only bots should."""
    with suppress(OSError):
        os.nice(niceness)
        # Where Linux schedules by session, niceness counts only within one: the session steps back as well.
        Path("/proc/self/autogroup").write_text(str(niceness))


def _create_sender(group: str, queues: Sequence[str]) -> Sender:
    settings = get_settings()
    database = get_database()
    return Sender(
        database,
        Policy.from_settings(settings),
        create_executors(database),
        queues=queues,
        concurrency=settings.send_concurrency if group == "publish" else settings.bot_concurrency,
        channel_concurrency=settings.channel_concurrency,
        is_queue_reachable=lambda: all(
            is_reachable(huey) for queue in queues for huey in _hueys.get(queue, ())
        ),
        worker_id=heartbeat.loop_id(_worker_id, group),
    )
