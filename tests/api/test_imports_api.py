"""Importing and exporting posts over REST."""

from __future__ import annotations

from datetime import timedelta

from contentcaster.clock import utc_now
from contentcaster.models import Role
from tests.api.conftest import Api
from tests.services_for_tests import factories


def test_a_file_is_uploaded_mapped_checked_imported_undone_and_exported(api: Api) -> None:
    admin_user = api.user(Role.ADMIN)
    with api.stack.database.transaction() as session:
        factories.create_account(session, admin_user, platform="mastodon", handle="@acme@example.social")
    creator = api.as_role(Role.CREATOR)
    day = f"{utc_now() + timedelta(days=2):%Y-%m-%d}"
    content = f"Say;Where;Date;Time\n=Hello;@acme@example.social;{day};09:00\n"
    files = {"file": ("plan.csv", content.encode(), "text/csv")}
    view = creator.post("/api/v1/imports", files=files)
    assert view.status_code == 201
    path = f"/api/v1/imports/{view.json()['id']}"
    assert creator.get(path).json()["headings"] == ["Say", "Where", "Date", "Time"]
    columns = {"0": "text", "1": "channels", "2": "date", "3": "time"}
    assert creator.put(path + "/choices", json={"columns": {"0": "nonsense"}}).status_code == 422
    assert creator.put(path + "/choices", json={"columns": columns}).status_code == 200
    report = creator.post(path + "/check").json()
    assert (report["ok"], report["wrong"]) == (1, 0)
    assert creator.post(path + "/run").json()["imported"] == 1
    assert creator.post(path + "/run").status_code == 409
    assert api.as_role(Role.ADMIN).get(path).status_code == 404
    exported = creator.get("/api/v1/posts/export")
    assert exported.headers["content-disposition"] == 'attachment; filename="posts.csv"'
    assert '"\'=Hello"' in exported.text
    found = creator.get("/api/v1/posts/export", params={"format": "json", "search": "hel"}).json()
    assert [item["text"] for item in found] == ["=Hello"]
    assert creator.get("/api/v1/posts/export", params={"status": "Nonsense"}).status_code == 422
    assert creator.post(path + "/undo").json()["done"] == 1
    assert creator.get("/api/v1/posts/export", params={"format": "json"}).json() == []


def test_a_broken_file_is_answered_with_its_line(api: Api) -> None:
    files = {"file": ("plan.csv", b'text\n"never closed\n', "text/csv")}
    answer = api.as_role(Role.CREATOR).post("/api/v1/imports", files=files)
    assert answer.status_code == 422
    assert "line 2 is never closed" in answer.text
    assert api.as_role(Role.VIEWER).post("/api/v1/imports", files=files).status_code == 403
