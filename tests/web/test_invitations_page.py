"""Inviting and joining, in real browsers."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from contentcaster.models import Role
from tests.services_for_tests import factories
from tests.web.accessibility import accessibility_problems
from tests.web.conftest import Console, NewPage

pytestmark = pytest.mark.browser


def test_somebody_joins_with_a_link_that_then_opens_nothing(new_page: NewPage, console: Console) -> None:
    page = new_page(Role.ADMIN, "/users")
    page.get_by_role("button", name="Invite").click()
    page.get_by_label("Email").fill("nobody at all")
    page.get_by_role("button", name="Make the invitation").click()
    expect(page.locator("#invite_email-error")).to_contain_text("email address")
    assert accessibility_problems(page) == []
    page.get_by_label("Email").fill("")
    page.get_by_role("radio", name="Monitor").check()
    page.get_by_role("button", name="Make the invitation").click()
    link = page.locator("#invitation-link").inner_text()
    assert accessibility_problems(page) == []
    page.get_by_role("button", name="Done").click()
    expect(page.locator("#invitations")).to_contain_text("Whoever has the link")
    assert accessibility_problems(page) == []

    theirs = new_page(None, link.removeprefix(console.url))
    expect(theirs.get_by_text("invites you as Monitor")).to_be_visible()
    assert accessibility_problems(theirs) == []
    theirs.get_by_label("Your name").fill("Nora New")
    theirs.get_by_label("Email").fill(console.user(Role.ADMIN).email)
    theirs.get_by_label("Password").fill(factories.PASSWORD)
    theirs.get_by_role("button", name="Make my account").click()
    expect(theirs.get_by_role("alert")).to_contain_text("has an account already")
    expect(theirs.get_by_label("Your name")).to_have_value("Nora New")
    theirs.get_by_label("Email").fill("nora@example.org")
    theirs.get_by_label("Password").fill(factories.PASSWORD)
    theirs.get_by_role("button", name="Make my account").click()
    expect(theirs.locator(".me")).to_contain_text("Nora New")
    expect(page.locator('[data-email="nora@example.org"]')).to_contain_text("Monitor")
    expect(page.locator("#invitations")).to_have_count(0)

    late = new_page(None, link.removeprefix(console.url))
    expect(late.get_by_role("alert")).to_contain_text("Ask for a new one")
    expect(late.get_by_role("link", name="To sign-in")).to_be_visible()
    assert re.search("[?]token=(.+)", link).group(1) not in console.log.read_text(errors="replace")  # type: ignore[union-attr]
