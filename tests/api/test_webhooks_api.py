"""Webhooks over REST: made, changed, tested and removed by admins only."""

from __future__ import annotations

from contentcaster.models import Role
from tests.api.conftest import Api

NEW = {"name": "Warehouse", "url": "https://example.org/hook", "events": ["post.published"]}


def test_the_life_of_a_webhook(api: Api) -> None:
    admin = api.as_role(Role.ADMIN)
    made = admin.post("/api/v1/webhooks", json=NEW)
    assert made.status_code == 201 and made.json()["secret"].startswith("whsec_")
    path = made.headers["location"]
    assert "secret" not in admin.get(path).json()
    assert "secret" not in admin.get("/api/v1/webhooks").json()[0]
    changed = admin.patch(path, json={"events": ["post.failed"], "version": 1}).json()
    assert (changed["events"], changed["version"]) == (["post.failed"], 2)
    assert admin.patch(path, json={"name": "x", "version": 1}).status_code == 409
    assert admin.post(f"{path}/secret").json()["secret"] != made.json()["secret"]
    sent = admin.post(f"{path}/test")
    assert sent.status_code == 202 and sent.json()["outcome"] == "waiting"
    detail = admin.get(f"/api/v1/webhooks/deliveries/{sent.json()['id']}").json()
    assert detail["body"]["type"] == "ping" and detail["history"] == []
    assert admin.post(f"/api/v1/webhooks/deliveries/{sent.json()['id']}/replay").status_code == 409
    assert admin.patch(path, json={"is_enabled": False}).status_code == 200
    listed = admin.get("/api/v1/webhooks/deliveries", params={"outcome": "dropped"}).json()
    assert [row["id"] for row in listed["items"]] == [sent.json()["id"]]
    assert admin.delete(path).status_code == 204 and admin.get(path).status_code == 404


def test_only_admins_and_only_good_addresses(api: Api) -> None:
    for role in (Role.CREATOR, Role.MONITOR, Role.VIEWER):
        client = api.as_role(role)
        for call in (client.get, client.post):
            assert call("/api/v1/webhooks").status_code in (403, 422)
        assert client.post("/api/v1/webhooks", json=NEW).status_code == 403
        assert client.get("/api/v1/webhooks/deliveries").status_code == 403
        assert client.get("/api/v1/webhooks/events").status_code == 403
    refused = api.as_role(Role.ADMIN).post("/api/v1/webhooks", json=NEW | {"url": "http://10.0.0.1/"})
    assert refused.status_code == 422 and "url" in str(refused.json()["errors"])
