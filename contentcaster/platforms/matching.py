"""Finding our own post among others on networks where no id of ours is kept: by its text, its time and its media.

A network may change what it stores (shortened links, mentions, spaces), so equality is judged after normalising both
sides, and absence is only claimed when nothing that was posted at the time even resembles the text.
"""

from __future__ import annotations

import unicodedata
from difflib import SequenceMatcher
from html.parser import HTMLParser

import regex

_MENTION = regex.compile(
    r"(?<![=/\w.])@([a-z0-9_]+(?:[a-z0-9_.-]*[a-z0-9_]+)?)(?:@[\w.-]+\w)?", regex.IGNORECASE
)
_INVISIBLE = regex.compile(r"[\p{Cf}\uFE0F]+")
_SIMILAR = 0.5


class _TextOf(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("br", "p", "li", "div", "blockquote"):
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def html_to_text(markup: str) -> str:
    """The text of a post that a network gives as HTML; line and paragraph breaks become newlines."""
    parser = _TextOf()
    parser.feed(markup)
    parser.close()
    return "".join(parser.parts).strip()


def normalise(text: str) -> str:
    """Text reduced to what survives a network: NFC, no invisible characters, mentions without server, single spaces."""
    text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text))
    text = _MENTION.sub(r"@\1", text)
    return " ".join(text.split()).casefold()


def is_same(ours: str, theirs: str) -> bool:
    return normalise(ours) == normalise(theirs)


def may_be_same(ours: str, theirs: str, *, similar: float = _SIMILAR) -> bool:
    """Whether `theirs` could be `ours` after a change that we do not know of; `similar` is the share of equal words."""
    first, second = normalise(ours).split(), normalise(theirs).split()
    if not first or not second:
        return not first and not second
    return SequenceMatcher(None, first, second, autojunk=False).ratio() >= similar


def is_cut_from(ours: str, theirs: str) -> bool:
    """Whether `theirs` is the beginning of `ours`, as where a network cuts a text off."""
    shown = normalise(theirs)
    return bool(shown) and normalise(ours).startswith(shown)
