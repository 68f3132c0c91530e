"""Two-factor sign-in over REST and through the console's form."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from sqlmodel import select
from starlette.testclient import TestClient

from contentcaster.models import RecoveryCode, Role, UserTotp
from contentcaster.security import throttle, totp
from tests.api.conftest import ORIGIN, Api
from tests.services_for_tests.factories import PASSWORD


def _code(secret: str, later: int = 0) -> str:
    return totp.code_at(secret, int(time.time()) // 30 + later)


def _turn_on(api: Api, client: TestClient) -> tuple[str, list[str]]:
    """The secret and the recovery codes. Uses the code of the step before: the current one stays for the test."""
    setup = client.post("/api/v1/me/second-factor/setup").json()
    done = client.post("/api/v1/me/second-factor/confirm", json={"code": _code(setup["secret"], -1)})
    assert done.status_code == 200, done.text
    return setup["secret"], done.json()["recovery_codes"]


def _sign_in(api: Api, role: Role, otp: str | None = None, ip: str = "127.0.0.1") -> Any:
    body = {"email": api.user(role).email, "password": PASSWORD} | ({"otp": otp} if otp else {})
    return api.as_nobody(ip).post("/api/v1/auth/token", json=body)


def test_with_a_second_factor_the_password_alone_gives_nothing(api: Api) -> None:
    secret, codes = _turn_on(api, api.as_role(Role.CREATOR))
    assert len(codes) == 10
    asked = _sign_in(api, Role.CREATOR)
    assert asked.status_code == 401 and asked.json()["code"] == "otp_required"
    wrong = _sign_in(api, Role.CREATOR, "000000" if _code(secret) != "000000" else "000001")
    assert wrong.status_code == 401 and wrong.json()["code"] == "otp_wrong"
    assert _sign_in(api, Role.CREATOR, _code(secret)).status_code == 200
    with api.stack.database.reading() as session:
        sealed = session.exec(select(UserTotp.secret_encrypted)).one()
        hashes = session.exec(select(RecoveryCode.code_hash)).all()
    assert secret not in sealed and sealed.startswith("v1.")
    assert not {code.replace("-", "") for code in codes} & set(hashes)


def test_a_code_works_once_even_for_two_at_the_same_time(api: Api) -> None:
    secret, _ = _turn_on(api, api.as_role(Role.CREATOR))
    code, results = _code(secret), []
    clients = [api.as_nobody(f"203.0.113.{n}") for n in range(4)]
    body = {"email": api.user(Role.CREATOR).email, "password": PASSWORD, "otp": code}

    def once(client: TestClient) -> None:
        results.append(client.post("/api/v1/auth/token", json=body).status_code)

    threads = [threading.Thread(target=once, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(results) == [200, 401, 401, 401]


def test_a_recovery_code_stands_in_once_however_it_is_typed(api: Api) -> None:
    _, codes = _turn_on(api, api.as_role(Role.CREATOR))
    assert _sign_in(api, Role.CREATOR, codes[0].upper().replace("-", " ")).status_code == 200
    assert _sign_in(api, Role.CREATOR, codes[0]).status_code == 401
    assert _sign_in(api, Role.CREATOR, codes[1]).status_code == 200
    assert api.as_role(Role.CREATOR).get("/api/v1/me/second-factor").json()["recovery_codes_left"] == 8


def test_somebody_elses_recovery_code_opens_nothing(api: Api) -> None:
    _, codes = _turn_on(api, api.as_role(Role.CREATOR))
    _turn_on(api, api.as_role(Role.ADMIN))
    assert _sign_in(api, Role.ADMIN, codes[0]).status_code == 401


def test_a_known_password_buys_no_more_guesses_at_the_code(api: Api) -> None:
    _turn_on(api, api.as_role(Role.CREATOR))
    answers = [_sign_in(api, Role.CREATOR, None if n % 2 else "123456").status_code for n in range(12)]
    assert answers == [401] * throttle.PAIR.tries + [429] * 2


def test_a_stolen_session_buys_no_more_guesses_either(api: Api) -> None:
    client = api.as_role(Role.CREATOR)
    _turn_on(api, client)
    answers = [
        client.post("/api/v1/me/second-factor/turn-off", json={"code": "123456"}).status_code
        for _ in range(throttle.PAIR.tries + 1)
    ]
    assert answers == [422] * throttle.PAIR.tries + [429]


def test_turning_it_on_ends_all_other_sessions(api: Api) -> None:
    other, client = api.as_role(Role.CREATOR), api.as_role(Role.CREATOR)
    _turn_on(api, client)
    assert other.get("/api/v1/me").status_code == 401
    assert client.get("/api/v1/me").status_code == 200


def test_an_unconfirmed_set_up_changes_nothing_and_a_wrong_code_confirms_nothing(api: Api) -> None:
    client = api.as_role(Role.CREATOR)
    client.post("/api/v1/me/second-factor/setup")
    wrong = client.post("/api/v1/me/second-factor/confirm", json={"code": "12345"})
    assert wrong.status_code == 422 and "code" in wrong.json()["errors"]
    assert _sign_in(api, Role.CREATOR).status_code == 200
    assert client.get("/api/v1/me/second-factor").json()["is_on"] is False


def test_it_is_turned_off_with_a_code_and_reset_by_an_admin_only(api: Api) -> None:
    client = api.as_role(Role.CREATOR)
    secret, _ = _turn_on(api, client)
    assert client.post("/api/v1/me/second-factor/setup").status_code == 409
    assert client.post("/api/v1/me/second-factor/turn-off", json={"code": _code(secret)}).status_code == 204
    assert _sign_in(api, Role.CREATOR).status_code == 200
    _turn_on(api, client)
    path = f"/api/v1/users/{api.user(Role.CREATOR).id}/second-factor/reset"
    assert api.as_role(Role.MONITOR).post(path).status_code == 403
    assert api.as_role(Role.ADMIN).post(path).status_code == 204
    assert client.get("/api/v1/me").status_code == 401  # signed out everywhere
    assert _sign_in(api, Role.CREATOR).status_code == 200


def test_the_consoles_form_asks_for_the_code_in_a_second_step(api: Api) -> None:
    secret, _ = _turn_on(api, api.as_role(Role.CREATOR))
    browser = api.as_nobody()
    browser.headers["Origin"] = ORIGIN
    form = {"email": api.user(Role.CREATOR).email, "password": PASSWORD, "next": "/posts"}
    asked = browser.post("/auth/sign-in", data=form)
    assert "error=otp_required" in asked.headers["location"] and "set-cookie" not in asked.headers
    wrong = browser.post("/auth/sign-in", data=form | {"otp": "12 34"})
    assert (
        "error=otp_wrong" in wrong.headers["location"]
        and PASSWORD.split()[0] not in wrong.headers["location"]
    )
    done = browser.post("/auth/sign-in", data=form | {"otp": _code(secret)})
    assert done.headers["location"] == "/posts" and "set-cookie" in done.headers


@pytest.mark.settings(otp_required_roles="admin")
def test_where_it_is_required_nothing_else_opens_until_it_is_set_up(api: Api) -> None:
    admin = api.as_role(Role.ADMIN)
    refused = admin.get("/api/v1/users")
    assert refused.status_code == 403 and "two-factor" in refused.json()["detail"]
    assert admin.get("/api/v1/me").json()["permissions"] == ["own_profile"]
    assert api.as_role(Role.MONITOR).get("/api/v1/queues").status_code == 200
    _turn_on(api, admin)
    assert admin.get("/api/v1/users").status_code == 200


def test_turning_it_on_and_off_is_in_the_audit_log(api: Api) -> None:
    client = api.as_role(Role.CREATOR)
    secret, codes = _turn_on(api, client)
    client.post("/api/v1/me/second-factor/recovery-codes", json={"code": codes[0]})
    client.post("/api/v1/me/second-factor/turn-off", json={"code": _code(secret)})
    log = api.as_role(Role.ADMIN).get("/api/v1/audit", params={"action": "profile."})
    assert [event["action"] for event in log.json()["items"]] == [
        "profile.second_factor_off",
        "profile.recovery_codes_renewed",
        "profile.second_factor_on",
    ]
    assert secret not in log.text and codes[0] not in log.text
