"""Counts of own posts and followers, beside the connectors: reading only, in batches.

`None` is a count that the network did not tell; a post that is missing from an answer is missing there too. `MEANINGS`
says what each network calls what we show, because a view here is not a view there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from contentcaster.platforms.base import Channel


@dataclass(frozen=True)
class PostCounts:
    """What a network says of one post now."""

    likes: int | None = None
    reposts: int | None = None
    """Boosts, reposts and quotes."""
    replies: int | None = None
    views: int | None = None


class Metrics(Protocol):
    """What a network tells of the channel's own posts. Raises ConnectorError as connectors do."""

    batch_size: int
    """How many posts one call of `counts` may ask for."""

    async def counts(self, remote_ids: Sequence[str], channel: Channel) -> dict[str, PostCounts]:
        """Counts by id; a post that the network does not show is left out."""
        ...

    async def followers(self, channel: Channel) -> int | None: ...


MEANINGS: dict[str, str] = {
    "mastodon": "Favourites, boosts and quotes, replies. Mastodon counts no views. Numbers of people on other servers "
    "arrive late or never, so the true ones may be higher.",
    "bluesky": "Likes, reposts and quotes, replies. Bluesky tells no views.",
    "x": "Likes, reposts and quotes, replies, and impressions as views. X charges the app for each post that is read.",
    "linkedin-page": "Reactions, reposts, comments, and impressions as views, of the last twelve months and without "
    "what was paid for.",
    "sandbox": "The sandbox network: generated people only.",
}
"""What the numbers of each network mean, for people."""

VIEW_WORDS: dict[str, str] = {"x": "impressions"}
"""What the networks that tell views call them, and so what stands beside the number; others tell none."""


def count(value: Any) -> int | None:
    """A count as a network sent it; None for null, text, negative or absurd values."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 2**53 else None


def added(*values: int | None) -> int | None:
    """The sum of those that are known; None if none is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None
