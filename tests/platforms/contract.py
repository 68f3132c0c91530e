"""What every connector must hold to, whatever the network does: exactly one visible post, or a person is asked.

A test module makes a subclass named Test... that says how to reach its network; see test_contract.py.
"""

from __future__ import annotations

import asyncio
import time
import tracemalloc
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from contentcaster.platforms.base import (
    Channel,
    Connector,
    ConnectorError,
    Feature,
    Lookup,
    NotSent,
    Rejected,
)
from contentcaster.security.egress import EgressClient
from tests.platforms.channels import connect, make_post, send, send_and_resolve
from tests.platforms.fault_proxy import FAULTS, REACHES_THE_NETWORK, FaultProxy, fault_proxy
from tests.platforms.hostile import HOSTILE

DEADLINE_SECONDS = 1.0


class ConnectorContract:
    connector: Connector
    publish_method = "POST"
    publish_path = ""
    """How the path of the irreversible call ends."""
    takes_any_success = False
    """Whether each 2xx is proof by the network's own rules, whatever is in it."""

    def is_publish(self, method: str, path: str) -> bool:
        """Whether this request is the irreversible call."""
        return method == self.publish_method and path.split("?")[0].endswith(self.publish_path)

    def upstream(self) -> str:
        """The network's address."""
        raise NotImplementedError

    def new_credentials(self, proxy_url: str) -> dict[str, Any]:
        """What a person would paste for a fresh account, with the proxy as its server."""
        raise NotImplementedError

    def visible(self, text: str) -> list[str]:
        """The ids of the posts with this text that people on the network can see."""
        raise NotImplementedError

    # ── plumbing ────────────────────────────────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[tuple[Channel, FaultProxy]]:
        async with fault_proxy(self.upstream(), self.is_publish) as proxy:
            allow = frozenset({proxy.host})
            async with EgressClient(allow=allow, deadline_seconds=10) as client:
                channel, _ = await connect(self.connector, client, self.new_credentials(proxy.url))
                yield channel, proxy

    def run(self, test: Callable[[Channel, FaultProxy], Awaitable[None]]) -> None:
        async def inner() -> None:
            async with self.opened() as (channel, proxy):
                await test(channel, proxy)

        asyncio.run(asyncio.wait_for(inner(), 90))

    def text(self) -> str:
        return f"Contract {uuid.uuid4().hex[:12]}"

    # ── the promises ────────────────────────────────────────────────────────────────────────────────────────

    def test_a_post_is_published_once_and_its_id_is_the_networks(self) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            text, before = self.text(), proxy.publishes
            remote = await send(self.connector, channel, make_post(self.connector, text))
            assert self.visible(text) == [remote.id]
            assert proxy.publishes - before == 1, "publish is one call"

        self.run(test)

    def test_preparing_publishes_nothing(self) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            text, before = self.text(), proxy.publishes
            await self.connector.prepare(make_post(self.connector, text), channel, {})
            assert (self.visible(text), proxy.publishes - before) == ([], 0)

        self.run(test)

    @pytest.mark.parametrize("fault", FAULTS)
    def test_after_a_fault_there_is_exactly_one_post_or_a_person_is_asked(self, fault: str) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            text = self.text()
            if fault == "reset_reused":
                # The publish must travel on a connection that has served a request before.
                await send(self.connector, channel, make_post(self.connector, self.text()))
            before = proxy.forwarded
            proxy.fault = fault
            channel.client = _BoundedPublish(channel.client, self.is_publish)  # type: ignore[assignment]
            outcome = await send_and_resolve(self.connector, channel, make_post(self.connector, text))
            assert proxy.applied == 1, "the fault did not happen, so this proves nothing"
            if outcome.needs_review:
                assert not self.connector.capabilities.can_look_up
                assert len(self.visible(text)) == (1 if REACHES_THE_NETWORK[fault] else 0)
                return
            assert outcome.remote is not None
            assert self.visible(text) == [outcome.remote.id]
            if REACHES_THE_NETWORK[fault] and outcome.sends == 1:
                assert proxy.forwarded - before == 1

        self.run(test)

    def test_a_deadline_that_has_passed_sends_nothing(self) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            text, before = self.text(), proxy.publishes
            post = make_post(self.connector, text)
            progress = await self.connector.prepare(post, channel, {})
            channel.client = channel.client.until(0.0)
            with pytest.raises(NotSent):
                await self.connector.publish(post, channel, progress)
            await asyncio.sleep(0.05)
            assert (self.visible(text), proxy.publishes - before) == ([], 0)

        self.run(test)

    def test_what_was_published_is_found_and_what_was_not_is_not(self) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            post, other = (make_post(self.connector, self.text()) for _ in range(2))
            remote = await send(self.connector, channel, post)
            found = await self.connector.find_own_post(post, channel, post.created_at)
            if not self.connector.capabilities.can_look_up:
                assert found.found is None and not found.is_certainly_absent
                assert found.note, "a person is asked, so a person must be told why"
                return
            assert found.found is not None and found.found.id == remote.id
            absent = await self.connector.find_own_post(other, channel, other.created_at)
            assert absent.found is None and absent.is_certainly_absent

        self.run(test)

    def test_a_deleted_post_is_gone_and_deleting_it_again_is_no_error(self) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            text = self.text()
            remote = await send(self.connector, channel, make_post(self.connector, text))
            if Feature.DELETE not in self.connector.capabilities.features:
                with pytest.raises(Rejected, match="Delete it"):
                    await self.connector.delete(remote, channel)
                return
            await self.connector.delete(remote, channel)
            assert self.visible(text) == []
            await self.connector.delete(remote, channel)

        self.run(test)

    def test_no_credential_is_in_what_an_error_says(self) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            proxy.fault = "error_before"
            post = make_post(self.connector, self.text())
            progress = await self.connector.prepare(post, channel, {})
            with pytest.raises(ConnectorError) as raised:
                await self.connector.publish(post, channel, progress)
            said = raised.value.message + raised.value.diagnostics
            for value in channel.credentials.values():
                assert not (
                    isinstance(value, str) and len(value) > 11 and value in said and "://" not in value
                )

        self.run(test)

    def test_a_hostile_answer_ends_in_a_sentence_and_little_memory(self) -> None:
        """To connecting, checking, publishing and looking up: an error for people, nothing else, and no false proof."""

        async def test(channel: Channel, proxy: FaultProxy) -> None:
            pasted = self.connector.Credentials.model_validate(self.new_credentials(proxy.url))
            for name, answer in HOSTILE.items():
                post = make_post(self.connector, self.text())
                proxy.hostile = None
                progress = await self.connector.prepare(post, channel, {})
                proxy.hostile = answer
                for step, call in {
                    "connecting": lambda: self.connector.verify(pasted, channel.client),
                    "checking": lambda: self.connector.check(channel),
                    "looking up": lambda post=post: self.connector.find_own_post(
                        post, channel, post.created_at
                    ),
                    "publishing": lambda post=post, done=progress: self.connector.publish(
                        post, channel, done
                    ),
                }.items():
                    tracemalloc.start()
                    began = time.monotonic()
                    try:
                        result = await call()
                    except ConnectorError as error:
                        assert_is_a_sentence(error.message, f"{name}, {step}")
                        result = None
                    peak = tracemalloc.get_traced_memory()[1]
                    tracemalloc.stop()
                    assert peak < 30_000_000, (name, step, peak)
                    assert time.monotonic() - began < 15, (name, step)
                    if isinstance(result, Lookup):
                        assert result.found is None, (name, step)
                    if step == "publishing" and not self.takes_any_success:
                        assert result is None, f"{name} was taken for a published post"

        self.run(test)


def assert_is_a_sentence(message: str, where: str) -> None:
    assert 10 < len(message) < 500, (where, message)
    # Some begin with the server's own name.
    assert (message[0].isupper() or message[0].isdigit()) and message.rstrip()[-1] in ".!?)”", (
        where,
        message,
    )
    for technical in ("Traceback", "Error(", "NoneType", "object has no", "\n", "<html"):
        assert technical not in message, (where, message)


class _BoundedPublish:
    """The channel's client with a short deadline for the publish alone, as the engine bounds the send."""

    def __init__(self, client: EgressClient, is_publish: Callable[[str, str], bool]) -> None:
        self._client, self._is_publish = client, is_publish

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def request(self, method: str, url: str, **more: Any) -> Any:
        if self._is_publish(method, urlsplit(url).path):
            more["deadline_seconds"] = DEADLINE_SECONDS
        return await self._client.request(method, url, **more)
