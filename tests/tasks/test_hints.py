"""Hints: nothing but a known name and a number goes through the queue, and whatever comes out of it harms nothing."""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
import subprocess
import sys
import uuid
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from huey import Huey
from huey.registry import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from contentcaster.clock import utc_now
from contentcaster.models import JobState, PostStatus
from contentcaster.settings import PROJECT_ROOT
from tasks.hint_queue import HintFormatError, HintSerializer, is_reachable
from tests.services_for_tests.programs import wait_until
from tests.services_for_tests.stack import Stack
from tests.tasks.product_kit import Product

_NAMES = ("tasks.publish.run", "tasks.maintenance.tidy")
_SERIALIZER = HintSerializer(_NAMES)
_GOOD: dict[str, Any] = {"id": "x", "task": "tasks.publish.run", "job": 7, "eta": None}


class Bomb:
    """Unpickling this creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def _hint(**changes: Any) -> bytes:
    return json.dumps(_GOOD | changes).encode()


def test_a_hint_survives_the_way_through_the_queue() -> None:
    eta = datetime(2026, 11, 24, 12, 0, 0, 5)  # noqa: DTZ001 - Huey's own are naive UTC
    message = Message("x", "tasks.publish.run", eta, 0, 0, None, (7,), {}, None, None, None, None)

    arrived = _SERIALIZER.deserialize(_SERIALIZER.serialize(message))

    assert (arrived.id, arrived.name, arrived.eta, arrived.args) == ("x", "tasks.publish.run", eta, (7,))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b'"run"',
        b"\xff\xfe",
        b"[" * 100_000,
        _hint(task="tasks.publish.other"),
        _hint(task="os.system"),
        _hint(task=None),
        _hint(job="7"),
        _hint(job=7.5),
        _hint(job=True),
        _hint(job=0),
        _hint(job=-1),
        _hint(job=[7]),
        _hint(id=5),
        _hint(eta="soon"),
        _hint(eta=5),
        b'{"task": "tasks.publish.run", "job": 7}',
        b'{"id":"x","task":"tasks.publish.run","eta":null,"job":' + b"9" * 5000 + b"}",
    ],
    ids=lambda data: repr(data[:40]),
)
def test_what_is_no_hint_is_refused(data: bytes) -> None:
    with pytest.raises(HintFormatError):
        _SERIALIZER.deserialize(data)


def test_a_pickle_is_refused_and_not_executed(tmp_path: Path) -> None:
    bomb = tmp_path / "executed"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(HintFormatError):
            _SERIALIZER.deserialize(pickle.dumps(Bomb(bomb), protocol=protocol))

    assert not bomb.exists()


_JSON = st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | _JSON)
def test_any_bytes_are_a_hint_or_refused(data: bytes) -> None:
    try:
        message = _SERIALIZER.deserialize(data)
    except HintFormatError:
        return
    assert message.name in _NAMES


def test_nothing_but_hints_can_be_put_into_the_queue(tmp_path: Path) -> None:
    with pytest.raises(HintFormatError):
        _SERIALIZER.serialize({"any": "thing"})


def test_every_periodic_task_passes_through_the_queue(sqlite_stack: Stack) -> None:
    """One that the queue refuses never runs, and nobody is told."""
    told = subprocess.run(
        [
            *(sys.executable, "-c"),
            "from tasks.maintenance import huey\n"
            "names = huey._registry._registry\n"
            "print(*sorted(set(huey.serializer._task_names) ^ set(names)), len(names))",
        ],
        cwd=PROJECT_ROOT, env=os.environ | dict(sqlite_stack.environment), capture_output=True, text=True, check=True,
    )  # fmt: skip
    different, count = told.stdout.split()[:-1], int(told.stdout.split()[-1])
    assert different == [] and count > 5


# ── with a real consumer ────────────────────────────────────────────────────────────────────────────────────


def test_planted_doubled_forged_and_late_hints_change_nothing(product: Product, tmp_path: Path) -> None:
    """Before the consumer starts: a pickle, garbage, hints for jobs that are absent, done or in the future."""
    huey = product.connect_hints()
    done = product.schedule("done already", in_seconds=0.5)
    with product.sender():
        product.wait_for(done, PostStatus.PUBLISHED)
    future = product.schedule("much later", in_seconds=3600)
    post_id = product.schedule("Hello", in_seconds=1.0)
    bomb = tmp_path / "executed"
    ids = [product.job_of(post).id for post in (done, future, post_id)]
    _plant(huey, pickle.dumps(Bomb(bomb)), b"garbage", _hint(task="os.system"), _hint(job=999_999_999))
    _plant(huey, *[_hint(id=str(uuid.uuid4()), job=job_id) for job_id in ids for _ in range(3)])
    _plant(huey, pickle.dumps(Bomb(bomb)), b"garbage", scheduled=True)

    product.start()
    product.wait_for(post_id, PostStatus.PUBLISHED)
    wait_until(lambda: huey.storage.queue_size() == 0, what="all that was planted to be read")
    late = product.schedule("One more", in_seconds=0.5)
    _plant(huey, *[_hint(job=job_id) for job_id in ids])
    product.wait_for(late, PostStatus.PUBLISHED)

    assert not bomb.exists()
    for text in ("done already", "Hello", "One more"):
        assert len(product.sends(text)) == 1
    assert product.sends("much later") == []
    assert product.job_of(future).state in (JobState.QUEUED, JobState.PENDING_QUEUE)
    assert product.job_of(future).attempt == 0


def _plant(huey: Huey, *messages: bytes, scheduled: bool = False) -> None:
    """What somebody with access to the queue's store could put there."""
    for message in messages:
        if scheduled:
            huey.storage.add_to_schedule(message, utc_now().replace(tzinfo=None) - timedelta(seconds=1))
        else:
            huey.storage.enqueue(message)


def test_the_sqlite_queue_file_is_only_for_its_owner(sqlite_stack: Any) -> None:
    from tests.tasks import product_kit

    with product_kit.product(sqlite_stack) as product:
        huey = product.huey()
        path = Path(huey.storage.filename)
        assert path.stat().st_mode & 0o077 == 0
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("select count(*) from task").fetchone() == (0,)


# ── Redis goes away ─────────────────────────────────────────────────────────────────────────────────────────


def test_redis_down_while_scheduling_shows_pending_queue_and_scheduled_once_it_is_back(
    fragile_product: Product, disposable_redis: Any
) -> None:
    product = fragile_product
    huey = product.connect_hints()
    assert is_reachable(huey)
    disposable_redis.stop()

    post_id = product.schedule("Saved all the same", in_seconds=3600)
    assert product.status(post_id) is PostStatus.PENDING_QUEUE
    assert not is_reachable(huey)

    disposable_redis.start()
    with product.sender():  # its reconciler offers the hint again
        product.wait_for(post_id, PostStatus.SCHEDULED)
    assert huey.storage.schedule_size() == 1


def test_a_redis_that_is_full_refuses_the_hint_and_the_post_is_saved(
    fragile_product: Product, disposable_redis: Any
) -> None:
    product = fragile_product
    product.connect_hints()
    with redis.Redis.from_url(disposable_redis.url()) as client:
        client.config_set("maxmemory", 1)
        client.config_set("maxmemory-policy", "noeviction")

    post_id = product.schedule("Saved all the same", in_seconds=1.0)

    assert product.status(post_id) is PostStatus.PENDING_QUEUE
    with product.sender():
        product.wait_for(post_id, PostStatus.PUBLISHED)


def test_with_redis_down_posts_go_out_in_time_all_the_same(
    fragile_product: Product, disposable_redis: Any
) -> None:
    product = fragile_product
    product.connect_hints()
    product.start()
    disposable_redis.stop()

    post_id = product.schedule("Without Redis", in_seconds=2.0)
    product.wait_for(post_id, PostStatus.PUBLISHED)

    (send,) = product.sends("Without Redis")
    late = datetime.fromisoformat(send["arrived_at"]) - product.job_of(post_id).scheduled_at
    assert timedelta(0) <= late < timedelta(seconds=5)


def test_flushall_loses_nothing(fragile_product: Product, disposable_redis: Any) -> None:
    product = fragile_product
    product.connect_hints()
    post_ids = [product.schedule(f"Flushed {n}", in_seconds=3.0) for n in range(5)]
    assert {product.status(post_id) for post_id in post_ids} == {PostStatus.SCHEDULED}

    with redis.Redis.from_url(disposable_redis.url()) as client:
        client.flushall()
    product.start()
    for post_id in post_ids:
        product.wait_for(post_id, PostStatus.PUBLISHED)

    for number in range(5):
        assert len(product.sends(f"Flushed {number}")) == 1
