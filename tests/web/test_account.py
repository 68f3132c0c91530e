"""One's own account in a real browser: two-factor sign-in, API keys, sessions; and what an admin does about them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from contentcaster.models import Role, User
from contentcaster.security import totp
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Servers, activated, as_environment
from tests.web.accessibility import accessibility_problems
from tests.web.arriving import reload, visit
from tests.web.conftest import Console, NewPage, free_port, running_console

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def console(built: object, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console where Monitors must have a second factor."""
    folder = tmp_path_factory.mktemp("account")
    environment = as_environment(
        data_dir=folder,
        database_url=servers.new_sqlite_database(folder),
        host="127.0.0.1",
        port=free_port(),
        otp_required_roles="monitor",
    )
    with activated("sqlite", environment) as stack, running_console(stack, folder) as running:
        yield running


def _code(secret: str) -> str:
    return totp.code_at(secret, int(time.time()) // totp.STEP_SECONDS)


def _set_up(page: Page) -> tuple[str, list[str]]:
    """Set two-factor sign-in up on the profile page; the secret, and the recovery codes that were shown."""
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    secret = page.locator("#otp-secret").inner_text().replace(" ", "")
    page.get_by_label("Code from the app").fill(_code(secret))
    page.get_by_role("button", name="Turn on").click()
    expect(page.locator("#recovery-codes li")).to_have_count(10)
    return secret, page.locator("#recovery-codes li").all_inner_texts()


def test_somebody_whose_role_needs_a_second_factor_is_led_to_set_it_up_and_then_everything_opens(
    new_page: NewPage,
) -> None:
    page = new_page(Role.MONITOR, "/queues")
    expect(page).to_have_url(re.compile("/profile"))
    expect(page.get_by_role("alert")).to_contain_text("Your role needs two-factor sign-in")
    assert accessibility_problems(page) == []
    page.get_by_role("button", name="Set up").click()
    page.get_by_label("Code from the app").fill("000000")
    page.get_by_role("button", name="Turn on").click()
    expect(page.locator("#setup_code-error")).to_contain_text("not right")
    assert accessibility_problems(page) == []
    page.keyboard.press("Escape")
    _secret, codes = _set_up(page)
    assert accessibility_problems(page) == []
    page.get_by_role("button", name="I have kept them").click()
    expect(page.locator("#second-factor")).to_contain_text("10 recovery codes left")
    page.locator(".nav-link", has_text="Queues").click()
    expect(page.locator("h1")).to_contain_text("Queues")
    visit(page, page.url.replace("/queues", "/profile"))
    expect(page.locator("#second-factor")).to_contain_text("On since")
    for code in codes:
        assert code not in page.content()


def test_turning_it_off_needs_the_password_and_a_code_and_shows_no_secret_again(
    new_page: NewPage, console: Console
) -> None:
    page = new_page(Role.CREATOR, "/profile")
    frames: list[str] = []
    secret, codes = _set_up(page)
    page.get_by_role("button", name="I have kept them").click()
    page.on("websocket", lambda ws: ws.on("framereceived", lambda data: frames.append(str(data))))
    reload(page)  # the state kept for this tab must not have them any more
    page.get_by_role("button", name="Turn off").click()
    page.get_by_label("Your password").fill("not the one at all")
    page.get_by_label("Code from the app, or a recovery code").fill(codes[0])
    page.get_by_role("dialog").get_by_role("button", name="Turn off").click()
    expect(page.locator("#off_password-error")).to_contain_text("not your password")
    page.get_by_label("Your password").fill(factories.PASSWORD)
    page.get_by_role("dialog").get_by_role("button", name="Turn off").click()
    expect(page.locator("#second-factor")).to_contain_text("Off")
    sent = "".join(frames) + console.log.read_text(errors="replace")
    assert "Turned" not in sent and len(frames) > 1
    for hidden in (secret, " ".join(re.findall("....", secret)), *codes, factories.PASSWORD):
        assert hidden not in sent


def test_a_key_is_made_with_chosen_permissions_shown_once_works_and_is_refused_after_revoking(
    new_page: NewPage, console: Console
) -> None:
    page = new_page(Role.CREATOR, "/api-keys")
    expect(page.get_by_text("No keys yet")).to_be_visible()
    page.get_by_role("button", name="New key").click()
    page.get_by_label("Name").fill("CI server")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("dialog").get_by_role("alert").first).to_contain_text(
        "Choose what the key may do"
    )
    assert accessibility_problems(page) == []
    page.get_by_label("Read channels").check()
    expect(page.get_by_label("Manage people")).to_have_count(0)
    page.get_by_role("button", name="Make the key").click()
    key = page.locator("#new-key").inner_text()
    assert key.startswith("cck_")
    page.get_by_role("button", name="I have kept it").click()
    row = page.locator('[data-key="CI server"]')
    expect(row).to_contain_text("view_accounts")
    bearer = {"Authorization": f"Bearer {key}"}
    assert httpx.get(f"{console.url}/api/v1/accounts", headers=bearer).status_code == 200
    assert httpx.get(f"{console.url}/api/v1/posts", headers=bearer).status_code == 403
    reload(page)
    expect(row).not_to_contain_text("never")
    assert key not in page.content()
    assert accessibility_problems(page) == []
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("No keys yet")).to_be_visible()
    assert httpx.get(f"{console.url}/api/v1/accounts", headers=bearer).status_code == 401


def test_an_admin_sees_where_a_person_is_signed_in_and_signs_them_out_of_open_tabs(
    new_page: NewPage, console: Console
) -> None:
    theirs = new_page(Role.VIEWER, "/analytics")
    expect(theirs.locator("h1")).to_be_visible()
    email = console.user(Role.VIEWER).email
    page = new_page(Role.ADMIN, "/users")
    page.get_by_role("button", name=f"Sessions of {console.user(Role.VIEWER).name}").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".line")).to_have_count(1)
    assert accessibility_problems(page) == []
    dialog.get_by_role("button", name="Sign out everywhere").click()
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("signed out of 1 place")
    theirs.wait_for_url("**/sign-in**")
    with console.stack.database.reading() as session:
        assert session.get_one(User, console.user(Role.VIEWER).id).email == email


def test_signing_out_everywhere_else_keeps_this_browser(new_page: NewPage) -> None:
    other = new_page(Role.ADMIN, "/posts")
    expect(other.locator("h1")).to_be_visible()
    page = new_page(Role.ADMIN, "/profile")
    page.get_by_role("button", name="Sign out everywhere else").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Sign out").click()
    other.wait_for_url("**/sign-in**")
    expect(page.locator(".profile-sessions li")).to_have_count(1)
    expect(page.locator(".profile-sessions")).to_contain_text("this browser")
