"""Was it posted? On X the own timeline is the only proof: there is no key that X remembers.

X rewrites links to t.co and escapes &, < and >, so what it shows is turned back before it is compared. Each post that
is read costs the operator money; only an unknown outcome leads here.
"""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from contentcaster.platforms import x_api
from contentcaster.platforms.base import Channel, Lookup, OutgoingPost, RemotePost
from contentcaster.platforms.calls import json_object
from contentcaster.platforms.matching import is_same, may_be_same
from contentcaster.platforms.quotes import x_post_id

_CLOCKS_APART = timedelta(minutes=2)
_LOOK_BACK = timedelta(hours=24)
"""An older post with this text is why X refuses a repeat."""
_SIMILAR = 0.8
"""X shows texts as they were written, so little may differ in what is still ours."""
_PAGE = 100
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_MAX_PAGES = 3


async def find_post(post: OutgoingPost, channel: Channel, first_sent_at: datetime) -> Lookup:
    since, older, similar = first_sent_at - _CLOCKS_APART, "", False
    token = ""
    for _ in range(_MAX_PAGES):
        posts, token = await _page(channel, first_sent_at - _LOOK_BACK, token)
        for found in posts:
            text = shown_text(found, x_post_id(str(post.options.get("quote") or "")))
            if is_same(_without_schemes(post.text), _without_schemes(text)) and _is_in_place(found, post):
                if _written_at(found) >= since:
                    return Lookup(found=remote_post(found, channel.handle))
                older = str(found["id"])
            elif _written_at(found) >= since and may_be_same(post.text, text, similar=_SIMILAR):
                similar = bool(post.text.strip())
        if not token:
            break
    else:
        return Lookup(note="X has too many posts of the last day to look through.")
    if older:
        return Lookup(
            note=f"X has an older post with this text ({_url(channel.handle, older)}) and refuses a second one."
        )
    if similar:
        return Lookup(note="X has a post that is similar, but not the same. Is it this one?")
    return Lookup(is_certainly_absent=True, note="The own timeline at X does not hold it.")


def shown_text(found: dict[str, Any], quoted: str = "") -> str:
    """What the person wrote: links as they were, without the link that X adds for pictures, videos
    and the post that is `quoted`."""
    text = str(found.get("text") or "")
    entities = found.get("entities")
    urls = entities.get("urls") if isinstance(entities, dict) else None
    for item in urls if isinstance(urls, list) else []:
        short, full = (item.get("url"), item.get("expanded_url")) if isinstance(item, dict) else (None, None)
        if isinstance(short, str) and short:
            is_picture = bool(item.get("media_key")) or any(
                kind in str(full) for kind in ("/photo/", "/video/")
            )
            is_quote = bool(quoted) and x_post_id(str(full)) == quoted
            text = text.replace(short, "" if is_picture or is_quote else str(full or short))
    return html.unescape(text).strip()


def _without_schemes(text: str) -> str:
    """X gives example.com back as http://example.com."""
    return _SCHEME.sub("", text)


def remote_post(found: dict[str, Any], handle: str) -> RemotePost:
    """The proof, and the thread it belongs to."""
    post_id = str(found["id"])
    extra = {"conversation_id": str(found.get("conversation_id") or post_id)}
    return RemotePost(id=post_id, url=_url(handle, post_id), extra=extra)


def _url(handle: str, post_id: str) -> str:
    return f"https://x.com/{handle.lstrip('@')}/status/{post_id}"


async def _page(channel: Channel, since: datetime, token: str) -> tuple[list[dict[str, Any]], str]:
    params = {
        "max_results": _PAGE,
        "start_time": since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "exclude": "retweets",
        "post.fields": "created_at,conversation_id,entities,text",
    }
    if token:
        params["pagination_token"] = token
    response = await x_api.call(channel, "GET", f"/2/users/{channel.remote_id}/tweets", params=params)
    body = json_object(response)
    meta, posts = body.get("meta"), body.get("data", [])
    if not response.is_success or not isinstance(meta, dict) or not isinstance(posts, list):
        raise x_api.reading_failed(response)
    if not all(isinstance(item, dict) and isinstance(item.get("id"), str) for item in posts):
        raise x_api.reading_failed(response)
    return posts, str(meta.get("next_token") or "")


def _is_in_place(found: dict[str, Any], post: OutgoingPost) -> bool:
    conversation = str(found.get("conversation_id") or "")
    if post.reply_to is None:
        return conversation in ("", str(found["id"]))
    return conversation in ("", post.reply_to.id, str(post.reply_to.extra.get("conversation_id") or ""))


def _written_at(found: dict[str, Any]) -> datetime:
    try:
        moment = datetime.fromisoformat(str(found.get("created_at")))
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
