"""What makes no sense is refused when it is saved, with the reason at its field."""

from __future__ import annotations

from typing import Any

import pytest

from contentcaster.bots.patterns import matches
from contentcaster.bots.rails import Rails
from contentcaster.bots.rules import EXAMPLES, parse_model, parse_spec
from contentcaster.errors import InvalidInput
from contentcaster.models.bot import BotKind

LIKE = [{"action": "like"}]


@pytest.mark.parametrize("bot", list(BotKind))
def test_every_example_can_be_saved(bot: BotKind) -> None:
    for spec in EXAMPLES[bot].values():
        parse_spec(bot, spec)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"when": "keyword", "value": " ", "then": LIKE}, "never match"),
        ({"when": "mention", "then": []}, "at least 1"),
        ({"when": "follow", "then": LIKE}, "never match"),
        ({"when": "finder", "value": "101", "then": LIKE}, "never match"),
        ({"when": "mention", "then": LIKE, "filters": {"min_followers": 10, "max_followers": 9}}, "never match"),
        ({"when": "mention", "then": LIKE, "filters": {"allow_list": ["@a"], "deny_list": ["A"]}}, "never match"),
        ({"when": "mention", "then": LIKE, "filters": {"must_match": "x", "must_not_match": "x"}}, "never match"),
        ({"when": "mention", "then": LIKE, "filters": {"must_match": "(a+)+$"}}, "for ever"),
        ({"when": "mention", "then": LIKE, "filters": {"must_match": "(a|aa)+$"}}, "for ever"),
        ({"when": "mention", "then": LIKE, "filters": {"must_match": "("}}, "no regular expression"),
        ({"when": "mention", "then": [{"action": "reply"}]}, "needs a template"),
        ({"when": "mention", "then": [{"action": "reply", "templates": ["Hi {first_name}"]}]}, "no variable"),
        ({"when": "mention", "then": [{"action": "reply", "templates": ["Hi {name"]}]}, "brace is open"),
        ({"when": "mention", "then": [{"action": "reply", "templates": ["{name}"]}]}, "words of its own"),
        ({"when": "mention", "then": [{"action": "like", "templates": ["x"]}]}, "no text"),
        ({"when": "mention", "then": [{"action": "like"}, {"action": "like"}]}, "once"),
        ({"when": "mention", "then": [{"action": "follow"}]}, "like"),
        ({"when": "mention", "then": LIKE, "planet": "x"}, "not permitted"),
    ],
)  # fmt: skip
def test_an_engagement_rule_that_makes_no_sense_is_refused(spec: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_spec(BotKind.ENGAGEMENT, spec)
    assert reason in " ".join(refusal.value.fields.values())
    assert all("Value error" not in words for words in refusal.value.fields.values())


@pytest.mark.parametrize(
    ("bot", "spec", "reason"),
    [
        (BotKind.FINDER, {"sources": []}, "at least 1"),
        (BotKind.FINDER, {"sources": [{"kind": "hashtag", "value": "two words"}]}, "never match"),
        (BotKind.FINDER, {"sources": [{"kind": "hashtag", "value": "#"}]}, "needs a name"),
        (BotKind.FINDER, {"sources": [{"kind": "feed", "value": "javascript:alert(1)"}]}, "https"),
        (BotKind.GROWTH, {"follow": False}, "do nothing"),
    ],
)
def test_a_finder_or_growth_rule_that_makes_no_sense_is_refused(
    bot: BotKind, spec: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InvalidInput, match=reason):
        parse_spec(bot, spec)


@pytest.mark.parametrize(
    ("rails", "reason"),
    [
        ({"timezone": "Europe/Atlantis"}, "no time zone"),
        ({"quiet_from": "22:00", "quiet_to": "22:00"}, "no time to act"),
        ({"quiet_from": "22:00", "quiet_to": None}, "beginning and an end"),
        ({"caps": {"like": {"per_minute": 5, "per_hour": 4, "per_day": 40}}}, "never be reached"),
        ({"caps": {"like": {"per_minute": 1, "per_hour": 50, "per_day": 40}}}, "never be reached"),
        ({"caps": {"like": {"per_hour": 30, "per_day": 40, "spacing_seconds": 600}}}, "never be reached"),
        ({"caps": {"poke": {}}}, "no action"),
        ({"caps": {"like": {"per_day": -1}}}, "greater than"),
    ],
)
def test_rails_that_contradict_themselves_are_refused(rails: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        parse_model(Rails, rails)


def test_a_pattern_that_turns_out_slow_on_a_text_does_not_match_instead_of_hanging() -> None:
    assert matches("coffee|tea", "A cup of COFFEE")
    assert not matches(r"(.*?,){30}x", "a," * 2000)
