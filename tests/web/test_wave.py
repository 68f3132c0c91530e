"""Tabs that refresh for the same change share what is read, and never across a change or a person."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from sqlmodel import Session

from contentcaster.errors import NotAllowed
from contentcaster.models import Role
from contentcaster.security.permissions import Principal
from contentcaster.state import wave as wave_module
from contentcaster.state.bridge import read
from contentcaster.state.marks import principal_of_event
from contentcaster.state.wave import Wave, wave_of_event
from tests.services_for_tests.stack import Stack

Result = TypeVar("Result")
PERSON = Principal("u1", "a@example.org", "A", Role.ADMIN, "UTC", session_id="s1")
calls: list[tuple[str, int]] = []


def note_and_answer(
    session: Session, principal: Principal, number: int = 0, *, fails: bool = False
) -> list[str]:
    calls.append((principal.user_id, number))
    if fails:
        raise NotAllowed("No.")
    return [principal.user_id]


async def as_tab(person: Principal, wave: Wave | None, number: int = 0, *, fails: bool = False) -> list[str]:
    principal_of_event.set(person)
    wave_of_event.set(wave)
    return await read(note_and_answer, number, fails=fails)


def in_a_loop(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """In a thread of its own: the browser tests of this package leave a loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result(timeout=30)


@pytest.fixture(autouse=True)
def no_calls(stack: Stack) -> None:
    calls.clear()


def test_twenty_tabs_of_one_person_read_once_for_one_change() -> None:
    async def run() -> None:
        wave = Wave()
        answers = await asyncio.gather(*(asyncio.create_task(as_tab(PERSON, wave)) for _ in range(20)))
        assert answers == [["u1"]] * 20

    in_a_loop(run())
    assert calls == [("u1", 0)]


def test_another_person_and_another_question_are_read_by_themselves() -> None:
    async def run() -> None:
        wave = Wave()
        other = replace(PERSON, user_id="u2", session_id="s2")
        tabs = (as_tab(PERSON, wave), as_tab(other, wave), as_tab(PERSON, wave, 7))
        answers = await asyncio.gather(*(asyncio.create_task(tab) for tab in tabs))
        assert answers == [["u1"], ["u2"], ["u1"]]

    in_a_loop(run())
    assert sorted(calls) == [("u1", 0), ("u1", 7), ("u2", 0)]


def test_the_next_change_and_whatever_a_person_does_read_again() -> None:
    async def run() -> None:
        for wave in (Wave(), Wave(), None, None):
            await asyncio.create_task(as_tab(PERSON, wave))

    in_a_loop(run())
    assert len(calls) == 4


def test_a_refusal_reaches_every_tab() -> None:
    async def run() -> list[object]:
        wave = Wave()
        tabs = (asyncio.create_task(as_tab(PERSON, wave, fails=True)) for _ in range(3))
        return list(await asyncio.gather(*tabs, return_exceptions=True))

    answers = in_a_loop(run())
    assert [type(answer) for answer in answers] == [NotAllowed] * 3
    assert len(calls) == 1


def test_a_wave_is_over_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    wave = Wave()
    assert wave.is_fresh
    began = wave_module.time.monotonic()
    monkeypatch.setattr(wave_module.time, "monotonic", lambda: began + wave_module.MAX_AGE_SECONDS + 0.1)
    assert not wave.is_fresh
