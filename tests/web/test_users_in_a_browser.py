"""People, one's own profile and the audit log, in a real browser against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlmodel import select

from contentcaster.models import Role, User
from contentcaster.services.users import change_password
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Servers, activated, as_environment
from tests.web.arriving import reload, visit
from tests.web.conftest import Console, free_port, running_console
from tests.web.operations_world import in_a_thread
from tests.web.tab import open_tab

pytestmark = pytest.mark.browser

STATES = "reflex___state____state.contentcaster___state"
PASSWORD = "three words and a comma, canary-77f0"


@pytest.fixture(scope="module")
def own_console(built: Path, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console with exactly one admin."""
    folder = tmp_path_factory.mktemp("people")
    environment = as_environment(
        data_dir=folder, database_url=servers.new_sqlite_database(folder), host="127.0.0.1", port=free_port()
    )
    with activated("sqlite", environment) as stack, running_console(stack, folder) as console:
        yield console


class Tabs:
    """Signed-in pages, and every frame that they were sent."""

    def __init__(self, browser: Browser, console: Console) -> None:
        self.browser, self.console = browser, console
        self.frames: list[str] = []
        self.problems: list[str] = []
        self.contexts: list[BrowserContext] = []

    def open(self, role: Role | None, path: str) -> Page:
        context = self.browser.new_context(timezone_id="Europe/Berlin")
        self.contexts.append(context)
        if role is not None:
            name, _, value = self.console.cookie(role).partition("=")
            context.add_cookies([{"name": name, "value": value, "url": self.console.url, "httpOnly": True}])
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda m: self.problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("websocket", lambda ws: ws.on("framereceived", lambda data: self.frames.append(str(data))))
        visit(page, self.console.url + path)
        page.wait_for_selector("h1")
        return page

    def sign_in(self, email: str, password: str) -> Page:
        page = self.open(None, "/sign-in")
        page.get_by_label("Email").fill(email)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        return page


@pytest.fixture
def tabs(browser: Browser, own_console: Console) -> Iterator[Tabs]:
    opened = Tabs(browser, own_console)
    yield opened
    for context in opened.contexts:
        context.close()
    assert opened.problems == []


def test_an_admin_adds_a_person_who_then_signs_in_and_every_mistake_is_named_at_its_field(
    tabs: Tabs, own_console: Console
) -> None:
    page = tabs.open(Role.ADMIN, "/users")
    page.get_by_role("button", name="Add a person").click()
    page.get_by_label("Name").fill("Lena Brandt")
    page.get_by_label("Email").fill("lena at example")
    page.get_by_label("First password").fill("short")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#email-error")).to_contain_text("email address")
    expect(page.locator("#password-error")).to_contain_text("12 characters")
    expect(page.get_by_label("Name")).to_have_value("Lena Brandt")

    page.get_by_label("Email").fill("lena@example.org")
    page.get_by_label("First password").fill(PASSWORD)
    page.get_by_role("button", name="Add", exact=True).click()
    person = page.locator('[data-email="lena@example.org"]')
    expect(person).to_contain_text("Creator")

    hers = tabs.sign_in("lena@example.org", PASSWORD)
    expect(hers.locator(".me")).to_contain_text("Lena Brandt")
    sent = "".join(tabs.frames) + page.content() + own_console.log.read_text(errors="replace")
    assert "Lena Brandt" in sent
    assert PASSWORD not in sent
    with own_console.stack.database.reading() as session:
        user = session.exec(select(User).where(User.email == "lena@example.org")).one()
    assert user.password_hash.startswith("$argon2id$")


def test_a_taken_address_is_named_at_the_field(tabs: Tabs, own_console: Console) -> None:
    taken = own_console.user(Role.CREATOR).email
    page = tabs.open(Role.ADMIN, "/users")
    page.get_by_role("button", name="Add a person").click()
    page.get_by_label("Name").fill("Somebody")
    page.get_by_label("Email").fill(taken)
    page.get_by_label("First password").fill(PASSWORD)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#email-error")).to_contain_text("exists already")


def test_a_new_role_and_disabling_end_the_persons_open_tabs(tabs: Tabs, own_console: Console) -> None:
    email = own_console.user(Role.MONITOR).email
    theirs = tabs.open(Role.MONITOR, "/queues")
    page = tabs.open(Role.ADMIN, "/users")
    person = page.locator(f'[data-email="{email}"]')
    person.get_by_role("button", name="Edit").click()
    page.get_by_label("Viewer").check()
    page.get_by_role("button", name="Save").click()
    expect(person).to_contain_text("Viewer")
    theirs.wait_for_url("**/sign-in**")

    person.get_by_role("button", name="Disable").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Disable").click()
    expect(person).to_contain_text("Disabled")
    refused = tabs.sign_in(email, factories.PASSWORD)
    expect(refused.get_by_role("alert")).to_contain_text("do not match")
    person.get_by_role("button", name="Enable").click()
    expect(person).not_to_contain_text("Disabled")


def test_the_last_admin_cannot_give_up_the_role(tabs: Tabs, own_console: Console) -> None:
    email = own_console.user(Role.ADMIN).email
    page = tabs.open(Role.ADMIN, "/users")
    person = page.locator(f'[data-email="{email}"]')
    expect(person.get_by_role("button", name="Disable")).to_have_count(0)
    person.get_by_role("button", name="Edit").click()
    page.get_by_label("Viewer").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("last active admin")
    with own_console.stack.database.reading() as session:
        assert session.get_one(User, own_console.user(Role.ADMIN).id).role is Role.ADMIN


def test_a_creator_finds_neither_users_nor_audit_log_and_a_forged_event_is_refused(
    tabs: Tabs, own_console: Console
) -> None:
    page = tabs.open(Role.CREATOR, "/profile")
    for name in ("Users", "Audit log", "Failed tasks", "Queues and workers"):
        expect(page.locator(".nav-link", has_text=name)).to_have_count(0)
    for path in ("/users", "/audit"):
        visit(page, own_console.url + path)
        expect(page.get_by_role("alert")).to_contain_text("does not allow this")
        expect(page.get_by_text("@example.org")).to_have_count(0)

    async def forge() -> None:
        async with open_tab(own_console.url, cookie=own_console.cookie(Role.CREATOR)) as tab:
            form = {"name": "Eve", "email": "eve@example.org", "password": PASSWORD}
            answer = await tab.ask(f"{STATES}___users____users_state.create", {"form": form}, path="/users")
            assert "does not allow this" in str(answer)

    in_a_thread(forge())
    with own_console.stack.database.reading() as session:
        assert session.exec(select(User).where(User.email == "eve@example.org")).first() is None


def test_a_person_changes_their_zone_and_the_console_shows_it_at_once(tabs: Tabs) -> None:
    page = tabs.open(Role.CREATOR, "/profile")
    page.get_by_label("Name").fill("")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#name-error")).to_be_visible()
    page.get_by_label("Name").fill("Jonas Weber")
    page.get_by_label("Time zone").select_option("Asia/Tokyo")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".me")).to_contain_text("Asia/Tokyo")
    expect(page.locator(".me")).to_contain_text("Jonas Weber")
    reload(page)
    expect(page.get_by_label("Time zone")).to_have_value("Asia/Tokyo")


def test_a_changed_password_ends_every_other_session_and_a_wrong_current_one_is_named_at_the_field(
    tabs: Tabs, own_console: Console
) -> None:
    other = tabs.open(Role.CREATOR, "/posts")
    page = tabs.open(Role.CREATOR, "/profile")
    expect(page.get_by_role("button", name="Sign out everywhere else")).to_be_visible()
    page.get_by_label("Current password").fill("not the one at all")
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password again").fill(PASSWORD + "!")
    page.get_by_role("button", name="Change password").click()
    expect(page.locator("#repeated-error")).to_contain_text("not the same")
    page.get_by_label("New password again").fill(PASSWORD)
    page.get_by_role("button", name="Change password").click()
    expect(page.locator("#current_password-error")).to_contain_text("not your current password")
    page.get_by_label("Current password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Change password").click()
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("password is changed")
    expect(page.get_by_label("Current password")).to_have_value("")
    other.wait_for_url("**/sign-in**")
    expect(page.locator(".profile-sessions li")).to_have_count(1)
    assert PASSWORD not in "".join(tabs.frames)
    person = factories.principal_for(own_console.user(Role.CREATOR))
    change_password(
        own_console.stack.database, person, current_password=PASSWORD, new_password=factories.PASSWORD
    )


def test_the_audit_log_shows_new_acts_by_itself_and_filters_them(tabs: Tabs, own_console: Console) -> None:
    log = tabs.open(Role.ADMIN, "/audit")
    page = tabs.open(Role.ADMIN, "/profile")
    page.get_by_label("Name").fill("Mara Keller")
    page.get_by_role("button", name="Save").click()
    first = log.locator("tbody tr").first
    expect(first).to_contain_text("Changed own profile")
    expect(first).to_contain_text(own_console.user(Role.ADMIN).email)
    log.get_by_label("Kind of act").select_option("user.")
    expect(log.get_by_text("Changed own profile")).to_have_count(0)
