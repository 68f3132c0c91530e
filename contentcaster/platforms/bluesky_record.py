"""Records of the Bluesky network: keys, links by byte offset, labels.

Sources: the lexicons app.bsky.feed.post, app.bsky.richtext.facet and com.atproto.label.defs, the TID and handle rules
of atproto.com/specs, and answers of @atproto/pds 0.4.217. The server checks no facet against the text; we must.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import regex

from contentcaster.platforms.base import TextUnit
from contentcaster.platforms.text import count, find_urls

POST = "app.bsky.feed.post"
_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
_HANDLE = regex.compile(
    r"(?<![\w/.@])@((?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)"
)
_TAG = regex.compile(r"(?<![\w/&#])[#＃]([^\s\p{P}\p{Zs}\u00AD\u2060\u200A-\u200D]|[\w_·-])+")
_ONLY_DIGITS = regex.compile(r"[\d\p{P}]+")
_LABEL_WORDS = (
    ("porn", ("porn", "explicit", "nsfw")),
    ("nudity", ("nud", "naked")),
    ("sexual", ("sex", "adult", "erotic")),
)


def make_tid(idempotency_key: str, scheduled_at: datetime) -> str:
    """A record key from the scheduled second and 30 bits of the key: the same job always gets the same one.

    13 characters, base32-sortable: microseconds << 10 | clock id (atproto.com/specs/tid).
    """
    digest = int.from_bytes(hashlib.sha256(idempotency_key.encode()).digest()[:8], "big")
    micros = int(scheduled_at.timestamp()) * 1_000_000 + digest % 1_000_000
    number = (micros << 10) | ((digest >> 20) % 1024)
    letters = []
    for _ in range(13):
        letters.append(_ALPHABET[number & 31])
        number >>= 5
    return "".join(reversed(letters))


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as clients of the network write it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Span:
    """A piece of the text, in characters."""

    start: int
    end: int
    value: str


def find_mentions(text: str) -> Iterator[Span]:
    """@handle.tld; the value is the handle."""
    for match in _HANDLE.finditer(text):
        yield Span(match.start(), match.end(), match.group(1).lower())


def find_tags(text: str) -> Iterator[Span]:
    """#tag, without numbers alone, up to 64 characters; the value is the tag without its sign."""
    for match in _TAG.finditer(text):
        tag = match.group()[1:].rstrip("-·")
        if (
            tag
            and not _ONLY_DIGITS.fullmatch(tag)
            and count(tag, TextUnit.GRAPHEMES) <= 64
            and len(tag.encode()) <= 640
        ):
            yield Span(match.start(), match.start() + 1 + len(tag), tag)


def make_facets(text: str, dids: dict[str, str]) -> list[dict[str, Any]]:
    """Links, mentions (of the handles in `dids`) and hashtags, by UTF-8 byte offset, none overlapping another."""
    found: list[tuple[Span, dict[str, str]]] = []
    for start, end in find_urls(text):
        link = {"$type": "app.bsky.richtext.facet#link", "uri": text[start:end]}
        found.append((Span(start, end, ""), link))
    found += [
        (span, {"$type": "app.bsky.richtext.facet#mention", "did": dids[span.value]})
        for span in find_mentions(text)
        if span.value in dids
    ]
    found += [(span, {"$type": "app.bsky.richtext.facet#tag", "tag": span.value}) for span in find_tags(text)]
    facets: list[dict[str, Any]] = []
    position = 0
    for span, feature in sorted(found, key=lambda item: (item[0].start, -item[0].end)):
        if span.start < position:
            continue
        position = span.end
        byte_start = len(text[: span.start].encode())
        index = {"byteStart": byte_start, "byteEnd": byte_start + len(text[span.start : span.end].encode())}
        facets.append({"index": index, "features": [feature]})
    return facets


def label_of(content_warning: str) -> str:
    """The network's own label that comes nearest to a warning in free words."""
    lowered = content_warning.casefold()
    for label, words in _LABEL_WORDS:
        if any(word in lowered for word in words):
            return label
    return "graphic-media"
