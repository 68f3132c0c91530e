"""REST: bots, with every role."""

from __future__ import annotations

import csv
import io

import pytest
from sqlmodel import SQLModel, select

from contentcaster.models import ActAction, ActState, BotAct, BotKind, Role
from contentcaster.services import bots_log
from contentcaster.services.bots_log import Line
from tests.api.conftest import Api
from tests.services_for_tests import factories

V1 = "/api/v1/bots"
SPEC = {"when": "hashtag", "value": "coffee", "then": [{"action": "like"}]}
READS = ("", "/rules", "/approvals", "/actions", "/prospects", "/log", "/log.csv")


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


def calls(api: Api, *methods: str) -> list[tuple[str, str]]:
    """Every call of the bots' part of REST: method and path."""
    paths = api.app.openapi()["paths"]
    found = [
        (method, path)
        for path, answers in paths.items()
        if path.startswith(V1)
        for method in answers
        if method in methods
    ]
    assert len(found) > 5, "the walk walks nothing"
    return found


def rows_of(api: Api) -> dict[str, list[tuple[object, ...]]]:
    """Everything that bots keep, and the jobs."""
    tables = [
        table for name, table in SQLModel.metadata.tables.items() if name.startswith("bot_") or name == "job"
    ]
    with api.stack.database.reading() as session:
        return {table.name: sorted(map(tuple, session.execute(select(table))), key=str) for table in tables}


@pytest.mark.parametrize("role", [Role.MONITOR, Role.CREATOR, Role.VIEWER])
def test_only_admins_change_anything(api: Api, role: Role) -> None:
    rule = rule_of(api)
    account_id = str(rule["channel"]["account_id"])  # type: ignore[index]
    body = {"bot": "engagement", "name": "Likes", "account_id": account_id, "spec": SPEC}
    ids = {"rule_id": str(rule["id"]), "account_id": account_id, "act_id": "x", "prospect_id": "x"}
    bodies = {
        "/rules": body, "/rules/{rule_id}": body, "/enabled": {"is_enabled": True}, "/mode": {"mode": "automatic"},
        "/approvals/approve": {"act_ids": ["x"]}, "/approvals/reject": {"act_ids": ["x"]}, "/rails": {},
    }  # fmt: skip
    client, before = api.as_role(role), rows_of(api)
    for method, path in calls(api, "post", "put", "patch", "delete"):
        if path.endswith("/simulate"):
            continue  # reads the network and changes nothing: see below
        sent = next((value for end, value in bodies.items() if path.endswith(end)), None)
        answer = client.request(method.upper(), path.format(**ids), json=sent)
        assert answer.status_code == 403, (method, path, answer.text)
    assert rows_of(api) == before


def test_a_monitor_follows_all_of_it_and_changes_none_of_it(api: Api) -> None:
    rule = rule_of(api)
    monitor, before = api.as_role(Role.MONITOR), rows_of(api)
    for _, path in calls(api, "get"):
        answer = monitor.get(path.format(rule_id=rule["id"]))
        # The channel of this test leads nowhere, so a simulation says that; it is not forbidden.
        assert answer.status_code in ((200, 409) if path.endswith("/simulate") else (200,)), (
            path,
            answer.text,
        )
    assert monitor.post(f"{V1}/rules/{rule['id']}/simulate").status_code in (200, 409)
    assert rows_of(api) == before


def test_acts_are_read_by_state_and_decided_one_by_one(api: Api) -> None:
    rule = rule_of(api)
    account_id = str(rule["channel"]["account_id"])  # type: ignore[index]
    target = {"kind": "post", "author_ref": "2", "handle": "@bea", "text": "Hello"}
    with api.stack.database.transaction() as session:
        acts = [
            BotAct(
                dedupe_key=f"like:{number}", account_id=account_id, rule_id=str(rule["id"]),
                bot=BotKind.ENGAGEMENT, action=ActAction.LIKE, target_ref=str(number),
                target=target | {"ref": str(number)}, state=ActState.WAITING, why="mentions us",
            )
            for number in range(2)
        ]  # fmt: skip
        session.add_all(acts)
    admin, at = api.as_role(Role.ADMIN), f"{V1}/actions"
    proposed = admin.get(at, params={"state": "proposed", "limit": 1}).json()
    rest = admin.get(at, params={"state": "proposed", "cursor": proposed["next_cursor"]}).json()
    first, second = (item["id"] for item in [*proposed["items"], *rest["items"]])
    rejected = admin.post(f"{at}/{first}/reject")
    assert (rejected.status_code, rejected.json()["state"]) == (200, "rejected")
    assert admin.post(f"{at}/{first}/approve").status_code == 409, "it was decided already"
    approved = admin.post(f"{at}/{second}/approve").json()
    assert approved["state"] == "planned" and approved["job_id"]
    assert admin.post(f"{at}/nothing/approve").status_code == 404
    assert [item["id"] for item in admin.get(at, params={"state": "planned"}).json()["items"]] == [second]
    assert admin.get(at, params={"state": "sideways"}).status_code == 422
    assert admin.get(f"{V1}/prospects").json() == {"items": [], "next_cursor": ""}
    assert admin.get(f"{V1}/rules/{rule['id']}").json() == rule


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
