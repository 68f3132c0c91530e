"""The publish queue in shards: a Redis each, and none of it decides what is published."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from contentcaster.clock import utc_now
from contentcaster.engine.hints import Hint
from contentcaster.models import Job, PostStatus
from contentcaster.settings import load_settings
from tasks.hint_queue import create_publish_shards, send_hints, shard_of
from tests.services_for_tests.redis_server import RedisServer
from tests.services_for_tests.stack import Stack
from tests.tasks import product_kit
from tests.tasks.product_kit import QUICK, WORKER, Product


@pytest.fixture
def shard_servers() -> Iterator[list[RedisServer]]:
    servers = [RedisServer.create() for _ in range(2)]
    yield servers
    for server in servers:
        server.close()


@pytest.fixture
def product(postgres_stack: Stack, shard_servers: list[RedisServer]) -> Iterator[Product]:
    urls = ",".join(server.url() for server in shard_servers)
    with product_kit.product(postgres_stack, **QUICK, publish_redis_urls=urls) as built:
        yield built


def test_hints_of_one_channel_take_one_shard_and_many_channels_take_all() -> None:
    shards = [shard_of(f"channel-{number}", 4) for number in range(400)]

    assert shards == [shard_of(f"channel-{number}", 4) for number in range(400)]
    assert all(60 < shards.count(number) < 140 for number in range(4))
    assert shard_of(None, 4) == shard_of(None, 4)
    assert {shard_of("any", 1)} == {0}


def test_a_shard_that_is_down_holds_up_the_hints_of_no_other(shard_servers: list[RedisServer]) -> None:
    settings = load_settings(
        redis_url=shard_servers[0].url(9),
        publish_redis_urls=tuple(server.url() for server in shard_servers),
        secret_key="x" * 40,
        encryption_keys="unused",
    )
    shards = create_publish_shards(settings)
    tasks = [_task(shard) for shard in shards]
    shard_servers[0].stop()
    hints = [Hint("publish", number + 1, utc_now(), f"channel-{number}") for number in range(20)]

    taken = send_hints(lambda hint: tasks[shard_of(hint.account_id, 2)], hints)

    assert taken == {hint.job_id for hint in hints if shard_of(hint.account_id, 2) == 1}
    assert 0 < len(taken) < 20
    assert shards[1].storage.queue_size() == len(taken)


def _task(huey: object) -> object:
    def run(job_id: int) -> None:
        raise AssertionError("no consumer runs in this process")

    run.__module__ = "tasks.publish"
    return huey.task(name="run")(run)  # type: ignore[attr-defined]


def test_workers_of_different_shards_publish_everything_once_also_what_lies_in_a_shard_of_before(
    product: Product, shard_servers: list[RedisServer]
) -> None:
    """Two processes read a shard each, as huey_consumer and as our own worker. The hints of half the posts lie in a
    shard that the number of shards before them meant, and one shard goes down: the ledger finds them all."""
    accounts = [product.connect(f"channel{number}") for number in range(4)]
    assert {shard_of(account, 2) for account in accounts} <= {0, 1}
    consumer = [*product_kit.HUEY_CONSUMER]
    consumer[1] = "tasks.publish.huey_1"
    product.start(consumer)
    product.start([*WORKER, "--shard", "0"])
    product.connect_hints()  # one shard, on REDIS_URL, which nobody reads any more
    posts = {}
    for number, account in enumerate(accounts):
        product.account_id = account
        posts[f"before {number}"] = product.schedule(f"before {number}", in_seconds=1.5)
    shard_servers[0].stop()
    for text, post_id in posts.items():
        product.wait_for(post_id, PostStatus.PUBLISHED)
        product.assert_published_once(post_id, text)

    with product.database.reading() as session:
        late = [
            (job.ended_at - job.scheduled_at).total_seconds()
            for job in session.execute(select(Job)).scalars()
            if job.ended_at
        ]
    assert len(late) == len(accounts)
    assert max(late) < 5  # not the hint's timeout and more: the workers look at the ledger by themselves


def test_an_operator_may_name_only_shards_that_there_are(product: Product) -> None:
    process = product.spawn([*WORKER, "--shard", "2"])

    assert process.wait(30) == 2
