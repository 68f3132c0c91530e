"""Where somebody is signed in, over REST: one's own sessions and, for admins, anybody's."""

from __future__ import annotations

from contentcaster.models import Role
from tests.api.conftest import Api


def test_signing_out_everywhere_else_keeps_this_token_and_ends_the_others(api: Api) -> None:
    first, second = api.as_role(Role.CREATOR), api.as_role(Role.CREATOR)
    listed = first.get("/api/v1/me/sessions").json()
    assert [row["is_current"] for row in listed].count(True) == 1 and len(listed) >= 2
    assert first.delete("/api/v1/me/sessions").json()["ended"] == len(listed) - 1
    assert second.get("/api/v1/me").status_code == 401
    assert [row["is_current"] for row in first.get("/api/v1/me/sessions").json()] == [True]


def test_an_admin_ends_one_session_or_all_of_a_person_and_nobody_else_may(api: Api) -> None:
    theirs, other, admin = api.as_role(Role.VIEWER), api.as_role(Role.VIEWER), api.as_role(Role.ADMIN)
    path = f"/api/v1/users/{api.user(Role.VIEWER).id}/sessions"
    for role in (Role.CREATOR, Role.MONITOR, Role.VIEWER):
        assert api.as_role(role).get(path).status_code == 403
        assert api.as_role(role).delete(path).status_code == 403
    rows = admin.get(path).json()
    current = next(row["id"] for row in theirs.get("/api/v1/me/sessions").json() if row["is_current"])
    assert current in [row["id"] for row in rows] and not any(row["is_current"] for row in rows)
    assert admin.delete(f"{path}/{current}").status_code == 204
    assert admin.delete(f"{path}/{current}").status_code == 404
    assert theirs.get("/api/v1/me").status_code == 401 and other.get("/api/v1/me").status_code == 200
    assert admin.delete(path).json()["ended"] >= 1
    assert other.get("/api/v1/me").status_code == 401
    acts = admin.get("/api/v1/audit", params={"action": "user.signed_out"}).json()["items"]
    assert [act["details"]["email"] for act in acts] == [api.user(Role.VIEWER).email] * 2


def test_a_session_of_somebody_else_cannot_be_ended_as_ones_own(api: Api) -> None:
    admin, creator = api.as_role(Role.ADMIN), api.as_role(Role.CREATOR)
    foreign = admin.get("/api/v1/me/sessions").json()[0]["id"]
    assert creator.delete(f"/api/v1/me/sessions/{foreign}").status_code == 404
    own = creator.get("/api/v1/me/sessions").json()[0]["id"]
    wrong = f"/api/v1/users/{api.user(Role.ADMIN).id}/sessions/{own}"
    assert admin.delete(wrong).status_code == 404
