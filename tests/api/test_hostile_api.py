"""Every call of the REST contract with odd ids, odd bodies and odd queries: a clear refusal, never a crash."""

from __future__ import annotations

import itertools
from typing import Any
from urllib.parse import quote

import pytest

from contentcaster.models import Role
from tests.api.conftest import Api

ODD_IDS = ["0" * 26, "\x00", "\ud7ff", "..%2f..", "x" * 300, "-1", "9" * 40, "'; DROP TABLE post; --", "%00"]
ODD_VALUES: list[Any] = [
    None, True, 0, -1, 2**63, 1e308, "", "\x00", "\u202e", "x" * 5000, [], {}, [[]], [None], {"a": {}},
    [{"account_id": "\x00"}], [{"id": "\x00"}], ["\x00"], "2026-13-45T99:99", "9999-12-31T23:59:59-23:59",
]  # fmt: skip
OURS = ("/posts", "/accounts", "/media", "/failed-tasks", "/queues", "/workers", "/platforms")


def operations(api: Api) -> list[tuple[str, str, dict[str, Any]]]:
    description = api.app.openapi()
    return [
        (method, path, operation)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
        if path.removeprefix("/api/v1").startswith(OURS)
    ]


def fields_of(api: Api, operation: dict[str, Any]) -> list[str]:
    schemas = api.app.openapi()["components"]["schemas"]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        for option in content["schema"].get("anyOf", [content["schema"]]):
            if "$ref" in option:
                return list(schemas[option["$ref"].rsplit("/", 1)[1]].get("properties", {}))
    return []


def test_odd_ids_are_refused(api: Api) -> None:
    admin = api.as_role(Role.ADMIN)
    tried = 0
    for method, path, operation in operations(api):
        names = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"]
        for odd, _name in itertools.product(ODD_IDS, names[:1]):
            url = path
            for name in names:
                url = url.replace("{" + name + "}", quote(odd, safe=""))
            json = {} if method in ("patch", "post") else None
            answer = admin.request(method, url, json=json)
            assert answer.status_code in (400, 401, 404, 405, 422), (method, url, answer.status_code)
            tried += 1
    assert tried > 150


@pytest.mark.parametrize("odd", ODD_VALUES, ids=repr)
def test_odd_bodies_are_refused_or_taken(api: Api, odd: Any) -> None:
    admin = api.as_role(Role.ADMIN)
    post = admin.post("/api/v1/posts", json={"text": "A"}).json()
    for method, path, operation in operations(api):
        if method not in ("post", "patch") or "rebuild" in path or "media" in path:
            continue
        url = path.replace("{post_id}", post["id"]).replace("{name}", "publish")
        for name in fields_of(api, operation):
            answer = admin.request(method, url.replace("{account_id}", "0" * 26), json={name: odd})
            assert answer.status_code < 500, (method, url, name, odd, answer.text)


def test_odd_queries_are_refused_or_taken(api: Api) -> None:
    admin = api.as_role(Role.ADMIN)
    for method, path, operation in operations(api):
        if method != "get" or "{" in path:
            continue
        for parameter in operation.get("parameters", ()):
            for odd in ("", "\x00", "x" * 150, "-1", "9" * 30, "%", "_", "\\", "ZZZ", "MjAyNnx4", "é"):
                answer = admin.get(path, params={parameter["name"]: odd})
                assert answer.status_code in (200, 422), (path, parameter["name"], odd, answer.status_code)
