"""From the click to the network, with everything real: browser, web process, worker, sandbox network."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from contentcaster.models import Role
from contentcaster.services.connecting import connect_account
from contentcaster.services.views import AccountView
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Servers, activated, as_environment
from tests.web.arriving import visit
from tests.web.conftest import Console, free_port
from tests.web.test_studio import picture


@dataclass
class World:
    """A console, its worker and the sandbox network with one connected channel."""

    console: Console
    network: str
    channel: AccountView

    def timeline(self) -> list[dict[str, object]]:
        response = httpx.get(f"{self.network}/api/v1/timelines/public", params={"local": "true"}, timeout=5)
        return list(response.json())


@pytest.fixture(scope="module")
def world(built: Path, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("studio-world")
    port, sandbox_port = free_port(), free_port()
    environment = as_environment(
        data_dir=folder,
        database_url=servers.new_sqlite_database(folder),
        host="127.0.0.1",
        port=port,
        sandbox_port=sandbox_port,
        publish_lead_seconds=0.5,
    )
    with ExitStack() as closing:
        stack = closing.enter_context(activated("sqlite", environment))
        for command in ("sandbox", "worker"):
            log = closing.enter_context((folder / f"{command}.log").open("wb"))
            process = subprocess.Popen(
                [sys.executable, "-m", "contentcaster", command],
                env=os.environ | dict(stack.environment),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            closing.callback(process.wait)
            closing.callback(process.kill)
        console = Console(stack, port, folder / "web.log")
        closing.callback(console.close)
        console.start()
        network = f"http://127.0.0.1:{sandbox_port}"
        wait_for(network)
        admin = factories.principal_for(console.user(Role.ADMIN))
        connecting = connect_account(stack.database, admin, "sandbox", {"handle": "studio"})
        with ThreadPoolExecutor() as pool:  # Playwright's own loop runs in this thread
            channel = pool.submit(asyncio.run, connecting).result()
        yield World(console, network, channel)


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            httpx.get(url, timeout=2)
            return
        except httpx.TransportError:
            assert time.monotonic() < deadline, f"nothing answers at {url}"
            time.sleep(0.05)


@pytest.fixture
def page(world: World, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(timezone_id="Europe/Berlin", locale="en-GB")
    name, _, value = world.console.cookie(Role.ADMIN).partition("=")
    context.add_cookies([{"name": name, "value": value, "url": world.console.url, "httpOnly": True}])
    opened = context.new_page()
    opened.set_default_timeout(10_000)
    visit(opened, world.console.url + "/studio")
    opened.wait_for_selector("#text-0")
    yield opened
    context.close()


def test_a_post_with_a_picture_is_published_and_its_page_turns_to_published_by_itself(
    page: Page, world: World
) -> None:
    # The only connected channel is chosen from the start: the demo works at once.
    expect(page.locator(f'.chip[data-account="{world.channel.id}"]')).to_have_attribute(
        "aria-pressed", "true"
    )
    page.fill("#text-0", "From the Studio, with a picture #studio")
    page.set_input_files("#media-input", {"name": "teal.png", "mimeType": "image/png", "buffer": picture()})
    page.get_by_role("textbox", name="Alt text").fill("A teal rectangle")
    expect(page.locator("#preflight")).to_contain_text("ready")
    page.click("#do-now")
    page.wait_for_url("**/posts/*")
    expect(page.locator("[data-status=Published]").first).to_be_visible(timeout=20_000)
    statuses = [status for status in world.timeline() if "From the Studio" in str(status["content"])]
    assert len(statuses) == 1
    (attachment,) = statuses[0]["media_attachments"]  # type: ignore[misc]
    assert attachment["description"] == "A teal rectangle"


def test_a_thread_goes_out_part_by_part_as_replies(page: Page, world: World) -> None:
    page.fill("#text-0", "Thread, first")
    page.click("#add-part")
    page.fill("#text-1", "Thread, second")
    page.click("#do-now")
    page.wait_for_url("**/posts/*")
    expect(page.locator("[data-status=Published]").first).to_be_visible(timeout=30_000)
    deadline = time.monotonic() + 20
    while len(parts := [s for s in world.timeline() if "Thread, " in str(s["content"])]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    second, first = parts
    assert second["in_reply_to_id"] == first["id"]
