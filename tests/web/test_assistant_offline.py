"""The assistant of the simulation, without a key: it works, and says what it is."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from contentcaster.models import Role
from tests.web.conftest import Console, NewPage

pytestmark = pytest.mark.browser


def test_without_a_key_the_stand_in_says_that_it_is_one(console: Console, new_page: NewPage) -> None:
    page = new_page(Role.ADMIN, "/studio")
    page.get_by_role("textbox", name="Text", exact=True).fill("Coffee for everybody on Saturday")
    page.locator("#assistant-toggle").click()
    expect(page.locator("#assistant-offline")).to_have_text("offline stand-in")
    expect(page.locator("#assistant-status")).to_contain_text("GEMINI_API_KEY")
    page.get_by_role("button", name="Hashtags").click()
    page.locator("#assistant-ask").click()
    expect(page.locator(".suggestion")).to_contain_text("by simple rules, no AI")
    page.locator("#assistant-accept").click()
    expect(page.get_by_role("textbox", name="Text", exact=True)).to_have_value(
        "Coffee for everybody on Saturday\n\n#everybody #saturday #coffee"
    )
