"""Counting text as each network counts it, from the same rule that the browser's counters use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import regex

from contentcaster.platforms.base import TextRule, TextUnit
from contentcaster.platforms.domains import find_bare_domains

_GRAPHEME = regex.compile(r"\X")
_URL = regex.compile(r"https?://[^\s<>\"\u3000\uff08\uff09]+", regex.IGNORECASE)
_TRAILING = ".,;:!?'\")]}…"
_MENTION = regex.compile(r"(?<![=/\w.])@([a-z0-9_]+(?:[a-z0-9_.-]*[a-z0-9_]+)?)@[\w.-]+\w", regex.IGNORECASE)
_UNIT_NAMES = {
    TextUnit.CHARACTERS: "characters",
    TextUnit.GRAPHEMES: "characters",
    TextUnit.WEIGHTED: "characters as the network weighs them",
    TextUnit.UTF16: "characters",
}


@dataclass(frozen=True)
class Measured:
    """A text held against a rule."""

    length: int
    max_length: int
    bytes: int
    max_bytes: int | None = None

    @property
    def is_too_long(self) -> bool:
        return self.length > self.max_length or self.is_over_bytes

    @property
    def is_over_bytes(self) -> bool:
        return self.max_bytes is not None and self.bytes > self.max_bytes

    @property
    def sentence(self) -> str:
        """What is wrong and by how much, or "" if nothing is."""
        if self.length > self.max_length:
            over = self.length - self.max_length
            return f"The text is {over:,} too long: {self.length:,} of {self.max_length:,} characters."
        if self.is_over_bytes:
            return (
                f"The text takes {self.bytes:,} bytes, and {self.max_bytes:,} is the limit: emoji and accented "
                "letters take several. Shorten it."
            )
        return ""


def measure(text: str, rule: TextRule, content_warning: str = "") -> Measured:
    """How long `text` is by `rule`; a content warning is counted where the network counts it."""
    countable = text
    if rule.url_length is not None:
        countable = _with_weighed_urls(text, rule.url_length, rule.counts_bare_domains)
    if rule.ignores_mention_domain:
        countable = _MENTION.sub(r"@\1", countable)
    length = count(countable, rule.unit)
    if rule.counts_content_warning and content_warning:
        length += count(content_warning, rule.unit)
    return Measured(length, rule.max_length, len(text.encode()), rule.max_bytes)


def count(text: str, unit: TextUnit) -> int:
    """`text` in one unit, links as written."""
    if unit is TextUnit.GRAPHEMES:
        return len(text) if text.isascii() and "\r" not in text else len(_GRAPHEME.findall(text))
    if unit is TextUnit.UTF16:
        return len(text.encode("utf-16-le")) // 2
    if unit is TextUnit.WEIGHTED:
        return _weighted(text)
    return len(text)


def find_urls(text: str) -> Iterator[tuple[int, int]]:
    """Start and end, in characters, of each http(s) link; closing punctuation does not belong to it."""
    if "://" not in text:
        return
    for match in _URL.finditer(text):
        url = match.group()
        while url and url[-1] in _TRAILING and not (url[-1] == ")" and url.count("(") >= url.count(")")):
            url = url[:-1]
        if len(url) > len("https://"):
            yield match.start(), match.start() + len(url)


def describe_rule(rule: TextRule) -> str:
    """The rule in one sentence for people."""
    parts = [f"Up to {rule.max_length:,} {_UNIT_NAMES[rule.unit]}"]
    if rule.max_bytes is not None:
        parts.append(f"and {rule.max_bytes:,} bytes")
    sentence = " ".join(parts)
    if rule.max_length_with_media is not None:
        sentence += f", with a picture or video {rule.max_length_with_media:,}"
    if rule.url_length is not None:
        sentence += f"; every link counts {rule.url_length}"
        sentence += ", also one without https://" if rule.counts_bare_domains else ""
    if rule.ignores_mention_domain:
        sentence += "; of @name@server only @name counts"
    if rule.counts_content_warning:
        sentence += "; the content warning counts too"
    return sentence + "."


def _with_weighed_urls(text: str, weight: int, is_bare_weighed: bool) -> str:
    pieces, position = [], 0
    for start, end in [*find_urls(text), (len(text), len(text))]:
        between = text[position:start]
        if is_bare_weighed:
            between = _with_weighed_domains(between, weight)
        pieces += [between, "x" * weight if end > start else ""]
        position = end
    return "".join(pieces)


def _with_weighed_domains(text: str, weight: int) -> str:
    pieces, position = [], 0
    for start, end in find_bare_domains(text):
        pieces += [text[position:start], "x" * weight]
        position = end
    return "".join([*pieces, text[position:]])


def _weighted(text: str) -> int:
    """X's weights (twitter-text configuration v3): these ranges count 1, everything else and each emoji 2."""
    total = 0
    for grapheme in _GRAPHEME.findall(text):
        if len(grapheme) > 1 and regex.match(r"\p{Extended_Pictographic}|\p{Regional_Indicator}", grapheme):
            total += 2
            continue
        total += sum(1 if _is_light(ord(char)) else 2 for char in regex.sub(r"\r\n", "\n", grapheme))
    return total


def _is_light(code: int) -> bool:
    return code <= 4351 or 8192 <= code <= 8205 or 8208 <= code <= 8223 or 8242 <= code <= 8247
