"""Change events to the tabs that show what changed: from a commit in any process to a re-read in the browser's tab.

    contentcaster.live ── topics ──> LiveHub ── which open tabs show them? ──> their page's `refresh` handler

A refresh carries no data: the handler reads the database again as the person of that tab, so its guard applies
and a forged refresh gains nothing. One subscriber per web process; no task per tab.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import reflex as rx
from reflex.state import BaseState
from reflex_base.event import Event, EventHandler
from reflex_base.utils.format import format_event_handler

from contentcaster import live
from contentcaster.settings import get_settings
from contentcaster.state.wave import Wave

log = logging.getLogger(__name__)

MIN_INTERVAL_SECONDS = 0.15
"""The first change of a burst is shown at once, the rest of it together this much later."""


@dataclass(frozen=True)
class Interest:
    """On a page at `route`: re-run `refresh` when one of `topics` changes; `{name}` is filled in from the address."""

    route: str
    topics: tuple[str, ...]
    refresh: EventHandler
    delay_seconds: float = 0.0
    """What matters less than the pages themselves waits, so that every tab's page comes first."""


@dataclass
class _Refresh:
    """The refreshes of one tab by one handler: at most one runs, at most one waits."""

    is_running: bool = False
    is_due_again: bool = False
    last_started: float = 0.0
    timer: asyncio.TimerHandle | None = None


@dataclass
class LiveHub:
    """Knows which tab shows which topics, and re-reads those tabs when a topic changes."""

    _interests: list[tuple[re.Pattern[str], Interest]] = field(default_factory=list)
    _tabs: dict[str, dict[str, frozenset[str]]] = field(default_factory=dict)  # token -> event name -> topics
    _delays_seconds: dict[str, float] = field(
        default_factory=dict
    )  # event name -> how long its first refresh waits
    _refreshes: dict[tuple[str, str], _Refresh] = field(default_factory=dict)
    _wave: Wave = field(default_factory=Wave)
    _app: Any = None

    def declare(self, interest: Interest) -> None:
        """Register what pages of a route want to hear of; `*` is every page."""
        pattern = (
            ".*"
            if interest.route == "*"
            else re.sub(r"\[(\w+)\]", r"(?P<\1>[^/]+)", interest.route.rstrip("/"))
        )
        self._interests.append((re.compile(f"{pattern}/?"), interest))
        self._delays_seconds[format_event_handler(interest.refresh)] = interest.delay_seconds

    def follow(self, root: BaseState, *, is_known: bool) -> None:
        """Note what the tab shows now. Called for each event of a tab, so a reconnected one is known again."""
        token = root.router.session.client_token
        wanted = self._topics_at(root.router.url.path) if is_known else {}
        if wanted:
            self._tabs[token] = wanted
        else:
            self._tabs.pop(token, None)

    def _topics_at(self, path: str) -> dict[str, frozenset[str]]:
        wanted: dict[str, frozenset[str]] = {}
        for pattern, interest in self._interests:
            if (match := pattern.fullmatch(path)) is not None:
                name = format_event_handler(interest.refresh)
                topics = frozenset(topic.format(**match.groupdict()) for topic in interest.topics)
                wanted[name] = wanted.get(name, frozenset()) | topics
        return wanted

    def changed(self, topics: set[str]) -> None:
        """Refresh every open tab that shows one of `topics`."""
        self._forget_closed_tabs()
        self._wave = Wave()
        for token, wanted in list(self._tabs.items()):
            for event_name, shown in wanted.items():
                if live.EVERYTHING in topics or shown & topics:
                    self._request(token, event_name)

    def wave_of(self, token: str, event_name: str) -> Wave | None:
        """The wave that this event of a tab belongs to; None if it is no refresh, or the change is old already."""
        refresh = self._refreshes.get((token, event_name))
        is_ours = refresh is not None and refresh.is_running
        return self._wave if is_ours and self._wave.is_fresh else None

    def _own_tabs(self) -> set[str]:
        """Tokens of the tabs whose sockets this process holds; other web processes refresh theirs."""
        manager = self._app.event_namespace._token_manager
        return {
            token
            for token, record in list(manager.token_to_socket.items())
            if record.instance_id == manager.instance_id
        }

    def _forget_closed_tabs(self) -> None:
        open_tokens = self._own_tabs()
        for token in [token for token in self._tabs if token not in open_tokens]:
            del self._tabs[token]
        for key in [key for key in self._refreshes if key[0] not in open_tokens]:
            if (timer := self._refreshes.pop(key).timer) is not None:
                timer.cancel()

    def _request(self, token: str, event_name: str) -> None:
        refresh = self._refreshes.setdefault((token, event_name), _Refresh())
        if refresh.is_running or refresh.timer is not None:
            refresh.is_due_again = True
            return
        loop = asyncio.get_running_loop()
        wait = max(
            refresh.last_started + MIN_INTERVAL_SECONDS - loop.time(),
            self._delays_seconds.get(event_name, 0.0),
        )
        if wait > 0:
            refresh.timer = loop.call_later(wait, self._start, token, event_name, refresh)
        else:
            self._start(token, event_name, refresh)

    def _start(self, token: str, event_name: str, refresh: _Refresh) -> None:
        loop = asyncio.get_running_loop()
        refresh.timer, refresh.is_running, refresh.is_due_again = None, True, False
        refresh.last_started = loop.time()
        task = loop.create_task(self._run(token, event_name), name=f"live refresh {event_name}")
        task.add_done_callback(lambda _: self._finished(token, event_name, refresh))

    async def _run(self, token: str, event_name: str) -> None:
        with self._app.set_contexts():
            future = await self._app.event_processor.enqueue(token, Event(name=event_name, payload={}))
            # Its errors are handled where every event's errors are.
            with suppress(Exception, asyncio.CancelledError):
                await future

    def _finished(self, token: str, event_name: str, refresh: _Refresh) -> None:
        refresh.is_running = False
        if refresh.is_due_again:
            refresh.is_due_again = False
            self._request(token, event_name)

    @asynccontextmanager
    async def running(self, app: rx.App) -> AsyncIterator[None]:
        """Listen while the web process lives (a Reflex lifespan task)."""
        self._app = app
        task = asyncio.create_task(self._listen(), name="live hub")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _listen(self) -> None:
        async for topics in live.subscribe(get_settings()):
            try:
                self.changed(topics)
            except Exception:  # one bad tab must not make all the others deaf
                log.exception("a live change could not be passed on")


hub = LiveHub()
