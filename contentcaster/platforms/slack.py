"""Slack: posts through an incoming webhook.

Source: docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (200 with the text "ok"; 4xx with an error
word as plain text) and docs.slack.dev/messaging/formatting-message-text (escape &, <, >). The answer carries no id,
there is no key against repeats and no read-back: at most once, and on doubt a person decides. The address is the
password.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from contentcaster.platforms.base import (
    Capabilities,
    Channel,
    ConnectorError,
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
from contentcaster.platforms.calls import about, reading_failed, refusal, send, warm_up
from contentcaster.platforms.plain import PlainConnector
from contentcaster.security.egress import EgressClient, EgressResponse

NAME = "Slack"
_PATH = re.compile(r"/services/([A-Z0-9]+)/([A-Z0-9]+)/[A-Za-z0-9]+")
_GONE = ("no_service", "no_service_id", "no_team", "team_disabled", "invalid_token", "no_active_hooks")
_NOTHING_TO_SAY = ("no_text", "missing_text_or_fallback_or_attachments", "invalid_payload")


class SlackCredentials(BaseModel):
    model_config = ConfigDict(extra="forbid")

    webhook_url: SecretStr = Field(
        title="Webhook address",
        description="In Slack: your app, Incoming Webhooks, Add New Webhook. It belongs to one channel.",
        min_length=20,
        max_length=500,
    )
    name: str = Field(
        title="Name",
        description="How the channel is called here; Slack does not tell.",
        min_length=1,
        max_length=80,
        json_schema_extra={"placeholder": "#announcements"},
    )


class SlackConnector(PlainConnector):
    capabilities: ClassVar[Capabilities] = Capabilities(
        platform="slack",
        name=NAME,
        color="#611f69",
        text=TextRule(40_000, is_required=True),
        media=MediaRule(),
        idempotency=Idempotency.NONE,
        features=frozenset(),
        docs_url="https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks",
        proven_on="a twin by docs.slack.dev",
    )
    Credentials: ClassVar[type[BaseModel]] = SlackCredentials

    async def verify(self, credentials: BaseModel, client: EgressClient) -> tuple[Identity, dict[str, Any]]:
        assert isinstance(credentials, SlackCredentials)
        url = credentials.webhook_url.get_secret_value().strip()
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not _PATH.fullmatch(parts.path) or parts.query:
            raise Rejected(
                "This is no Slack webhook. It looks like https://hooks.slack.com/services/T0/B0/xyz."
            )
        stored = {"webhook_url": url, "name": credentials.name.strip()}
        return await self._identify(client, stored), stored

    async def check(self, channel: Channel) -> Identity:
        return await self._identify(channel.client, channel.credentials)

    async def _identify(self, client: EgressClient, stored: dict[str, Any]) -> Identity:
        """A message without content is refused by a webhook that exists, so it shows that without posting."""
        response = await send(client, "POST", stored["webhook_url"], json={})
        word = response.text.strip()
        if word in _GONE or response.status in (403, 404, 410):
            raise Reauthorise(
                "Slack does not know this webhook. It may have been removed.", **about(response)
            )
        if word not in _NOTHING_TO_SAY:
            raise reading_failed(NAME, response)
        path = _PATH.fullmatch(urlsplit(stored["webhook_url"]).path)
        assert path is not None
        return Identity(remote_id=f"{path.group(1)}/{path.group(2)}", handle=stored["name"])

    async def prepare(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> dict[str, Any]:
        await warm_up(channel.client, channel.credentials["webhook_url"])
        return progress

    async def publish(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> RemotePost:
        response = await send(
            channel.client, "POST", channel.credentials["webhook_url"], json={"text": escape(post.text)}
        )
        if response.status == 200 and response.text.strip() == "ok":
            # Slack gives no id; ours keeps the row's proof unique.
            return RemotePost(id=f"webhook:{post.idempotency_key}")
        raise self._refusal(response)

    def _refusal(self, response: EgressResponse) -> ConnectorError:
        word = response.text.strip()
        if word in _GONE:
            return Reauthorise(
                "Slack no longer knows this webhook. Connect the channel again.", **about(response)
            )
        is_word = re.fullmatch(r"[a-z_]{3,60}", word) is not None
        return refusal(NAME, response, word.replace("_", " ") if is_word else "", reauthorise=())

    async def find_own_post(self, post: OutgoingPost, channel: Channel, first_sent_at: datetime) -> Lookup:
        return Lookup(note="A Slack webhook cannot read its channel. Please look there.")

    async def delete(self, remote: RemotePost, channel: Channel) -> None:
        raise Rejected("A Slack webhook cannot delete messages. Delete it in Slack.")


def escape(text: str) -> str:
    """Slack's three control characters, so that no text can mention everyone or hide a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
