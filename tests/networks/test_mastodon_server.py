"""The Mastodon connector on any server with that API, by its address and a token of a test account there:

    MASTODON_TEST_URL=https://mastodon.example MASTODON_TEST_TOKEN=... make test-networks

The account needs read, write and follow rights; what the tests post there is deleted again. Without the two it is
skipped: there is no such server in a package.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from contentcaster.platforms import get_connector
from contentcaster.platforms.base import Channel, Rejected
from tests.platforms.channels import make_picture, make_post, send
from tests.platforms.contract import ConnectorContract
from tests.platforms.fault_proxy import FaultProxy

URL = os.environ.get("MASTODON_TEST_URL", "").rstrip("/")
TOKEN = os.environ.get("MASTODON_TEST_TOKEN", "")
pytestmark = pytest.mark.skipif(not (URL and TOKEN), reason="set MASTODON_TEST_URL and MASTODON_TEST_TOKEN")


class Server:
    """The test account, as another client of its own sees it."""

    def __init__(self) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        self.http = httpx.Client(base_url=URL, timeout=30, trust_env=False, headers=headers)
        self.account_id = str(self._get("/api/v1/accounts/verify_credentials")["id"])
        self.before = {status["id"] for status in self.statuses()}

    def _get(self, path: str, **params: Any) -> Any:
        answer = self.http.get(path, params=params)
        answer.raise_for_status()
        return answer.json()

    def statuses(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get(f"/api/v1/accounts/{self.account_id}/statuses", limit=40)
        return found

    def clean(self) -> None:
        for status in self.statuses():
            if status["id"] not in self.before:
                self.http.delete(f"/api/v1/statuses/{status['id']}")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.clean()


class TestMastodonApiOnAGivenServer(ConnectorContract):
    connector = get_connector("mastodon")
    publish_path = "/api/v1/statuses"
    server: Server

    @pytest.fixture(autouse=True)
    def _use(self, server: Server) -> None:
        self.server = server

    def upstream(self) -> str:
        return URL

    def new_credentials(self, proxy_url: str) -> dict[str, Any]:
        return {"instance_url": proxy_url, "access_token": TOKEN}

    def visible(self, text: str) -> list[str]:
        return [str(status["id"]) for status in self.server.statuses() if _plain(status["content"]) == text]

    def test_the_servers_software_is_told_by_nodeinfo_and_decides_whether_its_keys_are_trusted(self) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            software = str(channel.limits["software"])
            links = self.server.http.get("/.well-known/nodeinfo").json()["links"]
            told = self.server.http.get(links[-1]["href"]).json()["software"]["name"]
            assert software == told
            now = make_post(self.connector, "x").created_at
            assert self.connector.resend_is_safe(channel.limits, now, now) is (software == "mastodon")

        self.run(test)

    def test_the_limit_that_we_count_is_the_servers(self) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            limit = self.connector.text_rule(channel.limits).max_length
            await send(self.connector, channel, make_post(self.connector, "x" * limit))
            with pytest.raises(Rejected):
                await send(self.connector, channel, make_post(self.connector, "x" * (limit + 1)))

        self.run(test)

    def test_a_thread_with_a_picture_a_warning_and_a_language(self, tmp_path: Path) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            text = self.text()
            options = {"visibility": "unlisted", "language": "de", "content_warning": "Food"}
            post = make_post(self.connector, text, media=(make_picture(tmp_path),), options=options)
            first = await send(self.connector, channel, post)
            reply = await send(
                self.connector, channel, make_post(self.connector, self.text(), reply_to=first)
            )
            shown = {str(status["id"]): status for status in self.server.statuses()}
            status = shown[first.id]
            assert (status["visibility"], status["language"], status["spoiler_text"]) == (
                "unlisted",
                "de",
                "Food",
            )
            assert [item["description"] for item in status["media_attachments"]] == ["A red box"]
            assert str(shown[reply.id]["in_reply_to_id"]) == first.id

        self.run(test)

    def test_concurrent_sends_of_one_job_are_one_post_where_the_key_is_trusted(self) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            if channel.limits["software"] != "mastodon":
                pytest.skip("its keys are not trusted: the engine never sends twice here")
            post = make_post(self.connector, self.text())
            first = await send(self.connector, channel, post)
            again = await asyncio.gather(*(send(self.connector, channel, post) for _ in range(3)))
            assert {remote.id for remote in again} == {first.id}
            assert self.visible(post.text) == [first.id]

        self.run(test)


def _plain(content: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", content)).strip()
