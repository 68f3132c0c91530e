"""A real huey_consumer: killed in the middle of a send, or asked to stop."""

from __future__ import annotations

import signal
import time

from contentcaster.models import JobState, PostStatus, Worker
from tests.services_for_tests.programs import wait_until
from tests.tasks.product_kit import Product


def test_a_consumer_killed_in_the_middle_of_a_send_is_resolved_by_another_with_one_post(
    product: Product,
) -> None:
    product.connect_hints()
    product.sandbox.fault("latency_after", {"path": "/api/v1/statuses"}, times=1, params={"seconds": 1.5})
    consumer = product.start()
    post_id = product.schedule("Mid-send", in_seconds=1.0)
    wait_until(lambda: len(product.on_network("Mid-send")) == 1, what="the post to arrive", seconds=30)

    consumer.send_signal(signal.SIGKILL)
    consumer.wait()
    assert product.job_of(post_id).state is JobState.SENDING
    assert product.status(post_id) is PostStatus.PROCESSING
    product.start()
    product.wait_for(post_id, PostStatus.PUBLISHED)

    product.assert_published_once(post_id, "Mid-send")


def test_sigterm_finishes_what_is_being_sent_and_gives_back_the_rest(product: Product) -> None:
    product.connect_hints()
    product.sandbox.config(latency_ms=1200)
    consumer = product.start()
    sent = product.schedule("Being sent", in_seconds=1.0)
    wait_until(lambda: len(product.sends("Being sent")) == 1, what="the request", seconds=30)
    waiting = product.schedule("Not sent yet", in_seconds=0.45)  # claimed within the lead, not due yet
    product.sandbox.config(latency_ms=0)

    consumer.send_signal(signal.SIGTERM)
    started = time.monotonic()
    code = consumer.wait(40)

    assert code == 0
    assert time.monotonic() - started < 25
    assert product.job_of(sent).state is JobState.PUBLISHED
    assert product.job_of(waiting).state not in (JobState.CLAIMED, JobState.SENDING)
    with product.database.reading() as session:
        from sqlmodel import select

        assert [row.stopped_at is not None for row in session.exec(select(Worker)).all()] == [True]
    product.start()
    product.wait_for(waiting, PostStatus.PUBLISHED)
    assert len(product.sends("Not sent yet")) == len(product.sends("Being sent")) == 1
