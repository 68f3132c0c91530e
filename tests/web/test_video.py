"""A video in the console: uploaded with a frame of its own, played in the library, the composer and the previews."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from contentcaster.clock import utc_now
from contentcaster.models import Account, Media, Post, Role
from tests.services_for_tests import factories
from tests.web.accessibility import accessibility_problems
from tests.web.conftest import Console
from tests.web.test_studio import choose

ADDRESS = "https://bsky.app/profile/ada.test/post/3kabc"
FILM = Path(__file__).parent / "film.webm"
"""Two seconds, 320 x 180, VP8, as a browser's own recorder wrote them: without a length in the head."""


@pytest.fixture
def page(browser: Browser, console: Console) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    name, _, value = console.cookie(Role.CREATOR).partition("=")
    context.add_cookies([{"name": name, "value": value, "url": console.url, "httpOnly": True}])
    opened = context.new_page()
    opened.set_default_timeout(10_000)
    opened.goto(console.url + "/media")
    opened.wait_for_selector(".uploader")
    yield opened
    context.close()


def is_playable(page: Page, selector: str) -> None:
    """The browser has read the file: its size is known."""
    expect(page.locator(selector)).to_have_js_property("videoWidth", 320)


@pytest.fixture
def bluesky(console: Console) -> Iterator[str]:
    admin = console.user(Role.ADMIN)
    with console.stack.database.transaction() as session:
        account = factories.create_account(session, admin, platform="bluesky", handle="@film.example")
        account_id = account.id
    yield account_id
    with console.stack.database.transaction() as session:
        session.get_one(Account, account_id).deleted_at = utc_now()


def test_a_video_is_uploaded_played_and_hinted_at_in_the_studio(
    page: Page, console: Console, bluesky: str
) -> None:
    page.set_input_files("#library-input", FILM)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("film.webm")
    expect(dialog).to_contain_text("320 × 180 · 0:0")
    expect(dialog).to_contain_text("VP8")
    is_playable(page, "video.media-full")
    expect(dialog.get_by_role("button", name="Suggest")).to_have_count(0)
    assert accessibility_problems(page) == []
    with console.stack.database.reading() as session:
        (film,) = session.query(Media).filter_by(filename="film.webm").all()
        assert (film.mime_type, film.codec) == ("video/webm", "VP8") and 1.5 < film.duration_seconds < 3
    poster = page.request.get(f"{console.url}/media/{film.id}/file?size=thumb").body()
    assert Image.open(io.BytesIO(poster)).size == (320, 180), "a frame of the film; the drawn sign is bigger"
    part = page.request.get(f"{console.url}/media/{film.id}/file", headers={"Range": "bytes=0-99"})
    assert (part.status, len(part.body())) == (206, 100), "a player can jump"
    page.fill("#alt", "A red square wanders")
    page.get_by_role("button", name="Save alt text").click()
    expect(page.get_by_text("Alt text saved.")).to_be_visible()
    page.get_by_role("link", name="Use in a new post").click()
    is_playable(page, ".picture.film video")
    expect(page.locator(".picture.film")).to_contain_text("alt: “A red square wanders”")
    expect(page.get_by_role("button", name="Crop film.webm")).to_have_count(0)
    choose(page, bluesky)
    expect(page.locator(".media-hints")).to_contain_text("Bluesky takes no WebM videos.")
    is_playable(page, ".preview.bluesky video")
    page.fill("#text-0", "Look at this")
    page.click("#add-quote")
    page.fill("#quote", ADDRESS)
    expect(page.locator("#saved")).to_contain_text("Saved", timeout=8000)
    page.wait_for_url("**/studio?post=*")
    with console.stack.database.reading() as session:
        post = session.get_one(Post, page.url.rpartition("=")[2])
        assert (post.text, post.options) == ("Look at this", {"quote": ADDRESS})
    assert accessibility_problems(page) == []
