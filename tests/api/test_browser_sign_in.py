"""The console's forms: they set the cookie, go on to the wanted page, and come back with what was typed."""

from __future__ import annotations

from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlsplit

import pytest
from httpx import Response
from starlette.testclient import TestClient

from contentcaster.models import Role
from contentcaster.services import setup
from tests.api.conftest import ORIGIN, Api
from tests.services_for_tests.factories import PASSWORD

SECURE = "https://social.example.org"


def _post(client: TestClient, path: str, form: dict[str, str], origin: str | None = ORIGIN) -> Response:
    return client.post(path, data=form, headers={} if origin is None else {"Origin": origin})


def _sign_in(api: Api, **form: str) -> Response:
    return _post(
        api.as_nobody(), "/auth/sign-in", {"email": api.user(Role.CREATOR).email, "password": PASSWORD} | form
    )


def _error(answer: Response) -> dict[str, str]:
    assert answer.status_code == 303
    assert "set-cookie" not in answer.headers
    return {key: values[0] for key, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def test_signing_in_sets_an_http_only_cookie_and_leads_to_the_wanted_page(api: Api) -> None:
    answer = _sign_in(api, next="/posts?status=Failed")
    assert (answer.status_code, answer.headers["location"]) == (303, "/posts?status=Failed")
    cookie = SimpleCookie(answer.headers["set-cookie"])["contentcaster"]
    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", "")
    client = api.as_nobody()
    assert client.get("/api/v1/me", headers={"Cookie": f"contentcaster={cookie.value}"}).status_code == 200


@pytest.mark.settings(public_url=SECURE)
def test_over_https_the_cookie_is_secure_and_bound_to_this_host(api: Api) -> None:
    form = {"email": api.user(Role.CREATOR).email, "password": PASSWORD}
    answer = _post(api.as_nobody(), "/auth/sign-in", form, origin=SECURE)
    cookie = SimpleCookie(answer.headers["set-cookie"])["__Host-contentcaster"]
    assert cookie["secure"]
    assert (cookie["path"], cookie["domain"]) == ("/", "")
    assert answer.headers["strict-transport-security"].startswith("max-age=31536000")


@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_signing_in_never_leads_to_another_site(target: str, api: Api) -> None:
    assert _sign_in(api, next=target).headers["location"] == "/"


def test_a_wrong_password_leads_back_with_the_address_and_the_wanted_page(api: Api) -> None:
    answer = _sign_in(api, password="not the password", next="/posts")
    assert urlsplit(answer.headers["location"]).path == "/sign-in"
    assert _error(answer) == {"error": "wrong", "email": api.user(Role.CREATOR).email, "next": "/posts"}
    assert "not+the+password" not in answer.headers["location"]


def test_too_many_tries_say_so(api: Api) -> None:
    answers = [_sign_in(api, password="not the password") for _ in range(11)]
    assert _error(answers[-1])["error"] == "too_many"


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "http://127.0.0.1:9000"])
def test_a_form_on_another_site_cannot_sign_anybody_in(origin: str | None, api: Api) -> None:
    form = {"email": api.user(Role.CREATOR).email, "password": PASSWORD}
    assert _error(_post(api.as_nobody(), "/auth/sign-in", form, origin=origin))["error"] == "origin"


def test_what_was_typed_cannot_break_out_of_the_redirect(api: Api) -> None:
    answer = _sign_in(api, email="a@b\r\nSet-Cookie: evil=1&error=x", password="x")
    assert "evil" not in answer.headers.get("set-cookie", "")
    assert "\n" not in answer.headers["location"]
    assert _error(answer)["error"] == "wrong"


def test_an_empty_form_is_a_wrong_password(api: Api) -> None:
    assert _error(_post(api.as_nobody(), "/auth/sign-in", {}))["error"] == "wrong"


def test_signing_out_ends_the_session_and_clears_the_cookie(api: Api) -> None:
    client = api.as_browser(Role.CREATOR)
    answer = client.post("/auth/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?signed_out=1")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert client.get("/api/v1/me").status_code == 401


def test_another_site_cannot_sign_anybody_out(api: Api) -> None:
    client = api.as_browser(Role.CREATOR)
    assert client.post("/auth/sign-out", headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.get("/auth/sign-out").status_code == 405
    assert client.get("/api/v1/me").status_code == 200


def test_signing_out_without_a_session_is_fine(api: Api) -> None:
    assert _post(api.as_nobody(), "/auth/sign-out", {}).status_code == 303


def test_the_setup_form_makes_the_admin_and_signs_them_in(api: Api) -> None:
    link = setup.prepare_first_admin(api.stack.database)
    assert link is not None
    token = parse_qs(urlsplit(link).query)["token"][0]
    form = {"token": token, "email": "ada@example.org", "name": "Ada", "password": "a good long password"}
    client = api.as_nobody()
    short = _error(_post(client, "/auth/setup", form | {"password": "short"}))
    assert short == {"token": token, "error": "password", "email": "ada@example.org", "name": "Ada"}
    assert _error(_post(client, "/auth/setup", form | {"email": "ada"}))["error"] == "email"
    assert _error(_post(client, "/auth/setup", form, origin="https://evil.example"))["error"] == "origin"
    made = _post(client, "/auth/setup", form)
    assert (made.status_code, made.headers["location"]) == (303, "/")
    cookie = made.headers["set-cookie"].partition(";")[0]
    assert client.get("/api/v1/me", headers={"Cookie": cookie}).json()["role"] == "admin"
    assert _error(_post(client, "/auth/setup", form))["error"] == "token"
