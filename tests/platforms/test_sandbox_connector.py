"""Connecting to the sandbox needs a name, and the channel then behaves as one of Mastodon."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from contentcaster.platforms import get_connector
from contentcaster.platforms import sandbox as module
from contentcaster.platforms.base import NotSent, Rejected
from contentcaster.sandbox.client import SandboxThread
from contentcaster.security.egress import EgressClient
from contentcaster.settings import Settings, load_settings
from tests.platforms.channels import connect, make_post, send

SANDBOX = get_connector("sandbox")


def _use(monkeypatch: pytest.MonkeyPatch, folder: Path, **values: object) -> Settings:
    settings = load_settings(data_dir=folder, **values)
    monkeypatch.setattr(module, "get_settings", lambda: settings)
    return settings


def test_a_handle_is_enough(
    shared_sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = _use(monkeypatch, tmp_path, sandbox_port=shared_sandbox.running.port)

    async def test() -> None:
        async with EgressClient.from_settings(settings) as client:
            channel, _ = await connect(SANDBOX, client, {"handle": "@grace"})
            assert (channel.platform, channel.handle) == ("sandbox", "@grace")
            again, _ = await connect(SANDBOX, client, {"handle": "grace"})
            assert again.remote_id == channel.remote_id
            remote = await send(SANDBOX, channel, make_post(SANDBOX, "From the sandbox connector"))
            assert remote.id in [post["id"] for post in shared_sandbox.control.posts(account="grace")]

    asyncio.run(test())


def test_a_handle_that_the_sandbox_refuses_is_explained(
    shared_sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = _use(monkeypatch, tmp_path, sandbox_port=shared_sandbox.running.port)

    async def test() -> None:
        async with EgressClient.from_settings(settings) as client:
            with pytest.raises(Rejected) as refused:
                await connect(SANDBOX, client, {"handle": "no spaces, please!"})
            assert refused.value.message

    asyncio.run(test())


def test_a_sandbox_that_is_not_running_says_how_to_start_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings = _use(monkeypatch, tmp_path, sandbox_port=taken.getsockname()[1])

        async def test() -> None:
            async with EgressClient.from_settings(settings) as client:
                with pytest.raises(NotSent, match="contentcaster sandbox"):
                    await connect(SANDBOX, client, {"handle": "ada"})

        asyncio.run(test())


def test_a_sandbox_that_is_switched_off_is_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = _use(monkeypatch, tmp_path, sandbox="off")

    async def test() -> None:
        async with EgressClient.from_settings(settings) as client:
            with pytest.raises(Rejected, match="off"):
                await connect(SANDBOX, client, {"handle": "ada"})

    asyncio.run(test())
