"""A campaign in one sitting, as a new user would do it: ten posts over five networks, with pictures, variants, a thread
and an approval; written, scheduled, dragged, edited and published, everything real.

`make campaign` runs it. PICTURES names a folder for pictures of every step, in light, and in dark at 360 px.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from sqlmodel import select

from contentcaster.clock import utc_now
from contentcaster.models import Post, PostStatus, Role, User
from contentcaster.sandbox.client import SandboxControl
from tests.platforms.twins.hooks import WebhookTwin
from tests.platforms.twins.telegram import TOKEN, TelegramTwin
from tests.services_for_tests.stack import Servers, activated, as_environment
from tests.web.accessibility import looks_right
from tests.web.arriving import visit, wait_until_ready
from tests.web.conftest import Console, free_port
from tests.web.test_studio import picture
from tests.web.test_studio_publish import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1800)]
LOOKS = (("light", 1360), ("dark", 360))

ZONE = ZoneInfo("Europe/Berlin")
TEXT = "#text-0"
SLOW = 30_000


@dataclass
class Desk:
    """A fresh installation with a worker, and nothing connected yet."""

    console: Console
    sandbox: SandboxControl
    telegram: TelegramTwin
    webhook: WebhookTwin
    browser: Browser
    closing: ExitStack
    problems: list[str] = field(default_factory=list)
    shots: int = 0

    def open(self, role: Role, path: str) -> Page:
        context = self.browser.new_context(
            timezone_id="Europe/Berlin", locale="en-GB", viewport={"width": 1360, "height": 900}
        )
        self.closing.callback(context.close)
        name, _, value = self.console.cookie(role).partition("=")
        context.add_cookies([{"name": name, "value": value, "url": self.console.url, "httpOnly": True}])
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda m: self.problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        visit(page, self.console.url + path)
        return page

    def look(self, page: Page, name: str) -> None:
        self.shots += 1
        looks_right(page, f"{self.shots:02}-{name}", LOOKS)

    def posts(self) -> list[Post]:
        with self.console.stack.database.reading() as session:
            return list(session.exec(select(Post).where(Post.deleted_at.is_(None))).all())  # type: ignore[union-attr]

    def post(self, words: str) -> Post:
        (found,) = [post for post in self.posts() if words in post.text]
        return found


@pytest.fixture
def desk(
    built: Path, servers: Servers, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("campaign")
    port, sandbox_port = free_port(), free_port()
    with ExitStack() as closing:
        telegram = closing.enter_context(TelegramTwin())
        webhook = closing.enter_context(WebhookTwin())
        environment = as_environment(
            data_dir=folder,
            database_url=servers.new_sqlite_database(folder),
            host="127.0.0.1",
            port=port,
            sandbox_port=sandbox_port,
            publish_lead_seconds=0.5,
            egress_allow=f"{telegram.host},{webhook.host}",
        )
        stack = closing.enter_context(activated("sqlite", environment))
        for command in ("sandbox", "worker"):
            log = closing.enter_context((folder / f"{command}.log").open("wb"))
            process = subprocess.Popen(
                [sys.executable, "-m", "contentcaster", command],
                env=os.environ | dict(stack.environment),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            closing.callback(process.wait)
            closing.callback(process.kill)
        console = Console(stack, port, folder / "web.log")
        closing.callback(console.close)
        console.start()
        network = f"http://127.0.0.1:{sandbox_port}"
        wait_for(network)
        sandbox = SandboxControl(network)
        closing.callback(sandbox.close)
        made = Desk(console, sandbox, telegram, webhook, browser, closing)
        yield made
    assert made.problems == []


def connect(desk: Desk, page: Page, platform: str, fields: dict[str, str]) -> None:
    page.get_by_role("button", name="Connect a channel").first.click()
    dialog = page.get_by_role("dialog")
    dialog.locator(f'[data-platform="{platform}"]').click()
    if platform == "mastodon":
        dialog.get_by_role("button", name=re.compile("token", re.IGNORECASE)).click()
        dialog.locator("#access_token").wait_for()  # the other form asks for a server too
    for name, value in fields.items():
        dialog.locator(f"#{name}").fill(value)
    dialog.get_by_role("button", name="Connect", exact=True).click()
    expect(dialog).to_have_count(0, timeout=SLOW)


def connect_five(desk: Desk, page: Page) -> None:
    network = str(desk.sandbox.http.base_url).rstrip("/")
    token = desk.sandbox.account("news", display_name="Acme News")["access_token"]
    sky = desk.sandbox.account("sky", display_name="Acme Sky")
    connect(desk, page, "sandbox", {"handle": "acme"})
    connect(desk, page, "mastodon", {"instance_url": network, "access_token": token})
    connect(
        desk,
        page,
        "bluesky",
        {"service_url": network, "identifier": sky["did"], "app_password": sky["app_password"]},
    )
    connect(desk, page, "telegram", {"bot_token": TOKEN, "chat": "@acme_news", "api_url": desk.telegram.url})
    connect(
        desk,
        page,
        "webhook",
        {"url": f"{desk.webhook.url}/hook", "secret": desk.webhook.secret, "name": "Intranet"},
    )
    expect(page.locator("[data-channel]")).to_have_count(5)


def write(
    page: Page,
    text: str,
    channels: tuple[str, ...],
    *,
    pictures: tuple[tuple[str, str], ...] = (),
    variants: dict[str, str] | None = None,
    thread: tuple[str, ...] = (),
    at: datetime | None = None,
) -> None:
    """Write a new post in the Studio, begun with the key `c`."""
    page.keyboard.press("c")
    page.wait_for_url("**/studio")
    wait_until_ready(page)
    page.wait_for_selector(TEXT)
    expect(page.locator(".chip[data-account]")).to_have_count(5)
    for chip in page.locator(".chip[data-account]").all():
        is_wanted = str(chip.get_attribute("title")).startswith(channels)
        if (chip.get_attribute("aria-pressed") == "true") != is_wanted:
            chip.click()
    page.fill(TEXT, text)
    for number, (colour, alt) in enumerate(pictures, start=1):
        file = {"name": f"{colour}.png", "mimeType": "image/png", "buffer": picture()}
        page.set_input_files("#media-input", file)
        expect(page.locator(".picture[data-media]")).to_have_count(number, timeout=SLOW)
        page.get_by_role("textbox", name="Alt text").last.fill(alt)
    for number, part in enumerate(thread, start=1):
        page.click("#add-part")
        page.fill(f"#text-{number}", part)
    for network, own in (variants or {}).items():
        page.get_by_role("tab", name=re.compile(network)).click()
        page.fill(TEXT, own)
    if at is not None:
        page.fill("#date", f"{at:%Y-%m-%d}")
        page.fill("#time", f"{at:%H:%M}")


def finish(page: Page, button: str = "#do-schedule") -> None:
    expect(page.locator("#preflight")).to_contain_text(re.compile("ready|to look at"))
    page.click(button)
    page.wait_for_url("**/posts/*")
    wait_until_ready(page)


ALL = ("Sandbox", "Mastodon", "Bluesky", "Telegram", "Webhook")
WITH_PICTURES = ("Sandbox", "Mastodon", "Bluesky", "Telegram")


def test_a_campaign_is_written_scheduled_dragged_edited_and_published_in_one_sitting(desk: Desk) -> None:
    page = desk.open(Role.ADMIN, "/")
    desk.look(page, "home-empty")
    page.keyboard.press("g")
    page.keyboard.press("n")
    page.wait_for_url("**/channels")
    desk.look(page, "channels-empty")
    connect_five(desk, page)
    desk.look(page, "channels")

    # Slots for the queue
    page.get_by_role("link", name="Queue slots").click()
    page.wait_for_url("**/slots")
    wait_until_ready(page)
    card = page.locator('[data-channel="@acme"]')
    card.get_by_label("Time", exact=True).fill("09:30")
    card.get_by_label("Days").select_option("all")
    card.get_by_role("button", name="Add slots").click()
    expect(card).to_contain_text("7 a week")
    desk.look(page, "slots")

    tomorrow = (utc_now().astimezone(ZONE) + timedelta(days=1)).replace(hour=10, minute=0)
    day = timedelta(days=1)

    # 1: one text for all five
    write(page, "We are launching Harbour on Friday. https://acme.example/harbour", ALL, at=tomorrow)
    finish(page)
    desk.look(page, "post-scheduled")
    # 2: pictures with alt text
    write(
        page,
        "The harbour at noon, and the crane that never sleeps",
        WITH_PICTURES,
        pictures=(("noon", "A harbour at noon"), ("crane", "A crane over containers")),
        at=tomorrow + day,
    )
    desk.look(page, "studio-pictures")
    finish(page)
    # 3: a variant for one network
    write(
        page,
        "Doors open at nine. Bring questions. #harbour",
        ALL,
        variants={"Bluesky": "Doors open at nine, blue sky or not. Bring questions."},
        at=tomorrow + 2 * day,
    )
    desk.look(page, "studio-variant")
    finish(page)
    # 4: a thread
    write(
        page,
        "How we built Harbour: a thread",
        ("Sandbox", "Mastodon", "Bluesky"),
        thread=("It began with a crane.", "It ended with a launch."),
        at=tomorrow + 3 * day,
    )
    desk.look(page, "studio-thread")
    finish(page)
    # 5 and 6: into the queue
    for text in ("Office hours are open", "Office hours are open, again"):
        write(page, text, ("Sandbox",))
        expect(page.locator("#slot-hint")).to_contain_text("Next free slot")
        page.click("#do-queue")
        page.wait_for_url("**/posts/*")
        wait_until_ready(page)
    # 7: a draft, found again and scheduled
    write(page, "A draft that waits for numbers", ("Mastodon",))
    page.click("#do-draft")
    page.wait_for_url("**/posts/*")
    # 8: from a day of the calendar
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/calendar")
    wait_until_ready(page)
    later = (tomorrow + 5 * day).date()
    box = calendar_day(page, later).bounding_box()
    assert box
    page.mouse.click(box["x"] + 60, box["y"] + box["height"] - 10)  # where no entry is
    page.wait_for_url("**/studio?at=*")
    wait_until_ready(page)
    page.fill(TEXT, "Written from a day of the calendar")
    expect(page.locator("#date")).to_have_value(f"{later}")
    finish(page)
    # 9: far too long, refused, mended
    write(page, "Long. " * 120, ("Mastodon", "Bluesky"), at=tomorrow + 4 * day)
    page.click("#do-schedule")
    expect(page.locator("#refused")).to_be_visible()
    desk.look(page, "studio-refused")
    page.fill(TEXT, "Short.")
    finish(page)

    # 10: by somebody whose posts need approval
    with desk.console.stack.database.transaction() as session:
        session.get_one(User, desk.console.user_in(session, Role.CREATOR).id).needs_approval = True
    creator = desk.open(Role.CREATOR, "/")
    write(creator, "A word from the new colleague", ("Sandbox", "Bluesky"), at=tomorrow + 2 * day)
    finish(creator)
    expect(creator.locator("#approval")).to_contain_text("Nothing of it is sent before an admin")
    desk.look(creator, "post-waits-for-approval")
    page.get_by_role("link", name="Approvals").click()
    page.wait_for_url("**/approvals")
    inbox = page.locator("[data-post]")
    expect(inbox).to_contain_text("A word from the new colleague")
    desk.look(page, "approvals")
    inbox.get_by_role("button", name="Approve").first.click()
    expect(inbox).to_have_count(0)
    expect(creator.locator("[data-status=Scheduled]").first).to_be_visible()

    # The draft is given its time from the list of posts
    page.get_by_role("link", name=re.compile(r"^Posts( \d+)?$")).click()
    page.wait_for_url("**/posts")
    wait_until_ready(page)
    expect(page.locator("tbody tr")).to_have_count(10)
    desk.look(page, "posts")
    page.get_by_role("link", name="A draft that waits").click()
    page.wait_for_url("**/posts/*")
    desk.look(page, "post-draft")
    page.get_by_role("link", name="Edit").click()
    page.wait_for_url("**/studio?post=*")
    expect(page.locator(TEXT)).to_have_value("A draft that waits for numbers")
    page.fill(TEXT, "No draft any more: 4,000 people came")
    page.fill("#date", f"{tomorrow + 6 * day:%Y-%m-%d}")
    page.fill("#time", "15:00")
    finish(page)

    # Dragged in the calendar, undone, dragged again
    visit(page, desk.console.url + "/calendar")
    desk.look(page, "calendar-month")
    target = (tomorrow + 6 * day).date()
    drag(page, "Written from a day", calendar_day(page, target))
    expect(page.locator("#undo")).to_contain_text("Moved to")
    expect(calendar_day(page, target)).to_contain_text("Written from a day")
    page.locator("#undo").get_by_role("button", name="Undo").click()
    expect(calendar_day(page, later)).to_contain_text("Written from a day")
    drag(page, "Written from a day", calendar_day(page, target))
    expect(calendar_day(page, target)).to_contain_text("Written from a day")
    page.locator(".fc-timeGridWeek-button").click()
    desk.look(page, "calendar-week")
    page.locator(".fc-dayGridMonth-button").click()
    # Edited from the calendar
    page.locator(".fc-event", has_text="Doors open").first.click()
    page.wait_for_url("**/posts/*")
    page.get_by_role("link", name="Edit").click()
    page.wait_for_url("**/studio?post=*")
    expect(page.locator(TEXT)).to_have_value("Doors open at nine. Bring questions. #harbour")
    page.fill(TEXT, "Doors open at ten. Bring questions. #harbour")
    finish(page)
    expect(page.locator(".post-text").first).to_have_text("Doors open at ten. Bring questions. #harbour")

    # Published: one from its own page, the others all at once
    thread = desk.post("How we built Harbour")
    visit(page, f"{desk.console.url}/posts/{thread.id}")
    page.get_by_role("button", name="Publish now").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Publish now").click()
    expect(page.locator(".page-head [data-status=Published]")).to_be_visible(timeout=SLOW)
    desk.look(page, "post-published-thread")
    visit(page, desk.console.url + "/posts?status=scheduled")
    expect(page.locator("tbody tr")).to_have_count(9)
    page.locator("#pick-page").click()
    desk.look(page, "posts-chosen")
    page.locator("#bulk").get_by_role("button", name="Publish now").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Publish now").click()
    expect(page.locator("#told")).to_contain_text("9 posts on the way out")
    page.get_by_role("tab", name=re.compile("^Published")).click()
    expect(page.locator("tbody tr")).to_have_count(10, timeout=SLOW)
    desk.look(page, "posts-published")
    assert {post.status for post in desk.posts()} == {PostStatus.PUBLISHED}
    assert len(desk.posts()) == 10
    visit(page, desk.console.url + "/")
    desk.look(page, "home-after")
    published(desk)


def published(desk: Desk) -> None:
    """Each post once, on each of its networks."""
    texts = [
        str(each["text"]) for each in desk.sandbox.ledger()["effects"] if each["kind"] in ("post", "reply")
    ]
    everywhere = "We are launching Harbour"
    assert sum(everywhere in text for text in texts) == 3  # sandbox, mastodon, bluesky
    assert sum(everywhere in str(message) for message in desk.telegram.messages.values()) == 1
    assert sum(everywhere in str(event) for event in desk.webhook.events) == 1
    assert sum("blue sky or not" in text for text in texts) == 1
    assert sum("It ended with a launch." in text for text in texts) == 3


def calendar_day(page: Page, day: date) -> Locator:
    return page.locator(f'.fc-daygrid-day[data-date="{day}"]')


def drag(page: Page, words: str, to: Locator) -> None:
    """As a hand does it: press, move in steps, let go."""
    source, target = page.locator(".fc-event", has_text=words).first.bounding_box(), to.bounding_box()
    assert source and target
    page.mouse.move(source["x"] + 12, source["y"] + 8)
    page.mouse.down()
    page.mouse.move(source["x"] + 20, source["y"] + 16, steps=4)
    page.mouse.move(target["x"] + target["width"] / 2, target["y"] + target["height"] - 14, steps=12)
    page.mouse.up()
