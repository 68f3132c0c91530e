"""Two web processes behind one port: whichever holds a tab, it is served, hears of changes and can go on with it."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
import redis

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.models import PostStatus, Role
from contentcaster.pages import PAGES
from tests.services_for_tests import factories
from tests.services_for_tests.programs import wait_until
from tests.services_for_tests.redis_server import RedisServer
from tests.services_for_tests.stack import Servers, activated, as_environment
from tests.web.conftest import START_SECONDS, Console, free_port
from tests.web.tab import Tab, open_tab, run

SHELL = "reflex___state____state.contentcaster___state___shell____shell_state"
_MOST_TABS = 40
"""The system spreads connections by their source ports: that so many reach one process only is a chance of 2^-39."""


@dataclass
class Pair:
    first: Console
    second: Console

    @property
    def url(self) -> str:
        return self.first.url

    def pids(self) -> list[int]:
        return [console._process.pid for console in (self.first, self.second) if console._process]

    def holder(self, tab: Tab) -> int:
        """The process that serves this tab."""
        (pid,) = [
            pid
            for pid in self.pids()
            if any(c.raddr and c.raddr.port == tab.port for c in _at_port(pid, self.first.port))
        ]
        return pid

    def add_post(self, text: str) -> None:
        with self.first.stack.database.transaction() as session:
            factories.create_post(
                session,
                self.first.user_in(session, Role.ADMIN),
                text=text,
                status=PostStatus.SCHEDULED,
                scheduled_at=utc_now() + timedelta(hours=1),
            )
            live.note(session, "posts")


def _at_port(pid: int, port: int) -> list[psutil._common.pconn]:
    return [c for c in psutil.Process(pid).net_connections("tcp") if c.laddr and c.laddr.port == port]


@pytest.fixture(scope="module")
def pair(built: Path, servers: Servers) -> Iterator[Pair]:
    folder = Path(tempfile.mkdtemp(prefix="contentcaster-webs-"))
    with ExitStack() as closing:
        closing.callback(shutil.rmtree, folder, ignore_errors=True)
        states = RedisServer.create()
        closing.callback(states.close)
        environment = as_environment(
            data_dir=folder,
            database_url=closing.enter_context(servers.new_postgres_database()),
            redis_url=servers.new_redis_url(),
            console_redis_url=states.url(),
            host="127.0.0.1",
            port=free_port(),
        )
        stack = closing.enter_context(activated("postgres", environment))
        consoles = [Console(stack, stack.settings.port, folder / f"web{number}.log") for number in (1, 2)]
        for console in consoles:
            closing.callback(console.close)
            console.start()
        made = Pair(*consoles)
        wait_until(
            lambda: all(
                any(c.status == "LISTEN" for c in _at_port(pid, made.first.port)) for pid in made.pids()
            ),
            what="both web processes to listen",
            seconds=START_SECONDS,
        )
        yield made


@asynccontextmanager
async def tabs_on_both(pair: Pair, path: str) -> AsyncIterator[dict[int, Tab]]:
    """Process -> one tab that it holds, showing the page at `path`."""
    cookie = pair.first.cookie(Role.ADMIN)
    found: dict[int, Tab] = {}
    async with AsyncExitStack() as opened:
        for _ in range(_MOST_TABS):
            tab = await opened.enter_async_context(open_tab(pair.url, cookie=cookie))
            found.setdefault(pair.holder(tab), tab)
            if len(found) == 2:
                break
        for tab in found.values():
            await tab.hydrate(path)
            await tab.quiet()
        yield found


async def _hears_of(tab: Tab, words: str) -> None:
    while words not in json.dumps(await tab.answer(), ensure_ascii=False):
        pass


def test_a_change_reaches_the_tabs_of_both_processes(pair: Pair) -> None:
    async def scenario() -> None:
        async with tabs_on_both(pair, "/posts") as tabs:
            assert sorted(tabs) == sorted(pair.pids())
            pair.add_post("Heard of everywhere")
            for tab in tabs.values():
                await _hears_of(tab, "Heard of everywhere")

    run(scenario())


def test_what_every_page_shows_can_be_kept_and_taken_up_by_the_other_process(pair: Pair) -> None:
    """A tab whose connection breaks may reach the other process: its state comes from Redis, as the same person's."""
    routes = [page.route for page in PAGES if "[" not in page.route]

    async def scenario() -> None:
        async with tabs_on_both(pair, "/posts") as tabs:
            for tab in tabs.values():
                for route in routes:
                    await tab.hydrate(route)
                    await _hears_of(
                        tab, '"is_hydrated_rx_state_": true'
                    )  # all its handlers have run and were kept
                assert "Something went wrong" not in json.dumps(tab.received)
            assert all(_complaints(console) == [] for console in (pair.first, pair.second))

    run(scenario())


def _complaints(console: Console) -> list[str]:
    return [line for line in console.log.read_text().splitlines() if "[error" in line or "Traceback" in line]


def test_a_tab_token_used_by_somebody_else_finds_nothing_of_what_was_kept(pair: Pair) -> None:
    """Also where the first event needs one state only, and the rest lies in Redis untouched."""
    pair.add_post("Only for the admin's eyes")

    async def scenario() -> None:
        token = "t" * 32
        async with open_tab(pair.url, cookie=pair.first.cookie(Role.ADMIN), token=token) as tab:
            await tab.hydrate("/posts")
            await _hears_of(tab, "Only for the admin's eyes")
        await _until_forgotten(pair, token)
        async with open_tab(pair.url, cookie=pair.first.cookie(Role.VIEWER), token=token) as thief:
            await thief.send(f"{SHELL}.recount", path="/posts")
            await thief.quiet()
            await thief.hydrate("/analytics")
            await thief.quiet()
            seen = json.dumps(thief.received)
        assert "Person viewer" in seen
        assert "Only for the admin" not in seen and "Person admin" not in seen

    run(scenario())


async def _until_forgotten(pair: Pair, token: str) -> None:
    """Until the process that held a tab has seen it close: before that, another one with its token gets a new one."""
    with redis.Redis.from_url(pair.first.stack.settings.console_redis_url) as client:
        deadline = time.monotonic() + 10
        while client.exists(f"token_manager_socket_record_{token}"):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)


def test_the_tabs_of_a_process_that_dies_go_on_with_the_other(pair: Pair) -> None:
    async def scenario() -> None:
        cookie = pair.first.cookie(Role.ADMIN)
        async with tabs_on_both(pair, "/posts"):
            assert pair.second._process is not None
            pair.second._process.send_signal(signal.SIGKILL)
            pair.second._process.wait()
            # Whatever connects now can only reach the one that is left.
            for _ in range(4):
                async with open_tab(pair.url, cookie=cookie) as tab:
                    assert "Person admin" in json.dumps(await tab.hydrate("/posts")) or await _named(tab)

    run(scenario())


async def _named(tab: Tab) -> bool:
    await _hears_of(tab, "Person admin")
    return True
