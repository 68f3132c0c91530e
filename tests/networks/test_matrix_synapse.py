"""The Matrix connector on a real Synapse."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contentcaster.platforms import get_connector
from contentcaster.platforms.base import Channel
from tests.networks.synapse_server import Synapse, synapse
from tests.platforms.channels import make_picture, make_post, make_video, send
from tests.platforms.contract import ConnectorContract
from tests.platforms.fault_proxy import FaultProxy


@pytest.fixture(scope="module")
def server() -> Iterator[Synapse]:
    with synapse() as running:
        yield running


class TestMatrixOnARealSynapse(ConnectorContract):
    connector = get_connector("matrix")
    server: Synapse
    token: str
    room: str

    @pytest.fixture(autouse=True)
    def _use(self, server: Synapse) -> None:
        self.server = server
        self.token = server.new_user(f"u{uuid.uuid4().hex[:12]}")["access_token"]
        self.room = server.new_room(self.token)

    def is_publish(self, method: str, path: str) -> bool:
        return method == "PUT" and "/send/m.room.message/" in path

    def upstream(self) -> str:
        return self.server.url

    def new_credentials(self, proxy_url: str) -> dict[str, Any]:
        return {"homeserver_url": proxy_url, "access_token": self.token, "room": self.room}

    def visible(self, text: str) -> list[str]:
        messages = self.server.messages(self.token, self.room)
        return [event["event_id"] for event in messages if event["content"].get("body") == text]

    def test_a_repeat_is_the_same_event(self) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            post = make_post(self.connector, self.text())
            first = await send(self.connector, channel, post)
            assert (await send(self.connector, channel, post)).id == first.id
            assert self.visible(post.text) == [first.id]

        self.run(test)

    def test_a_picture_a_video_and_a_thread_are_accepted(self, tmp_path: Path) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            picture = make_picture(tmp_path)
            first = await send(self.connector, channel, make_post(self.connector, "Look", media=(picture,)))
            reply = await send(self.connector, channel, make_post(self.connector, "More", reply_to=first))
            film = make_post(self.connector, "Film", media=(make_video(tmp_path, size_bytes=3_000_000),))
            shown = await send(self.connector, channel, film)
            events = {
                event["event_id"]: event["content"] for event in self.server.messages(self.token, self.room)
            }
            assert events[first.id]["url"].startswith("mxc://localhost/")
            assert events[shown.id]["msgtype"] == "m.video"
            assert events[shown.id]["info"]["duration"] == 12_500
            assert events[reply.id]["m.relates_to"]["event_id"] == first.id

        self.run(test)
