"""Telegram: a bot posts into a channel or group.

Source: the Bot API, version 10.1 (core.telegram.org/bots/api). Pictures and videos travel in the call that posts them,
so there is nothing to prepare. There is no key against repeats and no way for a bot to read a channel back: a post is
sent at most once, and on doubt a person decides. The token is part of the address: no address is ever logged or shown.
"""

from __future__ import annotations

import asyncio
import json
import re
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

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
    TemporarilyRejected,
    TextRule,
    TextUnit,
)
from contentcaster.platforms.calls import about, json_object, reading_failed, refusal, send, unusable, warm_up
from contentcaster.platforms.mastodon_instance import as_server_url
from contentcaster.platforms.plain import PlainConnector
from contentcaster.platforms.text import count
from contentcaster.security.egress import EgressClient, EgressResponse

NAME = "Telegram"
_TOKEN = re.compile(r"\d+:[A-Za-z0-9_-]{20,}")
_MAX_TEXT = 4096
_MAX_CAPTION = 1024
_MAX_VIDEO_BYTES = 20_000_000
"""Telegram takes 50 MB, but only within the call that posts it, which has seconds, not minutes."""


class TelegramCredentials(BaseModel):
    """A bot made with @BotFather that is an administrator of the channel."""

    model_config = ConfigDict(extra="forbid")

    bot_token: SecretStr = Field(
        title="Bot token",
        description="From @BotFather. Add the bot to your channel as an administrator who may post.",
    )

    @field_validator("bot_token")
    @classmethod
    def _looks_like_a_token(cls, value: SecretStr) -> SecretStr:
        if not _TOKEN.fullmatch(value.get_secret_value().strip()):
            raise ValueError("This is no bot token. It looks like 123456:ABC-DEF and has no spaces.")
        return value

    chat: str = Field(
        title="Channel or group",
        description="Its public name, or its number if it has none.",
        min_length=2,
        max_length=100,
        json_schema_extra={"placeholder": "@acme_news"},
    )
    api_url: str = Field(
        default="https://api.telegram.org",
        title="Bot API server",
        description="Keep this unless you run a Bot API server of your own.",
        max_length=255,
    )


class TelegramConnector(PlainConnector):
    capabilities: ClassVar[Capabilities] = Capabilities(
        platform="telegram",
        name=NAME,
        color="#229ed9",
        text=TextRule(_MAX_TEXT, TextUnit.UTF16, max_length_with_media=_MAX_CAPTION),
        media=MediaRule(
            10,
            10_000_000,
            ("image/jpeg", "image/png", "image/webp"),
            0,
            max_videos=1,
            max_video_bytes=_MAX_VIDEO_BYTES,
            video_types=("video/mp4",),
        ),
        idempotency=Idempotency.NONE,
        features=frozenset(
            {Feature.IMAGES, Feature.VIDEO, Feature.THREAD, Feature.FIRST_COMMENT, Feature.DELETE}
        ),
        docs_url="https://core.telegram.org/bots/api",
        proven_on="a twin by the Bot API 10.1",
    )
    Credentials: ClassVar[type[BaseModel]] = TelegramCredentials

    async def verify(self, credentials: BaseModel, client: EgressClient) -> tuple[Identity, dict[str, Any]]:
        assert isinstance(credentials, TelegramCredentials)
        stored = {
            "instance_url": as_server_url(credentials.api_url),
            "bot_token": credentials.bot_token.get_secret_value().strip(),
            "chat": credentials.chat.strip(),
        }
        return await self._identify(client, stored), stored

    async def check(self, channel: Channel) -> Identity:
        return await self._identify(channel.client, channel.credentials)

    async def _identify(self, client: EgressClient, stored: dict[str, Any]) -> Identity:
        response = await send(client, "GET", _url(stored, "getMe"))
        if response.status in (401, 404):
            raise Reauthorise("Telegram does not accept this bot token.", **about(response))
        bot = _result(response)
        if not isinstance(bot, dict) or "id" not in bot:
            raise reading_failed(NAME, response)
        response = await send(client, "POST", _url(stored, "getChat"), json={"chat_id": stored["chat"]})
        chat = _result(response)
        if response.status in (400, 403):
            raise Rejected(
                f"The bot cannot see {stored['chat']}. Add it there as an administrator who may post.",
                **about(response),
            )
        if not isinstance(chat, dict) or "id" not in chat:
            raise reading_failed(NAME, response)
        username = str(chat.get("username") or "")
        return Identity(
            remote_id=str(chat["id"]),
            handle=f"@{username}" if username else str(chat.get("title") or stored["chat"])[:255],
            display_name=str(chat.get("title") or ""),
            profile_url=f"https://t.me/{username}" if username else "",
        )

    async def prepare(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> dict[str, Any]:
        if post.media and count(post.text, TextUnit.UTF16) > _MAX_CAPTION:
            raise Rejected(f"With a picture or video, Telegram takes {_MAX_CAPTION:,} characters of text.")
        await warm_up(channel.client, channel.credentials["instance_url"])
        return progress

    async def publish(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> RemotePost:
        fields: dict[str, Any] = {"chat_id": channel.credentials["chat"]}
        if post.reply_to is not None:
            fields["reply_parameters"] = {"message_id": int(post.reply_to.extra["message_ids"][0])}
        if not post.media:
            response = await self._call("sendMessage", fields | {"text": post.text}, channel)
        elif post.media[0].is_video:
            video = post.media[0]
            fields |= {"caption": post.text, "width": video.width, "height": video.height}
            fields |= {"duration": round(video.duration_seconds), "supports_streaming": True}
            response = await self._call("sendVideo", fields, channel, {"video": await _file(post, 0)})
        elif len(post.media) == 1:
            files = {"photo": await _file(post, 0)}
            response = await self._call("sendPhoto", fields | {"caption": post.text}, channel, files)
        else:
            files = {f"photo{n}": await _file(post, n) for n in range(len(post.media))}
            group = [{"type": "photo", "media": f"attach://{name}"} for name in files]
            group[0] |= {"caption": post.text}
            response = await self._call("sendMediaGroup", fields | {"media": group}, channel, files)
        messages = _result(response)
        messages = messages if isinstance(messages, list) else [messages]
        if messages and all(isinstance(m, dict) and isinstance(m.get("message_id"), int) for m in messages):
            return _remote([m["message_id"] for m in messages], messages[0], channel)
        raise await self._refusal(response, channel)

    async def _call(
        self, method: str, fields: dict[str, Any], channel: Channel, files: dict[str, Any] | None = None
    ) -> EgressResponse:
        url = _url(channel.credentials, method)
        if files is None:
            return await send(channel.client, "POST", url, json=fields)
        form = {key: value if isinstance(value, str) else json.dumps(value) for key, value in fields.items()}
        return await send(channel.client, "POST", url, data=form, files=files)

    async def _refusal(self, response: EgressResponse, channel: Channel) -> ConnectorError:
        body = json_object(response)
        reason = str(body.get("description") or "")
        parameters = body.get("parameters")
        moved = parameters.get("migrate_to_chat_id") if isinstance(parameters, dict) else None
        if response.status == 400 and isinstance(moved, int):
            channel.credentials["chat"] = str(moved)
            await channel.save_credentials(dict(channel.credentials), None)
            return TemporarilyRejected(
                "The group has become a supergroup; its new number is kept.", **about(response)
            )
        if body.get("ok") is not False and response.status < 500:
            return unusable(NAME, response)
        if response.status == 404:
            return refusal(NAME, response, reason, reauthorise=(404,))
        return refusal(NAME, response, reason)

    async def find_own_post(self, post: OutgoingPost, channel: Channel, first_sent_at: datetime) -> Lookup:
        return Lookup(note="A Telegram bot cannot read a channel back. Please look there.")

    async def delete(self, remote: RemotePost, channel: Channel) -> None:
        fields = {"chat_id": channel.credentials["chat"], "message_ids": remote.extra["message_ids"]}
        response = await self._call("deleteMessages", fields, channel)
        reason = str(json_object(response).get("description") or "")
        if _result(response) is True or "message to delete not found" in reason:
            return
        raise await self._refusal(response, channel)


async def _file(post: OutgoingPost, number: int) -> tuple[str, bytes, str]:
    media = post.media[number]
    return media.path.name, await asyncio.to_thread(media.path.read_bytes), media.mime_type


def _remote(ids: list[int], message: dict[str, Any], channel: Channel) -> RemotePost:
    found = message.get("chat")
    chat: dict[str, Any] = found if isinstance(found, dict) else {}
    username, number = chat.get("username"), str(chat.get("id") or channel.remote_id)
    if username:
        url = f"https://t.me/{username}/{ids[0]}"
    elif number.startswith("-100"):
        url = f"https://t.me/c/{number[4:]}/{ids[0]}"
    else:
        url = ""
    return RemotePost(id=f"{number}/{ids[0]}", url=url, extra={"message_ids": ids})


def _result(response: EgressResponse) -> Any:
    """`result` of {"ok": true, "result": ...}; None for anything else. The body counts before the status."""
    body = json_object(response)
    return body.get("result") if body.get("ok") is True else None


def _url(stored: dict[str, Any], method: str) -> str:
    return f"{stored['instance_url']}/bot{stored['bot_token']}/{method}"
