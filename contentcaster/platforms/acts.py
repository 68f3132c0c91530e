"""Acts beside publishing: like, repost, reply, follow, unfollow, and the reading that bots need to find whom.

Which act a bot may do on which network is data of each network's `Capabilities` (platforms/automation.py). The code
that enforces it is services/bots_acts.py; the card that shows it is the Bots page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from contentcaster.platforms.automation import POLICIES, ActPolicy, Policy, policy_of
from contentcaster.platforms.base import Channel, Lookup, RemotePost

__all__ = [
    "POLICIES",
    "ActOrder",
    "ActPolicy",
    "Acts",
    "Policy",
    "Seen",
    "Standing",
    "Verdict",
    "judge",
    "policy_of",
]


@dataclass(frozen=True)
class ActOrder:
    """One act, frozen when it was planned: a repeat is the same."""

    action: str  # like | repost | reply | follow | unfollow
    target_ref: str
    """Mastodon: id of the status or account on the own server. Bluesky: at:// address of the post, or a DID."""
    extra: dict[str, Any]
    """What the network needs beyond it (Bluesky: cid and the thread's root)."""
    record_key: str
    """Derived from channel, action and target: the same act is the same record."""
    created_at: datetime
    target_url: str = ""


@dataclass(frozen=True)
class Seen:
    """A person or a post as a network showed it; every text in it is a stranger's."""

    kind: str  # person | post
    ref: str
    author_ref: str
    handle: str
    name: str = ""
    text: str = ""
    bio: str = ""
    url: str = ""
    language: str = ""
    event: str = ""
    """How we came upon it: mention, reply, quote, follow, hashtag, keyword, ..."""
    has_tagged_us: bool = False
    followers: int | None = None
    following: int | None = None
    is_bot: bool = False
    written_at: datetime | None = None
    joined_at: datetime | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """The channel's own account, as the network shows it."""

    followers: int
    following: int
    is_flagged_as_bot: bool | None


class Acts(Protocol):
    """What a network offers to bots. Raises ConnectorError as connectors do; `perform` makes one irreversible call.

    Replies go out through the connector's own `publish`.
    """

    name: str
    source_kinds: frozenset[str]
    """Of hashtag, keyword, followers_of, posts_of, list: what can be searched here."""

    async def perform(self, order: ActOrder, channel: Channel) -> RemotePost: ...

    async def find_act(self, order: ActOrder, channel: Channel) -> Lookup:
        """Whether the act took effect; exact on networks that tell."""
        ...

    async def read_source(self, kind: str, value: str, channel: Channel, limit: int) -> list[Seen]: ...

    async def notifications(self, since: str, channel: Channel, limit: int) -> tuple[list[Seen], str]:
        """Who tagged, answered or followed us after the cursor `since`, oldest first, and the next cursor."""
        ...

    async def follows_us(self, refs: Sequence[str], channel: Channel) -> set[str]: ...

    async def standing(self, channel: Channel) -> Standing: ...

    async def flag_as_bot(self, channel: Channel) -> None:
        """Have the network show the account as automated; again is no error."""
        ...


@dataclass(frozen=True)
class Verdict:
    is_allowed: bool
    needs_person: bool
    why: str


def judge(platform: str, action: str, *, has_tagged_us: bool, is_ai: bool = False) -> Verdict:
    """Whether a bot may do this act towards this person, and whether a person must look first."""
    rule = policy_of(platform, action)
    if rule.policy is Policy.FORBIDDEN:
        return Verdict(False, False, f"{rule.why} ({rule.source})")
    if rule.policy is Policy.OPT_IN_ONLY and not has_tagged_us:
        return Verdict(False, False, f"{rule.why} This person has not. ({rule.source})")
    # What a model wrote never goes to a stranger unread on a real network.
    needs_person = rule.policy is Policy.NEEDS_PERSON or (is_ai and platform != "sandbox")
    return Verdict(True, needs_person, rule.why)
