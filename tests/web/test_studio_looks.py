"""The Studio for everybody: light, dark, narrow, by screen reader and by keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.web.accessibility import accessibility_problems
from tests.web.test_studio import TEXT, Channels, OpenStudio, channels, choose, picture, studio

__all__ = ["channels", "studio"]


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1360), ("dark", 1360), ("light", 360), ("dark", 360)]
)
def test_axe_finds_nothing_in_a_full_studio(
    studio: OpenStudio,
    channels: Channels,
    scheme: str,
    width: int,
) -> None:
    page = studio(color_scheme=scheme, viewport={"width": width, "height": 900})
    choose(page, channels.first)
    page.fill(TEXT, "With everything: https://example.org @ada@example.org #tag " + "long " * 100)
    page.click("#add-part")
    page.fill("#text-1", "A second part")
    page.get_by_role("button", name="Warning").click()
    page.fill("#content-warning", "Careful")
    page.focus(TEXT)
    page.set_input_files("#media-input", {"name": "teal.png", "mimeType": "image/png", "buffer": picture()})
    expect(page.get_by_role("textbox", name="Alt text")).to_be_visible()
    page.fill("#date", "2020-01-01")
    page.click("#do-schedule")
    expect(page.locator("#refused")).to_be_visible()
    assert accessibility_problems(page) == []
    page.click("#zone")
    page.locator("#zone").press_sequentially("york")
    expect(page.get_by_role("option", name="America/New York")).to_be_visible()
    assert accessibility_problems(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_zone_list_is_searched_and_chosen_from_by_keyboard(studio: OpenStudio) -> None:
    page = studio()
    page.focus("#zone")
    page.keyboard.press("ArrowDown")
    page.keyboard.type("los ang")
    page.keyboard.press("Enter")
    expect(page.locator("#zone")).to_have_value("America/Los_Angeles")
    expect(page.locator("#when-words")).to_contain_text("America/Los_Angeles")
    expect(page.locator("#when-words")).to_contain_text("UTC")


def test_tabs_and_order_of_focus_lead_from_channels_to_the_buttons(
    studio: OpenStudio,
    channels: Channels,
) -> None:
    page = studio()
    choose(page, channels.first)
    page.fill(TEXT, "Words")
    page.locator(f'.chip[data-account="{channels.first}"]').focus()
    seen: dict[str, None] = {}
    for _ in range(60):
        page.keyboard.press("Tab")
        seen[page.evaluate("document.activeElement.id")] = None
    wanted = ["tab-all", "text-0", "add-media", "add-part", "date", "time", "zone", "do-draft", "do-now"]
    assert [name for name in seen if name in wanted] == wanted
