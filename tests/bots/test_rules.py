"""What makes no sense is refused when it is saved, with the reason at its field."""

from __future__ import annotations

from typing import Any

import pytest

from contentcaster.bots.hopeless import hopeless_rails, hopeless_rule
from contentcaster.bots.patterns import matches
from contentcaster.bots.rails import Rails
from contentcaster.bots.rules import EXAMPLES, parse_model, parse_spec
from contentcaster.errors import InvalidInput
from contentcaster.models.bot import BotKind
from contentcaster.services import bots, bots_channels, bots_overview
from tests.bots.bot_kit import World

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


MENTION: dict[str, Any] = {"when": "mention", "then": LIKE}
TAG: dict[str, Any] = {"when": "hashtag", "value": "coffee", "then": LIKE}
FIND: dict[str, Any] = {"sources": [{"kind": "hashtag", "value": "coffee"}]}


@pytest.mark.parametrize(
    ("bot", "spec", "field", "reason"),
    [
        ("engagement", MENTION | {"filters": {"must_not_match": "x*"}}, "filters.must_not_match", "every post does"),
        ("engagement", MENTION | {"filters": {"must_match": "(coffee)?"}}, "filters.must_match", "keeps everything"),
        ("engagement", TAG | {"filters": {"must_not_match": "#?coffee"}}, "filters.must_not_match", "never match"),
        ("engagement", TAG | {"when": "keyword", "filters": {"must_not_match": "COFFEE"}}, "filters.must_not_match",
         "never match"),
        ("finder", FIND | {"scoring": {"min_score": 71}}, "scoring.min_score", "add up to 70 at most"),
        ("finder", FIND | {"scoring": {"min_score": 51}, "filters": {"min_followers": 30_000}}, "scoring.min_score",
         "add up to 50"),
        ("finder", FIND | {"scoring": {"min_score": 61}, "filters": {"max_followers": 10}}, "scoring.min_score",
         "add up to 60"),
        ("growth", {"filters": {"must_not_match": ".*"}}, "filters.must_not_match", "never match"),
    ],
)  # fmt: skip
def test_a_rule_that_can_never_match_is_refused_with_the_reason_at_its_field(
    bot: str, spec: dict[str, Any], field: str, reason: str
) -> None:
    problems = hopeless_rule(parse_spec(BotKind(bot), spec))
    assert list(problems) == [field]
    assert reason in problems[field]


def test_rules_and_rails_that_can_come_about_are_not_called_hopeless() -> None:
    for bot in BotKind:
        for spec in EXAMPLES[bot].values():
            assert hopeless_rule(parse_spec(bot, spec)) == {}
    within_reach = FIND | {"scoring": {"min_score": 85}, "filters": {"languages": ["en"]}}
    assert hopeless_rule(parse_spec(BotKind.FINDER, within_reach)) == {}
    assert hopeless_rails(Rails()) == {}


@pytest.mark.parametrize(
    ("cap", "reason"),
    [
        ({"per_minute": 3, "spacing_seconds": 30}, "3 a minute can never be reached; at most 2"),
        ({"per_hour": 7, "spacing_seconds": 600}, "7 an hour can never be reached; at most 6"),
        (
            {"per_hour": 1, "per_day": 25, "spacing_seconds": 3600},
            "25 a day can never be reached; at most 24",
        ),
    ],
)
def test_caps_that_the_spacing_forbids_are_refused(cap: dict[str, int], reason: str) -> None:
    rails = Rails.model_validate({"caps": {"like": cap}})
    assert reason in hopeless_rails(rails)["caps.like"]


def test_a_site_cannot_be_allowed_and_forbidden_in_replies() -> None:
    rails = Rails(link_hosts=["Example.org"], blocked_words=["example.org"])
    assert "example.org" in hopeless_rails(rails)["blocked_words"]


def test_each_bad_input_is_refused_when_it_is_saved_and_nothing_is_kept(world: World) -> None:
    """What the parsers above refuse is refused where people save it, with the field named."""
    bad = [
        ("engagement", TAG | {"filters": {"must_not_match": ".*"}}, "filters.must_not_match"),
        ("engagement", MENTION | {"filters": {"must_match": "(a+)+$"}}, "filters.must_match"),
        ("engagement", MENTION | {"then": [{"action": "reply", "templates": ["Hi {first_name}"]}]}, "then.0"),
        ("engagement", TAG | {"value": ""}, "rule"),
        ("finder", FIND | {"scoring": {"min_score": 99}}, "scoring.min_score"),
        ("growth", {"follow": False}, "rule"),
        ("dancer", {}, "bot"),
    ]
    for bot, spec, field in bad:
        with pytest.raises(InvalidInput) as refusal:
            world.write(bots.save_rule, world.ada, bot=bot, name="x", account_id=world.account.id, spec=spec)
        assert list(refusal.value.fields) == [field], (spec, refusal.value.fields)
    assert world.read(bots.list_rules, world.ada) == []
    for values, field in (
        ({"timezone": "Europe/Atlantis"}, "timezone"),
        ({"caps": {"like": {"per_minute": 5, "per_hour": 4}}}, "caps.like"),
        ({"caps": {"like": {"per_minute": 3, "spacing_seconds": 30}}}, "caps.like"),
        ({"quiet_from": "22:00", "quiet_to": "22:00"}, "rule"),
    ):
        with pytest.raises(InvalidInput) as refusal:
            world.write(bots_channels.save_rails, world.ada, world.account.id, values)
        assert list(refusal.value.fields) == [field], (values, refusal.value.fields)
    (channel,) = world.read(bots_overview.list_channels, world.ada)
    assert channel.rails == Rails().model_dump(mode="json")


def test_a_pattern_that_turns_out_slow_on_a_text_does_not_match_instead_of_hanging() -> None:
    assert matches("coffee|tea", "A cup of COFFEE")
    assert not matches(r"(.*?,){30}x", "a," * 2000)
