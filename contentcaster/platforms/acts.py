"""Acts beside publishing: like, repost, reply, follow, unfollow, and the reading that bots need to find whom.

`POLICIES` says, as data, which act a bot may do on which network, and which document says so. A network or act that is
not listed needs a person. The code that enforces it is services/bots_acts.py; the card that shows it is the Bots page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from contentcaster.platforms.base import Channel, Lookup, RemotePost


class Policy(StrEnum):
    ALLOWED = "allowed"
    OPT_IN_ONLY = "opt_in_only"  # only towards those who tagged or answered this account
    NEEDS_PERSON = "needs_person"  # every single one is decided by a person
    FORBIDDEN = "forbidden"


@dataclass(frozen=True)
class ActPolicy:
    policy: Policy
    why: str
    source: str
    """The document that the rule follows."""


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


_BLUESKY = "docs.bsky.app, Bots: interact only with users who have tagged the bot"
_MASTODON = (
    "docs.joinmastodon.org and the rules of each server: mark bots as bots, ask before writing to people"
)
_X = "X automation rules and developer policy, 2026: help.x.com/rules-and-policies/x-automation"
_SANDBOX = "The sandbox network: generated people only"


def _policies(source: str, **acts: tuple[Policy, str]) -> dict[str, ActPolicy]:
    return {action: ActPolicy(policy, why, source) for action, (policy, why) in acts.items()}


POLICIES: dict[str, dict[str, ActPolicy]] = {
    "sandbox": _policies(
        _SANDBOX,
        like=(Policy.ALLOWED, "Nobody real is at the other end."),
        repost=(Policy.ALLOWED, "Nobody real is at the other end."),
        reply=(Policy.ALLOWED, "Nobody real is at the other end."),
        follow=(Policy.ALLOWED, "Nobody real is at the other end."),
        unfollow=(Policy.ALLOWED, "Nobody real is at the other end."),
    ),
    "mastodon": _policies(
        _MASTODON,
        like=(Policy.ALLOWED, "Allowed by most servers for accounts marked as bots; read your server's rules."),
        repost=(Policy.ALLOWED, "Allowed by most servers for accounts marked as bots; read your server's rules."),
        reply=(Policy.OPT_IN_ONLY, "Answers only to those who wrote to this account; others count as spam."),
        follow=(Policy.NEEDS_PERSON, "Automatic following is spam on most servers: a person decides each."),
        unfollow=(Policy.ALLOWED, "Takes back what this bot did."),
    ),
    "bluesky": _policies(
        _BLUESKY,
        like=(Policy.OPT_IN_ONLY, "Only towards those who have tagged this account."),
        repost=(Policy.OPT_IN_ONLY, "Only towards those who have tagged this account."),
        reply=(Policy.OPT_IN_ONLY, "Only towards those who have tagged this account."),
        follow=(Policy.NEEDS_PERSON, "Following is not named in the rules for bots: a person decides each."),
        unfollow=(Policy.ALLOWED, "Takes back what this bot did."),
    ),
    "x": _policies(
        _X,
        like=(Policy.FORBIDDEN, "X forbids automatic likes."),
        repost=(Policy.NEEDS_PERSON, "Bulk reposts are forbidden: a person decides each."),
        reply=(Policy.OPT_IN_ONLY, "X forbids replies by keyword; one reply to those who wrote first."),
        follow=(Policy.FORBIDDEN, "X forbids automatic and bulk following."),
        unfollow=(Policy.FORBIDDEN, "X forbids automatic and bulk unfollowing."),
    ),
    "linkedin": _policies(
        "LinkedIn User Agreement 8.2: no bots that comment, like or share",
        **{act: (Policy.FORBIDDEN, "LinkedIn forbids bots that comment, like, share or connect.")
           for act in ("like", "repost", "reply", "follow", "unfollow")},
    ),
    "linkedin-page": _policies(
        "LinkedIn User Agreement 8.2: no bots that comment, like or share",
        **{act: (Policy.FORBIDDEN, "LinkedIn forbids bots that comment, like, share or connect.")
           for act in ("like", "repost", "reply", "follow", "unfollow")},
    ),
    "reddit": _policies(
        "Reddit Responsible Builder Policy: no vote automation",
        like=(Policy.FORBIDDEN, "Reddit bans automatic votes."),
        reply=(Policy.NEEDS_PERSON, "Each community has its own rules: a person decides each."),
    ),
}  # fmt: skip

_DEFAULT = ActPolicy(
    Policy.NEEDS_PERSON, "Nobody has read this network's rules for us yet: a person decides each.", ""
)


def policy_of(platform: str, action: str) -> ActPolicy:
    """What `platform` says of `action` by a bot; needs a person where nothing is known."""
    return POLICIES.get(platform, {}).get(action, _DEFAULT)


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
