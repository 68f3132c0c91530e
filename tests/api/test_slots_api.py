"""Queue slots over REST."""

from __future__ import annotations

from contentcaster.models import Role
from tests.api.conftest import Api
from tests.services_for_tests import factories


def test_slots_are_set_asked_for_and_given_to_a_post(api: Api) -> None:
    admin_user = api.user(Role.ADMIN)
    with api.stack.database.transaction() as session:
        account = factories.create_account(session, admin_user, platform="mastodon")
    admin, creator = api.as_role(Role.ADMIN), api.as_role(Role.CREATOR)
    times = [{"weekday": day, "time": "09:30"} for day in range(7)]
    path = f"/api/v1/accounts/{account.id}/slots"
    body = {"timezone": "Europe/Berlin", "times": times}
    assert creator.put(path, json=body).status_code == 403
    saved = admin.put(path, json=body)
    assert (saved.status_code, saved.json()["times"][0]) == (200, {"weekday": 0, "time": "09:30"})
    stale = admin.put(path, json=body | {"version": 7})
    assert stale.status_code == 409
    wrong = admin.put(path, json=body | {"timezone": "Europe/Berlinn"})
    assert (wrong.status_code, "Europe/Berlin?" in wrong.text) == (422, True)
    free = creator.get("/api/v1/slots/next", params={"account_id": account.id}).json()
    post = {"text": "Queued", "targets": [{"account_id": account.id}], "scheduled_at": "next_slot"}
    made = creator.post("/api/v1/posts", json=post)
    assert made.status_code == 201
    assert made.json()["wall_time"] == free["wall_time"]
    draft = creator.post("/api/v1/posts", json=post | {"scheduled_at": None}).json()
    queued = creator.post(f"/api/v1/posts/{draft['id']}/queue").json()
    assert queued["scheduled_at"] > made.json()["scheduled_at"]
    again = creator.patch(f"/api/v1/posts/{draft['id']}", json={"text": "Later", "scheduled_at": "next_slot"})
    assert again.json()["scheduled_at"] > queued["scheduled_at"]
    assert creator.post("/api/v1/posts/preflight", json=post).status_code == 200
    assert [plan["account_id"] for plan in creator.get("/api/v1/slots").json()] == [account.id]


def test_without_slots_the_answer_names_the_field(api: Api) -> None:
    admin_user = api.user(Role.ADMIN)
    with api.stack.database.transaction() as session:
        account = factories.create_account(session, admin_user, platform="mastodon")
    post = {"text": "Queued", "targets": [{"account_id": account.id}], "scheduled_at": "next_slot"}
    answer = api.as_role(Role.CREATOR).post("/api/v1/posts", json=post)
    assert answer.status_code == 422
    assert "queue times" in answer.text
