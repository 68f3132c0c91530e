"""Quotes that we publish: the address of a post becomes the network's own quote, elsewhere it is left out."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path

import pytest

from contentcaster.platforms import CONNECTORS, get_connector, x_api
from contentcaster.platforms.base import Channel, Connector, Feature, Rejected
from contentcaster.platforms.quotes import bluesky_post, can_quote, is_address, x_post_id
from contentcaster.sandbox.client import SandboxThread
from contentcaster.security.egress import EgressClient
from tests.platforms.channels import connect, make_picture, make_post, send
from tests.platforms.twins.x import XTwin


def test_addresses_are_told_apart_by_their_network() -> None:
    assert (
        x_post_id("https://x.com/ada/status/123?s=20")
        == x_post_id("http://twitter.com/a/status/123/photo/1")
        == "123"
    )
    assert x_post_id("https://x.com/ada") == x_post_id("https://evil.example/x.com/a/status/1") == ""
    assert bluesky_post("https://bsky.app/profile/ada.test/post/3kabc") == ("ada.test", "3kabc")
    assert bluesky_post("at://did:plc:abc/app.bsky.feed.post/3kabc") == ("did:plc:abc", "3kabc")
    assert bluesky_post("https://bsky.app/profile/ada.test") is None
    assert can_quote("x", "https://x.com/a/status/1") and not can_quote("bluesky", "https://x.com/a/status/1")
    assert not is_address("javascript:alert(1)") and not is_address("https://example.org/profile/a")
    quoting = {name for name, c in CONNECTORS.items() if Feature.QUOTE in c.capabilities.features}
    assert quoting == {"x", "bluesky"}


def test_bluesky_embeds_the_quoted_post_beside_the_pictures(
    shared_sandbox: SandboxThread, tmp_path: Path
) -> None:
    bluesky = get_connector("bluesky")
    account = shared_sandbox.control.account(f"q{uuid.uuid4().hex[:8]}")
    credentials = {
        "service_url": shared_sandbox.base_url,
        "identifier": account["at_handle"],
        "app_password": account["app_password"],
    }

    async def embed_of(connector: Connector, channel: Channel, **more: object) -> dict[str, object]:
        post = make_post(connector, uuid.uuid4().hex, **more)
        progress = await connector.prepare(post, channel, {})
        again = await connector.prepare(post, channel, json.loads(json.dumps(progress)))
        assert again["quote"] == progress["quote"], "what is quoted is frozen with the first try"
        remote = await connector.publish(post, channel, progress)
        query = {"repo": channel.credentials["did"], "collection": "app.bsky.feed.post",
                 "rkey": remote.id.rsplit("/", 1)[-1]}  # fmt: skip
        url = f"{shared_sandbox.base_url}/xrpc/com.atproto.repo.getRecord"
        found: dict[str, object] = (await channel.client.request("GET", url, params=query)).json()["value"][
            "embed"
        ]
        return found

    async def test() -> None:
        host = shared_sandbox.base_url.removeprefix("http://")
        async with EgressClient(allow=frozenset({host})) as client:
            channel, _ = await connect(bluesky, client, credentials)
            first = await send(bluesky, channel, make_post(bluesky, "The first word"))
            wanted = {"uri": first.id, "cid": first.extra["cid"]}
            for address in (first.url, first.id):
                plain = await embed_of(bluesky, channel, options={"quote": address})
                assert plain == {"$type": "app.bsky.embed.record", "record": wanted}
            both = await embed_of(
                bluesky, channel, options={"quote": first.url}, media=(make_picture(tmp_path),)
            )
            assert both["$type"] == "app.bsky.embed.recordWithMedia"
            assert both["record"] == {"$type": "app.bsky.embed.record", "record": wanted}
            await bluesky.delete(first, channel)
            gone = make_post(bluesky, "x", options={"quote": first.url})
            with pytest.raises(Rejected, match="not on Bluesky any more"):
                await bluesky.prepare(gone, channel, {})
            unknown = make_post(
                bluesky, "x", options={"quote": "https://bsky.app/profile/no.such.test/post/3kabc"}
            )
            with pytest.raises(Rejected, match="knows no post at"):
                await bluesky.prepare(unknown, channel, {})

    asyncio.run(asyncio.wait_for(test(), 30))


def test_x_quotes_by_id_and_finds_the_post_again(monkeypatch: pytest.MonkeyPatch) -> None:
    x = get_connector("x")
    with XTwin() as twin:
        monkeypatch.setattr(x_api, "base_url", lambda: twin.url)

        async def test() -> None:
            async with EgressClient(allow=frozenset({twin.host})) as client:
                channel, _ = await connect(x, client, {"access_token": twin.oauth.new_access_token()})
                post = make_post(
                    x, "So true, see example.com", options={"quote": "https://x.com/ada/status/4242"}
                )
                remote = await send(x, channel, post)
                assert twin.posts[remote.id]["quoted"] == "4242"
                lookup = await x.find_own_post(post, channel, post.created_at)
                assert lookup.found is not None and lookup.found.id == remote.id

        asyncio.run(asyncio.wait_for(test(), 30))
