"""The Matrix connector against its twin; tests/networks proves it on a real Synapse."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contentcaster.platforms import get_connector
from contentcaster.platforms.base import Channel, RateLimited, Reauthorise, Rejected
from contentcaster.security.egress import EgressClient
from tests.platforms.channels import connect, make_picture, make_post, send
from tests.platforms.contract import ConnectorContract
from tests.platforms.twins.matrix import MatrixTwin

MATRIX = get_connector("matrix")


@pytest.fixture
def twin() -> Iterator[MatrixTwin]:
    with MatrixTwin() as running:
        yield running


def _credentials(url: str, **more: str) -> dict[str, Any]:
    return {"homeserver_url": url, "access_token": "syt_good_token_1", "room": "#news:twin.test", **more}


def _on(twin: MatrixTwin, test: Callable[[Channel], Awaitable[None]]) -> None:
    async def inner() -> None:
        async with EgressClient(allow=frozenset({twin.host})) as client:
            channel, _ = await connect(MATRIX, client, _credentials(twin.url))
            await test(channel)

    asyncio.run(asyncio.wait_for(inner(), 30))


class TestMatrixContract(ConnectorContract):
    connector = MATRIX
    twin: MatrixTwin

    @pytest.fixture(autouse=True)
    def _use(self, twin: MatrixTwin) -> None:
        self.twin = twin

    def is_publish(self, method: str, path: str) -> bool:
        return method == "PUT" and "/send/m.room.message/" in path

    def upstream(self) -> str:
        return self.twin.url

    def new_credentials(self, proxy_url: str) -> dict[str, Any]:
        return _credentials(proxy_url)

    def visible(self, text: str) -> list[str]:
        return self.twin.visible(text)


def test_connecting_names_the_room_and_refuses_what_cannot_work(twin: MatrixTwin) -> None:
    async def test() -> None:
        async with EgressClient(allow=frozenset({twin.host})) as client:
            channel, _ = await connect(MATRIX, client, _credentials(twin.url))
            assert channel.handle == "#news:twin.test"
            assert channel.remote_id == "@bot:twin.test !room:twin.test"
            with pytest.raises(Reauthorise):
                await connect(MATRIX, client, _credentials(twin.url, access_token="wrong"))
            with pytest.raises(Rejected, match="cannot enter the room"):
                await connect(MATRIX, client, _credentials(twin.url, room="#other:twin.test"))
            twin.encrypted.add("!room:twin.test")
            with pytest.raises(Rejected, match="encrypted"):
                await connect(MATRIX, client, _credentials(twin.url))

    asyncio.run(test())


def test_picture_and_words_are_one_event_and_a_thread_hangs_on_its_root(
    twin: MatrixTwin, tmp_path: Path
) -> None:
    async def test(channel: Channel) -> None:
        picture = make_picture(tmp_path)
        first = await send(MATRIX, channel, make_post(MATRIX, "Look", media=(picture,)))
        second = await send(MATRIX, channel, make_post(MATRIX, "Two", reply_to=first))
        await send(MATRIX, channel, make_post(MATRIX, "Three", reply_to=second))
        image, two, three = (event["content"] for event in twin.rooms["!room:twin.test"])
        assert (image["msgtype"], image["body"], image["filename"]) == ("m.image", "Look", "picture.png")
        assert image["url"].startswith("mxc://") and image["info"]["w"] == 64
        assert two["m.relates_to"]["event_id"] == first.id
        assert three["m.relates_to"]["event_id"] == first.id
        assert three["m.relates_to"]["m.in_reply_to"]["event_id"] == second.id

    _on(twin, test)


def test_a_message_of_another_session_is_not_taken_for_proof_of_either(twin: MatrixTwin) -> None:
    async def test(channel: Channel) -> None:
        post = make_post(MATRIX, "Sent before the token changed")
        await send(MATRIX, channel, post)
        channel.credentials["access_token"] = "syt_good_token_2"
        lookup = await MATRIX.find_own_post(post, channel, post.created_at)
        assert lookup.found is None and not lookup.is_certainly_absent

    _on(twin, test)


def test_refusals_are_told_apart(twin: MatrixTwin) -> None:
    async def test(channel: Channel) -> None:
        post = make_post(MATRIX, "x")
        twin.override(post.client_ref, 429, {"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 4000})
        with pytest.raises(RateLimited) as limited:
            await send(MATRIX, channel, post)
        assert limited.value.retry_after_seconds == 4
        twin.override(post.client_ref, 403, {"errcode": "M_FORBIDDEN", "error": "no"})
        with pytest.raises(Rejected, match="may not post"):
            await send(MATRIX, channel, post)
        twin.override(post.client_ref, 401, {"errcode": "M_UNKNOWN_TOKEN", "error": "gone"})
        with pytest.raises(Reauthorise):
            await send(MATRIX, channel, post)
        assert twin.visible("x") == []

    _on(twin, test)
