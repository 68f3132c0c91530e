"""Discord: posts through a channel's webhook.

Source: Discord's published OpenAPI description of API v10 (execute_webhook, get_webhook_by_token,
delete_webhook_message) and discord.com/developers/docs/resources/webhook. `wait=true` makes the answer carry the
message. A webhook has no nonce and cannot list messages, so a post is sent at most once, and on doubt a person decides.
The address of a webhook is its password.
"""

from __future__ import annotations

import asyncio
import json
import re
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from contentcaster.platforms.base import (
    Capabilities,
    Channel,
    ConnectorError,
    Feature,
    Idempotency,
    Identity,
    Lookup,
    MediaRule,
    OutgoingPost,
    Reauthorise,
    Rejected,
    RemotePost,
    TextRule,
)
from contentcaster.platforms.calls import about, json_object, reading_failed, refusal, send, warm_up
from contentcaster.platforms.plain import PlainConnector
from contentcaster.security.egress import EgressClient, EgressResponse

NAME = "Discord"
_PATH = re.compile(r"(/api(?:/v\d+)?/webhooks/\d+/[A-Za-z0-9_-]+)/?")


class DiscordCredentials(BaseModel):
    model_config = ConfigDict(extra="forbid")

    webhook_url: SecretStr = Field(
        title="Webhook address",
        description="In Discord: channel settings, Integrations, Webhooks, New webhook, Copy webhook URL.",
        min_length=20,
        max_length=500,
    )


class DiscordConnector(PlainConnector):
    capabilities: ClassVar[Capabilities] = Capabilities(
        platform="discord",
        name=NAME,
        color="#5865f2",
        text=TextRule(2000),
        media=MediaRule(
            10,
            10_000_000,
            ("image/jpeg", "image/png", "image/gif", "image/webp"),
            1024,
            max_videos=1,
            max_video_bytes=10_000_000,
            video_types=("video/mp4", "video/webm", "video/quicktime"),
            mixes_video=True,
        ),
        idempotency=Idempotency.NONE,
        features=frozenset({Feature.IMAGES, Feature.VIDEO, Feature.ALT_TEXT, Feature.DELETE}),
        docs_url="https://discord.com/developers/docs/resources/webhook",
        proven_on="a twin by the OpenAPI description of API v10",
    )
    Credentials: ClassVar[type[BaseModel]] = DiscordCredentials

    async def verify(self, credentials: BaseModel, client: EgressClient) -> tuple[Identity, dict[str, Any]]:
        assert isinstance(credentials, DiscordCredentials)
        stored = {"webhook_url": _webhook(credentials.webhook_url.get_secret_value())}
        identity = await self._identify(client, stored)
        return identity, stored | {"guild_id": identity.limits.get("guild_id")}

    async def check(self, channel: Channel) -> Identity:
        return await self._identify(channel.client, channel.credentials)

    async def _identify(self, client: EgressClient, stored: dict[str, Any]) -> Identity:
        response = await send(client, "GET", stored["webhook_url"])
        webhook = json_object(response)
        if response.status in (401, 403, 404):
            raise Reauthorise(
                "Discord does not know this webhook. It may have been deleted.", **about(response)
            )
        if not response.is_success or not isinstance(webhook.get("id"), str):
            raise reading_failed(NAME, response)
        guild, place = webhook.get("guild_id"), webhook.get("channel_id")
        return Identity(
            remote_id=webhook["id"],
            handle=str(webhook.get("name") or "webhook")[:255],
            display_name=str(webhook.get("name") or ""),
            profile_url=f"https://discord.com/channels/{guild}/{place}" if guild and place else "",
            limits={"guild_id": guild} if guild else {},
        )

    async def prepare(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> dict[str, Any]:
        await warm_up(channel.client, channel.credentials["webhook_url"])
        return progress

    async def publish(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> RemotePost:
        # A scheduled post must not be able to ring for everyone.
        payload: dict[str, Any] = {"content": post.text, "allowed_mentions": {"parse": []}}
        body: dict[str, Any] = {"json": payload}
        if post.media:
            payload["attachments"] = [
                {"id": n, "filename": media.path.name, "description": media.alt or None}
                for n, media in enumerate(post.media)
            ]
            files = {}
            for n, media in enumerate(post.media):
                content = await asyncio.to_thread(media.path.read_bytes)
                files[f"files[{n}]"] = (media.path.name, content, media.mime_type)
            body = {"data": {"payload_json": json.dumps(payload)}, "files": files}
        response = await send(
            channel.client, "POST", channel.credentials["webhook_url"], params={"wait": "true"}, **body
        )
        message = json_object(response)
        if response.is_success and isinstance(message.get("id"), str):
            guild, place = channel.credentials.get("guild_id"), message.get("channel_id")
            url = f"https://discord.com/channels/{guild}/{place}/{message['id']}" if guild and place else ""
            return RemotePost(id=message["id"], url=url)
        raise self._refusal(response)

    def _refusal(self, response: EgressResponse) -> ConnectorError:
        return refusal(
            NAME, response, str(json_object(response).get("message") or ""), reauthorise=(401, 403, 404)
        )

    async def find_own_post(self, post: OutgoingPost, channel: Channel, first_sent_at: datetime) -> Lookup:
        return Lookup(note="A Discord webhook cannot read its channel. Please look there.")

    async def delete(self, remote: RemotePost, channel: Channel) -> None:
        url = f"{channel.credentials['webhook_url']}/messages/{remote.id}"
        response = await send(channel.client, "DELETE", url)
        is_gone = response.status == 404 and json_object(response).get("code") == 10008  # Unknown Message
        if not response.is_success and not is_gone:
            raise self._refusal(response)


def _webhook(typed: str) -> str:
    """The webhook's address without query. Raises Rejected if it is none."""
    parts = urlsplit(typed.strip())
    path = _PATH.fullmatch(parts.path)
    if parts.scheme not in ("http", "https") or not parts.netloc or path is None:
        raise Rejected("This is no Discord webhook. It looks like https://discord.com/api/webhooks/123/abc.")
    return f"{parts.scheme}://{parts.netloc}{path.group(1)}"
