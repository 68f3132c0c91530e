"""The numbers over REST and as CSV: who may ask, what is missing, what a spreadsheet must not run."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from contentcaster.api.app import create_api
from contentcaster.clock import utc_now
from contentcaster.models import Role
from contentcaster.platforms.metrics import PostCounts
from contentcaster.services.analytics_collect import enrol
from contentcaster.services.analytics_rollup import Measured, record
from tests.analytics.analytics_kit import published
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Stack


@pytest.fixture
def ask(stack: Stack) -> Iterator[dict[Role, TestClient]]:
    """A client for each role; two posts of today, one of them measured."""
    at = utc_now() - timedelta(minutes=1)
    with stack.database.transaction() as session:
        users = {role: factories.create_user(session, role) for role in Role}
        account = factories.create_account(session, users[Role.ADMIN])
        first = published(session, users[Role.CREATOR], account, at, text="=cmd|' /C calc'!A0")
        published(session, users[Role.CREATOR], account, at)
        enrol(session, now=at)
        record(session, account.id, [Measured(first, 0, at, PostCounts(likes=3))])
        tokens = {role: factories.access_token(session, user) for role, user in users.items()}
    with TestClient(create_api(), base_url="http://127.0.0.1:8000") as client:
        yield {
            role: TestClient(
                client.app, base_url="http://127.0.0.1:8000", headers={"Authorization": f"Bearer {token}"}
            )
            for role, token in tokens.items()
        }


def test_a_viewer_reads_sums_days_and_posts_with_null_for_what_is_missing(
    ask: dict[Role, TestClient],
) -> None:
    viewer = ask[Role.VIEWER]
    found = viewer.get("/api/v1/analytics/summary").json()
    assert (found["now"]["posts"], found["now"]["engagements"], found["now"]["views"]) == (2, 3, None)
    assert found["before"]["engagements"] is None
    days = viewer.get("/api/v1/analytics/series").json()["items"]
    assert len(days) == 30
    assert sum(day["posts"] for day in days) == 2
    [post] = viewer.get("/api/v1/analytics/posts").json()["items"]
    assert (post["likes"], post["replies"], post["engagements"]) == (3, None, 3)


def test_others_may_not_and_bad_periods_are_named(ask: dict[Role, TestClient]) -> None:
    assert ask[Role.MONITOR].get("/api/v1/analytics/summary").status_code == 403
    for query, field in [
        ("from=2026-11-20&to=2026-11-01", "from"), ("from=1970-01-01", "from"), ("timezone=Nowhere", "timezone"),
        ("account_id=nobody", "account_id"),
    ]:  # fmt: skip
        answer = ask[Role.VIEWER].get(f"/api/v1/analytics/series?{query}")
        assert answer.status_code == 422
        assert field in answer.text


def test_a_spreadsheet_gets_empty_fields_and_no_formula(ask: dict[Role, TestClient]) -> None:
    answer = ask[Role.ADMIN].get("/api/v1/analytics/posts.csv")
    assert answer.headers["content-disposition"].startswith("attachment")
    [row] = csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff")))
    assert row["text"] == "'=cmd|' /C calc'!A0"
    assert (row["likes"], row["replies"], row["views"]) == ("3", "", "")


def test_parts_hours_and_the_picture_come_over_rest(ask: dict[Role, TestClient]) -> None:
    viewer = ask[Role.VIEWER]
    for part in ("network", "channel", "author"):
        [share] = viewer.get(f"/api/v1/analytics/by/{part}").json()["items"]
        assert (share["figures"]["posts"], share["figures"]["likes"]) == (2, 3), part
    assert viewer.get("/api/v1/analytics/by/label").json()["items"] == []
    hours = viewer.get("/api/v1/analytics/hours?days=7").json()
    assert len(hours["items"]) == 168 and hours["best"] == []
    picture = viewer.get("/api/v1/analytics/series.png?days=7&network=sandbox&theme=dark")
    assert picture.headers["content-type"] == "image/png" and picture.content.startswith(b"\x89PNG")
    assert viewer.get("/api/v1/analytics/series.png?theme=pink").status_code == 422
    assert viewer.get("/api/v1/analytics/series?label=nobody").status_code == 422
    compared = viewer.get("/api/v1/analytics/summary?days=7&vs=year").json()
    assert compared["before_first"][:4] < compared["first"][:4]


def test_the_report_is_off_without_a_mail_server(ask: dict[Role, TestClient]) -> None:
    viewer = ask[Role.VIEWER]
    assert viewer.get("/api/v1/analytics/report").json() == {
        "cadence": "off", "next_at": None, "can_mail": False
    }  # fmt: skip
    assert viewer.put("/api/v1/analytics/report", json={"cadence": "weekly"}).status_code == 422
    assert viewer.put("/api/v1/analytics/report", json={"cadence": "off"}).status_code == 200
    assert ask[Role.MONITOR].get("/api/v1/analytics/report").status_code == 403
