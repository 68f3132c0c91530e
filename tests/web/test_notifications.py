"""The bell and the inbox in a real browser."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect
from sqlmodel import col, delete

from contentcaster.models import Notification, NotificationKind, Role
from contentcaster.services import notifications
from tests.web.accessibility import accessibility_problems
from tests.web.arriving import reload, visit
from tests.web.conftest import Console, NewPage

pytestmark = pytest.mark.browser


def tell(console: Console, role: Role, kind: NotificationKind, title: str, **more: Any) -> None:
    user = console.user(role)
    with console.stack.database.transaction() as session:
        notifications.notify(session, kind, key=title, title=title, user_ids=[user.id], **more)


def test_the_bell_counts_live_and_the_line_leads_to_the_post(console: Console, new_page: NewPage) -> None:
    creator = console.user(Role.CREATOR)
    with console.stack.database.transaction() as session:  # what other tests had to tell
        session.execute(delete(Notification).where(col(Notification.user_id) == creator.id))
    page = new_page(Role.CREATOR, "/posts")
    bell = page.locator(".bell")
    expect(bell).to_be_visible()
    tell(
        console,
        Role.CREATOR,
        NotificationKind.POST_FAILED,
        "“Hello” did not go out on Mastodon · @acme",
        body="The network said: this account is locked.",
        href="/media",
    )
    expect(bell).to_contain_text("1")
    page.keyboard.press("g")
    page.keyboard.press("i")
    expect(page.get_by_role("heading", name="Notifications", level=1)).to_be_visible()
    tell(
        console,
        Role.CREATOR,
        NotificationKind.APPROVAL_DECIDED,
        "“Spring” was approved by Ada",
        href="/posts",
    )
    expect(page.get_by_role("link", name="“Spring” was approved by Ada")).to_be_visible()
    expect(bell).to_contain_text("2")
    page.get_by_role("link", name="“Hello” did not go out").click()
    expect(page).to_have_url(console.url + "/media")
    expect(bell).to_contain_text("1")
    visit(page, console.url + "/notifications")
    page.get_by_role("button", name="Mark all as read").click()
    expect(page.locator(".bell-count")).to_have_count(0)
    page.get_by_role("button", name="Unread").click()
    expect(page.get_by_text("All read")).to_be_visible()


def test_what_a_person_chooses_is_kept(console: Console, new_page: NewPage) -> None:
    page = new_page(Role.ADMIN, "/notifications")
    box = page.get_by_role("checkbox", name="Your post was approved or sent back: by mail")
    expect(box).not_to_be_checked()
    box.click()
    expect(box).to_be_checked()
    reload(page)
    expect(page.get_by_role("checkbox", name="Your post was approved or sent back: by mail")).to_be_checked()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_inbox_is_accessible_and_fits_a_phone(console: Console, new_page: NewPage, scheme: Any) -> None:
    tell(
        console,
        Role.ADMIN,
        NotificationKind.NEEDS_REVIEW,
        "“Hi” may be live: somebody must look",
        href="/failed-tasks",
    )
    tell(
        console,
        Role.ADMIN,
        NotificationKind.TOKEN_EXPIRING,
        "The login of LinkedIn · Acme ends soon",
        href="/channels",
    )
    tell(
        console, Role.ADMIN, NotificationKind.WORKER_DOWN, "Publishing stands still", body="Nothing is lost."
    )
    page = new_page(
        Role.ADMIN, "/notifications", color_scheme=scheme, viewport={"width": 1280, "height": 800}
    )
    expect(page.locator(".note-title", has_text="Publishing stands still").first).to_be_visible()
    assert accessibility_problems(page) == []
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
