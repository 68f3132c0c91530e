"""Ids from outside, told from anything else before a database sees them."""

from __future__ import annotations

import re

_ID = re.compile(r"[0-9a-hjkmnp-tv-z]{26}")


def is_id(text: object) -> bool:
    """Whether this can be the id of a row (`models.types.new_id`). Postgres raises on a NUL, SQLite does not."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None
