"""Counts on Mastodon (docs.joinmastodon.org/methods/statuses: "View multiple statuses", 4.3; entities/Status).

Servers without that call are asked post by post.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from contentcaster.platforms.base import Channel, Reauthorise
from contentcaster.platforms.calls import about, json_object, reading_failed, send
from contentcaster.platforms.metrics import PostCounts, added, count
from contentcaster.security.egress import EgressResponse

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HAS_NO_SUCH_CALL = (400, 404, 405, 422)


class MastodonMetrics:
    batch_size = 20

    async def counts(self, remote_ids: Sequence[str], channel: Channel) -> dict[str, PostCounts]:
        ids = [remote_id for remote_id in remote_ids if _ID.fullmatch(remote_id)]
        if not ids:
            return {}
        response = await _get(channel, "/api/v1/statuses", params={"id[]": ids})
        if response.status in _HAS_NO_SUCH_CALL:
            return await self._one_by_one(ids, channel)
        _require_success(response)
        return {str(row["id"]): _counts(row) for row in _rows(response) if str(row.get("id")) in ids}

    async def _one_by_one(self, ids: Sequence[str], channel: Channel) -> dict[str, PostCounts]:
        found = {}
        for remote_id in ids:
            response = await _get(channel, f"/api/v1/statuses/{remote_id}")
            if response.status in (404, 410):
                continue
            _require_success(response)
            found[remote_id] = _counts(json_object(response))
        return found

    async def followers(self, channel: Channel) -> int | None:
        response = await _get(channel, "/api/v1/accounts/verify_credentials")
        _require_success(response)
        return count(json_object(response).get("followers_count"))


def _counts(status: dict[str, Any]) -> PostCounts:
    return PostCounts(
        likes=count(status.get("favourites_count")),
        reposts=added(count(status.get("reblogs_count")), count(status.get("quotes_count"))),
        replies=count(status.get("replies_count")),
    )


async def _get(channel: Channel, path: str, **more: Any) -> EgressResponse:
    base = str(channel.credentials.get("instance_url") or channel.instance_url).rstrip("/")
    headers = {"Authorization": f"Bearer {channel.credentials['access_token']}", "Accept": "application/json"}
    return await send(channel.client, "GET", base + path, headers=headers, **more)


def _require_success(response: EgressResponse) -> None:
    if response.is_success:
        return
    if response.status in (401, 403):
        raise Reauthorise("The server no longer accepts the access token of this channel.", **about(response))
    raise reading_failed("The server", response)


def _rows(response: EgressResponse) -> list[dict[str, Any]]:
    try:
        body = response.json()
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, list):
        raise reading_failed("The server", response)
    return [row for row in body if isinstance(row, dict)]
