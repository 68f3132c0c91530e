"""People and the audit log over REST."""

from __future__ import annotations

import pytest

from contentcaster.models import Role
from tests.api.conftest import Api
from tests.services_for_tests import factories

NEW = {
    "email": "new@example.org",
    "name": "New Person",
    "role": "creator",
    "password": "a good long password",
}


def test_an_admin_adds_changes_and_lists_people(api: Api) -> None:
    admin = api.as_role(Role.ADMIN)
    made = admin.post("/api/v1/users", json=NEW)
    assert made.status_code == 201
    assert made.headers["location"] == f"/api/v1/users/{made.json()['id']}"
    assert "password" not in made.text
    changed = admin.patch(made.headers["location"], json={"role": "monitor", "needs_approval": True})
    assert (changed.json()["role"], changed.json()["needs_approval"], changed.json()["version"]) == (
        "monitor",
        True,
        2,
    )
    assert admin.get(made.headers["location"]).json() == changed.json()
    listed = admin.get("/api/v1/users", params={"search": "new person"}).json()
    assert [user["id"] for user in listed["items"]] == [made.json()["id"]]
    assert "hash" not in str(listed)


@pytest.mark.parametrize("role", [Role.CREATOR, Role.MONITOR, Role.VIEWER])
def test_others_may_not(role: Role, api: Api) -> None:
    client, other = api.as_role(role), api.user(Role.ADMIN).id
    for method, path, body in [
        ("GET", "/api/v1/users", None),
        ("POST", "/api/v1/users", NEW),
        ("GET", f"/api/v1/users/{other}", None),
        ("PATCH", f"/api/v1/users/{other}", {"role": "viewer"}),
        ("PATCH", f"/api/v1/users/{api.user(role).id}", {"role": "admin"}),
        ("POST", f"/api/v1/users/{other}/password", {"password": "a good long password"}),
        ("GET", "/api/v1/audit", None),
    ]:
        assert client.request(method, path, json=body).status_code == 403, (method, path)
    assert client.get("/api/v1/me").json()["role"] == role.value


def test_nobody_may_do_anything_without_signing_in(api: Api) -> None:
    client = api.as_nobody()
    open_to_all = {("post", "/api/v1/auth/token"), ("post", "/api/v1/auth/refresh")}
    paths = api.app.openapi()["paths"]
    refused = 0
    for path, operations in paths.items():
        for method in operations:
            if (method, path) in open_to_all:
                continue
            # Another address each time: they would be too many for one.
            client = api.as_nobody(ip=f"198.51.100.{refused % 250}")
            answer = client.request(method, path.replace("{", "").replace("}", ""), json={})
            assert answer.status_code == 401, (method, path, answer.text)
            refused += 1
    assert refused >= 25


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "x"}, "email"),
        ({"role": "root"}, "role"),
        ({"password": "short"}, "password"),
        ({"name": None}, "name"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_bad_input_is_told_at_its_field(change: dict[str, object], field: str, api: Api) -> None:
    answer = api.as_role(Role.ADMIN).post("/api/v1/users", json=NEW | change)
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]


def test_conflicts_and_missing_people(api: Api) -> None:
    admin = api.as_role(Role.ADMIN)
    assert admin.post("/api/v1/users", json=NEW).status_code == 201
    assert admin.post("/api/v1/users", json=NEW).status_code == 409
    assert admin.patch("/api/v1/users/nobody", json={"name": "X"}).status_code == 404
    last = admin.patch(f"/api/v1/users/{api.user(Role.ADMIN).id}", json={"role": "viewer"})
    assert (last.status_code, last.json()["code"]) == (409, "conflict")
    assert "last active admin" in last.json()["detail"]


def test_an_admin_gives_a_person_a_new_password(api: Api) -> None:
    user = api.user(Role.CREATOR)
    answer = api.as_role(Role.ADMIN).post(
        f"/api/v1/users/{user.id}/password", json={"password": "a brand new password"}
    )
    assert answer.status_code == 204
    credentials = {"email": user.email, "password": "a brand new password"}
    assert api.as_nobody().post("/api/v1/auth/token", json=credentials).status_code == 200


def test_the_audit_log_tells_who_did_what(api: Api) -> None:
    admin = api.as_role(Role.ADMIN)
    admin.post("/api/v1/users", json=NEW)
    page = admin.get("/api/v1/audit", params={"action": "user."}).json()
    assert [(e["action"], e["actor"]) for e in page["items"]] == [
        ("user.created", api.user(Role.ADMIN).email)
    ]
    assert "a good long password" not in str(page)
    assert admin.get("/api/v1/audit", params={"cursor": "x"}).status_code == 422
    assert admin.get("/api/v1/audit", params={"limit": 0}).status_code == 422


def test_people_are_paged(api: Api) -> None:
    admin = api.as_role(Role.ADMIN)
    with api.stack.database.transaction() as session:
        for number in range(4):
            factories.create_user(session, email=f"p{number}@example.org")
    first = admin.get("/api/v1/users", params={"limit": 3}).json()
    second = admin.get("/api/v1/users", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    emails = [user["email"] for user in [*first["items"], *second["items"]]]
    assert emails == sorted(set(emails))
    assert len(emails) == 5
    assert second["next_cursor"] == ""
