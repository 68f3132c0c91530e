"""An article from the web as plain text, fetched through the egress rules; what it says is material, never an order."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from contentcaster.errors import InvalidInput
from contentcaster.security.egress import EgressClient, EgressError, EgressRefused
from contentcaster.settings import Settings

MAX_CHARACTERS = 20_000
_MAX_BYTES = 2_000_000
_SECONDS = 15.0
_LEFT_OUT = {
    "script",
    "style",
    "noscript",
    "template",
    "svg",
    "nav",
    "footer",
    "aside",
    "form",
    "iframe",
    "head",
}
_VOID = {"br", "hr", "img", "input", "link", "meta", "source", "wbr"}
_BLOCKS = {"p", "br", "div", "li", "h1", "h2", "h3", "h4", "section", "article", "tr", "blockquote", "pre"}


async def fetch_article(settings: Settings, url: str) -> str:
    """The words of the page at `url`, at most 20,000 characters.

    Raises:
        InvalidInput: field "url": it cannot be fetched, or holds no text; the sentence says why.
    """
    url = url.strip()
    try:
        async with EgressClient(
            allow=settings.allowed_private_hosts, deadline_seconds=_SECONDS, max_connections=2
        ) as client:
            answer = await client.request(
                "GET", url, headers={"Accept": "text/html, text/plain"}, max_bytes=_MAX_BYTES, max_redirects=4
            )
    except EgressRefused as error:
        raise InvalidInput(f"This address cannot be read: {error.message}", field="url") from None
    except EgressError as error:
        raise InvalidInput(f"The page could not be fetched: {error.message}", field="url") from None
    if not answer.is_success:
        raise InvalidInput(
            f"The page answers with {answer.status}. Is the address right, and public?", field="url"
        )
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("text/html", "text/plain", "application/xhtml+xml"):
        raise InvalidInput(
            "This is no web page with text. Paste the text of the article instead.", field="url"
        )
    text = answer.text if kind == "text/plain" else readable(answer.text)
    text = re.sub(r"\n{3,}", "\n\n", text).strip()[:MAX_CHARACTERS]
    if len(text) < 80:
        raise InvalidInput(
            "There is hardly any text on this page; it may need a browser. Paste the text instead.",
            field="url",
        )
    return text


def readable(html: str) -> str:
    """The visible words of a page: those of its article if it marks one, without menus and scripts."""
    parser = _Words()
    parser.feed(html)
    parser.close()
    return parser.article if len(parser.article) > 200 else parser.all


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._skipping: list[str] = []
        self._in_article = 0
        self._all: list[str] = []
        self._article: list[str] = []

    @property
    def all(self) -> str:
        return _tidy(self._all)

    @property
    def article(self) -> str:
        return _tidy(self._article)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _LEFT_OUT:
            self._skipping.append(tag)
        elif tag in ("article", "main"):
            self._in_article += 1
        if tag in _BLOCKS:
            self._add("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._skipping:
            while self._skipping and self._skipping.pop() != tag:
                pass
        elif tag in ("article", "main"):
            self._in_article = max(0, self._in_article - 1)
        if tag in _BLOCKS - _VOID:
            self._add("\n")

    def handle_data(self, data: str) -> None:
        if not self._skipping:
            self._add(data)

    def _add(self, text: str) -> None:
        self._all.append(text)
        if self._in_article:
            self._article.append(text)


def _tidy(pieces: list[str]) -> str:
    lines = (" ".join(line.split()) for line in "".join(pieces).split("\n"))
    return re.sub(r"\n{2,}", "\n\n", "\n".join(lines)).strip()
