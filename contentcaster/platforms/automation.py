"""Which act a bot may do on which network, as data, with the document that says so.

A network or act that is not listed needs a person. `Capabilities.automation` is how everybody else reads this.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

BOT_ACTIONS = ("like", "repost", "reply", "follow", "unfollow")


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
