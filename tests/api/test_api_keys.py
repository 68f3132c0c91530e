"""API keys: what they may do, and how they end."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import update
from sqlmodel import select
from starlette.testclient import TestClient

from contentcaster.clock import utc_now
from contentcaster.models import ApiKey, Role, User
from tests.api.conftest import Api


def _make(client: TestClient, *permissions: str, **more: Any) -> Any:
    body = {"name": "Importer", "permissions": list(permissions)} | more
    return client.post("/api/v1/api-keys", json=body)


def _with(api: Api, key: str) -> TestClient:
    client = api.as_nobody()
    client.headers["Authorization"] = f"Bearer {key}"
    return client


def test_a_key_acts_as_its_owner_within_its_scopes_only(api: Api) -> None:
    made = _make(api.as_role(Role.ADMIN), "view_operations", "own_profile")
    assert made.status_code == 201 and made.json()["key"].startswith("cck_")
    program = _with(api, made.json()["key"])
    assert program.get("/api/v1/queues").status_code == 200
    assert program.get("/api/v1/me").json()["permissions"] == ["own_profile", "view_operations"]
    for method, path in (
        ("GET", "/api/v1/users"),
        ("GET", "/api/v1/audit"),
        ("POST", "/api/v1/queues/publish/pause"),
        ("GET", "/api/v1/api-keys?everyones=true"),
    ):
        refused = program.request(method, path)
        assert refused.status_code == 403 and "API key lacks" in refused.json()["detail"], path


def test_only_its_hash_is_kept_and_it_is_shown_once(api: Api) -> None:
    admin = api.as_role(Role.ADMIN)
    key = _make(admin, "view_audit").json()["key"]
    with api.stack.database.reading() as session:
        row = session.exec(select(ApiKey)).one()
    assert key not in str(row.model_dump()) and key.startswith(row.hint) and len(row.hint) < 12
    assert key not in admin.get("/api/v1/api-keys").text
    assert key not in admin.get("/api/v1/audit").text


def test_nobody_gives_a_key_more_than_they_have(api: Api) -> None:
    refused = _make(api.as_role(Role.CREATOR), "compose", "manage_users")
    assert refused.status_code == 422 and "manage_users" in refused.json()["errors"]["permissions"]
    assert _make(api.as_role(Role.CREATOR)).status_code == 422
    assert _make(api.as_role(Role.CREATOR), "fly").status_code == 422
    assert _make(api.as_role(Role.CREATOR), "compose", expires_in_days=367).status_code == 422


def test_a_key_makes_no_keys_and_touches_no_second_factor(api: Api) -> None:
    everything = api.as_role(Role.ADMIN).get("/api/v1/me").json()["permissions"]
    program = _with(api, _make(api.as_role(Role.ADMIN), *everything).json()["key"])
    assert program.get("/api/v1/users").status_code == 200
    assert _make(program, "view_audit").status_code == 403
    assert program.post("/api/v1/me/second-factor/setup").status_code == 403
    assert program.post("/api/v1/me/second-factor/turn-off", json={"code": "1"}).status_code == 403


@pytest.mark.parametrize("how", ["revoked", "expired", "disabled", "demoted", "changed"])
def test_a_key_ends_at_once(api: Api, how: str) -> None:
    person, admin = api.user(Role.MONITOR), api.as_role(Role.ADMIN)
    made = _make(api.as_role(Role.MONITOR), "view_operations").json()
    program = _with(api, made["key"])
    assert program.get("/api/v1/queues").status_code == 200
    expected = 401
    if how == "revoked":
        assert admin.delete(f"/api/v1/api-keys/{made['id']}").status_code == 204
        assert admin.delete(f"/api/v1/api-keys/{made['id']}").status_code == 404
    elif how == "changed":
        program.headers["Authorization"] += "x"
    else:
        values: dict[str, Any] = {"disabled": {"is_active": False}, "demoted": {"role": Role.VIEWER}}.get(
            how, {}
        )
        with api.stack.database.transaction() as session:
            if values:
                session.execute(update(User).where(User.id == person.id).values(**values))
            else:
                session.execute(update(ApiKey).values(expires_at=utc_now() - timedelta(seconds=1)))
        expected = 403 if how == "demoted" else 401
    assert program.get("/api/v1/queues").status_code == expected


def test_keys_are_ones_own_and_admins_see_and_end_all(api: Api) -> None:
    made = _make(api.as_role(Role.MONITOR), "view_operations").json()
    assert api.as_role(Role.CREATOR).get("/api/v1/api-keys").json() == []
    assert api.as_role(Role.CREATOR).delete(f"/api/v1/api-keys/{made['id']}").status_code == 404
    (seen,) = api.as_role(Role.ADMIN).get("/api/v1/api-keys", params={"everyones": True}).json()
    assert seen["owner"] == api.user(Role.MONITOR).email
    _with(api, made["key"]).get("/api/v1/queues")
    (own,) = api.as_role(Role.MONITOR).get("/api/v1/api-keys").json()
    assert own["last_used_at"] and own["last_used_ip"] == "127.0.0.1"
    actions = api.as_role(Role.ADMIN).get("/api/v1/audit", params={"action": "api_key."}).json()["items"]
    assert [event["action"] for event in actions] == ["api_key.created"]


ODD = ["\x00", "a\x00b", "\ud800", "'", "😀" * 5, "x" * 79]


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_odd_text_is_refused_and_never_an_internal_error(api: Api, odd: str) -> None:
    admin = api.as_role(Role.ADMIN)
    calls = [
        ("POST", "/api/v1/api-keys", {"name": odd, "permissions": [odd]}),
        ("POST", "/api/v1/me/second-factor/confirm", {"code": odd[:40]}),
        ("POST", "/api/v1/me/second-factor/turn-off", {"code": odd[:40]}),
        ("POST", "/api/v1/auth/token", {"email": "a@example.org", "password": "x", "otp": odd[:32]}),
        ("DELETE", f"/api/v1/api-keys/{_quoted(odd)}", None),
        ("POST", f"/api/v1/users/{_quoted(odd)}/second-factor/reset", None),
    ]
    admin.post("/api/v1/me/second-factor/setup")
    for method, path, body in calls:
        content = json.dumps(body) if body is not None else None
        answer = admin.request(method, path, content=content, headers={"Content-Type": "application/json"})
        assert 400 <= answer.status_code < 500, (path, answer.status_code)


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "replace"), safe="")
