from __future__ import annotations

from contentcaster.models import Role
from tests.api.conftest import Api
from tests.services_for_tests.factories import PASSWORD


def test_a_token_opens_the_api_and_logging_out_closes_it_at_once(api: Api) -> None:
    client = api.as_nobody()
    email = api.user(Role.CREATOR).email
    answer = client.post("/api/v1/auth/token", json={"email": f"  {email.upper()} ", "password": PASSWORD})
    assert answer.status_code == 200
    assert answer.json()["token_type"] == "bearer"
    assert 0 < answer.json()["expires_in"] <= 900
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    me = client.get("/api/v1/me", headers=bearer)
    assert (me.status_code, me.json()["email"], me.json()["role"]) == (200, email, "creator")
    assert "compose" in me.json()["permissions"]
    assert client.post("/api/v1/auth/logout", headers=bearer).status_code == 204
    assert client.get("/api/v1/me", headers=bearer).status_code == 401
