"""A video on each network that takes one: uploaded and processed while it is prepared, then one call that posts it."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from contentcaster.platforms import CONNECTORS, linkedin_api, uploads, x_api, x_media
from contentcaster.platforms.base import Channel, Connector, Feature, OutcomeUnknown, Rejected
from contentcaster.sandbox.client import SandboxThread
from contentcaster.security.egress import EgressClient
from tests.platforms.channels import connect, make_picture, make_post, make_video, send
from tests.platforms.twins import discord as discord_twin
from tests.platforms.twins import wordpress as wordpress_twin
from tests.platforms.twins.discord import DiscordTwin
from tests.platforms.twins.linkedin import PAGE_SCOPES, LinkedInTwin
from tests.platforms.twins.matrix import MatrixTwin
from tests.platforms.twins.telegram import TOKEN, TelegramTwin
from tests.platforms.twins.wordpress import WordPressTwin
from tests.platforms.twins.x import XTwin

TESTED = {
    "mastodon",
    "sandbox",
    "bluesky",
    "x",
    "linkedin",
    "linkedin-page",
    "matrix",
    "telegram",
    "discord",
    "wordpress",
}


def on(
    platform: str,
    host: str,
    credentials: dict[str, Any],
    test: Callable[[Connector, Channel], Awaitable[None]],
) -> None:
    async def inner() -> None:
        async with EgressClient(allow=frozenset({host}), deadline_seconds=10) as client:
            connector = CONNECTORS[platform]
            channel, _ = await connect(connector, client, credentials)
            await test(connector, channel)

    asyncio.run(asyncio.wait_for(inner(), 60))


def test_every_network_that_says_video_is_tested_here() -> None:
    assert {name for name, c in CONNECTORS.items() if Feature.VIDEO in c.capabilities.features} == TESTED


def test_mastodon_waits_for_the_processing_and_shows_the_video(
    sandbox: SandboxThread, tmp_path: Path
) -> None:
    sandbox.control.config(media_processing_ms=700)
    account = sandbox.control.account(f"v{uuid.uuid4().hex[:8]}")
    credentials = {"instance_url": sandbox.base_url, "access_token": account["access_token"]}

    async def test(connector: Connector, channel: Channel) -> None:
        assert channel.limits["max_video_bytes"] == 103_809_024
        assert "video/quicktime" in channel.limits["video_types"]
        video = make_video(tmp_path, alt="Das Meer, rauh")
        post = make_post(connector, "Film", media=(video,))
        progress = await connector.prepare(post, channel, {})
        assert [r["status"] for r in sandbox.control.requests(path="/api/v2/media")] == [202]
        again = await connector.prepare(post, channel, json.loads(json.dumps(progress)))
        assert again == progress, "what is up already is not sent twice"
        remote = await connector.publish(post, channel, progress)
        (shown,) = [post for post in sandbox.control.posts() if post["id"] == remote.id]
        assert shown["text"] == "Film"
        (attached,) = (await channel.client.request(
            "GET", f"{sandbox.base_url}/api/v1/statuses/{remote.id}")).json()["media_attachments"]  # fmt: skip
        assert (attached["type"], attached["description"]) == ("video", "Das Meer, rauh")
        kept = await channel.client.request("GET", attached["url"])
        assert kept.content == video.path.read_bytes(), "streamed from the disk, whole"
        page = (await channel.client.request("GET", remote.url)).text
        assert "<video src=" in page

    on("mastodon", sandbox.base_url.removeprefix("http://"), credentials, test)


def test_bluesky_embeds_the_video_as_its_lexicon_says(shared_sandbox: SandboxThread, tmp_path: Path) -> None:
    account = shared_sandbox.control.account(f"v{uuid.uuid4().hex[:8]}")
    credentials = {
        "service_url": shared_sandbox.base_url,
        "identifier": account["at_handle"],
        "app_password": account["app_password"],
    }

    async def test(connector: Connector, channel: Channel) -> None:
        video = make_video(tmp_path, size_bytes=6_000_000)
        post = make_post(connector, "Film", media=(video,))
        progress = await connector.prepare(post, channel, {})
        remote = await connector.publish(post, channel, progress)
        assert await connector.publish(post, channel, progress) == remote, "a repeat is the same record"
        did, rkey = channel.credentials["did"], remote.id.rsplit("/", 1)[-1]
        query = {"repo": did, "collection": "app.bsky.feed.post", "rkey": rkey}
        url = f"{shared_sandbox.base_url}/xrpc/com.atproto.repo.getRecord"
        embed = (await channel.client.request("GET", url, params=query)).json()["value"]["embed"]
        assert embed["$type"] == "app.bsky.embed.video" and embed["alt"] == "The sea"
        assert embed["aspectRatio"] == {"width": 1280, "height": 720}
        assert (embed["video"]["mimeType"], embed["video"]["size"]) == ("video/mp4", video.size_bytes)
        assert "<video src=" in (await channel.client.request("GET", remote.url)).text
        webm = make_video(tmp_path, name="film.webm")
        webm.path.write_bytes(b"\x1aE\xdf\xa3" + bytes(6_000_000))
        with pytest.raises(Rejected, match=r"takes no files of 6\.0 MB"):
            await connector.prepare(make_post(connector, "x", media=(webm,)), channel, {})

    on("bluesky", shared_sandbox.base_url.removeprefix("http://"), credentials, test)


def test_x_gets_a_video_in_parts_and_goes_on_where_it_was_broken_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(x_media, "_VIDEO_CHUNK_BYTES", 40_000)
    with XTwin() as twin:
        monkeypatch.setattr(x_api, "base_url", lambda: twin.url)

        async def test(connector: Connector, channel: Channel) -> None:
            video = make_video(tmp_path)
            post = make_post(connector, "Film", media=(video,))
            progress: dict[str, Any] = {}
            twin.override("/finalize", 503, "busy")
            with pytest.raises(OutcomeUnknown):
                await connector.prepare(post, channel, progress)
            assert twin.posts == {} and progress["media"][video.media_id]["sent_bytes"] == video.size_bytes
            stored = json.loads(json.dumps(progress))
            progress = await connector.prepare(post, channel, stored)
            remote = await connector.publish(post, channel, progress)
            (upload,) = twin.uploads.values()
            assert upload["category"] == "tweet_video" and upload["asked"] == 3
            assert upload["content"] == video.path.read_bytes() and len(upload["parts"]) == 3
            assert upload["alt"] == "", "X keeps alt texts for pictures only"
            assert twin.posts[remote.id]["media"] == [next(iter(twin.uploads))]
            # An upload that X has dropped begins anew instead of ending the post.
            broken = {"media": {video.media_id: {"id": "12345", "uploaded_at": 9e9, "sent_bytes": 40_000}}}
            again = await connector.prepare(make_post(connector, "Film 2", media=(video,)), channel, broken)
            assert again["media"][video.media_id]["id"] in twin.uploads

        on("x", twin.host, {"access_token": twin.oauth.new_access_token()}, test)


@pytest.mark.parametrize("platform", ["linkedin", "linkedin-page"])
def test_linkedin_gets_a_video_in_the_parts_it_asks_for(
    platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LinkedInTwin(PAGE_SCOPES) if platform == "linkedin-page" else LinkedInTwin() as twin:
        monkeypatch.setattr(linkedin_api, "base_url", lambda: twin.url)

        async def test(connector: Connector, channel: Channel) -> None:
            video = make_video(tmp_path, size_bytes=5_000_000)
            post = make_post(connector, "Film", media=(video,))
            progress = await connector.prepare(post, channel, {})
            assert await connector.prepare(post, channel, json.loads(json.dumps(progress))) == progress
            ((urn, kept),) = twin.film.videos.items()
            assert kept["content"] == video.path.read_bytes() and len(kept["parts"]) == 2
            remote = await connector.publish(post, channel, progress)
            assert twin.posts[remote.id]["content"] == {"media": {"id": urn}}
            small = make_video(tmp_path, name="small.mp4", size_bytes=10_000)
            with pytest.raises(Rejected, match="75 kB"):
                await connector.prepare(make_post(connector, "x", media=(small,)), channel, {})

        on(platform, twin.host, {"access_token": twin.oauth.new_access_token()}, test)


def test_matrix_sends_one_event_with_the_length_of_the_video(tmp_path: Path) -> None:
    with MatrixTwin() as twin:
        credentials = {
            "homeserver_url": twin.url,
            "access_token": "syt_good_token_1",
            "room": "#news:twin.test",
        }

        async def test(connector: Connector, channel: Channel) -> None:
            video = make_video(tmp_path)
            await send(connector, channel, make_post(connector, "Film", media=(video,)))
            ((uri, content),) = twin.uploads.items()
            (event,) = twin.rooms["!room:twin.test"]
            assert content == video.path.read_bytes()
            assert (event["content"]["msgtype"], event["content"]["url"]) == ("m.video", uri)
            info = {
                "mimetype": "video/mp4",
                "size": video.size_bytes,
                "w": 1280,
                "h": 720,
                "duration": 12_500,
            }
            assert (event["content"]["info"], event["content"]["body"]) == (info, "Film")

        on("matrix", twin.host, credentials, test)


def test_telegram_takes_the_video_in_the_call_that_posts_it(tmp_path: Path) -> None:
    with TelegramTwin() as twin:
        credentials = {"bot_token": TOKEN, "chat": "@acme_news", "api_url": twin.url}

        async def test(connector: Connector, channel: Channel) -> None:
            video = make_video(tmp_path)
            remote = await send(connector, channel, make_post(connector, "Film", media=(video,)))
            message = twin.messages[remote.extra["message_ids"][0]]
            assert (message["text"], message["video"]) == ("Film", video.path.read_bytes())

        on("telegram", twin.host, credentials, test)


def test_discord_takes_a_video_beside_a_picture(tmp_path: Path) -> None:
    with DiscordTwin() as twin:
        credentials = {"webhook_url": f"{twin.url}/api/webhooks/{discord_twin.ID}/{discord_twin.TOKEN}"}

        async def test(connector: Connector, channel: Channel) -> None:
            media = (make_video(tmp_path), make_picture(tmp_path))
            remote = await send(connector, channel, make_post(connector, "Film", media=media))
            attached = twin.messages[remote.id]["payload"]["attachments"]
            assert [item["filename"] for item in attached] == ["film.mp4", "picture.png"]

        on("discord", twin.host, credentials, test)


def test_wordpress_puts_the_video_into_the_article_and_a_picture_on_top(tmp_path: Path) -> None:
    with WordPressTwin() as twin:
        credentials = {
            "site_url": twin.url,
            "username": wordpress_twin.USER,
            "application_password": wordpress_twin.PASSWORD,
        }

        async def test(connector: Connector, channel: Channel) -> None:
            video, picture = make_video(tmp_path), make_picture(tmp_path)
            remote = await send(
                connector, channel, make_post(connector, "A title\n\nText.", media=(video, picture))
            )
            article = twin.posts[int(remote.id)]
            film, photo = twin.media.values()
            assert article["featured_media"] == photo["id"]
            assert f'<video controls src="{twin.url}/film.mp4"></video>' in article["content"]
            assert f'<!-- wp:video {{"id":{film["id"]}}} -->' in article["content"]
            assert twin.files[film["id"]] == video.path.read_bytes()
            only = await send(connector, channel, make_post(connector, "Two\n\nText.", media=(video,)))
            assert "featured_media" not in twin.posts[int(only.id)]

        on("wordpress", twin.host, credentials, test)


def test_big_uploads_have_the_time_that_their_size_asks_for() -> None:
    assert uploads.upload_seconds(1_000) == pytest.approx(60, abs=1)
    assert uploads.upload_seconds(100_000_000) == pytest.approx(560)
