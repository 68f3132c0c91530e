"""The assistant and the notifications over REST."""

from __future__ import annotations

from contentcaster.models import NotificationKind, Role
from contentcaster.services import notifications
from tests.api.conftest import Api


def test_a_program_reads_its_inbox_marks_it_read_and_chooses(api: Api) -> None:
    creator = api.as_role(Role.CREATOR)
    for key in ("a", "b"):
        with api.stack.database.transaction() as session:
            notifications.notify(
                session,
                NotificationKind.APPROVAL_DECIDED,
                key=key,
                title=f"Told of {key}",
                user_ids=[api.user(Role.CREATOR).id],
            )
    page = creator.get("/api/v1/notifications", params={"limit": 1}).json()
    assert (page["unread"], page["items"][0]["title"]) == (2, "Told of b")
    older = creator.get("/api/v1/notifications", params={"cursor": page["next_cursor"]}).json()
    assert [item["title"] for item in older["items"]] == ["Told of a"]
    assert creator.post("/api/v1/notifications/read", json={"ids": [page["items"][0]["id"]]}).json() == {
        "marked": 1
    }
    assert creator.get("/api/v1/notifications", params={"unread": True}).json()["unread"] == 1
    chosen = creator.put(
        "/api/v1/notifications/preferences/approval_decided", json={"in_app": False, "email": True}
    )
    row = next(item for item in chosen.json()["items"] if item["kind"] == "approval_decided")
    assert (row["in_app"], row["email"]) == (False, True)
    assert (
        creator.put(
            "/api/v1/notifications/preferences/nonsense", json={"in_app": True, "email": True}
        ).status_code
        == 422
    )
    assert api.as_role(Role.ADMIN).get("/api/v1/notifications").json()["items"] == []


def test_the_assistant_answers_counts_and_is_set_up_over_rest(api: Api) -> None:
    creator, admin = api.as_role(Role.CREATOR), api.as_role(Role.ADMIN)
    assert creator.get("/api/v1/assistant").json()["is_offline"] is True
    answer = creator.post(
        "/api/v1/assistant/suggest", json={"task": "hashtags", "text": "Coffee, coffee, roastery"}
    )
    assert answer.json()["hashtags"][0] == "#coffee"
    missing = creator.post("/api/v1/assistant/suggest", json={"task": "draft"})
    assert missing.status_code == 422 and "text" in str(missing.json()["errors"])
    cannot = creator.post(
        "/api/v1/assistant/suggest", json={"task": "translate", "text": "Hi", "language": "German"}
    )
    assert (cannot.status_code, cannot.json()["code"]) == (422, "assistant_offline")
    assert creator.get("/api/v1/assistant/usage").status_code == 403
    assert admin.get("/api/v1/assistant/usage").json()["people"][0]["uses"] == 2
    setup = admin.get("/api/v1/assistant/setup").json()
    setup.pop("updated_by")
    saved = admin.put("/api/v1/assistant/setup", json=setup | {"brand_voice": "Warm."})
    assert saved.json()["brand_voice"] == "Warm." and saved.json()["updated_by"]
    assert creator.put("/api/v1/assistant/setup", json=setup).status_code == 403
    assert (
        api.as_role(Role.MONITOR)
        .post("/api/v1/assistant/suggest", json={"task": "draft", "text": "x"})
        .status_code
        == 403
    )
