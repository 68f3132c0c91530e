"""Mastodon, and other servers that speak its client API.

Sources: docs.joinmastodon.org (methods/statuses, methods/media, methods/instance, api/rate-limits, api/guidelines),
the published OpenAPI description of Mastodon 4.7, and nodeinfo (nodeinfo.diaspora.software). Mastodon keeps an
Idempotency-Key for one hour and only once the post exists; other software with this API mostly ignores the header, so
it counts only where nodeinfo says "mastodon". Elsewhere, and later, the own statuses are looked through.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, ClassVar

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
    OutcomeUnknown,
    OutgoingMedia,
    OutgoingPost,
    Reauthorise,
    Rejected,
    RemotePost,
    TemporarilyRejected,
    TextRule,
    TextUnit,
)
from contentcaster.platforms.calls import (
    about,
    as_sentence,
    json_object,
    rate_limited,
    reading_failed,
    send,
    unusable,
    warm_up,
)
from contentcaster.platforms.mastodon_instance import as_server_url, read_limits, server_host
from contentcaster.platforms.mastodon_lookup import find_status
from contentcaster.platforms.uploads import multipart, upload_seconds
from contentcaster.security.egress import EgressClient, EgressResponse

_TRUSTED_KEY_LIFE = timedelta(minutes=50)  # Mastodon keeps it 60; clocks and queues get the rest
_PROCESSING_SECONDS = 60.0
_VIDEO_PROCESSING_SECONDS = 900.0  # the server makes its own versions of a video, in its own time
_IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")


class MastodonCredentials(BaseModel):
    """An access token of an application that the person made on their server under Preferences, Development."""

    model_config = ConfigDict(extra="forbid")

    instance_url: str = Field(
        title="Server",
        description="The address of the server your account is on.",
        min_length=1,
        max_length=255,
        json_schema_extra={"placeholder": "https://mastodon.social"},
    )
    access_token: SecretStr = Field(
        title="Access token",
        description="On your server: Preferences, Development, New application, with the scopes read and write.",
        min_length=1,
        max_length=2000,
    )


class MastodonConnector:
    capabilities: ClassVar[Capabilities] = Capabilities(
        platform="mastodon",
        name="Mastodon",
        color="#6364ff",
        text=TextRule(
            500, TextUnit.GRAPHEMES, url_length=23, ignores_mention_domain=True, counts_content_warning=True
        ),
        media=MediaRule(
            4,
            16_777_216,
            _IMAGE_TYPES,
            1500,
            max_videos=1,
            max_video_bytes=103_809_024,
            video_types=("video/mp4", "video/quicktime", "video/webm"),
        ),
        idempotency=Idempotency.SERVER_KEY,
        features=frozenset(
            {
                Feature.IMAGES,
                Feature.VIDEO,
                Feature.ALT_TEXT,
                Feature.THREAD,
                Feature.FIRST_COMMENT,
                Feature.CONTENT_WARNING,
                Feature.VISIBILITY,
                Feature.LANGUAGE,
                Feature.DELETE,
                Feature.LIKE,
                Feature.REPLY,
                Feature.REPOST,
                Feature.FOLLOW,
                Feature.SEARCH,
                Feature.METRICS,
            }
        ),
        key_life_seconds=_TRUSTED_KEY_LIFE.total_seconds(),
        can_look_up=True,
        docs_url="https://docs.joinmastodon.org/client/token/",
        proven_on="the sandbox, as Mastodon and as other software",
    )
    Credentials: ClassVar[type[BaseModel]] = MastodonCredentials

    def new_client_ref(self, idempotency_key: str, scheduled_at: datetime) -> str:
        return ""

    def text_rule(self, limits: dict[str, Any]) -> TextRule:
        default = self.capabilities.text
        return TextRule(
            int(limits.get("max_characters") or default.max_length),
            TextUnit.GRAPHEMES,
            url_length=int(limits.get("url_length") or default.url_length or 23),
            ignores_mention_domain=True,
            counts_content_warning=True,
        )

    def resend_is_safe(self, limits: dict[str, Any], first_sent_at: datetime, now: datetime) -> bool:
        """Only real Mastodon remembers our key, and only for an hour."""
        age = now - first_sent_at
        return limits.get("software") == "mastodon" and timedelta(0) <= age < _TRUSTED_KEY_LIFE

    # ── connecting ──────────────────────────────────────────────────────────────────────────────────────────

    async def verify(self, credentials: BaseModel, client: EgressClient) -> tuple[Identity, dict[str, Any]]:
        assert isinstance(credentials, MastodonCredentials)
        url = as_server_url(credentials.instance_url)
        token = credentials.access_token.get_secret_value()
        identity = await self._identify(client, url, token)
        return identity, {"instance_url": url, "access_token": token}

    async def check(self, channel: Channel) -> Identity:
        return await self._identify(channel.client, _url(channel), channel.credentials["access_token"])

    async def _identify(self, client: EgressClient, url: str, token: str) -> Identity:
        response = await send(
            client, "GET", f"{url}/api/v1/accounts/verify_credentials", headers=_authorization(token)
        )
        account = json_object(response)
        if response.status in (401, 403):
            raise Reauthorise(f"{server_host(url)} does not accept this access token.", **about(response))
        if response.status == 429:
            raise rate_limited(server_host(url), response)
        if response.status >= 500:
            raise reading_failed(server_host(url), response)
        if not response.is_success or not account.get("id") or not account.get("acct"):
            raise Rejected(
                f"{server_host(url)} does not speak the Mastodon API. Check the address of the server.",
                **about(response),
            )
        limits = await read_limits(client, url)
        return Identity(
            remote_id=str(account["id"]),
            handle=self._handle(str(account["acct"]), str(limits.get("domain") or server_host(url))),
            display_name=str(account.get("display_name") or ""),
            profile_url=str(account.get("url") or ""),
            limits=limits,
        )

    def _handle(self, name: str, domain: str) -> str:
        return f"@{name}@{domain}"

    # ── publishing ──────────────────────────────────────────────────────────────────────────────────────────

    async def prepare(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> dict[str, Any]:
        uploaded: dict[str, str] = dict(progress.get("media_ids", {}))
        if post.media:
            progress["media_ids"] = uploaded
        for media in post.media:
            known = uploaded.get(media.media_id)
            if known is not None and await self._is_still_there(channel, known):
                continue
            uploaded[media.media_id] = await self._upload(media, channel)
        for media in post.media:
            await self._await_processing(media, uploaded[media.media_id], channel)
        await warm_up(channel.client, _url(channel))
        return progress

    async def publish(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> RemotePost:
        headers = _authorization(channel.credentials["access_token"])
        headers["Idempotency-Key"] = post.idempotency_key
        response = await send(
            channel.client,
            "POST",
            f"{_url(channel)}/api/v1/statuses",
            headers=headers,
            json=self._status(post, progress),
        )
        body = json_object(response)
        if response.is_success and isinstance(body.get("id"), str | int) and "content" in body:
            return RemotePost(id=str(body["id"]), url=str(body.get("url") or body.get("uri") or ""))
        raise self._refusal(response, post)

    def _status(self, post: OutgoingPost, progress: dict[str, Any]) -> dict[str, Any]:
        warning = post.options.get("content_warning") or ""
        status: dict[str, Any] = {
            "status": post.text,
            "visibility": post.options.get("visibility") or "public",
        }
        if post.media:
            status["media_ids"] = [progress["media_ids"][media.media_id] for media in post.media]
        if warning:
            status |= {"spoiler_text": warning, "sensitive": bool(post.media)}
        if post.options.get("language"):
            status["language"] = post.options["language"]
        if post.reply_to is not None:
            status["in_reply_to_id"] = post.reply_to.id
        return status

    def _refusal(self, response: EgressResponse, post: OutgoingPost) -> ConnectorError:
        """What an answer to POST /statuses other than a post means."""
        name, body = self.capabilities.name, json_object(response)
        reason, details = str(body.get("error") or "")[:300], about(response)
        status = response.status
        if status == 429:
            return rate_limited(name, response)
        if status == 401:
            return Reauthorise(
                f"{name} no longer accepts the access token. Connect the channel again.", **details
            )
        if status == 403 and "scope" in reason.lower():
            return Reauthorise(
                f"The access token may not post on {name}. Connect with a token that has the scope write.",
                **details,
            )
        if status == 422 and "not finished processing" in reason:
            return TemporarilyRejected(f"{name} is still processing the pictures or the video.", **details)
        if status == 404 and post.reply_to is not None:
            return Rejected("The post that this one continues is no longer there.", **details)
        if status == 413:
            return Rejected(f"{name} finds this post too large.", **details)
        if 300 <= status < 400:
            return Rejected(f"The server of this {name} channel has moved. Connect it again.", **details)
        if status == 408 or status >= 500 or status < 400:
            return unusable(name, response)
        if not reason:
            # Not Mastodon's own words: a gate in front of it turned us away before the post reached it.
            return TemporarilyRejected(f"{name} turned the request away ({status}).", **details)
        return Rejected(
            f"{name} refuses this post: {as_sentence(reason.removeprefix('Validation failed: '))}", **details
        )

    # ── media ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _upload(self, media: OutgoingMedia, channel: Channel) -> str:
        body, content_type = multipart({"description": media.alt} if media.alt else {}, "file", media)
        response = await send(
            channel.client,
            "POST",
            f"{_url(channel)}/api/v2/media",
            headers=_authorization(channel.credentials["access_token"]) | {"Content-Type": content_type},
            content=body,
            deadline_seconds=upload_seconds(media.size_bytes),
        )
        answer = json_object(response)
        if response.status in (200, 202) and isinstance(answer.get("id"), str | int):
            return str(answer["id"])
        raise self._media_refusal(response)

    async def _is_still_there(self, channel: Channel, media_id: str) -> bool:
        """Servers drop uploads that no post uses within a day."""
        return (await self._media(channel, media_id)).status != 404

    async def _await_processing(self, media: OutgoingMedia, media_id: str, channel: Channel) -> None:
        wait, patience = 0.2, _VIDEO_PROCESSING_SECONDS if media.is_video else _PROCESSING_SECONDS
        deadline = asyncio.get_running_loop().time() + patience
        while True:
            response = await self._media(channel, media_id)
            body = json_object(response)
            if response.status == 200 and (body.get("url") or body.get("preview_url")):
                return
            if response.status not in (200, 206):
                raise self._media_refusal(response)
            if asyncio.get_running_loop().time() > deadline:
                what = "video" if media.is_video else "picture"
                raise TemporarilyRejected(
                    f"{self.capabilities.name} is still processing a {what}.",
                    **about(response),
                )
            await asyncio.sleep(wait)
            wait = min(wait * 1.5, 5.0 if media.is_video else 2.0)

    async def _media(self, channel: Channel, media_id: str) -> EgressResponse:
        headers = _authorization(channel.credentials["access_token"])
        return await send(channel.client, "GET", f"{_url(channel)}/api/v1/media/{media_id}", headers=headers)

    def _media_refusal(self, response: EgressResponse) -> ConnectorError:
        name, reason = self.capabilities.name, str(json_object(response).get("error") or "")[:300]
        if response.status == 429:
            return rate_limited(name, response)
        if response.status in (401, 403):
            return Reauthorise(
                f"{name} does not let this access token upload pictures and videos.", **about(response)
            )
        if response.status == 413:
            return Rejected(f"A picture or video is too large for {name}.", **about(response))
        if response.status in (400, 404, 415, 422) and reason:
            return Rejected(
                f"{name} refuses a picture or video: {reason.removeprefix('Validation failed: ')}",
                **about(response),
            )
        return unusable(name, response)

    # ── afterwards ──────────────────────────────────────────────────────────────────────────────────────────

    async def find_own_post(self, post: OutgoingPost, channel: Channel, first_sent_at: datetime) -> Lookup:
        headers = _authorization(channel.credentials["access_token"])
        return await find_status(self.capabilities.name, post, channel, headers, _url(channel), first_sent_at)

    async def delete(self, remote: RemotePost, channel: Channel) -> None:
        response = await send(
            channel.client,
            "DELETE",
            f"{_url(channel)}/api/v1/statuses/{remote.id}",
            headers=_authorization(channel.credentials["access_token"]),
        )
        if response.status in (200, 204, 404, 410):
            return
        if response.status in (401, 403):
            raise Reauthorise(
                f"{self.capabilities.name} does not let this access token delete.", **about(response)
            )
        if response.status == 429:
            raise rate_limited(self.capabilities.name, response)
        if response.status >= 500:
            raise OutcomeUnknown("The server did not say whether the post was deleted.", **about(response))
        raise Rejected(f"{self.capabilities.name} refuses to delete this post.", **about(response))


def _authorization(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept": "application/json"}


def _url(channel: Channel) -> str:
    return str(channel.credentials.get("instance_url") or channel.instance_url).rstrip("/")
