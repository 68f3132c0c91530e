"""The Bluesky connector on a real PDS (@atproto/pds 0.4.217): the contract, and the facts that it is built on."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from contentcaster.clock import utc_now
from contentcaster.platforms import get_connector
from contentcaster.platforms.base import Channel, Rejected
from contentcaster.platforms.bluesky_record import POST
from tests.networks.node_server import free_port, running
from tests.platforms.channels import make_picture, make_post, make_video, send
from tests.platforms.contract import ConnectorContract
from tests.platforms.fault_proxy import FaultProxy
from tests.platforms.test_bluesky import _noise


class Pds:
    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=f"{url}/xrpc/", timeout=30, trust_env=False)
        self.dids: list[str] = []

    def new_account(self) -> dict[str, Any]:
        name = f"t{uuid.uuid4().hex[:12]}"
        account = {"handle": f"{name}.test", "email": f"{name}@example.com", "password": "pass-1234-pass"}
        created = self.http.post("com.atproto.server.createAccount", json=account)
        created.raise_for_status()
        self.dids.append(created.json()["did"])
        token = {"Authorization": f"Bearer {created.json()['accessJwt']}"}
        app = self.http.post(
            "com.atproto.server.createAppPassword", headers=token, json={"name": "contentcaster"}
        )
        app.raise_for_status()
        return {**created.json(), "app_password": app.json()["password"]}

    def posts(self, did: str) -> list[dict[str, Any]]:
        answer = self.http.get(
            "com.atproto.repo.listRecords", params={"repo": did, "collection": POST, "limit": 100}
        )
        found: list[dict[str, Any]] = answer.json()["records"]
        return found


@pytest.fixture(scope="module")
def pds() -> Iterator[Pds]:
    port, plc_port = free_port(), free_port()
    with running(Path(__file__).parent / "bluesky", str(port), str(plc_port)):
        yield Pds(f"http://127.0.0.1:{port}")


class TestBlueskyOnARealPds(ConnectorContract):
    connector = get_connector("bluesky")
    publish_path = "/xrpc/com.atproto.repo.putRecord"
    pds: Pds

    @pytest.fixture(autouse=True)
    def _use(self, pds: Pds) -> None:
        self.pds = pds

    def upstream(self) -> str:
        return self.pds.url

    def new_credentials(self, proxy_url: str) -> dict[str, Any]:
        account = self.pds.new_account()
        return {
            "service_url": proxy_url,
            "identifier": account["handle"],
            "app_password": account["app_password"],
        }

    def visible(self, text: str) -> list[str]:
        return [r["uri"] for r in self.pds.posts(self.pds.dids[-1]) if r["value"]["text"] == text]

    # ── what the connector relies on ────────────────────────────────────────────────────────────────────────

    def test_a_repeat_is_the_same_record_and_nothing_is_overwritten(self) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            post = make_post(self.connector, "As it was")
            first = await send(self.connector, channel, post)
            for again in (post, replace(post, text="Rewritten by mistake")):
                assert (await send(self.connector, channel, again)).extra == first.extra
            assert [r["value"]["text"] for r in self.pds.posts(channel.remote_id)] == ["As it was"]

        self.run(test)

    def test_concurrent_sends_of_one_job_are_one_post(self) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            post = make_post(self.connector, "Many at once")
            remotes = await asyncio.gather(*(send(self.connector, channel, post) for _ in range(8)))
            assert len({remote.extra["cid"] for remote in remotes}) == 1
            assert len(self.pds.posts(channel.remote_id)) == 1

        self.run(test)

    def test_the_server_accepts_all_that_a_post_can_hold(self, tmp_path: Path) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            pictures = (
                make_picture(tmp_path),
                make_picture(tmp_path, name="large.png", size=(1500, 1100), paint=_noise),
            )
            text = f"Grüße 👩‍👩‍👧 @{channel.credentials['handle']} https://example.com/ä #Tag"
            options = {"language": "de", "content_warning": "Nudity"}
            first = await send(
                self.connector, channel, make_post(self.connector, text, media=pictures, options=options)
            )
            await send(self.connector, channel, make_post(self.connector, "Reply", reply_to=first))
            reply, post = (record["value"] for record in self.pds.posts(channel.remote_id))
            assert reply["reply"]["root"]["uri"] == first.id
            assert [i["image"]["mimeType"] for i in post["embed"]["images"]] == ["image/png", "image/jpeg"]
            data = post["text"].encode()
            marked = [data[f["index"]["byteStart"] : f["index"]["byteEnd"]].decode() for f in post["facets"]]
            assert marked == [f"@{channel.credentials['handle']}", "https://example.com/ä", "#Tag"]
            assert post["facets"][0]["features"][0]["did"] == channel.remote_id
            assert (post["langs"], post["labels"]["values"]) == (["de"], [{"val": "nudity"}])

        self.run(test)

    def test_a_video_is_taken_as_a_blob_and_embedded(self, tmp_path: Path) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            video = make_video(tmp_path, size_bytes=2_000_000)
            post = make_post(self.connector, self.text(), media=(video,))
            progress = await self.connector.prepare(post, channel, {})
            remote = await self.connector.publish(post, channel, progress)
            assert await self.connector.publish(post, channel, progress) == remote
            (embed,) = (record["value"]["embed"] for record in self.pds.posts(channel.remote_id))
            assert embed["$type"] == "app.bsky.embed.video" and embed["alt"] == "The sea"
            blob = embed["video"]
            assert (blob["mimeType"], blob["size"]) == ("video/mp4", video.size_bytes)
            kept = self.pds.http.get(
                "com.atproto.sync.getBlob", params={"did": channel.remote_id, "cid": blob["ref"]["$link"]}
            )
            assert kept.content == video.path.read_bytes()
            big = make_video(tmp_path, name="big.mp4", size_bytes=6_000_000)
            with pytest.raises(Rejected, match="takes no files of"):
                await self.connector.prepare(make_post(self.connector, "x", media=(big,)), channel, {})

        self.run(test)

    def test_the_limits_that_we_count_are_the_servers(self) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            family = "👩‍👩‍👧"
            rule = self.connector.text_rule({})
            for text in ("x" * 300, family * 166, "क्ष" * 300):
                assert (await send(self.connector, channel, make_post(self.connector, text))).id
            for text in ("x" * (rule.max_length + 1), family * 200):
                with pytest.raises(Rejected):
                    await send(self.connector, channel, make_post(self.connector, text))

        self.run(test)

    async def _forget_access_token(self, channel: Channel) -> None:
        channel.credentials["access_jwt"] = ""
        await channel.save_credentials({**channel.credentials}, None)

    def test_tokens_that_end_are_renewed(self) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            refresh = channel.credentials["refresh_jwt"]
            await self._forget_access_token(channel)
            await send(self.connector, channel, make_post(self.connector, "Refreshed"))
            assert channel.credentials["refresh_jwt"] != refresh
            # A junk token answers 400 InvalidToken here, not 401.
            channel.credentials["access_jwt"] = "eyJhbGciOiJub25lIn0.e30.x"
            await send(self.connector, channel, make_post(self.connector, "Renewed"))
            headers = {"Authorization": f"Bearer {channel.credentials['refresh_jwt']}"}
            self.pds.http.post("com.atproto.server.deleteSession", headers=headers).raise_for_status()
            await self._forget_access_token(channel)
            await send(self.connector, channel, make_post(self.connector, "Signed in again"))
            assert len(self.pds.posts(channel.remote_id)) == 3

        self.run(test)

    def test_what_was_deleted_by_hand_counts_as_absent(self) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            post = make_post(self.connector, "Gone")
            await self.connector.delete(await send(self.connector, channel, post), channel)
            assert (await self.connector.find_own_post(post, channel, utc_now())).is_certainly_absent

        self.run(test)
