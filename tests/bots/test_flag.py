"""An account that a program runs says so on its network."""

from __future__ import annotations

import asyncio

import pytest

from contentcaster.errors import Conflict, NotAllowed
from contentcaster.sandbox.client import SandboxThread
from contentcaster.services import bots_flag, bots_overview
from tests.bots.bot_kit import build_world
from tests.bots.conftest import allow_sandbox
from tests.services_for_tests.stack import Stack


@pytest.mark.parametrize("platform", ["sandbox", "bluesky"])
def test_an_admin_has_the_network_show_that_the_account_is_automated(
    sqlite_stack: Stack, bot_sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    bot_sandbox.control.reset()
    allow_sandbox(sqlite_stack, bot_sandbox, monkeypatch)
    world = build_world(sqlite_stack, bot_sandbox, platform=platform)
    for principal in (world.mona, world.alice):
        with pytest.raises(NotAllowed):
            asyncio.run(bots_flag.flag_as_bot(world.database, principal, world.account.id))
    bot_sandbox.control.fault("error_before", params={"status": 503})
    with pytest.raises(Conflict):
        asyncio.run(bots_flag.flag_as_bot(world.database, world.ada, world.account.id))
    for _ in range(2):  # saying it again changes nothing
        asyncio.run(bots_flag.flag_as_bot(world.database, world.ada, world.account.id))
    (channel,) = world.read(bots_overview.list_channels, world.mona)
    assert (channel.may_flag, channel.flag_note) == (False, "The network shows this account as automated.")
    assert [line.actor for line in world.log(outcome="changed")] == ["Ada", "Ada"]
    http = bot_sandbox.control.http
    if platform == "sandbox":
        assert http.get("/api/v1/accounts/lookup", params={"acct": "acme"}).json()["bot"] is True
    else:
        place = {"repo": world.person["did"], "collection": "app.bsky.actor.profile", "rkey": "self"}
        record = http.get("/xrpc/com.atproto.repo.getRecord", params=place).json()["value"]
        assert record["labels"]["values"] == [{"val": "bot"}]
