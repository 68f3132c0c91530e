"""X (formerly Twitter) by its API v2, with the operator's own app.

Sources: the published OpenAPI description 2.167 (paths, fields, problems); docs.x.com: OAuth 2.0 Authorization Code
Flow with PKCE (an access token lasts two hours, offline.access gives a refresh token that is good for one use),
Counting characters, Rate limits (x-rate-limit-*, and x-user-limit-24hour-* for the day); the answer to a repeat as seen
by others: 403 {"detail": "You are not allowed to create a Tweet with duplicate content."}; X's automation rules
(platforms/acts.py). X has no idempotency key, so an unknown outcome is looked up in the own timeline.

Videos follow docs.x.com, Chunked media upload and Best practices: H.264 in MP4 or MOV, half a second to 140 seconds,
one and no picture beside it; the longer ones of paying accounts are not covered, nor are GIFs, polls and long posts. X
keeps alt texts for pictures only.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from contentcaster.platforms import oauth_session, x_api, x_media
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
    RemotePost,
    TextRule,
    TextUnit,
)
from contentcaster.platforms.calls import about, json_object, send, warm_up
from contentcaster.platforms.plain import PlainConnector
from contentcaster.platforms.quotes import x_post_id
from contentcaster.platforms.x_lookup import find_post, remote_post
from contentcaster.security.egress import EgressClient, EgressResponse

NAME = x_api.NAME
_ME = {"user.fields": "name,username,id,protected,verified_type,subscription_type"}


class XCredentials(BaseModel):
    """Tokens that were made elsewhere; people connect by OAuth (x_oauth.py)."""

    model_config = ConfigDict(extra="forbid")

    access_token: SecretStr = Field(
        title="Access token",
        description="A user access token (OAuth 2.0) with tweet.read, tweet.write, users.read and media.write.",
        min_length=1,
        max_length=2000,
    )
    refresh_token: SecretStr = Field(
        default=SecretStr(""),
        title="Refresh token",
        description="Without one the login ends after two hours.",
        max_length=2000,
    )
    client_id: str = Field(
        default="",
        title="Client ID",
        description="Of the app that the tokens belong to; needed to renew them.",
        max_length=200,
    )
    client_secret: SecretStr = Field(
        default=SecretStr(""),
        title="Client secret",
        description="Of the same app, if it is a confidential client.",
        max_length=500,
    )


class XConnector(PlainConnector):
    capabilities: ClassVar[Capabilities] = Capabilities(
        platform="x",
        name=NAME,
        color="#0f1419",
        text=TextRule(280, TextUnit.WEIGHTED, url_length=23, counts_bare_domains=True),
        media=MediaRule(
            4,
            5_000_000,
            ("image/jpeg", "image/png", "image/webp"),
            1000,
            max_videos=1,
            max_video_bytes=512_000_000,
            max_video_seconds=140,
            min_video_seconds=0.5,
            video_types=("video/mp4", "video/quicktime"),
            video_codecs=("H.264",),
            max_video_alt_length=0,
        ),
        idempotency=Idempotency.LOOK_UP,
        features=frozenset(
            {
                Feature.IMAGES,
                Feature.VIDEO,
                Feature.ALT_TEXT,
                Feature.THREAD,
                Feature.FIRST_COMMENT,
                Feature.DELETE,
                Feature.METRICS,
                Feature.QUOTE,
            }
        ),
        can_look_up=True,
        docs_url="https://docs.x.com/fundamentals/authentication/oauth-2-0/user-access-token",
        proven_on="a twin by the OpenAPI description 2.167",
    )
    Credentials: ClassVar[type[BaseModel]] = XCredentials

    # ── connecting ──────────────────────────────────────────────────────────────────────────────────────────

    async def verify(self, credentials: BaseModel, client: EgressClient) -> tuple[Identity, dict[str, Any]]:
        assert isinstance(credentials, XCredentials)
        stored: dict[str, Any] = {
            "api_url": x_api.base_url(),
            "access_token": credentials.access_token.get_secret_value(),
            "refresh_token": credentials.refresh_token.get_secret_value(),
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret.get_secret_value(),
        }
        return await identify(client, stored), stored

    async def check(self, channel: Channel) -> Identity:
        response = await x_api.call(channel, "GET", "/2/users/me", params=_ME)
        if response.status == 401:  # the token was renewed a moment ago
            response = await x_api.call(channel, "GET", "/2/users/me", params=_ME)
        return _identity(response, channel.credentials)

    async def renew_ahead(self, channel: Channel) -> bool:
        return await x_api.renew_ahead(channel)

    # ── publishing ──────────────────────────────────────────────────────────────────────────────────────────

    async def prepare(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> dict[str, Any]:
        await x_api.ensure_token(channel)
        uploaded: dict[str, Any] = dict(progress.get("media", {}))
        if post.media:
            progress["media"] = uploaded
        for media in post.media:
            if not x_media.is_usable(uploaded.get(media.media_id)):
                await x_media.upload(media, channel, uploaded)
        await warm_up(channel.client, channel.credentials["api_url"])
        return progress

    async def publish(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> RemotePost:
        body: dict[str, Any] = {"text": post.text} if post.text else {}
        if post.media:
            body["media"] = {"media_ids": [progress["media"][media.media_id]["id"] for media in post.media]}
        if post.reply_to is not None:
            body["reply"] = {"in_reply_to_tweet_id": post.reply_to.id}
        if quoted := x_post_id(str(post.options.get("quote") or "")):
            body["quote_tweet_id"] = quoted
        response = await x_api.call(channel, "POST", "/2/tweets", json=body)
        created = json_object(response).get("data")
        if response.is_success and isinstance(created, dict) and str(created.get("id") or "").isdigit():
            thread = {}
            if post.reply_to is not None:
                thread["conversation_id"] = post.reply_to.extra.get("conversation_id") or post.reply_to.id
            return remote_post({**created, **thread}, channel.handle)
        raise x_api.refusal(response, is_reply=post.reply_to is not None)

    # ── afterwards ──────────────────────────────────────────────────────────────────────────────────────────

    async def find_own_post(self, post: OutgoingPost, channel: Channel, first_sent_at: datetime) -> Lookup:
        return await find_post(post, channel, first_sent_at)

    async def delete(self, remote: RemotePost, channel: Channel) -> None:
        response = await x_api.call(channel, "DELETE", f"/2/tweets/{remote.id}")
        if not response.is_success and response.status not in (404, 410):
            raise x_api.refusal(response)


async def identify(client: EgressClient, stored: dict[str, Any]) -> Identity:
    """Whose access token this is."""
    headers = {"Authorization": f"Bearer {stored['access_token']}", "Accept": "application/json"}
    response = await send(client, "GET", f"{stored['api_url']}/2/users/me", params=_ME, headers=headers)
    return _identity(response, stored)


def _identity(response: EgressResponse, stored: dict[str, Any]) -> Identity:
    user = json_object(response).get("data")
    if response.status in (401, 403):
        reason = x_api.reason_of(response)
        raise Reauthorise(
            f"X does not accept this login{': ' + reason if reason else '.'}", **about(response)
        )
    if not response.is_success or not isinstance(user, dict):
        raise x_api.reading_failed(response)
    name = str(user.get("username") or "")
    if not str(user.get("id") or "").isdigit() or not name:
        raise x_api.reading_failed(response)
    limits = {"scopes": list(stored.get("scopes") or []), "is_protected": bool(user.get("protected"))}
    return Identity(
        remote_id=str(user["id"]),
        handle=f"@{name}",
        display_name=str(user.get("name") or ""),
        profile_url=f"https://x.com/{name}",
        limits={key: value for key, value in limits.items() if value},
        token_expires_at=oauth_session.login_ends_at(stored),
    )
