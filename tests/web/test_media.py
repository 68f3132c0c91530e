"""The media library, in a real browser against a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from contentcaster.models import Media, Role
from tests.web.accessibility import accessibility_problems
from tests.web.arriving import visit
from tests.web.conftest import Console
from tests.web.test_studio import picture


@pytest.fixture
def page(browser: Browser, console: Console) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1200, "height": 900}, color_scheme="dark")
    name, _, value = console.cookie(Role.CREATOR).partition("=")
    context.add_cookies([{"name": name, "value": value, "url": console.url, "httpOnly": True}])
    opened = context.new_page()
    opened.set_default_timeout(10_000)
    visit(opened, console.url + "/media")
    opened.wait_for_selector(".uploader")
    yield opened
    context.close()


def upload(page: Page, name: str, content: bytes, mime_type: str = "image/png") -> None:
    page.set_input_files("#library-input", {"name": name, "mimeType": mime_type, "buffer": content})


def test_a_picture_is_uploaded_described_found_and_used_in_a_new_post(page: Page, console: Console) -> None:
    upload(page, "harbour.png", picture())
    expect(page.get_by_role("dialog")).to_contain_text("harbour.png")
    page.fill("#alt", "The harbour at noon")
    page.click("text=Save alt text")
    expect(page.locator(".tile img").first).to_have_attribute("alt", "The harbour at noon")
    assert accessibility_problems(page) == []
    page.get_by_role("button", name="Close", exact=True).click()
    # Until the dialog is gone it keeps the keyboard, and what is typed with it.
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.fill("#media-search", "no such words")
    expect(page.get_by_text("No picture or video has these words")).to_be_visible()
    page.fill("#media-search", "NOON")
    page.get_by_role("button", name="Details of harbour.png").click()
    page.get_by_role("link", name="Use in a new post").click()
    expect(page.locator(".composer .picture")).to_contain_text("The harbour at noon")
    page.fill("#text-0", "A post with the harbour")
    expect(page.locator("#saved")).to_contain_text("Saved", timeout=8000)
    visit(page, console.url + "/media")
    page.get_by_role("button", name="Details of harbour.png").click()
    expect(page.get_by_role("dialog")).to_contain_text("A post with the harbour")


def test_what_is_no_picture_says_so_and_can_be_dismissed(page: Page) -> None:
    upload(page, "report.pdf", b"%PDF-1.7", "application/pdf")
    expect(page.locator(".upload-line .error")).to_contain_text("report.pdf is no picture")
    page.get_by_role("button", name="Dismiss report.pdf").click()
    expect(page.locator(".upload-line")).to_have_count(0)


def test_a_deleted_picture_leaves_the_library_after_a_question(page: Page, console: Console) -> None:
    upload(page, "goes.png", picture())
    expect(page.get_by_role("dialog")).to_contain_text("goes.png")
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_text("Deleted. Posts that went out keep showing it.")).to_be_visible()
    expect(page.locator(".tile", has_text="goes.png")).to_have_count(0)
    with console.stack.database.reading() as session:
        rows = session.query(Media).filter_by(filename="goes.png").all()
        assert [row.deleted_at is not None for row in rows] == [True]
