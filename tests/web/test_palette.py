"""The search of the top bar with the keyboard, and pictures that are cropped and put in order."""

from __future__ import annotations

import io

from PIL import Image
from playwright.sync_api import expect

from contentcaster.models import Role
from contentcaster.services import posts
from contentcaster.services.drafts import PostDraft
from tests.services_for_tests import factories
from tests.web.accessibility import accessibility_problems
from tests.web.conftest import Console, NewPage


def test_ctrl_k_goes_to_pages_and_posts_with_the_keyboard_alone(console: Console, new_page: NewPage) -> None:
    principal = factories.principal_for(console.user(Role.CREATOR))
    with console.stack.database.transaction() as session:
        post = posts.create_post(session, principal, PostDraft(text="The zebra crossing reopens"))
    page = new_page(Role.CREATOR, "/posts")
    page.get_by_role("heading", name="Posts").wait_for()
    page.keyboard.press("Control+k")
    box = page.get_by_role("combobox", name="Search pages")
    expect(box).to_be_focused()
    page.keyboard.type("medi")
    expect(page.locator("[id^=palette-][aria-selected=true]")).to_contain_text("Media")
    page.keyboard.press("Control+a")
    page.keyboard.type("zebra")
    expect(page.locator("[id^=palette-][role=option]")).to_have_count(1)
    assert accessibility_problems(page) == []
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/posts/{post.id}")
    expect(page.get_by_role("heading", name="Explain this post")).to_be_visible()
    page.keyboard.press("Control+k")
    page.keyboard.type("user")
    expect(page.get_by_text("Nothing found")).to_be_visible()  # a Creator has no such page
    page.keyboard.press("Escape")
    expect(box).to_have_count(0)
    # Before the search itself is there, the press and what is typed after it wait for it.
    page.goto(console.url + "/posts", wait_until="domcontentloaded")
    page.keyboard.press("Control+k")
    page.keyboard.type("medis")
    page.keyboard.press("Backspace")
    expect(box).to_have_value("medi")
    expect(page.locator("[id^=palette-][aria-selected=true]")).to_contain_text("Media")


def picture(color: str, size: tuple[int, int] = (400, 200)) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", size, color).save(content, "PNG")
    return content.getvalue()


def test_pictures_are_ordered_by_dragging_cropped_and_all_of_it_is_undone(new_page: NewPage) -> None:
    page = new_page(Role.CREATOR, "/studio")
    page.locator("#text-0").fill("Two pictures")
    files = [
        {"name": f"{color}.png", "mimeType": "image/png", "buffer": picture(color)}
        for color in ("red", "blue")
    ]
    page.set_input_files("#media-input", files[:1])
    expect(page.locator(".picture[data-media]")).to_have_count(1, timeout=15_000)
    page.set_input_files("#media-input", files[1:])
    expect(page.locator(".picture[data-media]")).to_have_count(2, timeout=15_000)
    names = page.locator(".picture[data-media] .b")
    expect(names).to_have_text(["red.png", "blue.png"])
    page.locator(".picture[data-media]").nth(1).locator(".grip").drag_to(
        page.locator(".picture[data-media]").first
    )
    expect(names).to_have_text(["blue.png", "red.png"])
    page.get_by_role("button", name="Move blue.png back").click()
    expect(names).to_have_text(["red.png", "blue.png"])
    page.get_by_role("button", name="Crop red.png").click()
    dialog = page.get_by_role("dialog", name="Crop red.png")
    dialog.get_by_role("button", name="1:1 square").click()
    expect(dialog).to_contain_text("200 × 200 pixels are kept")
    assert accessibility_problems(page) == []
    dialog.get_by_label("Sideways").press("Home")
    dialog.get_by_role("button", name="Crop", exact=True).click()
    expect(dialog).to_have_count(0)
    expect(page.locator(".picture[data-media]").first).to_contain_text("200 × 200")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".picture[data-media]").first).to_contain_text("400 × 200")


def test_an_upload_that_loses_its_connection_goes_on_when_it_is_back(new_page: NewPage) -> None:
    page = new_page(Role.CREATOR, "/studio", may_complain=True)
    page.locator("#text-0").fill("Written before the lid was closed")
    page.context.set_offline(True)
    page.set_input_files(
        "#media-input", {"name": "cat.png", "mimeType": "image/png", "buffer": picture("teal")}
    )
    expect(page.get_by_text("It goes on by itself once it is back")).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator(".picture[data-media]")).to_have_count(1, timeout=20_000)
    expect(page.locator("#text-0")).to_have_value("Written before the lid was closed")
