"""Labels in a real browser: set while writing, found in the list of posts, changed on the post's page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from contentcaster.models import Role
from tests.web.arriving import visit
from tests.web.conftest import NewPage

pytestmark = pytest.mark.browser


def test_labels_are_set_while_writing_and_lead_to_the_posts_that_carry_them(new_page: NewPage) -> None:
    page = new_page(Role.CREATOR, "/studio")
    page.fill("#text-0", "A post to be found again")
    box = page.get_by_label("Add a label")
    box.fill("on-call, a & b,")
    expect(page.locator(".label-chip")).to_have_text(["on-call", "a & b"])
    box.fill("typo")
    box.press("Enter")
    page.get_by_role("button", name="Remove the label typo").click()
    expect(page.locator(".label-chip")).to_have_count(2)
    expect(page.locator("#saved")).to_contain_text(re.compile("Saved"), timeout=20_000)
    page.goto(page.url.partition("/studio")[0] + "/posts")
    page.get_by_label("Label", exact=True).select_option("a & b")
    expect(page).to_have_url(re.compile(r"label=a\+%26\+b"))
    page.get_by_role("link", name="A post to be found again").click()
    page.get_by_text("Change labels").click()
    page.get_by_label("Labels, separated by commas").fill("a & b, later")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name="#later")).to_be_visible()
    expect(page.get_by_role("link", name="#on-call")).to_have_count(0)
    page.get_by_role("link", name="#a & b").click()
    expect(page.get_by_role("link", name="A post to be found again")).to_be_visible()
    expect(page.get_by_label("Label", exact=True)).to_have_value("a & b")

    visit(page, page.url.partition("/posts")[0] + "/studio")
    box = page.get_by_label("Add a label")
    box.focus()
    expect(page.locator("#known-labels option[value='later']")).to_have_count(1)
    box.press_sequentially("laterally")  # begins with a known one
    expect(box).to_have_value("laterally")
    box.press("Control+s")  # as everywhere in the Studio, and the label goes along
    expect(page.locator(".label-chip")).to_have_text(["laterally"])
