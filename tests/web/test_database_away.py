"""The console while its database is away: says so, keeps what it shows, and comes back by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.models import PostStatus, Role
from tests.services_for_tests import factories
from tests.services_for_tests.postgres import PostgresServer
from tests.services_for_tests.stack import activated, as_environment, migrated_database
from tests.web.arriving import visit
from tests.web.conftest import Console, free_port, running_console

pytestmark = pytest.mark.browser


@pytest.fixture
def postgres_console(built: Path, disposable_postgres: PostgresServer, tmp_path: Path) -> Iterator[Console]:
    url = migrated_database(disposable_postgres.url(), "contentcaster")
    environment = as_environment(
        data_dir=tmp_path / "data", database_url=url, host="127.0.0.1", port=free_port()
    )
    with activated("postgres", environment) as stack, running_console(stack, tmp_path) as console:
        yield console


def test_the_console_says_that_postgres_is_away_and_recovers_without_a_restart(
    postgres_console: Console, disposable_postgres: PostgresServer, browser: Browser
) -> None:
    console = postgres_console
    author = console.user(Role.CREATOR)
    with console.stack.database.transaction() as session:
        factories.create_post(session, author, text="Was here before", status=PostStatus.SCHEDULED)
    context = browser.new_context()
    name, _, value = console.cookie(Role.CREATOR).partition("=")
    context.add_cookies([{"name": name, "value": value, "url": console.url, "httpOnly": True}])
    page, late = context.new_page(), context.new_page()
    visit(page, console.url + "/posts")
    row = page.locator("tr", has_text="Was here before")
    expect(row).to_be_visible()
    page.evaluate("window.stayed = true")

    disposable_postgres.stop(immediate=True)
    page.get_by_role("tab", name=re.compile("^Published")).click()
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("database does not answer")
    expect(row).to_be_visible()
    visit(late, console.url + "/posts")
    expect(late.get_by_role("alert")).to_contain_text("database does not answer")
    assert httpx.get(console.url + "/sign-in").status_code == 200

    disposable_postgres.start()
    expect(late.locator("tr", has_text="Was here before")).to_be_visible(timeout=15_000)
    with console.stack.database.transaction() as session:
        post = factories.create_post(
            session,
            author,
            text="Written after the outage",
            status=PostStatus.SCHEDULED,
            scheduled_at=utc_now() + timedelta(hours=1),
        )
        live.note(session, "posts", f"post:{post.id}")
    expect(page.locator("tr", has_text="Written after the outage")).to_be_visible(timeout=15_000)
    assert page.evaluate("window.stayed")
    context.close()
