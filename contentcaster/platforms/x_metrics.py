"""Counts on X (OpenAPI 2.167: GET /2/tweets with post.fields=public_metrics, at most 100 ids; GET /2/users/me)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contentcaster.platforms import x_api
from contentcaster.platforms.base import Channel
from contentcaster.platforms.calls import json_object
from contentcaster.platforms.metrics import PostCounts, added, count


class XMetrics:
    batch_size = 100

    async def counts(self, remote_ids: Sequence[str], channel: Channel) -> dict[str, PostCounts]:
        ids = [remote_id for remote_id in remote_ids if remote_id.isdigit()]
        if not ids:
            return {}
        params = {"ids": ",".join(ids), "post.fields": "public_metrics"}
        response = await x_api.call(channel, "GET", "/2/tweets", params=params)
        body = json_object(response)
        posts = body.get("data", [])  # absent where X shows none of them
        if not response.is_success or not isinstance(posts, list) or not ("data" in body or "errors" in body):
            raise x_api.reading_failed(response)
        return {
            str(post["id"]): _counts(post)
            for post in posts
            if isinstance(post, dict) and str(post.get("id")) in ids
        }

    async def followers(self, channel: Channel) -> int | None:
        response = await x_api.call(channel, "GET", "/2/users/me", params={"user.fields": "public_metrics"})
        user = json_object(response).get("data")
        if not response.is_success or not isinstance(user, dict):
            raise x_api.reading_failed(response)
        return count(_metrics(user).get("followers_count"))


def _counts(post: dict[str, Any]) -> PostCounts:
    metrics = _metrics(post)
    # The description calls them reposts; answers are still seen with the old word.
    reposts = metrics.get("repost_count", metrics.get("retweet_count"))
    return PostCounts(
        likes=count(metrics.get("like_count")),
        reposts=added(count(reposts), count(metrics.get("quote_count"))),
        replies=count(metrics.get("reply_count")),
        views=count(metrics.get("impression_count")),
    )


def _metrics(thing: dict[str, Any]) -> dict[str, Any]:
    metrics = thing.get("public_metrics")
    return metrics if isinstance(metrics, dict) else {}
