"""Counts of a page's posts on LinkedIn, by Organization Share Statistics and Organization Follower Statistics.

Source: learn.microsoft.com/linkedin, Community Management (`organizationalEntityShareStatistics` with `shares` and
`ugcPosts`, needs rw_organization_admin and the role Administrator, organic numbers of the last twelve months;
`networkSizes` for followers). For members there is no such call that an app gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from contentcaster.platforms import linkedin_api as api
from contentcaster.platforms.base import Channel
from contentcaster.platforms.calls import json_object
from contentcaster.platforms.metrics import PostCounts, count

_KINDS = {"urn:li:share:": ("shares", "share"), "urn:li:ugcPost:": ("ugcPosts", "ugcPost")}


class LinkedInPageMetrics:
    batch_size = 50

    async def counts(self, remote_ids: Sequence[str], channel: Channel) -> dict[str, PostCounts]:
        found: dict[str, PostCounts] = {}
        for prefix, (parameter, name) in _KINDS.items():
            urns = [remote_id for remote_id in remote_ids if remote_id.startswith(prefix)]
            if urns:
                found |= await self._of(channel, urns, parameter, name)
        return found

    async def _of(
        self, channel: Channel, urns: list[str], parameter: str, name: str
    ) -> dict[str, PostCounts]:
        # Rest.li 2.0: brackets and commas of a list stand as they are, the ids in it are encoded.
        listed = ",".join(quote(urn, safe="") for urn in urns)
        page = quote(str(channel.credentials["author"]), safe="")
        query = f"q=organizationalEntity&organizationalEntity={page}&{parameter}=List({listed})"
        response = await api.call(channel, "GET", f"/rest/organizationalEntityShareStatistics?{query}")
        elements = json_object(response).get("elements")
        if not response.is_success or not isinstance(elements, list):
            raise api.reading_failed(response)
        return {
            str(item[name]): _counts(item)
            for item in elements
            if isinstance(item, dict) and item.get(name) in urns
        }

    async def followers(self, channel: Channel) -> int | None:
        page = quote(str(channel.credentials["author"]), safe="")
        params = {"edgeType": "COMPANY_FOLLOWED_BY_MEMBER"}
        response = await api.call(channel, "GET", f"/rest/networkSizes/{page}", params=params)
        if not response.is_success:
            raise api.reading_failed(response)
        return count(json_object(response).get("firstDegreeSize"))


def _counts(item: dict[str, Any]) -> PostCounts:
    told = item.get("totalShareStatistics")
    total: dict[str, Any] = told if isinstance(told, dict) else {}
    return PostCounts(
        likes=count(total.get("likeCount")),
        reposts=count(total.get("shareCount")),
        replies=count(total.get("commentCount")),
        views=count(total.get("impressionCount")),
    )
