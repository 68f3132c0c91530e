"""The networks in words, from their capability objects: the tables of docs/networks.md.

`python -m contentcaster.platforms.describe docs/networks.md` rewrites what stands between the two marks.
"""

from __future__ import annotations

import sys
from pathlib import Path

from contentcaster.platforms import CONNECTORS
from contentcaster.platforms.base import Capabilities, Feature, Idempotency
from contentcaster.platforms.text import describe_rule
from contentcaster.platforms.video_rule import describe_video

BEGIN = "<!-- generated from the capability objects: begin -->"
END = "<!-- generated from the capability objects: end -->"
_REPEATS = {
    Idempotency.CLIENT_ID: "we choose the id: a repeat is the same post",
    Idempotency.SERVER_KEY: "the server remembers our key for {minutes:.0f} minutes",
    Idempotency.TWO_PHASE: "a container is kept before it is published",
    Idempotency.LOOK_UP: "own posts are searched before a repeat",
    Idempotency.NONE: "at most once; a person decides on doubt",
}


def networks_markdown() -> str:
    """Both tables: what each network can do, and how it was proven."""
    return f"{_features_table()}\n\n{_details_table()}\n"


def replace_generated(document: str) -> str:
    """`document` with fresh tables between the marks. Raises ValueError if a mark is missing."""
    before, mark, rest = document.partition(BEGIN)
    _, end_mark, after = rest.partition(END)
    if not mark or not end_mark:
        raise ValueError("the document has no marks to write between")
    return f"{before}{BEGIN}\n\n{networks_markdown()}\n{END}{after}"


def _all() -> list[Capabilities]:
    return [connector.capabilities for connector in CONNECTORS.values()]


def _features_table() -> str:
    used = [feature for feature in Feature if any(feature in c.features for c in _all())]
    names = [feature.value.replace("_", " ") for feature in used]
    rows = [f"| Network | {' | '.join(names)} |", f"|---|{':-:|' * len(used)}"]
    for capabilities in _all():
        marks = " | ".join("yes" if feature in capabilities.features else "–" for feature in used)
        rows.append(f"| {capabilities.name} | {marks} |")
    return "\n".join(rows)


def _details_table() -> str:
    rows = [
        "| Network | Text | Pictures | Video | A repeated send | Looks up | Proven on |",
        "|---|---|---|---|---|:-:|---|",
    ]
    for c in _all():
        pictures = (
            f"{c.media.max_images}, {c.media.max_image_bytes / 1e6:.0f} MB each"
            if c.media.max_images
            else "–"
        )
        repeats = _REPEATS[c.idempotency].format(minutes=c.key_life_seconds / 60)
        looks_up = "yes" if c.can_look_up else "–"
        rows.append(
            f"| {c.name} | {describe_rule(c.text)} | {pictures} | {describe_video(c.media)} | {repeats} | {looks_up} "
            f"| {c.proven_on} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(replace_generated(path.read_text(encoding="utf-8")), encoding="utf-8")
