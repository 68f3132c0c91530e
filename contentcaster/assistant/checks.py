"""What an answer may bring in, judged by code: a model can be talked round, these rules cannot."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from contentcaster.assistant.model import AssistantError
from contentcaster.platforms.base import TextRule
from contentcaster.platforms.link_tags import LinkTagRule, tag_links
from contentcaster.platforms.text import find_urls, measure

_MENTION = re.compile(r"(?<![\w/.])@[\w-]+(?:[.@][\w-]+)*")
_HASHTAG = re.compile(r"(?<!\w)#(\w{2,60})")
_BARE_LINK = re.compile(
    r"(?<![@\w./])(?:[\w-]+\.)+(?:com|net|org|io|co|app|dev|me|link|xyz|info|site)\b(?:/\S*)?", re.I
)
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b\u202a-\u202e\u2060\u2066-\u2069\U000e0000-\U000e007f]"
)
_FENCE = re.compile(r"\A```\w*\n(.*?)\n?```\s*\Z", re.S)
_QUOTES = (('"', '"'), ("“", "”"), ("„", "“"), ("«", "»"))
MAX_HASHTAGS = 8


def cleaned(text: str) -> str:
    """The answer as text of a post: without code fences, quotes around all of it, and invisible characters."""
    text = _INVISIBLE.sub("", text.replace("\r\n", "\n")).strip()
    if found := _FENCE.match(text):
        text = found.group(1).strip()
    for opening, closing in _QUOTES:
        inner = text[1:-1]
        if (
            len(text) > 2
            and text[0] == opening
            and text[-1] == closing
            and not {opening, closing} & set(inner)
        ):
            return inner.strip()
    return text


def added_links(text: str, material: str) -> list[str]:
    """Links in `text` that lead where none in `material` does."""
    known = material.lower()
    found = [text[start:end] for start, end in find_urls(text)]
    bare = re.sub(r"https?://\S+", " ", text)
    found += [match.group() for match in _BARE_LINK.finditer(bare)]
    return [link for link in dict.fromkeys(found) if not _is_known(link, known)]


def _is_known(link: str, material: str) -> bool:
    return re.search(rf"{re.escape(link.lower().rstrip('/'))}(?![\w.-])", material) is not None


def added_mentions(text: str, material: str) -> list[str]:
    """People mentioned in `text` that `material` does not mention."""
    known = {name.lower() for name in _MENTION.findall(material)}
    return [name for name in dict.fromkeys(_MENTION.findall(text)) if name.lower() not in known]


def warnings_of(text: str, material: str) -> list[str]:
    """Sentences about what the answer brought in that nobody gave it; for the person who decides."""
    sentences = []
    if links := added_links(text, material):
        names = ", ".join(urlsplit(link).hostname or link for link in links[:3])
        sentences.append(f"It holds a link that you did not give: {names}. Check it or take it out.")
    if people := added_mentions(text, material):
        sentences.append(
            f"It mentions {', '.join(people[:3])}, whom you did not name. Check it or take it out."
        )
    return sentences


def without_foreign(text: str, material: str) -> str:
    """For bots, where nobody may look: links and mentions that were not in the material are taken out."""
    for foreign in (*added_links(text, material), *added_mentions(text, material)):
        text = text.replace(foreign, "")
    return re.sub(r"[ \t]{2,}", " ", text).strip()


def parsed(text: str, key: str) -> Any:
    """The value of `key` in a JSON answer.

    Raises:
        AssistantError: "malformed": no JSON, or not of the form that was asked for.
    """
    try:
        return json.loads(cleaned(text))[key]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise AssistantError(
            "malformed", "The assistant's answer was not in the form asked for. Nothing was changed; try again.",
            details=text[:200],
        ) from None  # fmt: skip


def hashtags_of(value: Any) -> list[str]:
    """Clean hashtags with their #, each once; nothing but letters, digits and _ gets through."""
    words = value if isinstance(value, list) else []
    tags = [re.sub(r"\W", "", str(word).replace("-", "_")) for word in words]
    unique = {tag.lower(): f"#{tag}" for tag in reversed(tags) if 2 <= len(tag) <= 60 and not tag.isdigit()}
    return list(reversed(unique.values()))[:MAX_HASHTAGS]


@dataclass(frozen=True)
class Limit:
    """What a text has to fit on one channel, counted as the preflight counts it."""

    rule: TextRule
    tags: LinkTagRule | None = None
    """Added to each link before it goes out, and so counted."""
    content_warning: str = ""

    def over(self, text: str) -> int:
        measured = measure(tag_links(text.strip(), self.tags), self.rule, self.content_warning)
        return max(measured.length - measured.max_length, 1 if measured.is_over_bytes else 0)


def too_long_by(text: str, limits: Sequence[Limit]) -> int:
    """How far the text is over the strictest limit; 0 or less: it fits all."""
    return max((limit.over(text) for limit in limits), default=0)


def thread_parts(text: str) -> list[str]:
    """The parts of a thread, which are asked for with a line of --- between them."""
    return [part for part in (cleaned(piece) for piece in re.split(r"(?m)^\s*-{3,}\s*$", text)) if part]
