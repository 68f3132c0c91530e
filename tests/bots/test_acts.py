"""Policy, modes, approval and the kill switch, against a real sandbox."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from contentcaster.engine import failures, ledger, reconciler
from contentcaster.engine.policy import MAX_CRASHES
from contentcaster.engine.policy import Policy as EnginePolicy
from contentcaster.errors import InvalidInput, NotAllowed
from contentcaster.models import Account, ActAction, ActState, FailedTask, Job, JobState
from contentcaster.platforms.acts import POLICIES, Policy, judge
from contentcaster.services import bots, bots_channels, bots_outcomes, bots_overview
from tests.bots.bot_kit import Day, World
from tests.engine.ledger_kit import at

LIKE = [{"action": "like"}]


def run_for(world: World, **span: float) -> Day:
    day = Day(world, step=timedelta(seconds=20))
    asyncio.run(day.run(world.now + timedelta(**span)))
    return day


def test_a_rule_starts_disabled_and_in_dry_run_and_then_only_says_what_it_would_do(world: World) -> None:
    world.rails()
    view = world.write(
        bots.save_rule, world.ada, bot="engagement", name="Likes", account_id=world.account.id,
        spec={"when": "hashtag", "value": "coffee", "then": LIKE},
    )  # fmt: skip
    assert (view.is_enabled, view.mode) == (False, "dry_run")
    world.others_status("Morning #coffee")
    world.write(bots.set_enabled, world.ada, view.id, True)
    day = run_for(world, minutes=10)
    assert day.arrived == []
    assert [line.outcome for line in world.log(action="like")] == ["would_do"]
    world.write(bots.set_mode, world.ada, view.id, "automatic")
    assert len(run_for(world, minutes=15).times("like")) == 1


def test_the_same_act_is_never_planned_twice_not_even_by_two_rules(world: World) -> None:
    world.rails()
    first, second = (world.rule("engagement", when="mention", then=LIKE, name=n) for n in ("One", "Two"))
    post = world.others_status()
    told = [world.propose(rule, ActAction.LIKE, post).outcome for rule in (first, second, first)]
    assert told == ["planned", "known", "known"]
    assert len(run_for(world, minutes=5).times("like")) == 1


def test_approved_acts_go_out_and_rejected_ones_never(world: World) -> None:
    world.rails()
    rule = world.rule("engagement", "approve", when="mention", then=LIKE)
    posts = [world.others_status(f"post {n}") for n in range(3)]
    assert {world.propose(rule, ActAction.LIKE, post).outcome for post in posts} == {"waiting"}
    waiting = world.read(bots.list_waiting, world.mona).items
    assert len(waiting) == 3
    assert world.write(bots.reject, world.ada, [waiting[0].id], now=world.now).done == 1
    result = world.write(bots.approve, world.ada, [act.id for act in waiting], now=world.now)
    assert (result.done, result.skipped) == (2, 1)
    assert len(run_for(world, minutes=10).times("like")) == 2
    assert [line.actor for line in world.log(outcome="planned")] == ["Ada", "Ada"]
    assert world.propose(rule, ActAction.LIKE, posts[0]).outcome == "known"


def test_a_forbidden_act_is_refused_when_saved_and_again_when_proposed(world: World) -> None:
    with world.database.transaction() as session:
        session.get_one(Account, world.account.id).platform = "mastodon"
    with pytest.raises(InvalidInput, match="never match"):
        world.write(
            bots.save_rule, world.ada, bot="engagement", name="x", account_id=world.account.id,
            spec={"when": "keyword", "value": "coffee", "then": [{"action": "reply", "templates": ["Hello!"]}]},
        )  # fmt: skip
    world.rails()
    rule = world.rule("engagement", when="mention", then=LIKE)
    stranger = world.others_status()
    told = world.propose(rule, ActAction.REPLY, stranger, text="@bea Hello!")
    assert told.outcome == "refused"
    assert "wrote to this account" in told.why
    asked = world.propose(rule, ActAction.FOLLOW, stranger)
    assert asked.outcome == "waiting"
    assert run_for(world, minutes=5).arrived == []


@pytest.mark.parametrize("action", ["like", "follow", "unfollow"])
def test_x_and_linkedin_forbid_automatic_acts_with_the_source_named(action: str) -> None:
    for platform in ("x", "linkedin"):
        verdict = judge(platform, action, has_tagged_us=True)
        assert not verdict.is_allowed
        assert POLICIES[platform][action].source in verdict.why


def test_bluesky_lets_a_bot_act_only_towards_those_who_tagged_it() -> None:
    assert not judge("bluesky", "like", has_tagged_us=False).is_allowed
    assert judge("bluesky", "like", has_tagged_us=True).is_allowed
    assert judge("bluesky", "follow", has_tagged_us=True).needs_person
    assert judge("a network of tomorrow", "like", has_tagged_us=True).needs_person
    assert all(rule.source for acts in POLICIES.values() for rule in acts.values())
    assert POLICIES["x"]["like"].policy is Policy.FORBIDDEN


def test_the_kill_switch_calls_off_everything_that_waits_and_nothing_follows(world: World) -> None:
    world.rails()
    rule = world.rule("engagement", when="mention", then=LIKE)
    for number in range(4):
        world.propose(rule, ActAction.LIKE, world.others_status(f"post {number}"))
    assert world.write(bots_channels.stop_all, world.ada, "an accident") == 4
    assert run_for(world, minutes=30).arrived == []
    with world.database.reading() as session:
        states = {job.state for job in session.query(Job) if job.kind == "like"}
    assert states == {JobState.CANCELLED}
    assert {act.state for act in world.acts()} == {ActState.STOPPED}
    assert world.propose(rule, ActAction.LIKE, world.others_status("late")).outcome == "known"
    world.write(bots_channels.resume_all, world.ada)
    again = replace(world.others_status("late"), ref=world.acts()[0].target_ref)
    assert world.propose(rule, ActAction.LIKE, again).outcome == "planned"
    assert len(run_for(world, minutes=5).times("like")) == 1


def test_a_job_already_in_a_workers_hands_is_not_sent_after_the_switch(world: World) -> None:
    from contentcaster.engine import ledger
    from contentcaster.services.bots_executor import ActExecutor
    from tests.engine.ledger_kit import at

    world.rails()
    rule = world.rule("engagement", when="mention", then=LIKE)
    world.propose(rule, ActAction.LIKE, world.others_status())
    world.now += timedelta(minutes=2)

    async def hold_and_stop() -> tuple[bool, object]:
        with world.database.transaction() as session:
            (job,) = ledger.claim(
                session, queues=("engagement",), worker="w", limit=5, lead_seconds=0, lease_seconds=60,
                now=at(world.now),
            )  # fmt: skip
        ready = await ActExecutor(world.database, clock=lambda: world.now).prepare(job)
        assert callable(ready)
        world.write(bots_channels.stop_channel, world.ada, world.account.id, "enough")
        with world.database.transaction() as session:
            begun = ledger.begin_send(session, [(job.id, job.fence)], lease_seconds=60, now=at(world.now))
        return bool(begun), await ready(1e12)

    begun, outcome = asyncio.run(hold_and_stop())
    assert not begun
    assert type(outcome).__name__ == "Released"
    assert world.sandbox.control.ledger(account="acme")["effects"] == []


def test_429s_stop_the_channel_by_itself(world: World) -> None:
    world.rails(stop_after_rate_limits=2)
    rule = world.rule("engagement", when="mention", then=LIKE)
    world.sandbox.control.fault("rate_limit", {"path": "favourite"}, times=None, params={"retry_after": 1})
    for number in range(4):
        world.propose(rule, ActAction.LIKE, world.others_status(f"post {number}"))
    run_for(world, minutes=10)
    world.sandbox.control.clear_faults()
    (channel,) = world.read(bots_overview.list_channels, world.mona, now=world.now)
    assert channel.is_stopped
    assert "slow down" in channel.stop_reason
    assert world.sandbox.control.ledger(account="acme")["effects"] == []


def test_a_monitor_follows_everything_and_changes_nothing(world: World) -> None:
    world.rails()
    rule = world.rule("engagement", "approve", when="mention", then=LIKE)
    world.propose(rule, ActAction.LIKE, world.others_status())
    (act,) = world.read(bots.list_waiting, world.mona).items
    assert world.read(bots.list_rules, world.mona)
    assert world.read(bots_overview.list_channels, world.mona)
    assert world.read(bots_overview.list_bots, world.mona)
    forbidden = [
        lambda: world.write(bots.approve, world.mona, [act.id]),
        lambda: world.write(bots.reject, world.mona, [act.id]),
        lambda: world.write(bots.set_enabled, world.mona, rule, False),
        lambda: world.write(bots.set_mode, world.mona, rule, "automatic"),
        lambda: world.write(bots.delete_rule, world.mona, rule),
        lambda: world.write(bots.run_now, world.mona, rule),
        lambda: world.write(bots_channels.stop_all, world.mona),
        lambda: world.write(bots_channels.resume_all, world.mona),
        lambda: world.write(bots_channels.stop_channel, world.mona, world.account.id),
        lambda: world.write(bots_channels.save_rails, world.mona, world.account.id, {}),
    ]
    for attempt in forbidden:
        with pytest.raises(NotAllowed):
            attempt()
    for reading in (bots.list_rules, bots_overview.list_channels, bots_overview.list_bots):
        with pytest.raises(NotAllowed):
            world.read(reading, world.alice)


def test_simulate_says_what_would_happen_and_why_and_does_nothing(world: World) -> None:
    world.rails(deny_list=["crypto"])
    world.others_status("Good #coffee", handle="bea")
    world.others_status("Buy #coffee coins", handle="crypto_daily")
    rule = world.rule("engagement", when="hashtag", value="coffee", then=LIKE)
    shown = asyncio.run(bots_overview.simulate(world.database, world.mona, rule))
    assert [(act.would, act.why) for act in shown] == [
        ("do", "found by hashtag, 0 followers"),
        ("skip", "deny list: crypto"),
    ]
    assert world.acts() == []
    assert world.sandbox.control.ledger(account="acme")["effects"] == []


def test_nobody_is_answered_post_by_post_unless_they_write_back(world: World) -> None:
    world.rails()
    rule = world.rule("engagement", "approve", when="mention", then=LIKE)
    first, second = world.others_status("one #coffee"), world.others_status("two #coffee")
    assert world.propose(rule, ActAction.REPLY, first, text="@bea A fine cup!").outcome == "waiting"
    told = world.propose(rule, ActAction.REPLY, second, text="@bea Another fine cup!")
    assert (told.outcome, "answered within the last day" in told.why) == ("refused", True)
    written = replace(world.others_status("@acme hello"), has_tagged_us=True)
    assert world.propose(rule, ActAction.REPLY, written, text="@bea Hello back!").outcome == "waiting"


def test_who_blocks_us_is_told_in_the_log_and_leaves_no_failed_task(world: World) -> None:
    world.rails()
    rule = world.rule("engagement", when="mention", then=LIKE)
    post = world.others_status()
    bea = world.sandbox.control.account("bea")
    headers = {"Authorization": f"Bearer {bea['access_token']}"}
    at = f"/api/v1/accounts/{world.account.remote_id}/block"
    assert world.sandbox.control.http.post(at, headers=headers).status_code == 200
    world.propose(rule, ActAction.LIKE, post)
    run_for(world, minutes=3)
    assert [act.state for act in world.acts()] == [ActState.REFUSED]
    assert [line.detail for line in world.log(outcome="refused")] == ["by the network"]
    with world.database.reading() as session:
        assert [task.resolution for task in session.query(FailedTask)] == ["discarded"]


def test_refusals_in_a_row_stop_the_channel_by_itself(world: World) -> None:
    world.rails(stop_after_failures=2)
    rule = world.rule("engagement", when="mention", then=LIKE)
    for number in range(4):
        gone = replace(world.others_status(f"post {number}"), ref=str(900 + number))
        world.propose(rule, ActAction.LIKE, gone)
    run_for(world, minutes=10)
    (channel,) = world.read(bots_overview.list_channels, world.mona, now=world.now)
    assert channel.is_stopped
    assert "refused by the network" in channel.stop_reason


def test_workers_that_die_are_no_complaint_of_the_network_and_a_retried_act_is_told(world: World) -> None:
    world.rails(stop_after_failures=2)
    rule = world.rule("engagement", when="mention", then=LIKE)
    for number in range(3):
        world.propose(rule, ActAction.LIKE, world.others_status(f"post {number}"))
    crash_until_parked(world)
    world.write(bots_outcomes.collect, now=world.now)
    assert {act.state for act in world.acts()} == {ActState.FAILED}
    assert [line.detail for line in world.log(outcome="failed")] == ["on our side"] * 3
    (channel,) = world.read(bots_overview.list_channels, world.mona, now=world.now)
    assert not channel.is_stopped

    with world.database.transaction() as session:
        for task in session.query(FailedTask).where(FailedTask.resolved_at.is_(None)):
            failures.retry(session, task.id, actor="Ada", now=at(world.now))
    world.write(bots_outcomes.collect, now=world.now)
    assert {act.state for act in world.acts()} == {ActState.PLANNED}
    run_for(world, minutes=5)
    assert {act.state for act in world.acts()} == {ActState.DONE}
    assert world.sandbox.control.ledger(account="acme")["counts"] == {"like": 3}


def crash_until_parked(world: World) -> None:
    """Workers claim the acts and are not heard of again, until the reconciler gives up on them: the last time one by
    one, since nobody knows which of them it was."""
    last = max(act.slot_at for act in world.acts() if act.slot_at)
    world.now = last
    for _ in range(MAX_CRASHES - 1 + len(world.acts())):
        with world.database.transaction() as session:
            assert ledger.claim(
                session, queues=["engagement"], worker="dies", limit=10, lead_seconds=0, lease_seconds=1,
                now=at(world.now),
            )  # fmt: skip
        world.now += timedelta(seconds=2)
        reconciler.reconcile(world.database, EnginePolicy(), now=at(world.now))
