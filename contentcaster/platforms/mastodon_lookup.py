"""Looks through the own statuses for one that may have been created without our hearing of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from contentcaster.platforms.base import Channel, Lookup, OutgoingPost, Reauthorise, RemotePost
from contentcaster.platforms.calls import about, json_object, reading_failed, send
from contentcaster.platforms.matching import html_to_text, is_same, may_be_same
from contentcaster.security.egress import EgressResponse

_CLOCKS_APART = timedelta(minutes=2)
_PAGE = 40
_MAX_PAGES = 10
_MAX_SOURCES = 20


async def find_status(
    name: str,
    post: OutgoingPost,
    channel: Channel,
    headers: dict[str, str],
    url: str,
    first_sent_at: datetime,
) -> Lookup:
    """Compare text, media count and parent of everything the account posted since the first send.

    Absence is certain only if the pages reach back to the first send and nothing in them resembles the post.
    """
    since = first_sent_at - _CLOCKS_APART
    same: list[dict[str, Any]] = []
    similar_ones: list[dict[str, Any]] = []
    oldest_id = ""
    for _ in range(_MAX_PAGES):
        statuses = await _page(name, channel, headers, url, oldest_id)
        if statuses is None:
            return Lookup(note=f"{name} does not let this channel read its own posts.")
        for status in statuses:
            created = _created_at(status)
            if created is None:
                return Lookup(note=f"{name} answered in a form that proves nothing.")
            if created < since:
                # Pinned posts are not mixed in here; the list is strictly newest first.
                return await _conclude(name, post, channel, headers, url, same, similar_ones)
            if _is_ours(post, status):
                same.append(status)
            elif may_be_same(post.text, html_to_text(str(status.get("content") or ""))):
                similar_ones.append(status)
        if len(statuses) == 0:
            return await _conclude(name, post, channel, headers, url, same, similar_ones)
        oldest_id = str(statuses[-1].get("id") or "")
    return Lookup(note=f"{name} has too many newer posts to look through.")


async def _conclude(
    name: str,
    post: OutgoingPost,
    channel: Channel,
    headers: dict[str, str],
    url: str,
    same: list[dict[str, Any]],
    similar_ones: list[dict[str, Any]],
) -> Lookup:
    similar = len(similar_ones)
    if not same and similar <= _MAX_SOURCES:
        for status in similar_ones:
            source = await _source(channel, headers, url, status)
            if source is None:
                continue
            similar -= 1
            if is_same(post.text, source) and _is_alike(post, status):
                same.append(status)
    if len(same) == 1:
        url = str(same[0].get("url") or same[0].get("uri") or "")
        return Lookup(found=RemotePost(id=str(same[0]["id"]), url=url))
    if len(same) > 1:
        return Lookup(note=f"{len(same)} posts on {name} have this text; which one is ours cannot be told.")
    if similar:
        return Lookup(note=f"A post on {name} resembles this one without being the same.")
    return Lookup(is_certainly_absent=True, note=f"The posts on {name} since the first try do not hold it.")


async def _source(channel: Channel, headers: dict[str, str], url: str, status: dict[str, Any]) -> str | None:
    """The text as it was written, where the server keeps it (GET /statuses/:id/source); None where not."""
    response = await send(
        channel.client, "GET", f"{url}/api/v1/statuses/{status.get('id')}/source", headers=headers
    )
    text = json_object(response).get("text")
    return text if response.is_success and isinstance(text, str) else None


def _is_ours(post: OutgoingPost, status: dict[str, Any]) -> bool:
    return _is_alike(post, status) and is_same(post.text, html_to_text(str(status.get("content") or "")))


def _is_alike(post: OutgoingPost, status: dict[str, Any]) -> bool:
    attachments = status.get("media_attachments")
    count = len(attachments) if isinstance(attachments, list) else 0
    parent = str(status.get("in_reply_to_id") or "")
    return count == len(post.media) and parent == (post.reply_to.id if post.reply_to else "")


def _created_at(status: dict[str, Any]) -> datetime | None:
    try:
        created = datetime.fromisoformat(str(status["created_at"]))
    except (KeyError, ValueError):
        return None
    return created if created.tzinfo else created.replace(tzinfo=UTC)


async def _page(
    name: str, channel: Channel, headers: dict[str, str], url: str, before: str
) -> list[dict[str, Any]] | None:
    """A page of own statuses without boosts, newest first; None if the token may not read them."""
    response = await send(
        channel.client,
        "GET",
        f"{url}/api/v1/accounts/{channel.remote_id}/statuses",
        params={"limit": _PAGE, "exclude_reblogs": "true", "max_id": before or None},
        headers=headers,
    )
    if response.status == 401:
        raise Reauthorise(
            f"{name} no longer accepts the access token. Connect the channel again.", **about(response)
        )
    if response.status in (403, 404):
        return None
    statuses = _list(response)
    if not response.is_success or statuses is None:
        raise reading_failed(name, response)
    return statuses


def _list(response: EgressResponse) -> list[dict[str, Any]] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    if not isinstance(body, list) or not all(isinstance(item, dict) for item in body):
        return None
    return body
