"""`world`: a channel on a real sandbox network, on each stack; `publish` puts real posts on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contentcaster.sandbox.client import SandboxThread
from tests.analytics.analytics_kit import World, build_world
from tests.services_for_tests.stack import Stack


@pytest.fixture(scope="session")
def metric_sandbox() -> Iterator[SandboxThread]:
    with SandboxThread() as sandbox:
        yield sandbox


@pytest.fixture(params=["sandbox", "bluesky"])
def network(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(
    stack: Stack, network: str, metric_sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch
) -> World:
    metric_sandbox.control.reset()
    host = metric_sandbox.base_url.removeprefix("http://")
    monkeypatch.setattr(
        stack.database, "settings", stack.settings.model_copy(update={"egress_allow": (host,)})
    )
    return build_world(stack, metric_sandbox, network)
