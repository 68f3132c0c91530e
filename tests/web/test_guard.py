"""What a hostile websocket client can reach: nothing that its session may not."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from reflex_base.registry import RegistrationContext

from contentcaster.contentcaster import app  # noqa: F401 - registers every State
from contentcaster.models import Role
from contentcaster.security import sessions
from contentcaster.security.permissions import ROLE_PERMISSIONS
from contentcaster.state.flood import BURST_EVENTS
from contentcaster.state.guard import NOT_ALLOWED, UNREADABLE, machinery
from contentcaster.state.marks import permissions_of
from tests.web.conftest import Console
from tests.web.tab import Tab, open_tab, run

SHELL = "reflex___state____state.contentcaster___state___shell____shell_state"
ENTRANCE = "reflex___state____state.contentcaster___state___entrance____entrance_state"
POSTS = "reflex___state____state.contentcaster___state___posts____posts_state"


def handlers() -> dict[str, Any]:
    return {name: found.handler for name, found in RegistrationContext.get().event_handlers.items()}


def test_every_handler_of_ours_carries_a_mark() -> None:
    ours = {
        name
        for name, handler in handlers().items()
        if handler.fn.__module__.startswith("contentcaster.") and permissions_of(handler) is None
    }
    assert ours == set()


def test_the_machinery_that_passes_unmarked_is_exactly_what_reflex_needs_to_show_a_page() -> None:
    assert machinery() <= set(handlers())
    assert {name.rpartition(".")[2] for name in machinery()} == {
        "hydrate",
        "hydrate_and_load",
        "set_is_hydrated",
        "on_load_internal",
        "handle_frontend_exception",
    }


@pytest.mark.parametrize("role", [None, *Role], ids=lambda role: role.value if role else "anonymous")
def test_forged_events_reach_only_what_the_role_may(console: Console, role: Role | None) -> None:
    run(_forge_all(console, role))


async def _forge_all(console: Console, role: Role | None) -> None:
    # A tab that sends more than this at once is a flood, and its events are dropped.
    every = list(handlers().items())
    for start in range(0, len(every), BURST_EVENTS // 2):
        await _forge(console, role, dict(every[start : start + BURST_EVENTS // 2]))


async def _forge(console: Console, role: Role | None, some: dict[str, Any]) -> None:
    allowed = ROLE_PERMISSIONS[role] if role else frozenset()
    async with open_tab(console.url, cookie=console.cookie(role) if role else "") as tab:
        await tab.hydrate()
        await tab.quiet()
        for name, handler in some.items():
            permissions = permissions_of(handler)
            if name in machinery() or (
                permissions is not None and (not permissions or permissions & allowed)
            ):
                continue
            update = await tab.ask(name)
            assert _is_refusal(update, is_anonymous=role is None and permissions is not None), (name, update)


def _is_refusal(update: dict[str, Any], *, is_anonymous: bool) -> bool:
    delta = update.get("delta") or {}
    changed = {state.rpartition(".")[2] for state in delta}
    if not changed <= {
        "contentcaster___state___flash____flash_state",
        "contentcaster___state___page____page_state",
        "reflex___state____state",
    }:
        return False
    events = [event["name"] for event in update.get("events") or []]
    return "_redirect" in events if is_anonymous else NOT_ALLOWED in json.dumps(delta)


def test_setting_a_var_from_the_browser_is_refused_even_for_an_admin(console: Console) -> None:
    async def scenario() -> None:
        async with open_tab(console.url, cookie=console.cookie(Role.ADMIN)) as tab:
            await tab.hydrate()
            await tab.quiet()
            update = await tab.ask(f"{SHELL}.setvar", {"var_name": "role", "value": "Emperor"})
            assert "Emperor" not in json.dumps(update)
            assert NOT_ALLOWED in json.dumps(update)
            assert "Emperor" not in json.dumps(await tab.hydrate())

    run(scenario())


@pytest.mark.parametrize(
    "payload", [{}, {"name": 5}, {"name": ["all"]}, {"name": "all", "more": 1}, {"text": "all"}]
)
def test_arguments_that_do_not_fit_the_handler_never_reach_it(
    console: Console, payload: dict[str, Any]
) -> None:
    async def scenario() -> None:
        async with open_tab(console.url, cookie=console.cookie(Role.ADMIN)) as tab:
            await tab.hydrate()
            await tab.quiet()
            assert UNREADABLE in json.dumps(await tab.ask(f"{POSTS}.set_filter", payload))

    run(scenario())


def test_a_stolen_tab_token_shows_nothing_without_its_owners_cookie(console: Console) -> None:
    async def scenario() -> None:
        name = console.user(Role.ADMIN).name
        async with open_tab(console.url, cookie=console.cookie(Role.ADMIN)) as tab:
            assert name in json.dumps(await _load_shell(tab))
            token = tab.token
        for cookie in ("", console.cookie(Role.VIEWER)):
            async with open_tab(console.url, cookie=cookie, token=token) as thief:
                seen = await thief.hydrate()
                await thief.quiet()
                assert name not in json.dumps([seen, *thief.received])

    run(scenario())


def test_signing_out_elsewhere_stops_an_open_socket_at_its_next_event(console: Console) -> None:
    async def scenario() -> None:
        cookie = console.cookie(Role.ADMIN)
        async with open_tab(console.url, cookie=cookie) as tab:
            assert "Person admin" in json.dumps(await _load_shell(tab))
            with console.stack.database.transaction() as session:
                principal = sessions.principal_from_cookie(session, cookie)
                assert principal is not None
                sessions.revoke(session, principal.session_id)
            await tab.quiet()
            update = await tab.ask(f"{SHELL}.load")  # empties what the tab held
            assert "Person admin" not in json.dumps(update)
            assert [event["name"] for event in (await tab.answer())["events"]] == ["_redirect"]
            assert "Person admin" not in json.dumps(await tab.hydrate())

    run(scenario())


def test_a_tab_that_floods_the_server_is_held_back_and_then_served_again(console: Console) -> None:
    async def scenario() -> None:
        async with open_tab(console.url) as tab:
            await tab.hydrate()
            await tab.quiet()
            for _ in range(400):
                await tab.send(f"{ENTRANCE}.load", path="/sign-in?error=wrong")
            await tab.quiet()
            assert "too many from one tab" in console.log.read_text()
            await asyncio.sleep(0.5)  # what the bucket needs to fill a little
            assert await tab.hydrate()

    run(scenario())


def test_a_websocket_from_another_origin_is_refused(console: Console) -> None:
    async def scenario() -> None:
        with pytest.raises(Exception, match=r"(?i)connection|403|refused|status"):
            async with open_tab(console.url, cookie=console.cookie(Role.ADMIN), origin="http://evil.example"):
                pass

    run(scenario())


def test_an_unknown_event_leaves_no_cookie_in_the_log(console: Console) -> None:
    async def scenario() -> None:
        cookie = console.cookie(Role.ADMIN)
        async with open_tab(console.url, cookie=cookie) as tab:
            await tab.hydrate()
            await tab.send("reflex___state____state.no_such_handler")
            await _load_shell(tab)  # handled after it
        written = console.log.read_text()
        assert "no_such_handler" in written
        assert cookie.partition("=")[2] not in written
        assert tab.token not in written

    run(scenario())


async def _load_shell(tab: Tab) -> dict[str, Any]:
    await tab.hydrate()
    await tab.quiet()
    return await tab.ask(f"{SHELL}.load")
