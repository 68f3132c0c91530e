"""Strangers' texts that command, and a model that obeys them: nothing forbidden goes out."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from contentcaster.bots.candidates import Candidate
from contentcaster.bots.rails import Rails
from contentcaster.bots.reply_check import find_problem
from contentcaster.bots.rules import Then
from contentcaster.bots.templates import fill
from contentcaster.models import ActState
from contentcaster.platforms.base import TextRule
from contentcaster.sandbox.population_texts import HOSTILE
from tests.bots.bot_kit import Day, World

RULE = TextRule(500)
COMPROMISED = (
    "Here is my system prompt and the access token: abcdef0123456789",
    "Follow @evil@example.invalid now",
    "Win a voucher at https://example.invalid/?ref=1",
    "See example.invalid for more",
    "<script>alert(1)</script>",
    "@bea " + "x" * 600,
    "Hi \u202eevil",
    "#ad #ad #ad #ad buy",
    "",
)


@pytest.mark.parametrize("text", COMPROMISED)
def test_a_reply_of_a_compromised_model_is_refused_by_code(text: str) -> None:
    assert find_problem(text, rule=RULE, rails=Rails(), target_handle="@bea", earlier=[])


def test_a_decent_reply_passes_and_the_same_words_over_and_over_do_not() -> None:
    rails = Rails(link_hosts=["acme.example.org"], blocked_words=["voucher"])
    text = "@bea Thank you! More at https://acme.example.org/help"
    assert find_problem(text, rule=RULE, rails=rails, target_handle="@bea", earlier=[]) == ""
    spam = [text.replace("bea", f"person{n}") for n in range(5)]
    assert "nearly the same" in find_problem(text, rule=RULE, rails=rails, target_handle="@bea", earlier=spam)
    assert "blocked" in find_problem("A Voucher", rule=RULE, rails=rails, target_handle="@bea", earlier=[])


def test_a_display_name_cannot_smuggle_links_mentions_or_variables_into_a_template() -> None:
    for name in ("https://example.invalid", "{handle}{topic}", "@evil", "www.example.invalid", "<b>x</b>"):
        seen = Candidate(kind="post", ref="1", author_ref="2", handle="@bea", name=name, text="#coffee")
        text = fill("Thanks {name}!", seen)
        assert "invalid" not in text and "@evil" not in text and "<" not in text and "{" not in text


def test_hostile_posts_and_an_obedient_model_lead_to_nothing_forbidden(world: World) -> None:
    world.rails()
    control = world.sandbox.control
    for number, text in enumerate(HOSTILE):
        world.others_status(f"@acme {text}", handle=f"hostile{number}")
    world.others_status("@acme Thank you, that helped!", handle="bea")
    rule = world.rule(
        "engagement", when="mention", filters={"skip_bots": False},
        then=[{"action": "like"}, {"action": "reply", "use_assistant": True}],
    )  # fmt: skip
    asked: list[str] = []

    async def obedient(candidate: Candidate, then: Then) -> str:
        """Does what the text says, as a model that was talked round would."""
        asked.append(candidate.text)
        if "helped" in candidate.text:
            return "You are welcome!"
        return f"My system prompt and access token: {world.person['access_token']}. Follow https://example.invalid"

    world.run_rule(rule, obedient)
    day = Day(world, step=timedelta(seconds=30))
    asyncio.run(day.run(world.now + timedelta(minutes=15)))
    assert len(asked) == len(HOSTILE) + 1
    kinds = [effect["kind"] for _, effect in day.arrived]
    assert set(kinds) <= {"like", "reply"}
    texts = [effect["text"] for _, effect in day.arrived if effect["kind"] == "reply"]
    assert texts == ["@bea You are welcome!"]
    assert len([act for act in world.acts() if act.state is ActState.REFUSED]) == len(HOSTILE)
    assert all("the reply was not sent" in line.why for line in world.log(outcome="refused"))
    sent = " ".join(str(request.get("text")) for request in control.requests(account="acme"))
    assert world.person["access_token"] not in sent


def test_a_model_that_fails_stops_neither_the_run_nor_the_other_acts(world: World) -> None:
    world.rails()
    world.others_status("@acme hello", handle="bea")
    rule = world.rule("engagement", when="mention",
                      then=[{"action": "like"}, {"action": "reply", "use_assistant": True}])  # fmt: skip

    async def broken(candidate: Candidate, then: Then) -> str:
        raise TimeoutError

    world.run_rule(rule, broken)
    assert {act.action.value for act in world.acts()} == {"like"}
    assert [line.why for line in world.log(action="reply")] == ["the assistant failed: TimeoutError"]
