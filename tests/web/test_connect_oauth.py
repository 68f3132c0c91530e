"""Connecting by OAuth in a real browser: from Connect to connected and published, and every wrong turn in words."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from contentcaster.models import Role
from contentcaster.sandbox.client import SandboxControl
from tests.platforms.twins.x import XTwin
from tests.services_for_tests.stack import Servers, activated, as_environment
from tests.web.accessibility import accessibility_problems
from tests.web.arriving import visit
from tests.web.conftest import Console, free_port
from tests.web.test_studio_publish import wait_for

SLOW = 20_000


@dataclass
class World:
    console: Console
    sandbox: SandboxControl
    x: XTwin


@pytest.fixture(scope="module")
def world(built: object, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("oauth-world")
    port, sandbox_port = free_port(), free_port()
    with ExitStack() as closing:
        twin = closing.enter_context(XTwin())
        twin.oauth.redirect_uris = [f"http://127.0.0.1:{port}/oauth/x/callback"]
        environment = as_environment(
            data_dir=folder,
            database_url=servers.new_sqlite_database(folder),
            host="127.0.0.1",
            port=port,
            sandbox_port=sandbox_port,
            publish_lead_seconds=0.5,
            x_base_url=twin.url,
            egress_allow=twin.host,
        )
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
        wait_for(f"http://127.0.0.1:{sandbox_port}")
        sandbox = SandboxControl(f"http://127.0.0.1:{sandbox_port}")
        closing.callback(sandbox.close)
        yield World(console, sandbox, twin)


@pytest.fixture
def page(world: World, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(timezone_id="Europe/Berlin", locale="en-GB")
    name, _, value = world.console.cookie(Role.ADMIN).partition("=")
    context.add_cookies([{"name": name, "value": value, "url": world.console.url, "httpOnly": True}])
    opened = context.new_page()
    opened.set_default_timeout(SLOW)
    yield opened
    context.close()


def choose(page: Page, world: World, platform: str) -> Locator:
    visit(page, world.console.url + "/channels")
    page.get_by_role("button", name="Connect a channel").first.click()
    page.locator(f'[data-platform="{platform}"]').click()
    return page.get_by_role("dialog")


def test_mastodon_is_connected_without_a_token_and_a_post_goes_out_through_it(
    page: Page, world: World
) -> None:
    world.sandbox.account("fosstodon")
    network = str(world.sandbox.http.base_url).rstrip("/")
    dialog = choose(page, world, "mastodon")
    expect(dialog).to_contain_text("You will be asked to allow")
    expect(dialog.locator(".asked-rights code")).to_have_text(["read", "write"])

    dialog.get_by_label("Server").fill("http://127.0.0.1:9")
    dialog.get_by_role("button", name="Continue to your server").click()
    expect(page.locator("#instance_url-error")).to_be_visible()

    dialog.get_by_label("Server").fill(network)
    dialog.get_by_role("button", name="Continue to your server").click()
    page.wait_for_url(f"{network}/oauth/authorize*")
    page.get_by_role("button", name="Deny").click()
    page.wait_for_url("**/channels?attempt=*")
    expect(dialog.get_by_role("alert")).to_contain_text("told not to allow it")
    expect(dialog.get_by_label("Server")).to_have_value(network)

    dialog.get_by_role("button", name="Continue to your server").click()
    page.wait_for_url(f"{network}/oauth/authorize*")
    page.get_by_role("button", name="Allow").click()
    page.wait_for_url("**/channels?attempt=*")
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("It granted read, write")
    card = page.locator('[data-channel*="fosstodon"]')
    expect(card).to_have_attribute("data-status", "connected")
    expect(card).to_contain_text("read, write")

    visit(page, world.console.url + "/studio")
    page.fill("#text-0", "Allowed in the browser, published from the Studio")
    page.click("#do-now")
    page.wait_for_url("**/posts/*")
    expect(page.locator("[data-status=Published]").first).to_be_visible(timeout=SLOW)
    assert [post["text"] for post in world.sandbox.posts()].count(
        "Allowed in the browser, published from the Studio"
    ) == 1


def test_x_wants_an_app_first_and_says_what_to_register(page: Page, world: World) -> None:
    dialog = choose(page, world, "x")
    expect(page.locator("#redirect-uri")).to_have_text(f"{world.console.url}/oauth/x/callback")
    dialog.get_by_label("Client ID").fill("x client with a space")
    dialog.get_by_label("Client secret").fill("x")
    dialog.get_by_role("button", name="Save the app").click()
    expect(page.locator("#client_id-error")).to_be_visible()
    assert accessibility_problems(page) == []

    dialog.get_by_label("Client ID").fill(world.x.oauth.client_id)
    dialog.get_by_label("Client secret").fill("a-wrong-secret")
    dialog.get_by_role("button", name="Save the app").click()
    expect(dialog).to_contain_text("tweet.write")
    expect(dialog).to_contain_text("does not have to reach this server")
    dialog.get_by_role("button", name="Continue to X").click()
    page.wait_for_url("**/channels?attempt=*")
    expect(dialog.get_by_role("alert")).to_contain_text("does not accept the client ID and secret")
    assert accessibility_problems(page) == []

    dialog.get_by_role("button", name="Change").click()
    dialog.get_by_label("Client secret").fill(world.x.oauth.client_secret)
    dialog.get_by_role("button", name="Save the app").click()
    dialog.get_by_role("button", name="Continue to X").click()
    card = page.locator('[data-channel="@acme_news"]')
    expect(card).to_have_attribute("data-status", "connected")
    expect(card).to_contain_text("offline.access")

    seen = page.content() + world.console.log.read_text(errors="replace")
    for secret in (
        "a-wrong-secret",
        world.x.oauth.client_secret,
        *world.x.oauth.access,
        *world.x.oauth.refreshes,
    ):
        assert secret not in seen


def test_an_address_that_was_used_or_made_up_is_refused_in_words(page: Page, world: World) -> None:
    for query, words in (("state=made-up&code=x", "not started here"), ("", "not started here")):
        visit(page, f"{world.console.url}/oauth/x/callback?{query}")
        page.wait_for_url("**/channels?refused=unknown")
        expect(page.locator("[data-sonner-toast]").first).to_contain_text(words)
    visit(page, f"{world.console.url}/channels?refused=%3Cscript%3E")
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("could not be completed")


def test_the_state_leaves_only_in_the_address_of_the_network(page: Page, world: World) -> None:
    """What the dialog knows of a login is nothing that another tab or a log could use."""
    frames: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: frames.append(str(data))))
    world.sandbox.account("watched")
    network = str(world.sandbox.http.base_url).rstrip("/")
    dialog = choose(page, world, "mastodon")
    dialog.get_by_label("Server").fill(network)
    dialog.get_by_role("button", name="Continue to your server").click()
    page.wait_for_url(f"{network}/oauth/authorize*")
    state = parse_qs(urlsplit(page.url).query)["state"][0]
    carrying = [frame for frame in frames if state in frame]
    assert len(carrying) == 1 and "_redirect" in carrying[0]
    assert not re.search(re.escape(state), world.console.log.read_text(errors="replace"))
    assert httpx.get(page.url, timeout=10).status_code == 200
