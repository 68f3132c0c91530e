"""Whether a rule keeps a candidate, and how many points it gets; both say why in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from contentcaster.bots.candidates import Candidate
from contentcaster.bots.patterns import matches
from contentcaster.bots.rules import Filters, Scoring

_BAD = frozenset(
    [
        "hate",
        "awful",
        "terrible",
        "worst",
        "angry",
        "scam",
        "stupid",
        "broken",
        "useless",
        "disgusting",
        "horrible",
        "spam",
        "liar",
        "fraud",
        "garbage",
        "schlecht",
        "furchtbar",
        "hass",
        "betrug",
        "kaputt",
        "nul",
        "nulle",
        "malo",
        "odio",
        "estafa",
    ]
)
_GOOD = frozenset(
    [
        "love",
        "great",
        "thanks",
        "thank",
        "wonderful",
        "nice",
        "best",
        "happy",
        "excellent",
        "amazing",
        "good",
        "beautiful",
        "brilliant",
        "helpful",
        "danke",
        "toll",
        "gut",
        "schön",
        "wunderbar",
        "merci",
        "super",
        "gracias",
        "genial",
        "bueno",
    ]
)


BASE_POINTS = 30
BIO_POINTS = 5
FEW_FOLLOWERS, MANY_FOLLOWERS = 20, 20_000
"""Reach counts between the two."""


@dataclass(frozen=True)
class Verdict:
    is_kept: bool
    why: str


def judge(
    candidate: Candidate, filters: Filters, *, deny_list: Sequence[str], now: datetime, own_handle: str
) -> Verdict:
    """Whether the candidate passes; `why` names the first thing against it, or what spoke for it."""
    if reason := _objection(candidate, filters, deny_list, now, own_handle):
        return Verdict(False, reason)
    return Verdict(True, _praise(candidate, filters))


def _objection(
    candidate: Candidate, filters: Filters, deny_list: Sequence[str], now: datetime, own_handle: str
) -> str:
    handle = candidate.handle.lower().lstrip("@")
    if handle in (own_handle.lower().lstrip("@"), own_handle.lower().lstrip("@").split("@")[0]):
        return "it is this channel itself"
    if denied := _denied(candidate, [*deny_list, *filters.deny_list]):
        return f"deny list: {denied}"
    if filters.allow_list and handle not in {entry.lower().lstrip("@") for entry in filters.allow_list}:
        return "not on the allow list"
    return _profile_objection(candidate, filters, now) or _text_objection(candidate, filters, now)


def _profile_objection(candidate: Candidate, filters: Filters, now: datetime) -> str:
    if filters.skip_bots and candidate.is_bot:
        return "an automated account"
    if candidate.followers is not None:
        if candidate.followers < filters.min_followers:
            return f"{candidate.followers:,} followers, fewer than {filters.min_followers:,}"
        if filters.max_followers is not None and candidate.followers > filters.max_followers:
            return f"{candidate.followers:,} followers, more than {filters.max_followers:,}"
    if filters.min_account_age_days:
        youngest = now - timedelta(days=filters.min_account_age_days)
        if candidate.joined_at is None or candidate.joined_at > youngest:
            return f"the account is younger than {filters.min_account_age_days} days"
    return ""


def _text_objection(candidate: Candidate, filters: Filters, now: datetime) -> str:
    if filters.languages and candidate.language:
        language = candidate.language.lower()
        if not any(language == wanted or language.startswith(wanted + "-") for wanted in filters.languages):
            return f"language {candidate.language}"
    if candidate.kind == "post" and filters.max_post_age_hours is not None:
        oldest = now - timedelta(hours=filters.max_post_age_hours)
        if candidate.written_at and candidate.written_at < oldest:
            return f"older than {filters.max_post_age_hours} hours"
    if candidate.extra.get("visibility") == "direct":
        return "a private message"
    text = f"{candidate.text} {candidate.bio} {candidate.name}"
    if filters.must_match and not matches(filters.must_match, text):
        return "the pattern is not in it"
    if filters.must_not_match and matches(filters.must_not_match, text):
        return "it holds the excluded pattern"
    mood = sentiment(candidate.text)
    if filters.sentiment == "positive" and mood <= 0:
        return "not a positive tone"
    if filters.sentiment == "not_negative" and mood < 0:
        return "a negative tone"
    return ""


def _denied(candidate: Candidate, entries: Sequence[str]) -> str:
    handle = candidate.handle.lower().lstrip("@")
    about = f"{handle} {candidate.bio} {candidate.name}".lower()
    for entry in entries:
        word = entry.lower().strip()
        if word.startswith("@") or "@" in word:
            if word.lstrip("@") == handle:
                return entry
        elif word and word in about:
            return entry
    return ""


def _praise(candidate: Candidate, filters: Filters) -> str:
    words = {
        "mention": "mentions us",
        "reply": "answers us",
        "quote": "quotes us",
        "follow": "follows us",
        "followers_of": "follows a peer",
    }
    parts = [
        words.get(candidate.event, f"found by {candidate.event.replace('_', ' ')}" if candidate.event else "")
    ]
    if candidate.followers is not None:
        plural = "follower" if candidate.followers == 1 else "followers"
        parts.append(f"{short_number(candidate.followers)} {plural}")
    if candidate.language:
        parts.append(f"writes {candidate.language.upper()}")
    if filters.allow_list:
        parts.append("in allow list")
    return ", ".join(part for part in parts if part)


def short_number(number: int) -> str:
    return f"{number / 1000:.1f}k".replace(".0k", "k") if number >= 1000 else str(number)


def sentiment(text: str) -> int:
    """Positive words minus negative ones, in a few languages: a coarse rule, and a cheap one."""
    words = [word.strip(".,!?:;()\"'").casefold() for word in text.split()]
    return sum(word in _GOOD for word in words) - sum(word in _BAD for word in words)


def score(candidate: Candidate, scoring: Scoring, filters: Filters, now: datetime) -> tuple[int, str]:
    """Points from 0 to 100, and what they are made of."""
    points, reasons = BASE_POINTS, []
    text = f"{candidate.text} {candidate.bio}".casefold()
    for word, weight in scoring.keywords.items():
        if word.casefold() in text:
            points += weight
            reasons.append(f"“{word}” {weight:+d}")
    if filters.languages and candidate.language.lower()[:2] in {wanted[:2] for wanted in filters.languages}:
        points += scoring.language_points
        reasons.append(f"writes {candidate.language.upper()}")
    if candidate.written_at and candidate.written_at > now - timedelta(days=3):
        points += scoring.active_points
        reasons.append("active these days")
    if candidate.followers is not None and FEW_FOLLOWERS <= candidate.followers <= MANY_FOLLOWERS:
        points += scoring.reach_points
        reasons.append(f"{short_number(candidate.followers)} followers")
    elif candidate.followers is not None and candidate.followers < FEW_FOLLOWERS:
        points += scoring.reach_points // 2
    if candidate.bio:
        points += BIO_POINTS
    if candidate.is_bot:
        points -= 40
        reasons.append("automated")
    return max(0, min(100, points)), ", ".join(reasons) or "nothing in particular"
