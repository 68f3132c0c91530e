"""What a reply must be before it may go out, whoever wrote it: checked by code, because a model can be talked round."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from urllib.parse import urlsplit

from contentcaster.bots.rails import Rails
from contentcaster.platforms.base import TextRule
from contentcaster.platforms.text import find_urls, measure

_MENTION = re.compile(r"(?<![\w/.])@([\w.-]+(?:@[\w.-]+)?)")
_ENDINGS = "com|net|org|io|co|xyz|info|ru|cn|link|app|dev|me|ly|gg|top|site|online|invalid|example"
_BARE_LINK = re.compile(
    rf"(?<![@\w.])(?:www\.[\w-]+\.\w{{2,}}|[\w-]+(?:\.[\w-]+)*\.(?:{_ENDINGS}))\b(?![\w@])", re.IGNORECASE
)
_SECRETS = re.compile(
    r"(?:system prompt|access[ _]?token|api[ _]?key|password|bearer\s+\S{8,}|eyJ[\w-]{10,}\."
    r"|sk-[\w-]{12,}|AIza[\w-]{20,})",
    re.IGNORECASE,
)
_ACTIVE = re.compile(r"<\s*/?\s*[a-z!]|javascript:|data:text", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_SIMILAR = 0.9
_SAME_ALLOWED = 5
"""So many nearly equal replies of one channel in its last day are thanks; more is spam."""


def find_problem(
    text: str, *, rule: TextRule, rails: Rails, target_handle: str, earlier: Sequence[str]
) -> str:
    """Why this reply must not go out, or "" if nothing speaks against it."""
    stripped = text.strip()
    if not stripped:
        return "the reply is empty"
    if too_long := measure(text, rule).sentence:
        return too_long
    if _CONTROL.search(text):
        return "it holds control characters"
    if _ACTIVE.search(text):
        return "it holds markup or a script"
    if found := _SECRETS.search(text):
        return f"it speaks of secrets (“{found.group()[:30]}”)"
    if link := _foreign_link(text, rails):
        return f"it links to {link}, which is not on the list of allowed sites"
    if other := _foreign_mention(text, target_handle):
        return f"it mentions @{other}, who is not part of this"
    lowered = text.casefold()
    for word in rails.blocked_words:
        if word.casefold() in lowered:
            return f"it holds the blocked word “{word}”"
    if text.count("#") > 3:
        return "it holds more than three hashtags"
    same = sum(1 for other_text in earlier if similarity(text, other_text) >= _SIMILAR)
    if same >= _SAME_ALLOWED:
        return f"{same} replies of the last day say nearly the same"
    return ""


def similarity(one: str, other: str) -> float:
    """From 0 to 1, with mentions left out: the same words to another person are the same words."""
    first, second = (_MENTION.sub("", text).casefold().split() for text in (one, other))
    return SequenceMatcher(None, first, second, autojunk=False).ratio()


def _foreign_link(text: str, rails: Rails) -> str:
    allowed = {host.lower().strip() for host in rails.link_hosts}
    for start, end in find_urls(text):
        host = (urlsplit(text[start:end]).hostname or "").lower()
        if host not in allowed:
            return host[:80] or "an address"
    bare = _MENTION.sub("", re.sub(r"https?://\S+", "", text))
    for match in _BARE_LINK.finditer(bare):
        if match.group().lower().removeprefix("www.") not in allowed:
            return match.group()[:80]
    return ""


def _foreign_mention(text: str, target_handle: str) -> str:
    own = target_handle.lstrip("@").lower()
    for match in _MENTION.finditer(text):
        named = match.group(1).lower().rstrip(".-")
        if named != own and named != own.split("@")[0]:
            return match.group(1)[:80]
    return ""
