"""Posts as articles: a title, and a body as HTML or Markdown, from plain text."""

from __future__ import annotations

import html
import re
import unicodedata

from contentcaster.platforms.text import find_urls

MAX_TITLE = 120


def split_title(text: str) -> tuple[str, str]:
    """(title, body): the first line and the rest; a single line that is too long for a title is its own body."""
    text = text.strip()
    first, _, rest = text.partition("\n")
    first, rest = first.strip(), rest.strip()
    if len(first) <= MAX_TITLE:
        return first, rest or first
    cut = first[: MAX_TITLE - 1].rsplit(" ", 1)[0].rstrip(" ,;:.-")
    return (cut or first[: MAX_TITLE - 1]) + "…", text


def slugify(title: str, *, limit: int = 60) -> str:
    """Lower-case ASCII words with hyphens; "" if the title has none."""
    ascii_title = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_title)[:limit].strip("-")


def to_html_paragraphs(text: str) -> list[str]:
    """Inner HTML of each paragraph: everything escaped, links marked, single line breaks kept."""
    blocks = [block.strip("\n") for block in re.split(r"\n\s*\n", text.strip())]
    return [_linked(block).replace("\n", "<br>") for block in blocks if block.strip()]


def _linked(text: str) -> str:
    pieces, position = [], 0
    for start, end in find_urls(text):
        url = html.escape(text[start:end])
        pieces += [html.escape(text[position:start]), f'<a href="{url}">{url}</a>']
        position = end
    return "".join([*pieces, html.escape(text[position:])])
