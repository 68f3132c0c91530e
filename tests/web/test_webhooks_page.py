"""Webhooks in a real browser: made with a secret shown once, tested, looked at, sent again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from contentcaster.engine.policy import Policy
from contentcaster.engine.sender import Sender
from contentcaster.models import Role
from contentcaster.services.executors import create_executors
from tests.services_for_tests.receiver import running_receiver
from tests.services_for_tests.stack import Servers, activated, as_environment
from tests.web.accessibility import accessibility_problems
from tests.web.arriving import reload
from tests.web.conftest import Console, NewPage, free_port, running_console

pytestmark = pytest.mark.browser
PORT = free_port()


@pytest.fixture(scope="module")
def console(built: object, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("webhooks")
    environment = as_environment(
        data_dir=folder,
        database_url=servers.new_sqlite_database(folder),
        host="127.0.0.1",
        port=free_port(),
        egress_allow=f"127.0.0.1:{PORT}",
    )
    with activated("sqlite", environment) as stack, running_console(stack, folder) as running:
        yield running


def test_an_admin_adds_a_webhook_tests_it_looks_at_the_answer_and_sends_it_again(
    new_page: NewPage, console: Console
) -> None:
    database = console.stack.database
    policy = Policy(lead_seconds=0.5, retry_base_seconds=0.1)
    executors = create_executors(database)
    sender = Sender(database, policy, executors, queues=["maintenance"], concurrency=4, channel_concurrency=4)
    with running_receiver(PORT) as receiver:
        receiver.answers = [(500, b"<img src=x onerror=alert(1)> not today")]
        page = new_page(Role.ADMIN, "/webhooks")
        expect(page.get_by_text("Nobody is told yet")).to_be_visible()
        assert accessibility_problems(page) == []
        page.get_by_role("button", name="New webhook").click()
        page.get_by_label("Name").fill("Warehouse")
        page.get_by_label("Address").fill("http://example.org")
        page.get_by_role("button", name="Save").click()
        expect(page.locator("#webhook_url-error")).to_contain_text("https://")
        assert accessibility_problems(page) == []
        page.get_by_label("Address").fill(receiver.url)
        page.get_by_label("A post was cancelled").uncheck()
        page.get_by_role("button", name="Save").click()
        secret = page.locator("#webhook-secret").inner_text()
        assert secret.startswith("whsec_")
        page.get_by_role("button", name="I have kept it").click()
        card = page.locator('[data-webhook="Warehouse"]')
        expect(card).to_contain_text("published")
        expect(card).not_to_contain_text("cancelled")
        sender.start()
        try:
            card.get_by_role("button", name="Send a test").click()
            expect(page.locator("tbody tr").first).to_contain_text("Delivered", timeout=15_000)
            page.get_by_role("button", name="Look at the delivery of ping").click()
            dialog = page.get_by_role("dialog")
            expect(dialog).to_contain_text("answered 500")
            expect(dialog).to_contain_text("not today")
            assert accessibility_problems(page) == []
            dialog.get_by_role("button", name="Send again").click()
            expect(page.locator("tbody tr").first).to_contain_text("sent again by hand")
            expect(page.locator("tbody tr").first).to_contain_text("Delivered", timeout=15_000)
        finally:
            assert sender.stop()
        assert len(set(receiver.ids())) == 1 and len(receiver.got) == 3
        reload(page)
        assert secret not in page.content() + console.log.read_text(errors="replace")
        assert accessibility_problems(page) == []
