"""Tags in links (utm_source, utm_medium, utm_campaign), so that visits from each channel can be told apart.

assets/js/composer_measure.js does the same in the browser; tests/web/test_studio_counters.py runs one table through
both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from contentcaster.platforms.text import find_urls

VALUE = re.compile(r"[A-Za-z0-9._~-]{1,80}")
"""What a tag may be: nothing that would have to be escaped in a link."""


@dataclass(frozen=True)
class LinkTagRule:
    """The tags of one channel; an empty one is left out."""

    source: str = ""
    medium: str = ""
    campaign: str = ""

    def pairs(self) -> list[tuple[str, str]]:
        named = (
            ("utm_source", self.source),
            ("utm_medium", self.medium),
            ("utm_campaign", self.campaign),
        )
        return [(name, value) for name, value in named if value]


def tag_links(text: str, rule: LinkTagRule | None) -> str:
    """The text with the tags added to each of its links; a link that carries a tag of that name keeps its own."""
    pairs = rule.pairs() if rule else []
    if not pairs:
        return text
    pieces, position = [], 0
    for start, end in find_urls(text):
        pieces += [text[position:start], _tagged(text[start:end], pairs)]
        position = end
    return "".join([*pieces, text[position:]])


def _tagged(url: str, pairs: list[tuple[str, str]]) -> str:
    base, mark, fragment = url.partition("#")
    for name, value in pairs:
        if f"?{name}=" in base or f"&{name}=" in base:
            continue
        glue = "" if base.endswith(("?", "&")) else "&" if "?" in base else "?"
        base = f"{base}{glue}{name}={value}"
    return base + mark + fragment
