"""One compiled console and one running web process for all tests of this folder, and people to use it.

console     the web process on SQLite; `.url`, `.cookie(role)`, `.database`
browser     a Chromium, shared; `new_page(console, role)` opens a signed-in page that fails on any console error
tab(...)    a raw Socket.IO client, as a hostile or a plain browser would be one
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page
from sqlmodel import Session

from contentcaster.models import Role, User
from contentcaster.settings import PROJECT_ROOT
from contentcaster.web.build import ensure_built
from tests.services_for_tests import factories
from tests.services_for_tests.browser import running_chromium
from tests.services_for_tests.stack import Servers, Stack, activated, as_environment
from tests.web.arriving import visit

START_SECONDS = 90


@dataclass
class Console:
    """A running web process and the database it works on."""

    stack: Stack
    port: int
    log: Path
    users: dict[Role, User] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def user(self, role: Role) -> User:
        if role not in self.users:
            with self.stack.database.transaction() as session:
                self.users[role] = factories.create_user(session, role, name=f"Person {role.value}")
        return self.users[role]

    def user_in(self, session: Session, role: Role) -> User:
        """The person of this role, for use in a transaction of the test's own."""
        if role not in self.users:
            self.users[role] = factories.create_user(session, role, name=f"Person {role.value}")
        return self.users[role]

    def cookie(self, role: Role) -> str:
        """A Cookie header with a new session of a person with this role."""
        user = self.user(role)
        with self.stack.database.transaction() as session:
            # Whatever an earlier test called them.
            session.get_one(User, user.id).name = f"Person {role.value}"
            return factories.browser_cookie(session, user)

    def start(self) -> None:
        environment = os.environ | dict(self.stack.environment)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "contentcaster", "web"],
                env=environment | {"PYTHONPATH": str(PROJECT_ROOT)},
                cwd="/",  # it must not matter
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                httpx.get(self.url + "/sign-in", timeout=2)
                return
            except httpx.TransportError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise AssertionError(f"the web process did not start:\n{self.log.read_text()}") from None
                time.sleep(0.05)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.terminate()
        code = self._process.wait(timeout=20)
        self._process = None
        return code

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def built() -> Path:
    return ensure_built()


@contextmanager
def running_console(stack: Stack, folder: Path) -> Iterator[Console]:
    """A web process on `stack`, whose settings name a free port."""
    running = Console(stack, stack.settings.port, folder / "web.log")
    try:
        running.start()
        yield running
    finally:
        running.close()


@pytest.fixture(scope="package")
def console(built: Path, servers: Servers) -> Iterator[Console]:
    folder = Path(tempfile.mkdtemp(prefix="contentcaster-web-"))
    environment = as_environment(
        data_dir=folder,
        database_url=servers.new_sqlite_database(folder),
        host="127.0.0.1",
        port=free_port(),
    )
    with ExitStack() as closing:
        closing.callback(shutil.rmtree, folder, ignore_errors=True)
        stack = closing.enter_context(activated("sqlite", environment))
        yield closing.enter_context(running_console(stack, folder))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with running_chromium() as running:
        yield running


NewPage = Callable[..., Page]


@pytest.fixture
def new_page(browser: Browser, console: Console) -> Iterator[NewPage]:
    """Open pages in one browser context, signed in as a role; any error in the browser's console fails the test."""
    problems: list[str] = []
    contexts = []

    def open_page(
        role: Role | None = None, path: str = "/", *, may_complain: bool = False, **options: Any
    ) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        if role is not None:
            name, _, value = console.cookie(role).partition("=")
            context.add_cookies([{"name": name, "value": value, "url": console.url, "httpOnly": True}])
        page = context.new_page()
        if not may_complain:
            page.on(
                "console", lambda m: problems.append(f"{m.type}: {m.text}") if m.type == "error" else None
            )
        page.on("pageerror", lambda error: problems.append(str(error)))
        visit(page, console.url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []
