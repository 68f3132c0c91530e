"""Writing aids of the Studio in a real browser: undo, first comment, link tags, saved texts, completion, keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from contentcaster.clock import utc_now
from contentcaster.models import Account, Post, PostStatus, Role
from contentcaster.services import link_tags, posts
from contentcaster.services.drafts import PostDraft
from tests.services_for_tests import factories
from tests.web.accessibility import accessibility_problems
from tests.web.arriving import reload
from tests.web.conftest import Console, NewPage

TEXT = "#text-0"


@pytest.fixture(scope="module")
def channels(console: Console) -> Iterator[dict[str, str]]:
    """One that takes 500 characters, threads and first comments; one that takes none of it; one with link tags."""
    admin = console.user(Role.ADMIN)
    principal = factories.principal_for(admin)
    with console.stack.database.transaction() as session:
        made = {
            "mastodon": factories.create_account(
                session, admin, platform="mastodon", handle="@writing@mastodon.example"
            ).id,
            "discord": factories.create_account(session, admin, platform="discord", handle="#news").id,
            "bluesky": factories.create_account(
                session, admin, platform="bluesky", handle="writing.example"
            ).id,
        }
        link_tags.set_link_tags(
            session, principal, made["bluesky"], source="bsky", medium="social", campaign="all"
        )
        posts.create_post(
            session, principal, PostDraft(text="Hi @zoe@example.social #selfhosting #selfhosting")
        )
    yield made
    with console.stack.database.transaction() as session:
        for account_id in made.values():
            session.get_one(Account, account_id).deleted_at = utc_now()


def choose(page: Page, *wanted: str) -> None:
    """Exactly these channels."""
    page.locator(".chip").first.wait_for()
    for chip in page.locator(".chip[data-account]:not([disabled])").all():
        is_on = chip.get_attribute("aria-pressed") == "true"
        if is_on != (chip.get_attribute("data-account") in wanted):
            chip.click()


def test_a_split_thread_is_one_undo_away_and_keeps_whole_sentences(
    channels: dict[str, str], new_page: NewPage
) -> None:
    page = new_page(Role.ADMIN, "/studio")
    choose(page, channels["mastodon"])
    sentence = "Here is a sentence of about sixty characters, plus a number. "
    long = (sentence * 14).strip()
    page.fill(TEXT, long)
    page.click("#split")
    expect(page.locator(".part")).to_have_count(2)
    first = page.locator(TEXT).input_value()
    assert first.endswith("a number.") and len(first) <= 500
    page.locator(TEXT).press("Control+z")
    expect(page.locator(".part")).to_have_count(1)
    expect(page.locator(TEXT)).to_have_value(long)
    page.locator(TEXT).press("Control+Shift+z")
    expect(page.locator(".part")).to_have_count(2)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(TEXT)).to_have_value(long)


def test_the_first_comment_says_where_it_goes_and_is_there_after_a_reload(
    channels: dict[str, str], new_page: NewPage
) -> None:
    page = new_page(Role.ADMIN, "/studio")
    choose(page, channels["mastodon"], channels["discord"])
    page.fill(TEXT, "Read this")
    page.click("#add-comment")
    page.fill("#first-comment", "The source: https://example.org")
    expect(page.locator("#first-comment-where")).to_have_text("On Mastodon. Left out on Discord.")
    expect(page.locator(f'.preview[data-account="{channels["mastodon"]}"]')).to_contain_text("first comment")
    expect(page.locator(f'.preview[data-account="{channels["discord"]}"]')).to_contain_text(
        "takes no first comment"
    )
    expect(page.locator("#saved")).to_contain_text("Saved", timeout=10_000)
    reload(page)
    expect(page.locator("#first-comment")).to_have_value("The source: https://example.org")
    assert accessibility_problems(page) == []


def test_link_tags_are_counted_and_shown_as_they_go_out(channels: dict[str, str], new_page: NewPage) -> None:
    page = new_page(Role.ADMIN, "/studio")
    choose(page, channels["bluesky"], channels["mastodon"])
    page.fill(TEXT, "See https://example.org/x")
    tagged = "See https://example.org/x?utm_source=bsky&utm_medium=social&utm_campaign=all"
    of_bluesky = page.locator(f'.counter[data-account="{channels["bluesky"]}"] b')
    expect(of_bluesky).to_have_text(f"{len(tagged)} / 300")
    page.fill("#campaign", "spring")
    expect(of_bluesky).to_have_text(f"{len(tagged) + 3} / 300")
    expect(page.locator(f'.preview[data-account="{channels["bluesky"]}"]')).to_contain_text("spring")
    page.uncheck("#link-tags")
    expect(of_bluesky).to_have_text(f"{len('See https://example.org/x')} / 300")


def test_a_template_with_variables_is_saved_used_and_taken_back(
    channels: dict[str, str], new_page: NewPage
) -> None:
    page = new_page(Role.ADMIN, "/studio", locale="en-GB")
    choose(page, channels["mastodon"])
    page.fill(TEXT, "Before.")
    page.click("#open-library")
    dialog = page.get_by_role("dialog", name="Saved texts")
    dialog.get_by_role("button", name="New template").click()
    dialog.get_by_label("Name").fill("Release")
    dialog.get_by_label("Text").fill("{{ask: Version}} by {{autor}}")
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("There is no variable {{autor}}")
    assert accessibility_problems(page) == []
    dialog.get_by_label("Text").fill("{{ask: Version}} by {{author}}")
    dialog.get_by_role("button", name="Save", exact=True).click()
    dialog.get_by_role("button", name="Release {{ask").click()
    dialog.get_by_label("Version").fill("2.0")
    dialog.get_by_role("button", name="Put it in").click()
    expect(page.locator(TEXT)).to_have_value("Before. 2.0 by Person admin")
    expect(page.locator(TEXT)).to_be_focused()
    page.keyboard.press("Control+z")
    expect(page.locator(TEXT)).to_have_value("Before.")


def test_names_and_tags_are_completed_with_the_keyboard(channels: dict[str, str], new_page: NewPage) -> None:
    page = new_page(Role.ADMIN, "/studio")
    choose(page, channels["mastodon"])
    words = page.get_by_role("listbox", name="Hashtags")
    box = page.locator(TEXT)
    expect(page.locator('[data-words="ready"]')).to_have_count(1)  # they come after the page
    box.press_sequentially("On #selfh")
    expect(words.get_by_role("option")).to_have_text(["#selfhosting"])
    box.press("Enter")
    expect(box).to_have_value("On #selfhosting ")
    box.press_sequentially("by @zo")
    box.press("ArrowDown")
    box.press("Escape")
    expect(page.get_by_role("listbox", name="Mentions")).to_have_count(0)
    box.press_sequentially("e")
    box.press("Tab")
    expect(box).to_have_value("On #selfhosting by @zoe@example.social ")


def test_a_post_is_written_and_scheduled_with_the_keyboard_alone(
    console: Console, channels: dict[str, str], new_page: NewPage
) -> None:
    page = new_page(Role.ADMIN, "/posts", color_scheme="dark")
    page.get_by_role("heading", name="Posts").wait_for()
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(help_).to_contain_text("While you write in the Studio")
    page.keyboard.press("Escape")
    expect(help_).to_have_count(0)
    page.keyboard.press("c")
    page.wait_for_url("**/studio*")
    page.locator(TEXT).wait_for()
    chip = page.locator(f'.chip[data-account="{channels["mastodon"]}"]')
    chip.wait_for()
    reach(page, chip)
    if chip.get_attribute("aria-pressed") != "true":
        page.keyboard.press("Space")
    expect(chip).to_have_attribute("aria-pressed", "true")
    reach(page, page.locator(TEXT))
    page.keyboard.type("Written without a mouse")
    reach(page, page.get_by_role("button", name="in 1 h"))
    page.keyboard.press("Enter")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/posts/*", timeout=15_000)
    post_id = page.url.rsplit("/", 1)[1]
    with console.stack.database.reading() as session:
        post = session.get_one(Post, post_id)
    assert post.text == "Written without a mouse"
    assert post.status in (PostStatus.SCHEDULED, PostStatus.PENDING_QUEUE)


def reach(page: Page, target: Locator) -> None:
    """Press Tab until it has the focus."""
    for _ in range(80):
        if target.evaluate("(el) => el === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("it cannot be reached with Tab")


def test_the_writing_aids_fit_a_narrow_screen(channels: dict[str, str], new_page: NewPage) -> None:
    page = new_page(Role.ADMIN, "/studio", viewport={"width": 360, "height": 800}, color_scheme="dark")
    choose(page, channels["bluesky"], channels["mastodon"])
    page.fill(TEXT, "See https://example.org/x")
    page.click("#add-comment")
    page.fill("#first-comment", "More")
    page.click("#open-library")
    page.get_by_role("button", name="Link tags").click()
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert accessibility_problems(page) == []
