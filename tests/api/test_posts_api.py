"""REST: posts, as programs use them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from starlette.testclient import TestClient

from contentcaster.clock import utc_now
from contentcaster.models import Account, Role
from tests.api.conftest import Api
from tests.services_for_tests import factories

POSTS = "/api/v1/posts"


@pytest.fixture
def account(api: Api) -> Account:
    admin = api.user(Role.ADMIN)
    with api.stack.database.transaction() as session:
        return factories.create_account(session, admin, platform="mastodon")


@pytest.fixture
def creator(api: Api) -> Iterator[TestClient]:
    yield api.as_role(Role.CREATOR)


def body(account: Account, **more: object) -> dict[str, object]:
    at = (utc_now() + timedelta(hours=1)).isoformat()
    return {
        "text": "Hello",
        "targets": [{"account_id": account.id}],
        "scheduled_at": at,
        "timezone": "UTC",
    } | more


def test_a_post_is_scheduled_and_read_back(creator: TestClient, account: Account) -> None:
    answer = creator.post(POSTS, json=body(account, labels=["x"]))
    assert answer.status_code == 201
    post = answer.json()
    assert post["status"] == "PendingQueue"
    assert answer.headers["Location"] == f"{POSTS}/{post['id']}"
    read = creator.get(answer.headers["Location"])
    assert read.json() == post
    assert read.headers["ETag"] == '"1"'
    target = post["targets"][0]
    assert (target["status"], target["attempts"], target["remote_url"]) == ("PendingQueue", 0, "")
    page = creator.get(POSTS, params={"status": "PendingQueue"}).json()
    assert [row["id"] for row in page["items"]] == [post["id"]]


def test_drafts_now_wall_times_and_threads(creator: TestClient, account: Account) -> None:
    assert creator.post(POSTS, json={"text": "Draft"}).json()["status"] == "Draft"
    now = creator.post(POSTS, json=body(account, scheduled_at="now")).json()
    assert now["status"] == "PendingQueue"
    wall = body(
        account, scheduled_at="2027-01-05T09:00", timezone="Europe/Berlin", thread=["Two", {"text": "Three"}]
    )
    post = creator.post(POSTS, json=wall).json()
    assert post["scheduled_at"] == "2027-01-05T08:00:00Z" and post["wall_time"] == "2027-01-05T09:00"
    assert [target["text"] for target in post["targets"]] == ["Hello", "Two", "Three"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"text": "x" * 501}, "text"),
        ({"targets": []}, "targets"),
        ({"targets": [{"account_id": "0" * 26}]}, "targets"),
        ({"scheduled_at": "2020-01-01T00:00:00Z"}, "scheduled_at"),
        ({"scheduled_at": "soon"}, "scheduled_at"),
        ({"scheduled_at": "2027-03-28T02:30", "timezone": "Europe/Berlin"}, "scheduled_at"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"media": [{"id": "0" * 26}]}, "media"),
    ],
)
def test_what_is_wrong_is_a_problem_with_the_field(
    creator: TestClient, account: Account, change: dict[str, object], field: str
) -> None:
    answer = creator.post(POSTS, json=body(account) | change)
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert field in answer.text and field in answer.json()["errors"]
    assert creator.get(POSTS).json()["items"] == []


@pytest.mark.parametrize(
    "junk",
    [
        "",
        "[]",
        "null",
        '{"text": 5}',
        '{"text": "a", "extra": 1}',
        '{"targets": {}}',
        "{",
        '{"text": "\\ud800"}',
    ],
)
def test_junk_is_refused_or_cleaned_never_a_crash(creator: TestClient, junk: str) -> None:
    answer = creator.post(POSTS, content=junk, headers={"Content-Type": "application/json"})
    assert answer.status_code in (201, 400, 422)


def test_the_same_key_and_body_make_one_post(creator: TestClient, account: Account) -> None:
    request = body(account)
    first = creator.post(POSTS, json=request, headers={"Idempotency-Key": "k1"})
    again = creator.post(POSTS, json=request, headers={"Idempotency-Key": "k1"})
    assert first.json()["id"] == again.json()["id"] and again.status_code == 201
    assert "Idempotent-Replayed" not in first.headers and again.headers["Idempotent-Replayed"] == "true"
    assert len(creator.get(POSTS).json()["items"]) == 1
    other = creator.post(POSTS, json=request | {"text": "Other"}, headers={"Idempotency-Key": "k1"})
    assert other.status_code == 422 and "another body" in other.json()["detail"]
    assert len(creator.get(POSTS).json()["items"]) == 1


def test_a_refused_request_does_not_use_its_key_up(creator: TestClient, account: Account) -> None:
    headers = {"Idempotency-Key": "k1"}
    assert creator.post(POSTS, json=body(account, text="x" * 501), headers=headers).status_code == 422
    assert creator.post(POSTS, json=body(account), headers=headers).status_code == 201


def test_keys_belong_to_people(api: Api, creator: TestClient) -> None:
    headers = {"Idempotency-Key": "k1"}
    mine = creator.post(POSTS, json={"text": "Mine"}, headers=headers).json()
    theirs = api.as_role(Role.ADMIN).post(POSTS, json={"text": "Mine"}, headers=headers).json()
    assert mine["id"] != theirs["id"]


@pytest.mark.parametrize("key", [" ", "x" * 201, "a\tb"])
def test_an_odd_key_is_refused(creator: TestClient, key: str) -> None:
    answer = creator.post(POSTS, json={"text": "x"}, headers={"Idempotency-Key": key})
    assert answer.status_code == 422


def test_two_at_once_with_one_key_make_one_post(creator: TestClient, account: Account) -> None:
    request, barrier, answers = body(account), Barrier(4), []

    def send() -> None:
        barrier.wait()
        answers.append(creator.post(POSTS, json=request, headers={"Idempotency-Key": "k1"}))

    threads = [Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(creator.get(POSTS).json()["items"]) == 1


def test_patching_changes_only_what_is_given(creator: TestClient, account: Account) -> None:
    post = creator.post(POSTS, json=body(account, labels=["a"], thread=["Two"])).json()
    patched = creator.patch(f"{POSTS}/{post['id']}", json={"text": "New", "version": 1})
    assert patched.status_code == 200
    new = patched.json()
    assert (new["text"], new["labels"], new["thread"]) == ("New", ["a"], ["Two"])
    assert new["scheduled_at"] == post["scheduled_at"] and new["status"] == "PendingQueue"
    moved = creator.patch(f"{POSTS}/{post['id']}", json={"scheduled_at": "2027-06-01T12:00:00+02:00"}).json()
    assert moved["scheduled_at"] == "2027-06-01T10:00:00Z" and moved["text"] == "New"
    draft = creator.patch(f"{POSTS}/{post['id']}", json={"scheduled_at": None}).json()
    assert draft["status"] == "Draft" and draft["text"] == "New"


def test_a_lost_update_is_a_conflict(creator: TestClient, account: Account) -> None:
    post = creator.post(POSTS, json=body(account)).json()
    url = f"{POSTS}/{post['id']}"
    assert creator.patch(url, json={"text": "A"}, headers={"If-Match": '"1"'}).status_code == 200
    assert creator.patch(url, json={"text": "B"}, headers={"If-Match": '"1"'}).status_code == 412
    assert creator.patch(url, json={"text": "B", "version": 1}).status_code == 409
    assert creator.patch(url, json={"text": "B"}, headers={"If-Match": "*x"}).status_code == 422
    assert creator.get(url).json()["text"] == "A"


def test_cancel_timeline_duplicate_delete(creator: TestClient, account: Account) -> None:
    url = f"{POSTS}/{creator.post(POSTS, json=body(account)).json()['id']}"
    assert creator.post(f"{url}/cancel").json()["status"] == "Cancelled"
    assert creator.post(f"{url}/cancel").status_code == 409
    titles = [entry["title"] for entry in creator.get(f"{url}/timeline").json()]
    assert titles == ["Written", "Scheduled", "Cancelled"]
    assert creator.post(f"{url}/duplicate").json()["status"] == "Draft"
    assert creator.delete(url).status_code == 204
    assert creator.get(url).status_code == 404
    assert creator.delete(url).status_code == 404


def test_preflight_keeps_nothing(creator: TestClient, account: Account) -> None:
    items = creator.post(f"{POSTS}/preflight", json=body(account)).json()
    assert {item["level"] for item in items} == {"ok"}
    assert creator.get(POSTS).json()["items"] == []


def test_each_call_on_anothers_post_is_not_found(api: Api, creator: TestClient, account: Account) -> None:
    url = f"{POSTS}/{creator.post(POSTS, json=body(account)).json()['id']}"
    with api.stack.database.transaction() as session:
        other = factories.create_user(session, Role.CREATOR)
    bob = api.as_user(other)
    calls = [
        bob.get(url), bob.patch(url, json={"text": "x"}), bob.delete(url), bob.post(f"{url}/cancel"),
        bob.get(f"{url}/timeline"), bob.post(f"{url}/duplicate"),
    ]  # fmt: skip
    assert [call.status_code for call in calls] == [404] * 6
    assert creator.get(url).json()["status"] == "PendingQueue"


@pytest.mark.parametrize("path", ["", "/01jd", "/01jd/timeline"])
def test_nobody_reads_nothing(api: Api, path: str) -> None:
    assert api.as_nobody().get(POSTS + path).status_code == 401


def test_a_viewer_may_not(api: Api) -> None:
    viewer = api.as_role(Role.VIEWER)
    assert viewer.get(POSTS).status_code == 403
    assert viewer.post(POSTS, json={"text": "x"}).status_code == 403
