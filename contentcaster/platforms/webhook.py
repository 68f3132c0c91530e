"""A signed webhook: posts go as JSON to an address of the operator's own.

The signature follows Standard Webhooks (standardwebhooks.com): `webhook-id`, `webhook-timestamp` and
`webhook-signature: v1,BASE64(HMAC-SHA256(secret, "id.timestamp.body"))`. `webhook-id` is the same for every delivery
of one post, so a receiver can drop repeats; whether it does is not known here, so a post is sent at most once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from contentcaster.clock import utc_now
from contentcaster.platforms.base import (
    Capabilities,
    Channel,
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
from contentcaster.platforms.bluesky_record import timestamp
from contentcaster.platforms.calls import about, json_object, reading_failed, refusal, send, warm_up
from contentcaster.platforms.plain import PlainConnector
from contentcaster.security.egress import EgressClient, EgressResponse

NAME = "Webhook"


class WebhookCredentials(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: SecretStr = Field(
        title="Address",
        description="Where posts are sent. A test event is sent at once and must be answered with 2xx.",
        min_length=8,
        max_length=1000,
    )
    secret: SecretStr = Field(
        title="Signing secret",
        description="Shared with the receiver; at least 16 characters, or whsec_ and base64.",
        min_length=16,
        max_length=500,
    )
    name: str = Field(
        title="Name", description="How the channel is called here.", min_length=1, max_length=80
    )


class WebhookConnector(PlainConnector):
    capabilities: ClassVar[Capabilities] = Capabilities(
        platform="webhook",
        name=NAME,
        color="#71717a",
        text=TextRule(100_000, is_required=True),
        media=MediaRule(),
        idempotency=Idempotency.NONE,
        features=frozenset({Feature.THREAD, Feature.CONTENT_WARNING, Feature.VISIBILITY, Feature.LANGUAGE}),
        docs_url="https://www.standardwebhooks.com/",
        proven_on="a receiver by Standard Webhooks",
    )
    Credentials: ClassVar[type[BaseModel]] = WebhookCredentials

    async def verify(self, credentials: BaseModel, client: EgressClient) -> tuple[Identity, dict[str, Any]]:
        assert isinstance(credentials, WebhookCredentials)
        stored = {
            "url": credentials.url.get_secret_value().strip(),
            "secret": credentials.secret.get_secret_value().strip(),
            "name": credentials.name.strip(),
        }
        if urlsplit(stored["url"]).scheme not in ("http", "https"):
            raise Rejected("The address of a webhook starts with https://.")
        return await self._identify(client, stored), stored

    async def check(self, channel: Channel) -> Identity:
        return await self._identify(channel.client, channel.credentials)

    async def _identify(self, client: EgressClient, stored: dict[str, Any]) -> Identity:
        event = {"type": "ping", "timestamp": timestamp(utc_now())}
        response = await self._deliver(client, stored, f"ping_{time.time_ns()}", event)
        if response.status in (401, 403, 404, 410):
            raise Reauthorise(
                "The receiver turns the test event away. Check address and secret.", **about(response)
            )
        if not response.is_success:
            raise reading_failed("The receiver", response)
        host = urlsplit(stored["url"]).netloc
        digest = hashlib.sha256(stored["url"].encode()).hexdigest()[:16]
        return Identity(remote_id=f"{host}#{digest}"[:255], handle=stored["name"], display_name=host)

    async def _deliver(
        self, client: EgressClient, stored: dict[str, Any], event_id: str, event: dict[str, Any]
    ) -> EgressResponse:
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        headers = sign(stored["secret"], event_id, int(time.time()), body)
        return await send(
            client,
            "POST",
            stored["url"],
            headers=headers | {"Content-Type": "application/json"},
            content=body,
        )

    async def prepare(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> dict[str, Any]:
        await warm_up(channel.client, channel.credentials["url"])
        return progress

    async def publish(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> RemotePost:
        options = {key: value for key, value in post.options.items() if value}
        data = {"id": post.idempotency_key, "text": post.text, **options}
        if post.reply_to is not None:
            data["in_reply_to"] = post.reply_to.id
        event = {"type": "post.published", "timestamp": timestamp(post.created_at), "data": data}
        response = await self._deliver(channel.client, channel.credentials, post.idempotency_key, event)
        if response.is_success:
            answer = json_object(response)
            url = answer.get("url")
            return RemotePost(
                id=str(answer.get("id") or f"webhook:{post.idempotency_key}")[:255],
                url=url if isinstance(url, str) and url.startswith(("https://", "http://")) else "",
            )
        reason = f"status {response.status}"
        raise refusal("The receiver", response, reason, reauthorise=(401, 403, 410))

    async def find_own_post(self, post: OutgoingPost, channel: Channel, first_sent_at: datetime) -> Lookup:
        return Lookup(note="A webhook cannot be read back. Please look at the receiver.")

    async def delete(self, remote: RemotePost, channel: Channel) -> None:
        raise Rejected("A webhook cannot take anything back. Delete it at the receiver.")


def sign(secret: str, event_id: str, timestamp_seconds: int, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks."""
    key = secret.encode()
    if secret.startswith("whsec_"):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            key = secret.encode()
    signed = f"{event_id}.{timestamp_seconds}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp_seconds),
        "webhook-signature": f"v1,{signature}",
    }
