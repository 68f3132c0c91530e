"""Keyset paging and text search that behave alike on both databases."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime

from contentcaster.errors import InvalidInput
from contentcaster.services.drafts import clean_text


def encode_cursor(at: datetime, last_id: str) -> str:
    """Where the next page starts: after this time and id."""
    text = f"{at.astimezone(UTC).isoformat()}|{last_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[datetime, str]:
    """The time and id of the last row that was shown.

    Raises:
        InvalidInput: field "cursor": it was not made here.
    """
    try:
        text = base64.urlsafe_b64decode(cursor[:200] + "=" * (-len(cursor[:200]) % 4)).decode()
        at_text, separator, last_id = text.partition("|")
        at = datetime.fromisoformat(at_text)
        if not separator or at.tzinfo is None or not last_id.isalnum():
            raise ValueError
        return at.astimezone(UTC), last_id
    except (ValueError, OverflowError, binascii.Error):
        raise InvalidInput(
            "This cursor is not from an earlier answer. Start without one.", field="cursor"
        ) from None


def like_pattern(search: str) -> str:
    """A LIKE pattern (escape character \\) that finds these words as they stand, whatever their letters' case."""
    text = " ".join(clean_text(search).lower().split())[:200]
    for special in ("\\", "%", "_"):
        text = text.replace(special, "\\" + special)
    return f"%{text}%"
