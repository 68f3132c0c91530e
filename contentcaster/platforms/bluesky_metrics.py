"""Counts on Bluesky (lexicons app.bsky.feed.getPosts, at most 25 a call, and app.bsky.actor.getProfile)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contentcaster.platforms.base import Channel, Reauthorise
from contentcaster.platforms.bluesky_session import access_token, is_token_refusal
from contentcaster.platforms.calls import about, json_object, reading_failed, send
from contentcaster.platforms.metrics import PostCounts, added, count


class BlueskyMetrics:
    batch_size = 25

    async def counts(self, remote_ids: Sequence[str], channel: Channel) -> dict[str, PostCounts]:
        uris = [uri for uri in remote_ids if uri.startswith("at://")]
        if not uris:
            return {}
        posts = (await _get(channel, "app.bsky.feed.getPosts", uris=uris)).get("posts")
        rows = [row for row in posts if isinstance(row, dict)] if isinstance(posts, list) else []
        return {str(row.get("uri")): _counts(row) for row in rows if row.get("uri") in uris}

    async def followers(self, channel: Channel) -> int | None:
        profile = await _get(channel, "app.bsky.actor.getProfile", actor=channel.credentials["did"])
        return count(profile.get("followersCount"))


def _counts(post: dict[str, Any]) -> PostCounts:
    return PostCounts(
        likes=count(post.get("likeCount")),
        reposts=added(count(post.get("repostCount")), count(post.get("quoteCount"))),
        replies=count(post.get("replyCount")),
    )


async def _get(channel: Channel, call: str, **params: Any) -> dict[str, Any]:
    base = str(channel.credentials.get("pds_url") or channel.credentials["service_url"])
    token = await access_token(channel)
    for _ in range(2):
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        response = await send(channel.client, "GET", f"{base}/xrpc/{call}", headers=headers, params=params)
        if not is_token_refusal(response):
            break
        token = await access_token(channel, refused=token)
    if response.is_success:
        return json_object(response)
    if is_token_refusal(response):
        raise Reauthorise("Bluesky no longer accepts this channel. Connect it again.", **about(response))
    raise reading_failed("Bluesky", response)
