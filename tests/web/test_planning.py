"""Planning in a real browser: queue slots, importing, repeating, many posts at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlmodel import select

from contentcaster.clock import utc_now
from contentcaster.models import Account, Post, PostStatus, Role, Series, SlotBooking
from contentcaster.services import posts, slots
from contentcaster.services.drafts import PostDraft, TargetDraft
from contentcaster.services.schedule import Schedule, wall_time_in
from tests.services_for_tests import factories
from tests.web.accessibility import looks_right
from tests.web.arriving import reload, visit
from tests.web.conftest import Console

ZONE = "Europe/Berlin"
TEXT = "#text-0"


@dataclass
class Desk:
    """An admin with one channel, and pages that fail on any error in the browser's console."""

    console: Console
    browser: Browser
    account: Account
    problems: list[str]
    closing: ExitStack

    def open(self, path: str, **options: Any) -> Page:
        context = self.browser.new_context(**({"viewport": {"width": 1360, "height": 900}} | options))
        self.closing.callback(context.close)
        name, _, value = self.console.cookie(Role.ADMIN).partition("=")
        context.add_cookies([{"name": name, "value": value, "url": self.console.url, "httpOnly": True}])
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda m: self.problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        visit(page, self.console.url + path)
        page.wait_for_selector("h1")  # the page itself: its skeleton has none
        return page

    def write(self, service: Any, *arguments: Any, **options: Any) -> Any:
        admin = factories.principal_for(self.console.user(Role.ADMIN))
        with self.console.stack.database.transaction() as session:
            return service(session, admin, *arguments, **options)

    def draft(self, text: str) -> PostDraft:
        return PostDraft(text=text, targets=(TargetDraft(self.account.id),))

    def post(self, text: str, days: int | None = None) -> Any:
        when = Schedule.at(utc_now() + timedelta(days=days), ZONE) if days is not None else None
        return self.write(posts.create_post, self.draft(text), when)

    def stored(self, model: Any, *where: Any) -> list[Any]:
        with self.console.stack.database.reading() as session:
            return list(session.exec(select(model).where(*where)).all())

    def slots(self) -> None:
        times = [(day, time) for day in range(7) for time in ("09:00", "17:30")]
        self.write(slots.set_plan, self.account.id, timezone=ZONE, times=times)


@pytest.fixture
def desk(browser: Browser, console: Console) -> Iterator[Desk]:
    admin = console.user(Role.ADMIN)
    with console.stack.database.transaction() as session:
        account = factories.create_account(
            session, admin, platform="mastodon", handle="@plan@first.example", display_name="Planned"
        )
    problems: list[str] = []
    with ExitStack() as closing:
        yield Desk(console, browser, account, problems, closing)
    with console.stack.database.transaction() as session:
        session.get_one(Account, account.id).deleted_at = utc_now()
        for post in session.exec(select(Post).where(Post.deleted_at.is_(None))):  # type: ignore[union-attr]
            post.deleted_at = utc_now()
    assert problems == []


def choose_channel(page: Page, account_id: str) -> None:
    chip = page.locator(f'.chip[data-account="{account_id}"]')
    if chip.get_attribute("aria-pressed") != "true":
        chip.click()


def test_slots_are_set_in_a_week_and_a_post_takes_the_next_one(desk: Desk) -> None:
    page = desk.open("/slots")
    card = page.locator('[data-channel="@plan@first.example"]')
    expect(card).to_contain_text("No slots yet")
    card.get_by_label("Time", exact=True).fill("09:30")
    card.get_by_label("Days").select_option("all")
    card.get_by_role("button", name="Add slots").click()
    expect(card).to_contain_text("7 a week")
    card.get_by_role("button", name="Remove Sunday 09:30").click()
    expect(card).to_contain_text("6 a week")
    zone = card.get_by_label("Time zone")
    zone.fill("Europe/Berlinn")
    zone.blur()
    expect(card.get_by_role("alert")).to_contain_text("Did you mean Europe/Berlin?")
    zone.fill(ZONE)
    zone.blur()
    expect(card.get_by_role("alert")).to_have_count(0)
    looks_right(page, "slots")
    visit(page, desk.console.url + "/studio")
    page.wait_for_selector(TEXT)
    choose_channel(page, desk.account.id)
    page.fill(TEXT, "Into the queue")
    expect(page.locator("#slot-hint")).to_contain_text("Next free slot")
    expect(page.locator("#best-hint")).to_contain_text("No best time yet")
    looks_right(page, "studio")
    page.click("#do-queue")
    page.wait_for_url("**/posts/*")
    expect(page.get_by_text("In the queue: it goes out on")).to_be_visible()
    (post,) = desk.stored(Post, Post.text == "Into the queue", Post.deleted_at.is_(None))
    assert (post.status in (PostStatus.SCHEDULED, PostStatus.PENDING_QUEUE), post.wall_time[11:]) == (
        True,
        "09:30",
    )
    assert [row.post_id for row in desk.stored(SlotBooking)] == [post.id]
    visit(page, desk.console.url + "/calendar")
    expect(page.locator(".fc-event.ghost").first).to_contain_text("Free slot")
    looks_right(page, "calendar")
    before = page.locator(".fc-event.ghost").count()
    page.locator("#calendar-slots").click()
    expect(page.locator(".fc-event.ghost")).to_have_count(0)
    assert before > 0


def test_a_file_is_imported_after_every_row_was_seen_and_undone(desk: Desk) -> None:
    page = desk.open("/import")
    day = f"{utc_now() + timedelta(days=4):%Y-%m-%d}"

    def upload(content: str) -> None:
        page.set_input_files(
            "#csv-input", {"name": "plan.csv", "mimeType": "text/csv", "buffer": content.encode()}
        )

    expect(page.get_by_role("heading", name="What the file should hold")).to_be_visible()
    looks_right(page, "import-empty")
    upload('text\n"never closed\n')
    expect(page.locator("#csv-error")).to_contain_text("line 2 is never closed")
    desk.problems.clear()  # the browser itself reports the refused upload
    upload(
        "Beitrag;Kanal;Datum;Uhrzeit\n"
        f"Imported one;@plan@first.example;{day};09:00\n"
        f"Imported two;@nobody@first.example;{day};10:00\n"
    )
    expect(page.locator("#dry-run")).to_contain_text("1 to mend")
    expect(page.locator("#dry-run")).to_contain_text("There is no channel “@nobody@first.example”")
    expect(page.locator("#run-import")).to_be_disabled()
    looks_right(page, "import-rows")
    page.get_by_label("Kanal").select_option("")
    expect(page.locator("#dry-run")).to_contain_text("2 to mend")
    page.get_by_role("checkbox", name="@plan@first.example").click()
    expect(page.locator("#dry-run")).to_contain_text("2 fine")
    reload(page)
    expect(page.locator("#dry-run")).to_contain_text("2 fine")
    page.click("#run-import")
    expect(page.get_by_role("heading", name="2 posts were imported")).to_be_visible()
    found = desk.stored(Post, Post.text.startswith("Imported"), Post.deleted_at.is_(None))
    assert sorted(post.wall_time[11:] for post in found) == ["09:00", "10:00"]
    page.get_by_role("button", name="Undo the import").click()
    expect(page.get_by_role("heading", name="not there any more")).to_be_visible()
    assert desk.stored(Post, Post.text.startswith("Imported"), Post.deleted_at.is_(None)) == []


def test_many_posts_are_moved_at_once_and_put_back_and_what_was_refused_is_named(desk: Desk) -> None:
    first, second, idea = desk.post("Bulk one", 2), desk.post("Bulk two", 3), desk.post("Bulk idea")
    page = desk.open("/posts?q=bulk")
    expect(page.locator("tbody tr")).to_have_count(3)
    page.locator("#pick-page").click()
    expect(page.locator("#bulk")).to_contain_text("3 posts chosen")
    looks_right(page, "posts-bulk")
    page.locator("#bulk").get_by_role("button", name="Move").click()
    page.get_by_role("menuitem", name="A day later").click()
    told = page.locator("#told")
    expect(told).to_contain_text("2 posts moved. 1 post left as it is")
    expect(told).to_contain_text("“Bulk idea” It has no time that could be moved.")
    looks_right(page, "posts-told")
    moved = desk.stored(Post, Post.id == first.id)[0]
    assert moved.scheduled_at == first.scheduled_at + timedelta(days=1)
    told.get_by_role("button", name="Undo").click()
    expect(told).to_contain_text("2 posts put back")
    assert desk.stored(Post, Post.id == second.id)[0].scheduled_at == second.scheduled_at
    expect(page.locator("#bulk")).to_contain_text("1 post chosen")  # what was refused
    page.locator("#bulk").get_by_role("button", name="Delete drafts").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    told.get_by_role("button", name="Undo").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    assert desk.stored(Post, Post.id == idea.id)[0].deleted_at is None


def test_filters_and_search_stand_in_the_address_and_pages_go_on(desk: Desk) -> None:
    admin = desk.console.user(Role.ADMIN)
    with desk.console.stack.database.transaction() as session:
        for number in range(60):
            factories.create_post(session, admin, text=f"Paged post {number}")
    page = desk.open("/posts")
    page.get_by_role("tab", name="Drafts").click()
    expect(page).to_have_url(re.compile(r"\?status=drafts$"))
    page.get_by_label("Search posts").press_sequentially("paged", delay=20)
    expect(page).to_have_url(re.compile(r"q=paged"))
    expect(page.get_by_label("Search posts")).to_be_focused()
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("button", name="Older").click()
    expect(page.locator("tbody tr")).to_have_count(10)
    expect(page.get_by_text("Page 2")).to_be_visible()
    page.get_by_role("button", name="Newer").click()
    expect(page.locator("tbody tr")).to_have_count(50)
    reload(page)
    expect(page.get_by_label("Search posts")).to_have_value("paged")
    expect(page.locator("tbody tr")).to_have_count(50)
    href = page.get_by_label("Export these posts as CSV").get_attribute("href")
    answer = page.request.get(desk.console.url + str(href))
    assert len(answer.text().splitlines()) == 61


def test_a_post_repeats_by_a_rule_and_one_is_left_out_and_one_changed(desk: Desk) -> None:
    page = desk.open("/studio")
    page.wait_for_selector(TEXT)
    choose_channel(page, desk.account.id)
    page.fill(TEXT, "Office hours, again")
    wall = wall_time_in(utc_now() + timedelta(days=1), ZONE)[:10]
    page.fill("#date", wall)
    page.fill("#time", "09:00")
    page.fill("#zone", ZONE)
    page.press("#zone", "Enter")
    page.select_option("#repeat", "custom")
    page.fill("#repeat-rule", "FREQ=NEVER")
    expect(page.locator("#rule-problem")).to_contain_text("daily, weekly, monthly or yearly")
    page.select_option("#repeat", "weekly")
    expect(page.locator(".next-ten li")).to_have_count(10)
    expect(page.locator(".next-ten")).to_contain_text("every week on")
    looks_right(page, "studio-repeat")
    page.click("#do-repeat")
    page.wait_for_url("**/recurring")
    (series,) = desk.stored(Series)
    card = page.locator(f'[data-series="{series.id}"]')
    expect(card.locator(".occurrence")).to_have_count(10)
    expect(card.locator('.occurrence[data-state="made"]')).to_have_count(2)
    left = [
        post.status for post in desk.stored(Post, Post.text.startswith("Office"), Post.deleted_at.is_(None))
    ]
    assert len(left) == 2
    assert PostStatus.DRAFT not in left
    looks_right(page, "recurring")
    card.get_by_role("link", name="Edit this series").click()
    page.wait_for_url("**/studio?series=*")
    expect(page.locator(TEXT)).to_have_value("Office hours, again")
    expect(page.locator("#repeat")).to_have_value("weekly")
    page.fill(TEXT, "Office hours, moved")
    page.fill("#time", "10:30")
    expect(page.locator(".next-ten")).to_contain_text("at 10:30")
    expect(page.locator("#saved")).to_have_text("Changed, not saved yet")
    reload(page)
    expect(page.locator(TEXT)).to_have_value("Office hours, moved")
    expect(page.locator(".notices")).to_contain_text("We brought back what was not saved yet")
    looks_right(page, "studio-series")
    page.click("#do-repeat")
    page.wait_for_url("**/recurring")
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("2 posts rewritten")
    expect(card).to_contain_text("Office hours, moved")
    expect(card.locator(".occurrence").first).to_have_attribute("data-at", f"{wall}T10:30")
    card.locator(".occurrence").nth(3).get_by_role("button", name="Leave out").click()
    expect(card.locator(".occurrence").nth(3)).to_contain_text("Left out")
    card.locator(".occurrence").nth(3).get_by_role("button", name="Take in again").click()
    expect(card.locator(".occurrence").nth(3)).to_contain_text("Planned")
    card.locator(".occurrence").nth(4).get_by_role("button", name="Change this one").click()
    page.wait_for_url("**/studio?post=*")
    expect(page.locator(TEXT)).to_have_value("Office hours, moved")
    page.fill(TEXT, "Not at the office")
    page.click("#do-schedule")
    page.wait_for_url("**/posts/*")
    visit(page, desk.console.url + "/recurring")
    expect(card.locator(".occurrence").nth(4)).to_contain_text("changed by hand")
    card.get_by_role("button", name="End").click()
    page.get_by_role("alertdialog").get_by_role("button", name="End the series").click()
    expect(card).to_have_count(0)
    kept = desk.stored(Post, Post.text.startswith("Office"), Post.deleted_at.is_(None))
    assert [post.text for post in kept] == []
    assert len(desk.stored(Post, Post.text == "Not at the office", Post.deleted_at.is_(None))) == 1


def test_a_draft_keeps_the_time_that_was_chosen_for_it(desk: Desk) -> None:
    page = desk.open("/studio")
    page.wait_for_selector(TEXT)
    page.fill(TEXT, "For later")
    wall = wall_time_in(utc_now() + timedelta(days=9), ZONE)[:10]
    page.fill("#date", wall)
    page.fill("#time", "16:45")
    expect(page.locator("#saved")).to_contain_text("Saved", timeout=10_000)
    page.wait_for_url("**/studio?post=*")
    visit(page, desk.console.url + "/posts")
    expect(page.get_by_role("link", name="For later")).to_be_visible()
    visit(page, desk.console.url + f"/studio?post={desk.stored(Post, Post.text == 'For later')[0].id}")
    expect(page.locator("#date")).to_have_value(wall)
    expect(page.locator("#time")).to_have_value("16:45")
    assert desk.stored(Post, Post.text == "For later")[0].status is PostStatus.DRAFT
