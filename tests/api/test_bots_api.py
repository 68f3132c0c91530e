"""REST: bots, with every role."""

from __future__ import annotations

import csv
import io

import pytest

from contentcaster.models import Role
from contentcaster.services import bots_log
from contentcaster.services.bots_log import Line
from tests.api.conftest import Api
from tests.services_for_tests import factories

V1 = "/api/v1/bots"
SPEC = {"when": "hashtag", "value": "coffee", "then": [{"action": "like"}]}
READS = ("", "/rules", "/approvals", "/log", "/log.csv")


def account_of(api: Api) -> str:
    owner = api.user(Role.ADMIN)
    with api.stack.database.transaction() as session:
        return factories.create_account(session, owner).id


def rule_of(api: Api) -> dict[str, object]:
    body = {"bot": "engagement", "name": "Likes", "account_id": account_of(api), "spec": SPEC}
    answer = api.as_role(Role.ADMIN).post(f"{V1}/rules", json=body)
    assert answer.status_code == 201, answer.text
    rule: dict[str, object] = answer.json()
    return rule


def test_a_rule_is_made_off_and_in_dry_run_and_refused_with_its_reasons(api: Api) -> None:
    rule = rule_of(api)
    assert (rule["is_enabled"], rule["mode"]) == (False, "dry_run")
    bad = {"bot": "engagement", "name": "x", "account_id": rule["channel"]["account_id"],  # type: ignore[index]
           "spec": SPEC | {"filters": {"must_match": "(a+)+"}}}  # fmt: skip
    answer = api.as_role(Role.ADMIN).post(f"{V1}/rules", json=bad)
    assert answer.status_code == 422
    assert "for ever" in answer.json()["errors"]["filters.must_match"]


@pytest.mark.parametrize("path", READS)
def test_admins_and_monitors_read_and_nobody_else(api: Api, path: str) -> None:
    for role in (Role.ADMIN, Role.MONITOR):
        assert api.as_role(role).get(V1 + path).status_code == 200
    for role in (Role.CREATOR, Role.VIEWER):
        assert api.as_role(role).get(V1 + path).status_code == 403
    assert api.as_nobody().get(V1 + path).status_code == 401


@pytest.mark.parametrize("role", [Role.MONITOR, Role.CREATOR, Role.VIEWER])
def test_only_admins_change_anything(api: Api, role: Role) -> None:
    rule = rule_of(api)
    account_id = rule["channel"]["account_id"]  # type: ignore[index]
    client, at = api.as_role(role), f"{V1}/rules/{rule['id']}"
    body = {"bot": "engagement", "name": "Likes", "account_id": account_id, "spec": SPEC}
    answers = [
        client.post(f"{V1}/stop"),
        client.post(f"{V1}/resume"),
        client.post(f"{V1}/channels/{account_id}/stop"),
        client.post(f"{V1}/channels/{account_id}/resume"),
        client.put(f"{V1}/channels/{account_id}/rails", json={}),
        client.post(f"{V1}/rules", json=body),
        client.put(at, json=body),
        client.post(f"{at}/enabled", json={"is_enabled": True}),
        client.post(f"{at}/mode", json={"mode": "automatic"}),
        client.delete(at),
        client.post(f"{V1}/approvals/approve", json={"act_ids": ["x"]}),
        client.post(f"{V1}/approvals/reject", json={"act_ids": ["x"]}),
    ]
    assert {answer.status_code for answer in answers} == {403}
    assert api.as_role(Role.ADMIN).get(f"{V1}/rules").json()["items"][0] == rule


def test_the_log_pages_filters_and_exports(api: Api) -> None:
    lines = [Line(bot="growth", action="follow", outcome="done", target=f"=person{n}") for n in range(60)]
    with api.stack.database.transaction() as session:
        bots_log.write(session, lines)
    client = api.as_role(Role.MONITOR)
    page = client.get(f"{V1}/log", params={"text": "person", "limit": 50}).json()
    assert (len(page["items"]), bool(page["next_cursor"])) == (50, True)
    rest = client.get(f"{V1}/log", params={"text": "person", "cursor": page["next_cursor"]}).json()
    assert (len(rest["items"]), rest["next_cursor"]) == (10, "")
    answer = client.get(f"{V1}/log.csv", params={"outcome": "done"})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 60
    assert {row["target"][0] for row in rows} == {"'"}


def test_the_switch_is_seen_by_all_who_may_read(api: Api) -> None:
    admin, monitor = api.as_role(Role.ADMIN), api.as_role(Role.MONITOR)
    assert admin.post(f"{V1}/stop", json={"reason": "a drill"}).json() == {"acts": 0}
    switch = monitor.get(V1).json()["switch"]
    assert (switch["is_stopped"], switch["reason"]) == (True, "a drill")
    assert admin.post(f"{V1}/resume").status_code == 204
    assert not monitor.get(V1).json()["switch"]["is_stopped"]
