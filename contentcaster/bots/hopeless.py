"""What is well-formed and still can never come about: looked for when a rule or the rails of a channel are saved.

Only then: what was saved by an earlier version is read as it is, and goes on.
"""

from __future__ import annotations

from math import ceil

from contentcaster.bots.matching import BASE_POINTS, BIO_POINTS, FEW_FOLLOWERS, MANY_FOLLOWERS
from contentcaster.bots.patterns import matches
from contentcaster.bots.rails import Cap, Rails
from contentcaster.bots.rules import EngagementSpec, Filters, FinderSpec, Spec

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def hopeless_rule(spec: Spec) -> dict[str, str]:
    """Field -> why this rule can never match; empty if it can."""
    problems = _hopeless_filters(spec.filters)
    if isinstance(spec, FinderSpec):
        most = _most_points(spec)
        if spec.scoring.min_score > most:
            problems["scoring.min_score"] = (
                f"This can never match: these points add up to {most} at most, and it keeps from "
                f"{spec.scoring.min_score}."
            )
    if isinstance(spec, EngagementSpec) and spec.when in ("keyword", "hashtag"):
        sign = "#" if spec.when == "hashtag" else ""
        wanted = sign + spec.value.strip().lstrip("#")
        if spec.filters.must_not_match and matches(spec.filters.must_not_match, wanted):
            problems["filters.must_not_match"] = (
                f"This can never match: every post with “{wanted}” holds what it must not hold."
            )
    return problems


def _hopeless_filters(filters: Filters) -> dict[str, str]:
    problems = {}
    if filters.must_not_match and matches(filters.must_not_match, ""):
        problems["filters.must_not_match"] = (
            "This can never match: even an empty text holds this pattern, so every post does."
        )
    if filters.must_match and matches(filters.must_match, ""):
        problems["filters.must_match"] = (
            "This pattern keeps everything: even an empty text holds it. Leave it out, or ask for a word."
        )
    return problems


def _most_points(spec: FinderSpec) -> int:
    """As many points as the best candidate can get (matching.score)."""
    scoring, filters = spec.scoring, spec.filters
    points = BASE_POINTS + BIO_POINTS + scoring.active_points
    points += sum(weight for weight in scoring.keywords.values() if weight > 0)
    points += scoring.language_points if filters.languages else 0
    is_reached = filters.min_followers <= MANY_FOLLOWERS and (
        filters.max_followers is None or filters.max_followers >= FEW_FOLLOWERS
    )
    if is_reached:
        points += scoring.reach_points
    elif filters.min_followers < FEW_FOLLOWERS:
        points += scoring.reach_points // 2
    return min(100, points + (scoring.assistant_points if scoring.use_assistant else 0))


def hopeless_rails(rails: Rails) -> dict[str, str]:
    """Field -> which caps of a channel contradict each other; empty if none do."""
    problems = {}
    for action, cap in rails.caps.items():
        if problem := _hopeless_cap(cap):
            problems[f"caps.{action}"] = problem
    both = {_plain(one) for one in rails.link_hosts} & {_plain(one) for one in rails.blocked_words}
    if both:
        problems["blocked_words"] = (
            f"“{min(both)}” is a site that replies may link to and a word that no reply may hold."
        )
    return problems


def _hopeless_cap(cap: Cap) -> str:
    if not cap.spacing_seconds:
        return ""
    for name, words, seconds in (
        ("per_minute", "a minute", _MINUTE),
        ("per_hour", "an hour", _HOUR),
        ("per_day", "a day", _DAY),
    ):
        possible, wanted = ceil(seconds / cap.spacing_seconds), getattr(cap, name)
        if wanted > possible:
            return (
                f"With {cap.spacing_seconds} s between two, {wanted} {words} can never be reached; "
                f"at most {possible}."
            )
    return ""


def _plain(word: str) -> str:
    return word.strip().lower()
