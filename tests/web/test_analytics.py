"""Analytics in a real browser: a Viewer finds what worked and narrows it down; a link shows it without an account."""

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
    for question in ("What worked best?", "Where?", "When to post next?", "Did the bots help?"):
        expect(page.locator(".an-answers dt", has_text=question)).to_be_visible()
    expect(page.get_by_role("button", name="Share")).to_have_count(0)  # a Viewer hands nothing out
    assert accessibility_problems(page) == []

    page.get_by_label("Label", exact=True).select_option("release")
    expect(page).to_have_url(re.compile(r"label=release"))
    expect(page.locator(".line", has_text="release notes").first).to_be_visible()
    expect(page.locator(".line", has_text="status page")).to_have_count(0)
    page.get_by_label("Label", exact=True).select_option("")
    expect(page).not_to_have_url(re.compile(r"label="))

    page.get_by_label("Channel", exact=True).select_option(channel)
    expect(page).to_have_url(re.compile(f"channel={channel}"))
    page.get_by_label("Period", exact=True).select_option("365")
    expect(page).to_have_url(re.compile(f"days=365&channel={channel}"))
    expect(page.locator(".stat").first).to_contain_text("300")
    visit(page, page.url)  # as somebody who was sent the address
    expect(page.locator(".stat").first).to_contain_text("300")
    expect(page.get_by_label("Channel", exact=True)).to_have_value(channel)


def test_dragging_over_the_chart_shows_only_those_days(new_page: NewPage, channel: str) -> None:
    page = new_page(Role.VIEWER, f"/analytics?days=365&channel={channel}")
    days = page.locator(".chart-zoom [data-first]")
    expect(days.nth(30)).to_be_attached()
    first, last = days.nth(10), days.nth(14)
    span = (first.get_attribute("data-first"), last.get_attribute("data-last"))
    first.hover()
    expect(page.locator(".chart-tip")).to_contain_text("engagements")
    page.mouse.down()
    last.hover()
    expect(page.locator(".hover.picked")).to_have_count(5)
    page.mouse.up()
    expect(page).to_have_url(re.compile(f"from={span[0]}&to={span[1]}&channel={channel}"))
    expect(page.get_by_role("heading", name="Engagements per day")).to_be_visible()
    page.get_by_role("link", name="Back to the last 30 days").click()
    expect(page).to_have_url(re.compile(rf"/analytics/?\?channel={channel}$"))


def test_a_link_shows_the_view_without_an_account_until_it_is_revoked(
    console: Console, new_page: NewPage, channel: str
) -> None:
    page = new_page(Role.ADMIN, f"/analytics?days=365&channel={channel}")
    page.get_by_role("button", name="Share").click()
    page.get_by_label("Title").fill("<b>Numbers</b> for the board")
    page.get_by_role("button", name="Make the link").click()
    link = page.locator("#share-link").inner_text()
    assert accessibility_problems(page) == []
    page.get_by_role("button", name="Done").click()

    # No page of the console: nothing in it becomes ready, because nothing in it runs.
    browser = page.context.browser
    assert browser is not None
    theirs = browser.new_page(viewport={"width": 360, "height": 740})
    theirs.goto(link)
    expect(theirs.get_by_role("heading", level=1)).to_have_text("<b>Numbers</b> for the board")
    expect(theirs.locator(".stat").first).to_contain_text("300")
    assert theirs.evaluate("document.documentElement.scrollWidth") <= 360
    assert theirs.evaluate("document.scripts.length + document.forms.length") == 0
    assert accessibility_problems(theirs) == []

    page.get_by_role("button", name="Share").click()
    expect(page.locator("#shared-links")).to_contain_text("opened 1×")
    page.locator("#shared-links").get_by_role("button", name="Revoke").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Revoke").click()
    expect(page.locator("#shared-links")).to_have_count(0)
    assert theirs.request.get(link).status == 404
    theirs.context.close()
    assert link.rpartition("=")[2] not in console.log.read_text(errors="replace")


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
