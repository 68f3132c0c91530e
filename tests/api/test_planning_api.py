"""Series and bulk acts over REST."""

from __future__ import annotations

from datetime import timedelta

from contentcaster.clock import utc_now
from contentcaster.models import Role
from tests.api.conftest import Api
from tests.services_for_tests import factories


def test_a_series_is_previewed_made_changed_and_ended_and_posts_are_moved_in_bulk(api: Api) -> None:
    admin_user = api.user(Role.ADMIN)
    with api.stack.database.transaction() as session:
        account = factories.create_account(session, admin_user, platform="mastodon")
    creator = api.as_role(Role.CREATOR)
    first = f"{utc_now() + timedelta(days=1):%Y-%m-%d}T09:00"
    rule = {"rule": "FREQ=WEEKLY;COUNT=4", "first": first, "timezone": "Europe/Berlin"}
    found = creator.post("/api/v1/series/preview", json=rule).json()
    assert found[0]["wall_time"] == first
    assert len(found) == 4
    assert creator.post("/api/v1/series/preview", json=rule | {"rule": "FREQ=NEVER"}).status_code == 422
    post = {"text": "Weekly", "targets": [{"account_id": account.id}]}
    made = creator.post("/api/v1/series", json=rule | {"post": post})
    assert (made.status_code, made.json()["words"][:10]) == (201, "every week")
    path = f"/api/v1/series/{made.json()['id']}"
    walls = [each["wall_time"] for each in made.json()["next"]]
    assert creator.post(f"{path}/occurrences/{walls[3]}/skip").json()["next"][3]["state"] == "skipped"
    assert creator.post(f"{path}/occurrences/{walls[3]}/unskip").json()["next"][3]["state"] == "planned"
    one = creator.post(f"{path}/occurrences/{walls[2]}/post").json()
    assert one["wall_time"] == walls[2]
    content = creator.get(path + "/content").json()
    assert content["draft"]["text"] == "Weekly"
    change = rule | {"post": post | {"text": "Weekly, anew"}, "version": content["version"]}
    changed = creator.put(path, json=change).json()
    assert (changed["rewritten"], changed["series"]["text"]) == (3, "Weekly, anew")
    assert creator.put(path, json=change).status_code == 409
    body = {"act": "shift", "posts": [{"id": one["id"]}, {"id": "0" * 26}], "days": 1}
    moved = creator.post("/api/v1/posts/bulk", json=body).json()
    assert (moved["done"], len(moved["refused"])) == ([one["id"]], 1)
    assert creator.post(path + "/end").json()["state"] == "ended"
    assert creator.get("/api/v1/series").json() == []
    assert len(creator.get("/api/v1/series", params={"ended": True}).json()) == 1
    kept = creator.get("/api/v1/posts").json()["items"]
    assert [item["id"] for item in kept] == [one["id"]]  # a person had moved it
    assert api.as_role(Role.VIEWER).get("/api/v1/series").status_code == 403
