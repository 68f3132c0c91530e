"""Scheduling while Redis is away: the post is saved, and the person is told what that means."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from contentcaster.models import PostStatus, Role
from tests.services_for_tests import factories
from tests.services_for_tests.redis_server import RedisServer
from tests.services_for_tests.stack import Servers, activated, as_environment
from tests.web.arriving import visit
from tests.web.conftest import Console, free_port
from tests.web.test_studio import TEXT, pick_time, post_of


@pytest.fixture
def console_on_redis(
    built: Path, servers: Servers, disposable_redis: RedisServer, tmp_path: Path
) -> Iterator[Console]:
    port = free_port()
    with servers.new_postgres_database() as database_url:
        environment = as_environment(
            data_dir=tmp_path / "data",
            database_url=database_url,
            redis_url=disposable_redis.url(),
            host="127.0.0.1",
            port=port,
        )
        with activated("postgres", environment) as stack:
            running = Console(stack, port, tmp_path / "web.log")
            running.start()
            yield running
            running.close()


@pytest.fixture
def page(console_on_redis: Console, browser: Browser) -> Iterator[Page]:
    console = console_on_redis
    with console.stack.database.transaction() as session:
        admin = factories.create_user(session, Role.ADMIN)
        factories.create_account(session, admin, platform="mastodon", handle="@acme@first.example")
        cookie = factories.browser_cookie(session, admin)
    context = browser.new_context()
    name, _, value = cookie.partition("=")
    context.add_cookies([{"name": name, "value": value, "url": console.url, "httpOnly": True}])
    opened = context.new_page()
    opened.set_default_timeout(15_000)
    visit(opened, console.url + "/studio")
    opened.wait_for_selector(TEXT)
    yield opened
    context.close()


def test_with_the_queue_away_the_post_is_saved_and_the_page_says_what_that_means(
    page: Page, console_on_redis: Console, disposable_redis: RedisServer
) -> None:
    page.fill(TEXT, "Saved all the same")
    pick_time(page, timedelta(hours=2))
    disposable_redis.stop()
    page.click("#do-schedule")
    page.wait_for_url("**/posts/*")
    told = "Saved. The queue does not answer right now; it will still go out on time."
    expect(page.get_by_text(told)).to_be_visible()
    expect(page.locator("[data-status=PendingQueue]").first).to_be_visible()
    assert post_of(console_on_redis, page).status is PostStatus.PENDING_QUEUE
