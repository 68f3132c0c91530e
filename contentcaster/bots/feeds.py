"""RSS and Atom through the one way out, with robots.txt heard first. A feed is a stranger's document: no entities,
a few hundred entries at most, and it is not fetched again while it says that nothing changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser
from xml.etree import ElementTree

from contentcaster.bots.candidates import Candidate
from contentcaster.platforms.base import Rejected
from contentcaster.platforms.calls import rate_limited, send
from contentcaster.platforms.mastodon_acts import plain_text
from contentcaster.security.egress import EgressClient

ROBOT = "ContentCaster"
"""Our name in robots.txt, the same as the first word of the client's User-Agent."""
_MAX_BYTES = 1_000_000
_MAX_ENTRIES = 200


@dataclass(frozen=True)
class FeedAnswer:
    """What a feed holds, and what to show next time so that an unchanged one is not sent again."""

    entries: list[Candidate]
    validators: dict[str, str]
    """Header names of the next request -> values: If-None-Match, If-Modified-Since."""


async def read_feed(
    url: str, client: EgressClient, limit: int, validators: Mapping[str, str] | None = None
) -> FeedAnswer:
    """The newest entries of a feed as posts without a place to act on: they are prospects to read, not to like.

    Raises:
        Rejected: robots.txt says no, or it is no feed.
        RateLimited: the site asks to wait.
    """
    if not await _may_fetch(url, client):
        raise Rejected("robots.txt of this site asks programs not to read the feed, or cannot be read now.")
    known = dict(validators or {})
    response = await send(client, "GET", url, headers=known, max_redirects=3, max_bytes=_MAX_BYTES)
    if response.status == 304:
        return FeedAnswer([], known)
    if response.status == 429:
        raise rate_limited("The site of the feed", response)
    if not response.is_success:
        raise Rejected(f"The feed answered {response.status}.", http_status=response.status)
    shown = {
        "If-None-Match": response.headers.get("etag", ""),
        "If-Modified-Since": response.headers.get("last-modified", ""),
    }
    kept = {name: value[:300] for name, value in shown.items() if value}
    return FeedAnswer(parse_feed(response.content)[:limit], kept)


async def _may_fetch(url: str, client: EgressClient) -> bool:
    """RFC 9309: no robots.txt allows everything, one that the server cannot give now allows nothing."""
    parts = urlsplit(url)
    answer = await send(
        client, "GET", f"{parts.scheme}://{parts.netloc}/robots.txt", max_redirects=3, max_bytes=200_000
    )
    if answer.status in (401, 403, 429) or answer.status >= 500:
        return False
    if not answer.is_success:
        return True
    robots = RobotFileParser()
    robots.parse(answer.text.splitlines())
    return robots.can_fetch(ROBOT, url)


def parse_feed(content: bytes) -> list[Candidate]:
    """Entries of RSS 2.0, RSS 1.0 and Atom. Raises Rejected for anything else."""
    plain = _without_zeros(content).upper()
    if b"<!DOCTYPE" in plain[:4096] or b"<!ENTITY" in plain:
        raise Rejected("This feed declares entities, which no feed needs.")
    try:
        root = ElementTree.fromstring(content)  # noqa: S314 - see above
    except (ElementTree.ParseError, ValueError, RecursionError):
        raise Rejected("This address holds no RSS or Atom feed.") from None
    entries = [node for node in root.iter() if _name(node) in ("item", "entry")]
    if not entries and _name(root) not in ("rss", "feed", "RDF"):
        raise Rejected("This address holds no RSS or Atom feed.")
    title = next((n.text or "" for n in root.iter() if _name(n) == "title"), "")
    return [seen for node in entries[:_MAX_ENTRIES] if (seen := _entry(node, title.strip()[:200]))]


def _without_zeros(content: bytes) -> bytes:
    """So that what is forbidden is seen in UTF-16 as well."""
    return content.replace(b"\x00", b"") if b"\x00" in content else content


def _entry(node: ElementTree.Element, feed_title: str) -> Candidate | None:
    fields: dict[str, str] = {}
    for child in node:
        name = _name(child)
        value = (child.text or "").strip()
        if name == "link" and not value:
            value = child.get("href", "")
        fields.setdefault(name, value)
    link = fields.get("link") or fields.get("id") or fields.get("guid") or ""
    ref = (fields.get("guid") or fields.get("id") or link)[:400]
    if not ref:
        return None
    is_web = link.lower().startswith(("https://", "http://"))
    words = [fields.get("title", ""), plain_text(fields.get("description") or fields.get("summary") or "")]
    return Candidate(
        kind="post",
        ref=ref,
        author_ref="",
        handle=feed_title,
        name=plain_text(fields.get("author") or fields.get("creator"))[:200],
        text="\n".join(word for word in words if word)[:5000],
        url=link[:1000] if is_web else "",
        event="feed",
        written_at=_moment(fields.get("pubDate") or fields.get("updated") or fields.get("published") or ""),
    )


def _name(node: ElementTree.Element) -> str:
    return str(node.tag).rsplit("}", 1)[-1]


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError):
            return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
