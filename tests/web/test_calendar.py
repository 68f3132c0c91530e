"""The calendar, in a real browser against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from contentcaster.clock import utc_now
from contentcaster.models import Account, Post, PostStatus, Role
from contentcaster.services import posts
from contentcaster.services.drafts import PostDraft, TargetDraft
from contentcaster.services.schedule import Schedule
from tests.services_for_tests import factories
from tests.web.accessibility import accessibility_problems
from tests.web.arriving import visit
from tests.web.conftest import Console


@dataclass
class Plan:
    """Somebody's scheduled posts, and a way to look at them."""

    console: Console
    account: Account
    page: Page

    def post(self, text: str, at: datetime) -> Post:
        author = factories.principal_for(self.console.user(Role.ADMIN))
        draft = PostDraft(text=text, targets=(TargetDraft(self.account.id),))
        with self.console.stack.database.transaction() as session:
            made = posts.create_post(session, author, draft, Schedule.at(at, "Europe/Berlin"))
        return self.stored(made.id)

    def stored(self, post_id: str) -> Post:
        with self.console.stack.database.reading() as session:
            return session.get_one(Post, post_id)

    def entry(self, text: str) -> Locator:
        return self.page.locator(".fc-event", has_text=text)

    def day(self, at: datetime) -> Locator:
        return self.page.locator(f'.fc-daygrid-day[data-date="{at:%Y-%m-%d}"]')

    def drag(self, text: str, to: Locator) -> None:
        """As a hand does it: press, move in steps, let go."""
        source, target = self.entry(text).bounding_box(), to.bounding_box()
        assert source is not None
        assert target is not None
        mouse = self.page.mouse
        mouse.move(source["x"] + 12, source["y"] + 8)
        mouse.down()
        mouse.move(source["x"] + 20, source["y"] + 16, steps=4)
        mouse.move(target["x"] + target["width"] / 2, target["y"] + target["height"] - 14, steps=12)
        mouse.up()


@pytest.fixture
def plan(browser: Browser, console: Console) -> Iterator[Plan]:
    problems: list[str] = []
    admin = console.user(Role.ADMIN)
    with console.stack.database.transaction() as session:
        account = factories.create_account(session, admin, platform="mastodon", handle="@cal@first.example")
    with ExitStack() as closing:
        context = browser.new_context(viewport={"width": 1360, "height": 1000})
        closing.callback(context.close)
        name, _, value = console.cookie(Role.ADMIN).partition("=")
        context.add_cookies([{"name": name, "value": value, "url": console.url, "httpOnly": True}])
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        yield Plan(console, account, page)
    with console.stack.database.transaction() as session:
        session.get_one(Account, account.id).deleted_at = utc_now()
    assert problems == []


def next_month() -> datetime:
    """The tenth of next month, 09:30 UTC: never in the past, never at the edge of what is shown."""
    first = (utc_now().replace(day=1) + timedelta(days=32)).replace(day=10)
    return datetime(first.year, first.month, 10, 9, 30, tzinfo=UTC)


def open_calendar(plan: Plan, **remembered: Any) -> None:
    month = next_month()
    visit(plan.page, plan.console.url + "/sign-in")  # a page of the same origin, to set what a tab remembers
    plan.page.evaluate(
        "([view, date]) => sessionStorage.setItem('contentcaster.calendar', JSON.stringify({view, date}))",
        [remembered.get("view", "dayGridMonth"), f"{month:%Y-%m-%d}"],
    )
    visit(plan.page, plan.console.url + "/calendar")
    plan.page.wait_for_selector(".fc-view")


def test_a_post_dragged_to_another_day_keeps_its_hour_and_can_be_put_back(plan: Plan) -> None:
    at = next_month()
    post = plan.post("Drag me", at)
    open_calendar(plan)
    plan.drag("Drag me", plan.day(at + timedelta(days=2)))
    expect(plan.page.locator("#undo")).to_contain_text("Moved to")
    expect(plan.day(at + timedelta(days=2))).to_contain_text("Drag me")
    assert plan.stored(post.id).scheduled_at == at + timedelta(days=2)
    assert plan.stored(post.id).timezone == "Europe/Berlin"
    plan.page.get_by_role("button", name="Undo").click()
    expect(plan.day(at)).to_contain_text("Drag me")
    assert plan.stored(post.id).scheduled_at == at


def test_dragged_into_the_past_it_stays_where_it_is_and_says_why(plan: Plan) -> None:
    at = utc_now().replace(hour=23, minute=55, second=0, microsecond=0) + timedelta(days=1)
    post = plan.post("Not into the past", at)
    visit(plan.page, plan.console.url + "/calendar")
    plan.page.locator(".fc-listWeek-button").click()
    plan.page.locator(".fc-dayGridMonth-button").click()
    cells = plan.page.locator(".fc-daygrid-day")
    expect(plan.entry("Not into the past")).to_be_visible()
    plan.drag("Not into the past", cells.first)
    expect(plan.page.get_by_text("Not moved.")).to_be_visible()
    expect(plan.day(at)).to_contain_text("Not into the past")
    assert plan.stored(post.id).scheduled_at == at


def test_what_a_colleague_changes_is_drawn_at_once(plan: Plan) -> None:
    at = next_month()
    open_calendar(plan)
    post = plan.post("Appears by itself", at)
    expect(plan.day(at)).to_contain_text("Appears by itself")
    author = factories.principal_for(plan.console.user(Role.ADMIN))
    with plan.console.stack.database.transaction() as session:
        posts.schedule_post(session, author, post.id, Schedule.at(at + timedelta(days=3)))
    expect(plan.day(at + timedelta(days=3))).to_contain_text("Appears by itself")


def test_a_click_on_an_empty_day_starts_a_post_for_that_day(plan: Plan) -> None:
    at = next_month() + timedelta(days=9)
    open_calendar(plan)
    plan.day(at).click(position={"x": 60, "y": 45})
    expect(plan.page.locator("#date")).to_have_value(f"{at:%Y-%m-%d}")
    expect(plan.page.locator("#time")).to_have_value("09:00")


def test_filters_and_week_view_show_what_they_say_and_axe_finds_nothing(plan: Plan) -> None:
    at = next_month()
    plan.post("Waiting post", at)
    open_calendar(plan, view="timeGridWeek")
    expect(plan.entry("Waiting post")).to_be_visible()
    assert accessibility_problems(plan.page) == []
    plan.page.select_option("#calendar-filter", "published")
    expect(plan.entry("Waiting post")).to_have_count(0)
    plan.page.select_option("#calendar-filter", "waiting")
    plan.page.select_option("#calendar-channel", plan.account.id)
    expect(plan.entry("Waiting post")).to_be_visible()
    plan.page.select_option("#calendar-colours", "channel")
    expect(plan.page.locator(".fc-event.by-channel", has_text="Waiting post")).to_be_visible()


def test_two_thousand_posts_in_a_month_are_drawn_and_moved_through_without_waiting(plan: Plan) -> None:
    start = next_month().replace(day=1)
    admin = plan.console.user(Role.ADMIN)
    with plan.console.stack.database.transaction() as session:
        many = [
            factories.create_post(
                session,
                admin,
                text=f"Many {number}",
                status=PostStatus.SCHEDULED,
                scheduled_at=start + timedelta(minutes=20 * number),
            ).id
            for number in range(1990)
        ]
    try:
        open_calendar(plan)
        expect(plan.page.locator(".fc-event", has_text="68 more").first).to_be_visible()
        # A calendar that measured each of them would stand still for a minute.
        assert plan.page.locator(".fc-event").count() < 250
        plan.page.locator(".fc-event", has_text="68 more").first.click()
        expect(plan.page.locator(".fc-timeGridDay-view .fc-event", has_text="Many").first).to_be_visible()
    finally:
        with plan.console.stack.database.transaction() as session:
            for post_id in many:
                session.get_one(Post, post_id).deleted_at = utc_now()
