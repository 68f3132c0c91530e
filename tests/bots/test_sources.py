"""What a finder reads of people and lists on a real network, and keeps with where it came from."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contentcaster.engine import ledger
from contentcaster.errors import Conflict, InvalidInput, NotAllowed
from contentcaster.models import BotProspect, BotRule, Job
from contentcaster.services import bots_plan, bots_prospects
from tests.bots.bot_kit import World

EVERYBODY = {"filters": {"skip_bots": False, "max_post_age_hours": None}, "scoring": {"min_score": 0}}


def post(world: World, path: str, handle: str, **body: object) -> dict[str, object]:
    person = world.sandbox.control.account(handle)
    answer = world.sandbox.control.http.post(
        path, json=body, headers={"Authorization": f"Bearer {person['access_token']}"}
    )
    assert answer.is_success, answer.text
    found: dict[str, object] = answer.json()
    return found


def kept(world: World) -> set[tuple[str, str, str]]:
    """Kind, handle and source of every prospect."""
    with world.database.reading() as session:
        rows = session.query(BotProspect).all()
        return {(row.kind, row.candidate["handle"], row.source) for row in rows}


def test_followers_posts_and_lists_become_prospects_that_say_where_they_were_found(world: World) -> None:
    world.rails()
    peer = world.others_status("Espresso again", handle="peer")
    world.others_status("Nothing of interest", handle="fan")
    listed = world.others_status("From the list", handle="listed")
    post(world, f"/api/v1/accounts/{peer.author_ref}/follow", "fan")
    post(world, f"/api/v1/accounts/{listed.author_ref}/follow", "acme")
    made = post(world, "/api/v1/lists", "acme", title="Roasters")
    post(world, f"/api/v1/lists/{made['id']}/accounts", "acme", account_ids=[listed.author_ref])
    sources = [
        {"kind": "followers_of", "value": "@peer"},
        {"kind": "posts_of", "value": "peer"},
        {"kind": "list", "value": str(made["id"])},
        {"kind": "list", "value": "999999"},
        {"kind": "posts_of", "value": "@nobody-here"},
    ]
    report = world.run_rule(world.rule("finder", sources=sources, **EVERYBODY))
    assert kept(world) == {
        ("person", "@fan", "followers of @peer"),
        ("post", "@peer", "posts of peer"),
        ("person", "@peer", "posts of peer"),
        ("post", "@listed", f"list {made['id']}"),
        ("person", "@listed", f"list {made['id']}"),
    }
    assert len(report.problems) == 2, "a source that is not there is told, and stops no other"
    assert world.run_rule(world.rule("finder", sources=sources[:3], name="Again", **EVERYBODY)).entered == 0


def test_what_was_found_is_listed_by_score_and_dismissed_by_an_admin_alone(world: World) -> None:
    world.rails()
    for number in range(3):
        world.others_status(f"#coffee {'grinder ' * number}", handle=f"found{number}")
    spec = {"filters": EVERYBODY["filters"], "scoring": {"keywords": {"grinder": 15}, "min_score": 0}}
    world.run_rule(world.rule("finder", sources=[{"kind": "hashtag", "value": "coffee"}], **spec))
    first = world.read(bots_prospects.list_prospects, world.mona, limit=4)
    rest = world.read(bots_prospects.list_prospects, world.mona, limit=4, cursor=first.next_cursor)
    found = [*first.items, *rest.items]
    assert (len(found), rest.next_cursor) == (6, "")
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)
    assert {item.source for item in found} == {"#coffee"}
    with pytest.raises(NotAllowed):
        world.write(bots_prospects.dismiss, world.mona, found[0].id)
    world.write(bots_prospects.dismiss, world.ada, found[0].id)
    assert world.read(bots_prospects.count_prospects, world.mona) == 5
    (gone,) = world.read(bots_prospects.list_prospects, world.mona, state="dismissed").items
    assert gone.id == found[0].id
    with world.database.transaction() as session:
        session.get_one(BotProspect, found[1].id).state = "used"
    with pytest.raises(Conflict):
        world.write(bots_prospects.dismiss, world.ada, found[1].id)
    for bad in ({"cursor": "x"}, {"state": "x"}, {"kind": "x"}):
        with pytest.raises(InvalidInput):
            world.read(bots_prospects.list_prospects, world.mona, **bad)


def test_a_network_that_asks_to_wait_is_left_alone_until_then(world: World) -> None:
    world.rails()
    world.others_status("#coffee")
    control = world.sandbox.control
    control.fault("rate_limit", {"path": "/api/v1/timelines/tag/*"}, params={"seconds": 900})
    sources = [{"kind": "hashtag", "value": tag} for tag in ("coffee", "tea")]
    rule_id = world.rule("finder", sources=sources, every_minutes=5, **EVERYBODY)
    report = world.run_rule(rule_id)
    assert report.entered == 0 and len(report.problems) == 2
    asked = [row for row in control.requests(account="acme") if "/timelines/tag/" in row["path"]]
    assert len(asked) == 1, "the second source was not asked any more"
    with world.database.reading() as session:
        next_run_at = session.get_one(BotRule, rule_id).next_run_at
    assert next_run_at is not None and next_run_at >= world.now + timedelta(seconds=899)


def test_many_finders_that_are_due_leave_room_for_the_other_bots(world: World) -> None:
    world.rails()
    source = [{"kind": "hashtag", "value": "coffee"}]
    for number in range(20):
        world.rule("finder", sources=source, name=f"Finder {number}")
    late = world.rule("engagement", when="mention", then=[{"action": "like"}])
    with world.database.transaction() as session:
        session.get_one(BotRule, late).next_run_at = world.now - timedelta(seconds=1)
    bots_plan.tick(world.database, now=world.now)
    assert waiting_runs(world) == {"finder": 16, "engagement": 1}
    bots_plan.tick(world.database, now=world.now + timedelta(minutes=1))
    assert waiting_runs(world)["finder"] == 16, "no more while those wait"


def waiting_runs(world: World) -> dict[str, int]:
    with world.database.reading() as session:
        jobs = session.query(Job).filter(Job.kind == bots_plan.RUN, Job.state.in_(ledger.CLAIMABLE)).all()
    queues = [job.queue for job in jobs]
    return {queue: queues.count(queue) for queue in set(queues)}
