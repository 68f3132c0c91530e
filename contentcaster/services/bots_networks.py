"""Which network offers which acts to bots."""

from __future__ import annotations

from contentcaster.platforms.acts import Acts
from contentcaster.platforms.bluesky_acts import BlueskyActs
from contentcaster.platforms.mastodon_acts import MastodonActs

_MASTODON, _BLUESKY = MastodonActs(), BlueskyActs()
ACTS: dict[str, Acts] = {"sandbox": _MASTODON, "mastodon": _MASTODON, "bluesky": _BLUESKY}


def acts_of(platform: str) -> Acts | None:
    """The acts of a network, None where bots have nothing to do."""
    return ACTS.get(platform)
