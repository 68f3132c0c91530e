"""A person or post that a rule may act on, as it was found. Every text in it was written by a stranger: it is quoted,
matched and measured, and never obeyed."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from contentcaster.platforms.acts import Seen

Candidate = Seen


def pack(candidate: Candidate) -> dict[str, Any]:
    """As JSON for a table."""
    values = asdict(candidate)
    for name in ("written_at", "joined_at"):
        values[name] = values[name].isoformat() if values[name] else None
    return values


def unpack(values: dict[str, Any]) -> Candidate:
    """Back from `pack`; fields of another version are left out."""
    known = {field.name for field in fields(Candidate)}
    kept = {name: value for name, value in values.items() if name in known}
    for name in ("written_at", "joined_at"):
        kept[name] = datetime.fromisoformat(kept[name]) if kept.get(name) else None
    return Candidate(**kept)


def label(candidate: Candidate) -> str:
    """How the log calls it: a person by handle, a post by its first words."""
    if candidate.kind == "person":
        return candidate.handle
    words = " ".join(candidate.text.split())
    short = words if len(words) <= 60 else words[:59] + "…"
    return f"“{short}” by {candidate.handle}" if short else f"a post by {candidate.handle}"
