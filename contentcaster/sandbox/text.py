"""Text rules of the two networks: counting, entities, and HTML that is safe to show."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import regex

URL = regex.compile(r"https?://[^\s<>\"\u3000\uff08\uff09]+", regex.IGNORECASE)
MENTION = regex.compile(
    r"(?<![=/\w.])@([a-z0-9_]+(?:[a-z0-9_.-]*[a-z0-9_]+)?)(?:@([\w.-]+\w))?", regex.IGNORECASE
)
HASHTAG = regex.compile(r"(?<![=/)\w])#([\w\u00b7]*[^\W\d_][\w\u00b7]*)")
_GRAPHEME = regex.compile(r"\X")
_TRAILING = ".,;:!?'\")]}…"


def graphemes(text: str) -> int:
    """Characters as a reader sees them (extended grapheme clusters)."""
    return len(text) if text.isascii() and "\r" not in text else len(_GRAPHEME.findall(text))


def find_urls(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each URL with a scheme; trailing punctuation is not part of it."""
    if "://" not in text:
        return
    for match in URL.finditer(text):
        url = match.group()
        while url and url[-1] in _TRAILING and not (url[-1] == ")" and url.count("(") >= url.count(")")):
            url = url[:-1]
        if len(url) > 8:
            yield match.start(), match.start() + len(url)


def mastodon_length(text: str, spoiler_text: str = "", url_weight: int = 23) -> int:
    """Length as Mastodon counts: a URL weighs 23, the domain of a remote mention nothing, a warning counts."""
    parts, position = [], 0
    for start, end in find_urls(text):
        parts += [text[position:start], "x" * url_weight]
        position = end
    countable = "".join([*parts, text[position:]])
    if "@" in countable:
        countable = MENTION.sub(lambda m: "@" + m.group(1), countable)
    return graphemes(spoiler_text) + graphemes(countable)


def hashtags(text: str) -> list[str]:
    """Lower-case tags in order, each once."""
    if "#" not in text:
        return []
    return list(dict.fromkeys(m.group(1).lower() for m in HASHTAG.finditer(text)))


def mentions(text: str) -> list[tuple[str, str | None]]:
    if "@" not in text:
        return []
    return list(dict.fromkeys((m.group(1).lower(), m.group(2)) for m in MENTION.finditer(text)))


def link_html(url: str) -> str:
    """A link as Mastodon writes it: the scheme hidden, a long rest cut after 30 characters."""
    scheme, rest = url[: url.index("://") + 3], url[url.index("://") + 3 :]
    shown, hidden = rest[:30], rest[30:]
    dots = ' class="ellipsis"' if hidden else ""
    return (
        f'<a href="{html.escape(url)}" target="_blank" rel="nofollow noopener" translate="no">'
        f'<span class="invisible">{scheme}</span><span{dots}>{html.escape(shown)}</span>'
        f'<span class="invisible">{html.escape(hidden)}</span></a>'
    )


def mastodon_html(text: str, base_url: str, people: dict[str, str]) -> str:
    """Status HTML; `people` maps the lower-case names that exist here to their profile URL."""
    pieces: list[tuple[int, int, str]] = [(s, e, link_html(text[s:e])) for s, e in find_urls(text)]
    taken = [(s, e) for s, e, _ in pieces]

    def free(start: int) -> bool:
        return not any(s <= start < e for s, e in taken)

    for match in HASHTAG.finditer(text):
        if free(match.start()):
            tag = html.escape(match.group(1))
            href = f"{base_url}/tags/{html.escape(match.group(1).lower())}"
            markup = f'<a href="{href}" class="mention hashtag" rel="tag">#<span>{tag}</span></a>'
            pieces.append((match.start(), match.end(), markup))
    for match in MENTION.finditer(text):
        href = people.get(match.group(1).lower(), "") if match.group(2) is None else ""
        if href and free(match.start()):
            name = html.escape(match.group(1))
            markup = (
                f'<span class="h-card"><a href="{href}" class="u-url mention">@<span>{name}</span></a></span>'
            )
            pieces.append((match.start(), match.end(), markup))
    return _paragraphs(_assemble(text, pieces))


def _assemble(text: str, pieces: list[tuple[int, int, str]]) -> str:
    out, position = [], 0
    for start, end, markup in sorted(pieces):
        if start >= position:
            out += [html.escape(text[position:start]), markup]
            position = end
    out.append(html.escape(text[position:]))
    return "".join(out)


def _paragraphs(markup: str) -> str:
    markup = markup.replace("\r\n", "\n").strip("\n")
    if not markup:
        return ""
    blocks = [block.strip("\n").replace("\n", "<br />") for block in markup.split("\n\n")]
    return "".join(f"<p>{block}</p>" for block in blocks if block)


def atproto_html(text: str, facets: list[Any], base_url: str) -> str:
    """Post text with its facets as links; facets that point outside the text are ignored, as clients do."""
    data = text.encode()
    out, position = [], 0
    for start, end, href in sorted(_links(facets, base_url)):
        if position <= start < end <= len(data):
            label = html.escape(data[start:end].decode(errors="replace"))
            out.append(html.escape(data[position:start].decode(errors="replace")))
            out.append(f'<a href="{html.escape(href)}" rel="nofollow noopener">{label}</a>')
            position = end
    out.append(html.escape(data[position:].decode(errors="replace")))
    return _paragraphs("".join(out))


def _links(facets: list[Any], base_url: str) -> Iterator[tuple[int, int, str]]:
    for facet in facets:
        index = facet.get("index", {}) if isinstance(facet, dict) else {}
        for feature in facet.get("features", []) if isinstance(facet, dict) else []:
            href = _facet_href(feature, base_url) if isinstance(feature, dict) else ""
            start, end = index.get("byteStart"), index.get("byteEnd")
            if href and isinstance(start, int) and isinstance(end, int):
                yield start, end, href


def _facet_href(feature: dict[str, Any], base_url: str) -> str:
    kind = feature.get("$type", "")
    if kind.endswith("#link") and str(feature.get("uri", "")).startswith(("http://", "https://")):
        return str(feature["uri"])
    if kind.endswith("#mention"):
        return f"{base_url}/profile/{feature.get('did', '')}"
    if kind.endswith("#tag"):
        return f"{base_url}/tags/{str(feature.get('tag', '')).lower()}"
    return ""
