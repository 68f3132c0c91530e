"""Analytics in a real browser: a Viewer lands there, finds what worked, and shares what they see by its address."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from contentcaster.models import Role
from contentcaster.services.analytics_demo import create_year
from tests.services_for_tests import factories
from tests.web.accessibility import accessibility_problems
from tests.web.arriving import visit
from tests.web.conftest import Console, NewPage


@pytest.fixture(scope="module")
def channel(console: Console) -> str:
    """A channel with a made-up year; its id."""
    author = console.user(Role.ADMIN)
    with console.stack.database.transaction() as session:
        account = factories.create_account(
            session, author, platform="mastodon", handle="@year@example.social"
        )
    create_year(console.stack.database, author.id, [account.id], posts=300)
    return account.id


def test_a_viewer_lands_on_analytics_and_narrows_it_down(
    console: Console, new_page: NewPage, channel: str
) -> None:
    page = new_page(Role.VIEWER)
    expect(page.get_by_role("heading", level=1, name="Analytics")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/analytics/?$"))
    expect(page.get_by_role("heading", name="What worked")).to_be_visible()
    assert accessibility_problems(page) == []

    page.get_by_label("Channel", exact=True).select_option(channel)
    expect(page).to_have_url(re.compile(f"channel={channel}"))
    page.get_by_label("Period", exact=True).select_option("365")
    expect(page).to_have_url(re.compile(f"days=365&channel={channel}"))
    expect(page.locator(".stat").first).to_contain_text("300")
    visit(page, page.url)  # as somebody who was sent the address
    expect(page.locator(".stat").first).to_contain_text("300")
    expect(page.get_by_label("Channel", exact=True)).to_have_value(channel)


def test_the_days_come_down_as_a_table(console: Console, new_page: NewPage, channel: str) -> None:
    page = new_page(Role.VIEWER, f"/analytics?days=7&channel={channel}")
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Days (CSV)").click()
    lines = download.value.path().read_text("utf-8-sig").splitlines()
    assert lines[0].startswith("day,posts,engagements")
    assert len(lines) == 8


def test_a_period_that_makes_no_sense_is_said_and_the_usual_one_shown(
    console: Console, new_page: NewPage, channel: str
) -> None:
    page = new_page(Role.VIEWER, "/analytics?from=2026-11-20&to=2026-11-01")
    expect(page.get_by_text("after the last one")).to_be_visible()
    for query in (
        "from=1976-11-20&to=2026-11-01",
        "from=2001-01-01&to=2026-01-01",
        "from=tomorrow",
        "days=-3",
    ):
        visit(page, f"{console.url}/analytics?{query}")
        expect(page.get_by_role("heading", name="Best time to post")).to_be_visible()
    visit(page, f"{console.url}/analytics?channel=nobody")
    expect(page.get_by_text("There is no such channel.")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_narrow_screen_and_is_accessible_there(
    new_page: NewPage, channel: str, scheme: str
) -> None:
    page = new_page(Role.VIEWER, "/analytics", viewport={"width": 360, "height": 740}, color_scheme=scheme)
    expect(page.get_by_role("heading", name="Best time to post")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert accessibility_problems(page) == []
