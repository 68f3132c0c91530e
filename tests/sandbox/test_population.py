"""The generated people: the same by seed, with a past, and alive."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from contentcaster.sandbox.client import SandboxControl, SandboxThread
from contentcaster.sandbox.settings import SandboxSettings

from .conftest import BlueskyPerson, MastodonPerson, post_record

QUICK = {"people": 30, "posts": 80, "delay_seconds": [0, 0], "chatter_per_minute": 0}


def wait_for(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 8
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _timeline(control: SandboxControl) -> list[tuple[str, str, int]]:
    statuses = control.http.get("/api/v1/timelines/public?limit=40").json()
    return [(s["account"]["acct"], s["content"], s["favourites_count"]) for s in statuses]


def test_the_same_seed_gives_the_same_people_and_past(sandbox: SandboxThread) -> None:
    control = sandbox.control
    handles = control.population(**QUICK)["handles"]
    first = [(a, c.replace(sandbox.base_url, ""), n) for a, c, n in _timeline(control)]
    control.reset()
    assert control.population(**QUICK)["handles"] == handles
    assert [(a, c.replace(sandbox.base_url, ""), n) for a, c, n in _timeline(control)] == first
    control.reset()
    assert control.population(**QUICK | {"seed": "others"})["handles"] != handles


def test_the_past_is_in_order_searchable_and_not_in_the_ledger(
    alice: MastodonPerson, control: SandboxControl
) -> None:
    newest = alice.post("the present").json()
    control.population(**QUICK, react=False)
    statuses = alice.http.get("/api/v1/timelines/public?limit=40").json()
    times = [s["created_at"] for s in statuses]
    assert times == sorted(times, reverse=True)
    assert statuses[0]["id"] == newest["id"]
    assert any(s["favourites_count"] for s in statuses)
    words = {"q": "the"}
    assert alice.http.get("/api/v2/search", params=words).json()["statuses"]
    found = alice.http.get("/xrpc/app.bsky.feed.searchPosts", params=words, headers={"Authorization": ""})
    assert len(found.json()["posts"]) > 3
    assert control.ledger(origin="all")["counts"] == {"post": 1}
    followed = control.http.get(
        "/api/v1/accounts/search", params={"q": "_"}, headers=alice.http.headers
    ).json()
    assert max(a["followers_count"] for a in followed) >= 5


def test_people_react_to_posts_on_both_networks(
    alice: MastodonPerson, ada: BlueskyPerson, control: SandboxControl
) -> None:
    control.population(**QUICK | {"people": 80})
    text = "Coffee, bread, bikes, gardens, stars, photos, Python code and open data."
    status, put = alice.post(text).json(), ada.put(post_record(text)).json()
    at = f"/api/v1/statuses/{status['id']}"

    def both_liked() -> bool:
        there = ada.http.get("app.bsky.feed.getPosts", params={"uris": put["uri"]}).json()["posts"][0]
        return bool(alice.http.get(at).json()["favourites_count"]) and bool(there["likeCount"])

    assert wait_for(both_liked)
    assert {n["type"] for n in alice.http.get("/api/v1/notifications").json()} >= {"favourite"}
    assert [e["text"] for e in control.posts()] == [text, text]
    assert control.ledger(origin="population")["counts"]["like"] >= 2


def test_some_follow_back_and_who_is_pestered_blocks(alice: MastodonPerson, control: SandboxControl) -> None:
    control.population(**QUICK)
    people = [
        a
        for a in alice.http.get("/api/v1/accounts/search?limit=80", params={"q": "_"}).json()
        if a["acct"] != "alice"
    ]
    for person in people:
        alice.http.post(f"/api/v1/accounts/{person['id']}/follow")
    assert wait_for(lambda: alice.http.get(f"/api/v1/accounts/{alice.id}").json()["followers_count"] > 2)
    assert alice.http.get(f"/api/v1/accounts/{alice.id}").json()["followers_count"] < len(people)
    victim = next(s["account"] for s in alice.http.get("/api/v1/timelines/public?limit=40").json())
    status = alice.http.get(f"/api/v1/accounts/{victim['id']}/statuses").json()[0]
    for n in range(20):
        alice.post(f"@{victim['acct']} buy this {n}", in_reply_to_id=status["id"])

    def blocked() -> bool:
        query = {"id[]": [victim["id"]]}
        return bool(alice.http.get("/api/v1/accounts/relationships", params=query).json()[0]["blocked_by"])

    assert wait_for(blocked)
    assert alice.http.post(f"/api/v1/accounts/{victim['id']}/follow").status_code == 403
    assert alice.http.post(f"/api/v1/statuses/{status['id']}/favourite").status_code == 404


def test_people_talk_by_themselves_until_they_are_stopped(control: SandboxControl) -> None:
    control.population(**QUICK | {"chatter_per_minute": 3000})
    assert wait_for(lambda: control.ledger(origin="population")["counts"].get("post", 0) > 5)
    stopped = control.http.delete("/sandbox/population").json()
    assert stopped["reacting"] is False
    count = control.ledger(origin="population")["counts"]["post"]
    assert control.ledger(origin="population")["counts"]["post"] == count


def test_a_flood_of_posts_is_not_answered_one_by_one(alice: MastodonPerson, control: SandboxControl) -> None:
    control.population(**QUICK | {"delay_seconds": [60, 60]})
    for n in range(200):
        alice.post(f"coffee bread bike garden star photo python data {n}")
    assert control.http.get("/sandbox/population").json()["waiting"] <= 300


@pytest.mark.parametrize(
    "plan",
    [
        {"people": -1},
        {"people": 10**7},
        {"delay_seconds": 3},
        {"delay_seconds": [5, 1]},
        {"planet": "x"},
        {"days": "x"},
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(control: SandboxControl, plan: dict[str, object]) -> None:
    assert control.http.post("/sandbox/population", json=plan).status_code == 422


def test_a_sandbox_can_start_with_people_and_finds_them_again(tmp_path: Path) -> None:
    settings = SandboxSettings(population=10, data_path=tmp_path / "s.db")
    with SandboxThread(settings) as first:
        handles = first.control.http.get("/sandbox/population").json()["handles"]
        posts = first.control.stats()["statuses"]
    assert (len(handles), posts > 5) == (10, True)
    with SandboxThread(settings) as again:
        assert again.control.http.get("/sandbox/population").json()["handles"] == handles
        assert again.control.stats()["statuses"] == posts
