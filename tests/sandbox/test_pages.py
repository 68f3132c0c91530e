"""The public pages in a real browser: what they show, that they are live, and that no text breaks out."""

from __future__ import annotations

import io
from collections.abc import Iterator

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from contentcaster.sandbox.client import SandboxControl, SandboxThread
from tests.services_for_tests.browser import running_chromium

from .conftest import BlueskyPerson, MastodonPerson, post_record


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser, sandbox: SandboxThread) -> Iterator[Page]:
    """The timeline, open; fails the test if the browser complained or loaded anything from elsewhere."""
    context = browser.new_context(viewport={"width": 360, "height": 740})
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "request",
        lambda request: None if request.url.startswith(sandbox.base_url) else complaints.append(request.url),
    )
    opened.goto(sandbox.base_url)
    expect(opened.locator("#live")).to_have_text("live")
    yield opened
    context.close()
    assert complaints == []


def _png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (90, 60), "navy").save(out, "PNG")
    return out.getvalue()


def test_posts_of_both_networks_appear_without_a_reload(
    page: Page, alice: MastodonPerson, ada: BlueskyPerson
) -> None:
    expect(page.locator("#empty")).to_be_visible()
    alice.post("from the one")
    ada.put(post_record("from the other"))
    cards = page.locator("article")
    expect(cards).to_have_count(2)
    expect(cards.nth(0)).to_contain_text("AT Protocol")
    expect(cards.nth(1)).to_contain_text("Mastodon")
    expect(page.locator("#empty")).to_have_count(0)
    expect(page.locator("#total")).to_have_text("2")


def test_likes_edits_and_deletes_show_at_once(page: Page, alice: MastodonPerson, bob: MastodonPerson) -> None:
    status = alice.post("first words").json()
    card = page.locator("article")
    expect(card).to_have_count(1)
    bob.http.post(f"/api/v1/statuses/{status['id']}/favourite")
    expect(card.get_by_title("1 likes")).to_be_visible()
    alice.http.put(f"/api/v1/statuses/{status['id']}", json={"status": "better words"})
    expect(card).to_contain_text("better words")
    alice.http.delete(f"/api/v1/statuses/{status['id']}")
    expect(card).to_have_count(0)


def test_what_is_being_read_does_not_move_when_posts_arrive(page: Page, alice: MastodonPerson) -> None:
    for n in range(12):
        alice.post(f"post number {n}")
    expect(page.locator("article")).to_have_count(12)
    page.evaluate("window.scrollTo(0, 900)")
    page.wait_for_function("window.scrollY > 800")
    alice.post("a late one")
    fresh = page.get_by_role("button", name="1 new post")
    expect(fresh).to_be_visible()
    expect(page.locator("article")).to_have_count(12)
    fresh.click()
    expect(page.locator("article").first).to_contain_text("a late one")


def test_texts_and_names_are_shown_not_run(
    page: Page, control: SandboxControl, sandbox: SandboxThread
) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    person = MastodonPerson(sandbox.base_url, control.account("mallory", display_name=evil))
    media = person.http.post(
        "/api/v2/media", files={"file": ("a.png", _png())}, data={"description": f'"{evil}'}
    )
    status = person.post(
        f'{evil} https://x.example/"onmouseover=alert(1)', media_ids=[media.json()["id"]]
    ).json()
    other = BlueskyPerson(sandbox.base_url, control.account("trudy", display_name=evil))
    external = {"uri": "javascript:alert(1)", "title": evil, "description": evil}
    other.put(post_record(evil, embed={"$type": "app.bsky.embed.external", "external": external}))
    expect(page.locator("article")).to_have_count(2)
    for where in (
        "/",
        "/@mallory",
        status["url"].removeprefix(sandbox.base_url),
        "/profile/trudy",
        "/tags/%3Cb%3E",
    ):
        page.goto(sandbox.base_url + where)
        assert page.title() != "owned"
        assert page.locator("article script, article img[src='x'], a[href^='javascript']").count() == 0
    page.goto(sandbox.base_url)


def test_nothing_is_wider_than_a_small_phone(page: Page, alice: MastodonPerson, ada: BlueskyPerson) -> None:
    alice.post("w" * 400, key="k" * 200)
    ids = [alice.http.post("/api/v2/media", files={"file": ("a.png", _png())}).json()["id"] for _ in range(3)]
    alice.post("with images", media_ids=ids)
    alice.post("poll", poll={"options": ["x" * 50, "y"], "expires_in": 600})
    ada.put(post_record("https://" + "u" * 250 + ".example"))
    expect(page.locator("article")).to_have_count(4)
    for where in ("/", "/@alice", "/profile/ada"):
        page.goto(sandbox_url(page) + where)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, where


def sandbox_url(page: Page) -> str:
    return "/".join(page.url.split("/")[:3])


def test_a_page_that_is_not_there_says_so_with_404(sandbox: SandboxThread) -> None:
    for path in ("/@nobody", "/@nobody/1", "/profile/nobody/post/x", "/media/none.png"):
        response = httpx.get(sandbox.base_url + path)
        assert response.status_code == 404
        assert "is not here" in response.text


def test_private_posts_have_no_public_page(alice: MastodonPerson) -> None:
    status = alice.post("secret", visibility="private").json()
    assert httpx.get(status["url"]).status_code == 404
    assert "secret" not in httpx.get(status["account"]["url"]).text


def test_older_posts_are_a_page_away(alice: MastodonPerson, sandbox: SandboxThread) -> None:
    for n in range(45):
        alice.post(f"numbered {n}.")
    first = httpx.get(sandbox.base_url).text
    assert "numbered 44." in first
    assert "numbered 3." not in first
    link = first.partition('class="more"><a href="')[2].partition('"')[0]
    older = httpx.get(sandbox.base_url + link).text
    assert "numbered 4." in older
    assert "numbered 5." not in older
