"""The audit log over REST: filtered, exported so that no spreadsheet runs it, verified."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

from sqlalchemy import text

from contentcaster.clock import utc_now
from contentcaster.models import Role
from contentcaster.security.permissions import SYSTEM
from contentcaster.services import audit
from tests.api.conftest import Api


def _act(api: Api, action: str, subject: str = "", **details: str) -> None:
    with api.stack.database.transaction() as session:
        audit.record(session, SYSTEM, action, "thing", subject, details)


def test_it_is_filtered_by_subject_and_by_time(api: Api) -> None:
    _act(api, "thing.made", "one")
    _act(api, "thing.made", "two")
    admin = api.as_role(Role.ADMIN)
    found = admin.get("/api/v1/audit", params={"subject_id": "two"}).json()["items"]
    assert [row["subject_id"] for row in found] == ["two"]
    now = utc_now()
    later = {"since": (now + timedelta(minutes=1)).isoformat()}
    earlier = {"until": (now + timedelta(minutes=1)).isoformat(), "action": "thing."}
    assert admin.get("/api/v1/audit", params=later).json()["items"] == []
    assert len(admin.get("/api/v1/audit", params=earlier).json()["items"]) == 2
    assert admin.get("/api/v1/audit", params={"since": "yesterday"}).status_code == 422


def test_the_export_holds_what_was_asked_for_and_no_formula(api: Api) -> None:
    _act(api, "thing.made", "=HYPERLINK(1)", note="x")
    _act(api, "other.made", "two")
    answer = api.as_role(Role.ADMIN).get("/api/v1/audit/export", params={"action": "thing."})
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["subject_id"] for row in rows] == ["'=HYPERLINK(1)"] and rows[0]["details"] == '{"note": "x"}'


def test_verifying_says_whether_it_is_as_it_was_written(api: Api) -> None:
    _act(api, "thing.made", "one")
    admin = api.as_role(Role.ADMIN)
    good = admin.post("/api/v1/audit/verify").json()
    assert good["is_intact"] and good["events"] == 1 and good["mark"].startswith("1:")
    with api.stack.database.transaction() as session:
        session.execute(text("UPDATE audit_event SET actor = 'somebody'"))
    bad = admin.post("/api/v1/audit/verify").json()
    assert not bad["is_intact"] and "not as it was written" in bad["problem"]


def test_only_admins_read_export_or_verify(api: Api) -> None:
    for role in (Role.CREATOR, Role.MONITOR, Role.VIEWER):
        client = api.as_role(role)
        assert client.get("/api/v1/audit/export").status_code == 403
        assert client.post("/api/v1/audit/verify").status_code == 403
