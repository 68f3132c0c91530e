"""The growth bot: unfollows whom it followed in vain, keeps whom it shall keep, and stops when it follows too many."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from contentcaster.bots.candidates import Candidate
from contentcaster.models import ActAction, ActState
from contentcaster.platforms import get_connector
from contentcaster.services import bots_charts, bots_overview
from tests.bots.bot_kit import World
from tests.bots.test_acts import run_for

FAST = {"per_minute": 10, "per_hour": 60, "per_day": 100, "spacing_seconds": 0, "jitter_seconds": 0}


def person(world: World, handle: str) -> Candidate:
    post = world.others_status("hello", handle=handle)
    return replace(post, kind="person", ref=post.author_ref, text="", extra={})


def test_after_so_many_days_whoever_did_not_follow_back_is_unfollowed_but_nobody_on_the_keep_list(
    world: World,
) -> None:
    world.rails(caps={"follow": FAST, "unfollow": FAST}, keep_list=["@keeper"])
    rule = world.rule("growth", follow=True, min_score=100)
    for handle in ("stranger", "keeper", "friend"):
        assert world.propose(rule, ActAction.FOLLOW, person(world, handle)).outcome == "planned"
    friend = world.sandbox.control.account("friend")
    back = world.sandbox.control.http.post(
        f"/api/v1/accounts/{world.account.remote_id}/follow",
        headers={"Authorization": f"Bearer {friend['access_token']}"},
    )
    assert back.status_code == 200
    run_for(world, minutes=3)
    cleaner = world.rule("growth", follow=False, unfollow_after_days=14, name="Clean up")
    world.now += timedelta(days=13)
    world.run_rule(cleaner)
    assert [act for act in world.acts() if act.action is ActAction.UNFOLLOW] == []
    world.now += timedelta(days=2)
    world.run_rule(cleaner)
    run_for(world, minutes=3)
    unfollowed = [act for act in world.acts() if act.action is ActAction.UNFOLLOW]
    assert [(act.target["handle"], act.state) for act in unfollowed] == [("@stranger", ActState.DONE)]
    assert world.sandbox.control.ledger(account="acme")["counts"]["unfollow"] == 1
    assert [line.why for line in world.log(action="unfollow", outcome="skipped")] == ["on the keep list"]

    charts = world.read(bots_charts.get_charts, world.mona, now=world.now)
    assert [(series.action, series.total, series.days[-1]) for series in charts.actions] == [
        ("unfollow", 1, 1)
    ]


def test_following_far_more_than_follow_back_stops_the_channel(world: World) -> None:
    world.rails(max_follow_ratio=2)
    headers = {"Authorization": f"Bearer {world.person['access_token']}"}
    for number in range(51):
        other = person(world, f"someone{number}")
        at = f"/api/v1/accounts/{other.author_ref}/follow"
        assert world.sandbox.control.http.post(at, headers=headers).status_code == 200
    rule = world.rule("growth", follow=True, min_score=0)
    world.run_rule(rule)
    (channel,) = world.read(bots_overview.list_channels, world.mona, now=world.now)
    assert channel.is_stopped
    assert "times as many as follow it" in channel.stop_reason


def test_what_a_network_allows_bots_is_data_of_its_capabilities() -> None:
    for platform in ("x", "linkedin", "bluesky", "mastodon", "sandbox"):
        automation = get_connector(platform).capabilities.automation
        assert set(automation) == {"like", "repost", "reply", "follow", "unfollow"}
        assert all(rule.why and rule.source for rule in automation.values())
    assert get_connector("x").capabilities.automation["like"].policy == "forbidden"
    assert get_connector("bluesky").capabilities.automation["reply"].policy == "opt_in_only"
    unread = get_connector("discord").capabilities.automation["like"]
    assert (unread.policy, unread.source) == ("needs_person", "")
