"""What a person at a real browser meets."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx
import pytest
from playwright.sync_api import Page, expect

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.models import Post, PostStatus, Role
from contentcaster.pages import PAGES, PLAIN_PAGES
from tests.services_for_tests import factories
from tests.web.accessibility import accessibility_problems
from tests.web.arriving import reload, visit
from tests.web.conftest import Console, NewPage

pytestmark = pytest.mark.browser

STATIC_ROUTES = [
    page.route for page in (*PAGES, *PLAIN_PAGES) if page.route.startswith("/") and "[" not in page.route
]


def _add_post(console: Console, text: str, status: PostStatus = PostStatus.SCHEDULED) -> Post:
    author = console.user(Role.CREATOR)
    with console.stack.database.transaction() as session:
        post = factories.create_post(
            session, author, text=text, status=status, scheduled_at=utc_now() + timedelta(hours=1)
        )
        live.note(session, "posts", f"post:{post.id}")
        return post


def _set_status(console: Console, post: Post, status: PostStatus) -> None:
    with console.stack.database.transaction() as session:
        row = session.get(Post, post.id)
        assert row is not None
        row.status = status
        live.note(session, "posts", f"post:{post.id}")


def test_every_page_opens_for_an_admin_without_an_error_in_the_browser(
    new_page: NewPage, console: Console
) -> None:
    page: Page = new_page(Role.ADMIN)
    for route in STATIC_ROUTES:
        visit(page, console.url + route)
        expect(page.locator("h1").first).to_be_visible()
        expect(page.locator("[aria-busy=true]")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), route


def test_every_page_fits_a_screen_of_360_pixels(new_page: NewPage, console: Console) -> None:
    _add_post(console, "A rather long first line so that something has to wrap or be cut at the end of it")
    page: Page = new_page(Role.ADMIN, viewport={"width": 360, "height": 740})
    for route in STATIC_ROUTES:
        visit(page, console.url + route)
        expect(page.locator("h1").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, route
    visit(page, console.url)
    expect(page.locator(".side").get_by_role("link", name="Posts")).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    page.locator(".side").get_by_role("link", name="Posts").click()
    expect(page).to_have_url(re.compile("/posts/?$"))


def test_a_new_post_and_its_status_appear_in_an_open_list_without_a_reload(
    new_page: NewPage, console: Console
) -> None:
    page: Page = new_page(Role.CREATOR, "/posts")
    expect(page.locator("h1")).to_have_text("Posts")
    page.evaluate("window.stayed = true")
    post = _add_post(console, "Appears by itself")
    row = page.locator("tr", has_text="Appears by itself")
    expect(row.locator("[data-status=Scheduled]")).to_be_visible()
    _set_status(console, post, PostStatus.PROCESSING)
    expect(row.locator("[data-status=Processing]")).to_be_visible()
    _set_status(console, post, PostStatus.PUBLISHED)
    expect(row.locator("[data-status=Published]")).to_be_visible()
    assert page.evaluate("window.stayed")


def test_a_posts_page_opened_by_its_address_follows_the_post(new_page: NewPage, console: Console) -> None:
    post = _add_post(console, "Followed on its own page")
    page: Page = new_page(Role.CREATOR, f"/posts/{post.id}")
    expect(page.get_by_text("Followed on its own page")).to_be_visible()
    _set_status(console, post, PostStatus.PUBLISHED)
    expect(page.locator(".page-head [data-status=Published]")).to_be_visible()


def test_somebody_elses_post_is_not_found(new_page: NewPage, console: Console) -> None:
    with console.stack.database.transaction() as session:
        other = factories.create_user(session, Role.CREATOR)
        post = factories.create_post(session, other, text="Private to its author")
    page: Page = new_page(Role.CREATOR, f"/posts/{post.id}")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_text("Private to its author")).to_have_count(0)


def test_an_open_tab_recovers_after_the_server_restarted(console: Console, new_page: NewPage) -> None:
    page: Page = new_page(Role.CREATOR, "/posts", may_complain=True)  # of the lost connection
    expect(page.locator("h1")).to_have_text("Posts")
    page.evaluate("window.stayed = true")
    assert console.stop() == 0
    console.start()
    post = _add_post(console, "Written after the restart")
    row = page.locator("tr", has_text="Written after the restart")
    expect(row).to_be_visible(timeout=15_000)
    _set_status(console, post, PostStatus.PUBLISHED)
    expect(row.locator("[data-status=Published]")).to_be_visible(timeout=15_000)
    assert page.evaluate("window.stayed")


def test_signing_in_and_out_with_a_password(new_page: NewPage, console: Console) -> None:
    email = console.user(Role.ADMIN).email
    page: Page = new_page(None, "/posts")
    expect(page).to_have_url(re.compile(r"/sign-in\?next="))
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not match")
    expect(page.get_by_label("Email")).to_have_value(email)
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("h1")).to_have_text("Posts")
    page.get_by_role("button", name="Your account").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    visit(page, console.url + "/posts")
    expect(page).to_have_url(re.compile("/sign-in"))


def test_shortcuts_work_outside_text_fields_only(new_page: NewPage, console: Console) -> None:
    page: Page = new_page(Role.ADMIN, "/")
    expect(page.locator("h1")).to_have_text("Home")
    page.keyboard.type("gp")
    expect(page.locator("h1")).to_have_text("Posts")
    page.keyboard.press("/")
    page.keyboard.type("ghc?")
    expect(page.get_by_label("Search posts")).to_have_value("ghc?")
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Keyboard shortcuts")


def test_the_theme_is_kept_for_the_next_visit(new_page: NewPage) -> None:
    page: Page = new_page(Role.ADMIN, "/", color_scheme="light")
    page.get_by_role("button", name="Your account").click()
    page.get_by_role("menuitem", name="Dark theme").click()
    expect(page.locator("html")).to_have_class(re.compile("dark"))
    reload(page)
    expect(page.locator("html")).to_have_class(re.compile("dark"))


def test_pages_come_with_a_strict_policy_and_hashed_files_are_kept(console: Console) -> None:
    with httpx.Client(base_url=console.url) as client:
        answer = client.get("/posts")
        policy = answer.headers["content-security-policy"]
        assert answer.status_code == 200
        assert "script-src 'self' 'sha256-" in policy
        assert "unsafe-eval" not in policy
        assert "'unsafe-inline'" not in policy.split("style-src")[0]
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        script = re.search(r"/assets/entry\.client-[\w-]+\.js", answer.text)
        assert script is not None
        kept = client.get(script[0], headers={"Accept-Encoding": "br, gzip"})
        assert "immutable" in kept.headers["cache-control"]
        assert kept.headers["content-encoding"] == "br"
        assert client.get("/no-such-page").status_code == 404
        assert client.get("/api/v1/no-such-thing").headers["content-type"] == "application/problem+json"


def test_an_address_that_leads_nowhere_says_so_and_leads_back(new_page: NewPage) -> None:
    page = new_page(Role.CREATOR, "/no/such/page", may_complain=True)
    page.get_by_role("heading", name="There is no such page").wait_for()
    page.get_by_role("link", name="To the start").click()
    page.get_by_role("heading", name="Home", exact=True).wait_for()


def test_a_message_is_shown_once_also_across_a_change_of_page(new_page: NewPage, console: Console) -> None:
    post = _add_post(console, "Copied once", PostStatus.DRAFT)
    page: Page = new_page(Role.CREATOR, f"/posts/{post.id}")
    page.get_by_role("button", name="Duplicate").click()
    expect(page).to_have_url(re.compile(r"/studio/?\?post="))
    toasts = page.locator("[data-sonner-toast]")
    expect(toasts).to_have_text("Copied to a new draft.")
    page.locator(".side").get_by_role("link", name="Posts").click()
    expect(page.locator("h1")).to_have_text("Posts")
    expect(toasts).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_accessible_by_the_rules_of_axe(
    new_page: NewPage, console: Console, scheme: str
) -> None:
    post = _add_post(console, "For everyone to read")
    signed_out: Page = new_page(None, "/sign-in", color_scheme=scheme)
    expect(signed_out.get_by_label("Password")).to_be_visible()
    assert accessibility_problems(signed_out) == []
    page: Page = new_page(Role.CREATOR, color_scheme=scheme)
    for path in ("/", "/posts", f"/posts/{post.id}"):
        visit(page, console.url + path)
        expect(page.locator("h1").first).to_be_visible()
        assert accessibility_problems(page) == [], path
