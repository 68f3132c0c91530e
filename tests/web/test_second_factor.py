"""Signing in with a second factor, in a real browser."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, expect

from contentcaster.models import Role
from contentcaster.security import totp
from contentcaster.services import second_factor
from tests.services_for_tests import factories
from tests.web.conftest import Console, NewPage

pytestmark = pytest.mark.browser


def _person(console: Console) -> tuple[str, str, list[str]]:
    """Somebody with two-factor sign-in: address, secret of the app, recovery codes."""
    with console.stack.database.transaction() as session:
        user = factories.create_user(session, Role.CREATOR)
        principal = factories.principal_for(user)
        secret = second_factor.begin_setup(session, principal).secret
        session.flush()
        step = int(time.time()) // totp.STEP_SECONDS - 1  # the current code stays for the test
        codes = second_factor.confirm_setup(session, principal, code=totp.code_at(secret, step))
        return user.email, secret, codes


def test_the_form_asks_for_the_code_and_takes_a_recovery_code_too(
    new_page: NewPage, console: Console
) -> None:
    email, _, codes = _person(console)
    page: Page = new_page(None, "/posts")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(factories.PASSWORD)
    expect(page.get_by_label("Code")).to_have_count(0)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("authenticator app")
    expect(page.get_by_label("Email")).to_have_value(email)
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_label("Code").fill("000 000")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not right")
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/posts"))
    expect(page.locator("h1")).to_have_text("Posts")
