"""A console with its worker and the sandbox network, all real processes, for the pages that people operate with."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, Page

from contentcaster.models import Role
from contentcaster.sandbox.client import SandboxControl
from contentcaster.security.permissions import Principal
from contentcaster.services import posts
from contentcaster.services.connecting import connect_account
from contentcaster.services.drafts import PostDraft, TargetDraft
from contentcaster.services.schedule import Schedule
from contentcaster.services.views import AccountView
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Servers, activated, as_environment
from tests.web.arriving import visit
from tests.web.conftest import Console, free_port

FAST = {"publish_lead_seconds": 0.5, "retry_base_seconds": 0.3, "settle_seconds": 0.5}


@dataclass
class World:
    console: Console
    network: SandboxControl
    folder: Path
    frames: list[str] = field(default_factory=list)
    """Every websocket frame that a page of `open` was sent."""
    problems: list[str] = field(default_factory=list)
    _worker: subprocess.Popen[bytes] | None = None
    _contexts: list[BrowserContext] = field(default_factory=list)

    @property
    def admin(self) -> Principal:
        return factories.principal_for(self.console.user(Role.ADMIN))

    def connect(self, handle: str) -> AccountView:
        """A channel on the sandbox network."""
        connected: AccountView = in_a_thread(
            connect_account(self.console.stack.database, self.admin, "sandbox", {"handle": handle})
        )
        return connected

    def publish(self, account: AccountView, text: str, when: Schedule | None = None) -> str:
        """Write a post that is due now, as a person in the Studio would; its id."""
        admin, draft = self.admin, PostDraft(text=text, targets=(TargetDraft(account.id),))
        with self.console.stack.database.transaction() as session:
            return posts.create_post(session, admin, draft, when or Schedule.now()).id

    def on_network(self, text: str) -> int:
        """How many posts with this text the network shows."""
        return sum(text in str(post.get("text") or post) for post in self.network.posts())

    def open(self, browser: Browser, role: Role, path: str, **options: Any) -> Page:
        """A signed-in page; errors in its console are collected in `problems`."""
        context = browser.new_context(timezone_id="Europe/Berlin", locale="en-GB", **options)
        self._contexts.append(context)
        name, _, value = self.console.cookie(role).partition("=")
        context.add_cookies([{"name": name, "value": value, "url": self.console.url, "httpOnly": True}])
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda m: self.problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("websocket", lambda ws: ws.on("framereceived", lambda data: self.frames.append(str(data))))
        visit(page, self.console.url + path)
        page.wait_for_selector("h1")
        page.evaluate("window.stayed = true")
        return page

    def close_pages(self) -> None:
        for context in self._contexts:
            context.close()
        self._contexts.clear()

    def start_worker(self) -> None:
        self._worker = self.start("worker")

    def stop_worker(self) -> None:
        """SIGTERM, as an operator or a deployment would."""
        assert self._worker is not None
        self._worker.terminate()
        self._worker.wait(timeout=30)

    def start(self, command: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{command}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "contentcaster", command],
                env=os.environ | dict(self.console.stack.environment),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def end(self) -> None:
        self.close_pages()
        if self._worker is not None:
            self._worker.kill()
            self._worker.wait()


@contextmanager
def operations_world(servers: Servers, folder: Path) -> Iterator[World]:
    port, sandbox_port = free_port(), free_port()
    environment = as_environment(
        data_dir=folder,
        database_url=servers.new_sqlite_database(folder),
        host="127.0.0.1",
        port=port,
        sandbox_port=sandbox_port,
        **FAST,
    )
    with ExitStack() as closing:
        stack = closing.enter_context(activated("sqlite", environment))
        console = Console(stack, port, folder / "web.log")
        network = SandboxControl(f"http://127.0.0.1:{sandbox_port}")
        closing.callback(network.close)
        world = World(console, network, folder)
        sandbox = world.start("sandbox")
        closing.callback(sandbox.wait)
        closing.callback(sandbox.kill)
        closing.callback(console.close)
        closing.callback(world.end)
        world.start_worker()
        console.start()
        wait_until(lambda: _answers(f"http://127.0.0.1:{sandbox_port}/sandbox/stats"), "the sandbox network")
        yield world


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.TransportError:
        return False


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(0.05)


def in_a_thread(work: Coroutine[Any, Any, Any]) -> Any:
    """Playwright's own loop runs in the test's thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
