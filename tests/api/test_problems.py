"""Every error is problem+json, and no answer gives away more than it should."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from contentcaster.api.app import create_api
from contentcaster.models import Role
from tests.api.conftest import ORIGIN, Api
from tests.services_for_tests.stack import Stack


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/api/v1/nothing", None, 404, "not_found"),
        ("GET", "/api/nothing", None, 404, "not_found"),
        ("GET", "/api/v1/users/nobody", None, 404, "not_found"),
        ("DELETE", "/api/v1/me", None, 405, "method_not_allowed"),
        ("GET", "/auth/sign-in", None, 405, "method_not_allowed"),
        ("POST", "/api/v1/users", b"{", 400, "invalid_json"),
        ("POST", "/api/v1/users", b"\xff", 400, "bad_request"),
        ("POST", "/api/v1/users", b"[]", 422, "invalid_input"),
        ("POST", "/api/v1/users", b"{}", 422, "invalid_input"),
        ("GET", "/api/v1/users?limit=many", None, 422, "invalid_input"),
        ("GET", "/api/v1/users?limit=201", None, 422, "invalid_input"),
        ("POST", "/api/v1/users", b'"' + b"x" * 1_100_000 + b'"', 413, "too_large"),
    ],
)
def test_every_error_has_the_one_shape(
    method: str, path: str, body: bytes | None, status: int, code: str, api: Api
) -> None:
    headers = {"Content-Type": "application/json"} if body is not None else {}
    answer = api.as_role(Role.ADMIN).request(method, path, content=body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"urn:contentcaster:problem:{code}"
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["detail"].endswith(".")
    assert problem["title"]
    if status == 422:
        assert all(sentence.endswith(".") for sentence in problem["errors"].values())


def test_missing_fields_are_named(api: Api) -> None:
    problem = api.as_role(Role.ADMIN).post("/api/v1/users", json={"email": "a@example.org"}).json()
    assert problem["errors"] == {name: "This is required." for name in ("name", "role", "password")}


def test_what_was_sent_is_not_repeated(api: Api) -> None:
    answer = api.as_role(Role.ADMIN).post(
        "/api/v1/users", json={"email": 7, "password": {"canary": "canary"}}
    )
    assert answer.status_code == 422
    assert "canary" not in answer.text


def test_a_body_without_a_length_is_cut_off_at_its_cap(api: Api) -> None:
    sent = 0

    def endless() -> object:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b"x" * 10_000

    answer = api.as_role(Role.ADMIN).post(
        "/api/v1/users", content=endless(), headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_bug_is_answered_with_a_reference_that_is_in_the_log(
    sqlite_stack: Stack, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    app: FastAPI = create_api()

    @app.get("/api/v1/broken")
    def broken() -> None:
        raise RuntimeError("canary: internal detail")

    with TestClient(app) as client:
        answer = client.get("/api/v1/broken")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["reference"] in problem["detail"]
    assert "canary" not in answer.text
    logged = caplog.text + capsys.readouterr().out
    assert problem["reference"] in logged
    assert "canary: internal detail" in logged


def test_answers_carry_headers_for_data(api: Api) -> None:
    for path in ("/api/v1/me", "/api/v1/nothing", "/healthz"):
        headers = api.as_role(Role.CREATOR).get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["cache-control"] == "no-store"
        assert headers["x-frame-options"] == "DENY"
        assert "access-control-allow-origin" not in headers


def test_the_description_and_its_page_need_nothing_from_outside(api: Api) -> None:
    client = api.as_nobody()
    schema = client.get("/api/openapi.json").json()
    assert "/api/v1/auth/token" in schema["paths"]
    assert "/auth/sign-in" not in schema["paths"]
    answer = schema["paths"]["/api/v1/users"]["post"]["responses"]["422"]["content"]
    assert list(answer) == ["application/problem+json"]
    page = client.get("/api/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "/api/v1/auth/token" in page.text
    for outside in ("<script", "src=", "http://", "https://", "url("):
        assert outside not in page.text
    assert "script-src" not in page.headers["content-security-policy"]
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


STRANGE = [
    "\x00",
    "a\x00@example.org",
    "\ud800",
    "\u202e",
    "%ff",
    "\\",
    "'; DROP TABLE app_user; --",
    "\U0010ffff" * 100,
    "9" * 40,
    "-1",
    "NaN",
    "../..",
    " ",
]


@pytest.mark.parametrize("text", STRANGE)
def test_strange_text_anywhere_is_never_an_internal_error(text: str, api: Api) -> None:
    admin, nobody = api.as_role(Role.ADMIN), api.as_nobody()
    safe = quote(text.encode("utf-8", "surrogatepass"), safe="")
    requests = [
        (admin, "GET", f"/api/v1/users/{safe}", None),
        (admin, "GET", f"/api/v1/users?search={safe}", None),
        (admin, "GET", f"/api/v1/users?cursor={safe}&limit=1", None),
        (admin, "GET", f"/api/v1/audit?actor={safe}&action={safe}", None),
        (admin, "GET", f"/api/v1/audit?cursor={safe}", None),
        (admin, "PATCH", f"/api/v1/users/{safe}", {"name": text}),
        (admin, "PATCH", "/api/v1/me", {"name": text, "timezone": text}),
        (admin, "POST", "/api/v1/users", {"email": text, "name": text, "role": text, "password": text}),
        (
            admin,
            "POST",
            "/api/v1/users",
            {"email": "a@b.c", "name": text, "role": "viewer", "password": text * 12},
        ),
        (nobody, "POST", "/api/v1/auth/token", {"email": text, "password": text}),
        (nobody, "POST", "/api/v1/auth/refresh", {"refresh_token": text}),
        (nobody, "GET", f"/{safe}", None),
    ]
    for client, method, path, body in requests:
        content = None if body is None else json.dumps(body)
        answer = client.request(method, path, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code < 500, (method, path, body, answer.text)
    for path in ("/auth/sign-in", "/auth/setup"):
        form = "&".join(f"{name}={safe}" for name in ("email", "password", "name", "token", "next"))
        headers = {"Origin": ORIGIN, "Content-Type": "application/x-www-form-urlencoded"}
        assert nobody.post(path, content=form, headers=headers).status_code == 303
    for header in ("Cookie", "User-Agent", "X-Forwarded-For", "Authorization"):
        value = f"contentcaster={safe}" if header == "Cookie" else safe
        assert nobody.get("/api/v1/me", headers={header: value}).status_code == 401
