"""Tokens over REST, and what the API accepts as proof of who is asking."""

from __future__ import annotations

import pytest

from contentcaster.api.rate_limit import Limits, RateLimiter
from contentcaster.models import Role, User
from contentcaster.security import throttle
from tests.api.conftest import ORIGIN, Api
from tests.services_for_tests import factories
from tests.services_for_tests.factories import PASSWORD


def test_a_token_opens_the_api_and_logging_out_closes_it_at_once(api: Api) -> None:
    client = api.as_nobody()
    email = api.user(Role.CREATOR).email
    answer = client.post("/api/v1/auth/token", json={"email": f"  {email.upper()} ", "password": PASSWORD})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["token_type"] == "bearer"
    assert 0 < answer.json()["expires_in"] <= 900
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    me = client.get("/api/v1/me", headers=bearer)
    assert (me.status_code, me.json()["email"], me.json()["role"]) == (200, email, "creator")
    assert "compose" in me.json()["permissions"]
    assert client.post("/api/v1/auth/logout", headers=bearer).status_code == 204
    assert client.get("/api/v1/me", headers=bearer).status_code == 401
    refresh = {"refresh_token": answer.json()["refresh_token"]}
    assert client.post("/api/v1/auth/refresh", json=refresh).status_code == 401


def test_a_refresh_gives_new_tokens(api: Api) -> None:
    client = api.as_nobody()
    credentials = {"email": api.user(Role.VIEWER).email, "password": PASSWORD}
    first = client.post("/api/v1/auth/token", json=credentials).json()
    second = client.post("/api/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert second.status_code == 200
    bearer = {"Authorization": f"Bearer {second.json()['access_token']}"}
    assert client.get("/api/v1/me", headers=bearer).status_code == 200
    assert (
        client.post("/api/v1/auth/refresh", json={"refresh_token": first["refresh_token"]}).status_code == 401
    )


def test_a_wrong_password_is_a_problem_that_says_nothing_more(api: Api) -> None:
    client = api.as_nobody()
    answers = [
        client.post("/api/v1/auth/token", json={"email": email, "password": "wrong password"})
        for email in (api.user(Role.ADMIN).email, "nobody@example.org")
    ]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["code"] == "wrong_credentials"


def test_twenty_tries_give_429_with_a_time_to_wait(api: Api) -> None:
    client = api.as_nobody()
    answers = [
        client.post("/api/v1/auth/token", json={"email": "nobody@example.org", "password": "wrong password"})
        for _ in range(20)
    ]
    assert [answer.status_code for answer in answers] == [401] * throttle.PAIR.tries + [429] * (
        20 - throttle.PAIR.tries
    )
    assert 0 < int(answers[-1].headers["retry-after"]) <= 900
    assert answers[-1].json()["code"] == "too_many"


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer x", "Basic YTpi", "bearer a.b.c", "Bearer a b", "x" * 9000],
)
def test_anything_but_a_good_token_is_401(authorization: str, api: Api) -> None:
    answer = api.as_nobody().get("/api/v1/me", headers={"Authorization": authorization})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "not_signed_in"


def test_a_bad_token_never_falls_back_to_the_cookie(api: Api) -> None:
    client = api.as_browser(Role.ADMIN)
    assert client.get("/api/v1/me").status_code == 200
    assert client.get("/api/v1/me", headers={"Authorization": "Bearer x"}).status_code == 401


def test_disabling_a_person_refuses_their_very_next_request(api: Api) -> None:
    client = api.as_role(Role.CREATOR)
    assert client.get("/api/v1/me").status_code == 200
    user_id = api.user(Role.CREATOR).id
    changed = api.as_role(Role.ADMIN).patch(f"/api/v1/users/{user_id}", json={"is_active": False})
    assert changed.status_code == 200
    assert client.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (ORIGIN, 200),
        ("http://localhost:8000", 200),
        ("https://evil.example", 403),
        ("null", 403),
        (None, 403),
    ],
)
def test_a_change_by_cookie_needs_a_page_of_ours(origin: str | None, status: int, api: Api) -> None:
    client = api.as_browser(Role.CREATOR)
    del client.headers["Origin"]
    headers = {} if origin is None else {"Origin": origin}
    answer = client.patch("/api/v1/me", json={"name": "Changed"}, headers=headers)
    assert answer.status_code == status
    with api.stack.database.reading() as session:
        name = session.get_one(User, api.user(Role.CREATOR).id).name
    assert (name == "Changed") == (status == 200)


def test_a_change_by_token_needs_no_origin(api: Api) -> None:
    headers = {"Origin": "https://a-program.example"}
    answer = api.as_role(Role.CREATOR).patch("/api/v1/me", json={"name": "Changed"}, headers=headers)
    assert answer.status_code == 200


def test_one_person_cannot_flood_the_others_out(api: Api) -> None:
    api.app.state.limits = Limits(by_principal=RateLimiter(burst=3, per_second=0.01))
    busy, calm = api.as_role(Role.CREATOR), api.as_role(Role.VIEWER)
    answers = [busy.get("/api/v1/me") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    answer = answers[-1]
    assert int(answer.headers["retry-after"]) >= 1
    assert calm.get("/api/v1/me").status_code == 200


def test_people_change_their_own_profile_and_password(api: Api) -> None:
    client = api.as_role(Role.VIEWER)
    changed = client.patch("/api/v1/me", json={"name": "Grace", "timezone": "Europe/Berlin"})
    assert (changed.json()["name"], changed.json()["timezone"]) == ("Grace", "Europe/Berlin")
    wrong = client.post(
        "/api/v1/me/password", json={"current_password": "x", "new_password": "a good long password"}
    )
    assert (wrong.status_code, list(wrong.json()["errors"])) == (422, ["current_password"])
    weak = client.post("/api/v1/me/password", json={"current_password": PASSWORD, "new_password": "short"})
    assert (weak.status_code, list(weak.json()["errors"])) == (422, ["new_password"])
    good = {"current_password": PASSWORD, "new_password": "a good long password"}
    assert client.post("/api/v1/me/password", json=good).status_code == 204
    assert client.get("/api/v1/me").status_code == 200


def test_using_the_api_counts_as_being_seen(api: Api) -> None:
    user = api.user(Role.MONITOR)
    api.as_role(Role.MONITOR).get("/api/v1/me")
    with api.stack.database.reading() as session:
        assert session.get_one(User, user.id).last_seen_at is not None


def test_an_access_token_in_the_cookie_and_a_cookie_as_token_are_refused(api: Api) -> None:
    with api.stack.database.transaction() as session:
        user = factories.create_user(session, Role.ADMIN)
        token, cookie = factories.access_token(session, user), factories.browser_cookie(session, user)
    client = api.as_nobody()
    assert client.get("/api/v1/me", headers={"Cookie": f"contentcaster={token}"}).status_code == 401
    bearer = {"Authorization": f"Bearer {cookie.partition('=')[2]}"}
    assert client.get("/api/v1/me", headers=bearer).status_code == 401
