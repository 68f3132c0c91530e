"""The audit page in a real browser: by day, verified, exported."""

from __future__ import annotations

import csv
import io

import pytest
from playwright.sync_api import expect

from contentcaster.models import Role
from tests.web.accessibility import accessibility_problems
from tests.web.conftest import Console, NewPage

pytestmark = pytest.mark.browser


def test_it_is_shown_by_day_verified_and_exported_as_shown(new_page: NewPage, console: Console) -> None:
    profile = new_page(Role.ADMIN, "/profile")
    profile.get_by_label("Name").fill("Mara Keller")
    profile.get_by_role("button", name="Save").click()
    expect(profile.locator("[data-sonner-toast]").first).to_be_visible()
    page = new_page(Role.ADMIN, "/audit")
    page.get_by_label("Kind of act").select_option("profile.")
    expect(page.locator("tbody tr").first).to_contain_text("Changed own profile")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_role("status")).to_contain_text("as they were written")
    assert accessibility_problems(page) == []
    with page.expect_download() as download:
        page.get_by_role("link", name="Export").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert rows and all(row["action"].startswith("profile.") for row in rows)
    page.get_by_label("To day").fill("2020-01-01")
    expect(page.get_by_text("Nothing to show")).to_be_visible()
