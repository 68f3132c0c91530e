"""`world`: a channel on a real sandbox network, on each stack."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contentcaster.engine import hints
from contentcaster.sandbox.client import SandboxThread
from tests.bots.bot_kit import World, build_world
from tests.services_for_tests.stack import Stack


@pytest.fixture(scope="session")
def bot_sandbox() -> Iterator[SandboxThread]:
    with SandboxThread() as sandbox:
        yield sandbox


@pytest.fixture
def world(stack: Stack, bot_sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch) -> World:
    hints.register_sender(None, lead_seconds=3.0)
    bot_sandbox.control.http.delete("/sandbox/population")
    bot_sandbox.control.reset()
    allow_sandbox(stack, bot_sandbox, monkeypatch)
    return build_world(stack, bot_sandbox)


def allow_sandbox(stack: Stack, sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this test's connectors reach its sandbox, whose port nobody knew before."""
    host = sandbox.base_url.removeprefix("http://")
    settings = stack.settings.model_copy(update={"egress_allow": (host,)})
    monkeypatch.setattr(stack.database, "settings", settings)
