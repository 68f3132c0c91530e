"""Reply templates: text with a few variables in braces, filled by code and never evaluated."""

from __future__ import annotations

import re
from collections.abc import Sequence

from contentcaster.bots.candidates import Candidate

VARIABLES = {
    "handle": "their handle, such as @ada@example.social",
    "name": "their display name, or their handle",
    "topic": "the first hashtag of their post, or the rule's keyword",
}
_VARIABLE = re.compile(r"\{([^{}]*)\}")
_TAG = re.compile(r"(?<![\w&/])#([^\W_][\w]{0,60})")
_ODD = re.compile(r"[^\w .'’-]", re.UNICODE)


def check_template(template: str) -> None:
    """Raise ValueError if the template names a variable that nobody fills."""
    for name in _VARIABLE.findall(template):
        if name not in VARIABLES:
            known = ", ".join("{" + known + "}" for known in VARIABLES)
            raise ValueError(f"{{{name[:40]}}} is no variable of a template. There are {known}.")
    rest = _VARIABLE.sub("", template)
    if "{" in rest or "}" in rest:
        raise ValueError("A brace is open: variables look like {name}.")
    if not rest.strip():
        raise ValueError("A reply needs words of its own besides variables.")


def fill(template: str, candidate: Candidate, *, topic: str = "") -> str:
    """The template with its variables filled from a stranger's profile, whose text is stripped of anything active."""
    tag = _TAG.search(candidate.text)
    values = {
        "handle": candidate.handle,
        "name": _harmless(candidate.name) or candidate.handle,
        "topic": (tag.group(1) if tag else topic.lstrip("#")) or "this",
    }
    return _VARIABLE.sub(lambda match: values.get(match.group(1), ""), template)


def _harmless(name: str) -> str:
    """A display name without links, mentions or signs, in at most 40 characters."""
    if "://" in name or "www." in name.lower() or "@" in name:
        return ""
    return " ".join(_ODD.sub("", name).split())[:40].strip()


def choose(templates: Sequence[str], earlier: Sequence[str], candidate: Candidate, *, topic: str = "") -> str:
    """The filled template that was used least lately."""
    filled = [fill(template, candidate, topic=topic) for template in templates]
    counted = [(sum(1 for text in earlier if text == reply), index) for index, reply in enumerate(filled)]
    return filled[min(counted)[1]]
