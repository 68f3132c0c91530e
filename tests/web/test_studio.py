"""Writing in the Studio, in a real browser against a real server."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Route, expect
from sqlmodel import select

from contentcaster.clock import utc_now
from contentcaster.models import Account, AccountStatus, MissedPolicy, Post, PostStatus, Role, User
from contentcaster.services import posts
from contentcaster.services.drafts import PostDraft, TargetDraft
from contentcaster.services.schedule import Schedule, wall_time_in
from tests.services_for_tests import factories
from tests.web.arriving import reload, visit
from tests.web.conftest import Console

TEXT = "#text-0"
ZONE = "Europe/Berlin"


@dataclass
class Channels:
    first: str
    """Takes 500, threads, warnings."""
    broken: str


@pytest.fixture(scope="module")
def channels(console: Console) -> Iterator[Channels]:
    admin = console.user(Role.ADMIN)
    with console.stack.database.transaction() as session:
        first = factories.create_account(session, admin, platform="mastodon", handle="@acme@first.example")
        broken = factories.create_account(
            session,
            admin,
            platform="mastodon",
            handle="@acme@broken.example",
            status=AccountStatus.REAUTHORISE,
            status_reason="The server refused the token.",
        )
        made = Channels(first.id, broken.id)
    yield made
    with console.stack.database.transaction() as session:
        for account_id in (made.first, made.broken):
            session.get_one(Account, account_id).deleted_at = utc_now()


OpenStudio = Callable[..., Page]


@pytest.fixture
def studio(browser: Browser, console: Console, channels: Channels) -> Iterator[OpenStudio]:
    """Open the Studio signed in; anything in the browser's console fails the test, except refusals it asks for."""
    problems: list[str] = []
    with ExitStack() as closing:

        def open_studio(
            path: str = "/studio", role: Role = Role.ADMIN, expects: str = "\0", **options: Any
        ) -> Page:
            context = browser.new_context(timezone_id=ZONE, locale="en-GB", **options)
            closing.callback(context.close)
            name, _, value = console.cookie(role).partition("=")
            context.add_cookies([{"name": name, "value": value, "url": console.url, "httpOnly": True}])
            page = context.new_page()
            page.on("console", lambda m: m.type != "error" or expects in m.text or problems.append(m.text))
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.set_default_timeout(10_000)
            visit(page, console.url + path)
            page.wait_for_selector(TEXT)
            return page

        yield open_studio
    assert problems == []


def chip(page: Page, account_id: str) -> Locator:
    return page.locator(f'.chip[data-account="{account_id}"]')


def counter(page: Page, account_id: str) -> Locator:
    return page.locator(f'.counter[data-account="{account_id}"] b')


def choose(page: Page, account_id: str) -> None:
    if chip(page, account_id).get_attribute("aria-pressed") != "true":
        chip(page, account_id).click()


def is_saved(page: Page) -> None:
    expect(page.locator("#saved")).to_contain_text("Saved", timeout=8000)


def post_of(console: Console, page: Page) -> Post:
    post_id = page.url.partition("post=")[2] or page.url.rstrip("/").rpartition("/")[2]
    with console.stack.database.reading() as session:
        return session.get_one(Post, post_id)


def pick_time(page: Page, ahead: timedelta) -> str:
    wall = wall_time_in(utc_now() + ahead, ZONE)[:16]
    page.fill("#date", wall[:10])
    page.fill("#time", wall[11:])
    page.fill("#zone", ZONE)
    page.press("#zone", "Enter")
    return wall


def picture() -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (64, 40), "teal").save(content, "PNG")
    return content.getvalue()


def test_counters_and_previews_follow_each_letter_without_the_server(
    studio: OpenStudio, channels: Channels
) -> None:
    page = studio(expects="ERR_INTERNET_DISCONNECTED")
    choose(page, channels.first)
    page.context.set_offline(True)  # nothing can be asked now
    page.locator(TEXT).press_sequentially(
        "Hi @ada@mastodon.social https://example.org/a/long/path/that/weighs/23"
    )
    expect(counter(page, channels.first)).to_have_text(f"{len('Hi @ada ') + 23} / 500")
    expect(page.locator(".preview .ent-link")).to_contain_text("example.org/a/long/path")
    expect(page.locator(".preview .ent-mention")).to_have_text("@ada@mastodon.social")
    page.context.set_offline(False)


def test_a_variant_is_marked_counted_by_itself_and_can_be_taken_back(
    studio: OpenStudio, channels: Channels
) -> None:
    page = studio()
    choose(page, channels.first)
    page.fill(TEXT, "For everybody")
    page.get_by_role("tab", name="Mastodon").click()
    page.fill(TEXT, "Only here")
    expect(page.locator(".variant-dot")).to_have_count(1)
    expect(counter(page, channels.first)).to_have_text("9 / 500")
    page.get_by_role("button", name="Use the common text again").click()
    expect(page.locator(TEXT)).to_have_value("For everybody")
    expect(page.locator(".variant-dot")).to_have_count(0)


def test_a_channel_that_needs_a_new_login_says_so_and_cannot_be_chosen(
    studio: OpenStudio, channels: Channels
) -> None:
    page = studio()
    expect(chip(page, channels.broken)).to_be_disabled()
    why = page.locator(".channel-why", has_text="@acme@broken.example")
    expect(why).to_contain_text("needs a new login. The server refused the token.")
    expect(why.get_by_role("link")).to_have_attribute("href", "/channels")


def test_a_draft_is_saved_while_it_is_written_and_is_there_after_a_reload(
    studio: OpenStudio, channels: Channels, console: Console
) -> None:
    page = studio()
    choose(page, channels.first)
    page.fill(TEXT, "Kept by the server")
    is_saved(page)
    assert post_of(console, page).status is PostStatus.DRAFT
    reload(page)
    expect(page.locator(TEXT)).to_have_value("Kept by the server")
    expect(chip(page, channels.first)).to_have_attribute("aria-pressed", "true")


def test_what_is_typed_without_a_connection_is_there_after_a_reload(
    studio: OpenStudio, channels: Channels, console: Console
) -> None:
    page = studio()
    page.fill(TEXT, "First")
    is_saved(page)
    drop_socket(page)
    page.fill(TEXT, "Typed on a train")
    reload(page)
    expect(page.locator(TEXT)).to_have_value("Typed on a train")
    is_saved(page)
    assert post_of(console, page).text == "Typed on a train"


def drop_socket(page: Page) -> None:
    """From now on nothing that this page sends arrives; a reload connects again."""
    page.evaluate("() => { WebSocket.prototype.send = () => {}; }")


def test_one_draft_comes_of_one_piece_of_writing_however_often_it_is_saved(
    studio: OpenStudio, console: Console
) -> None:
    page = studio()
    page.fill(TEXT, "unrepeatable words")
    is_saved(page)
    page.locator(TEXT).press_sequentially(" and more", delay=60)
    expect(page.locator("#saved")).to_contain_text("Saved just now", timeout=8000)
    with console.stack.database.reading() as session:
        found = session.exec(select(Post).where(Post.text.startswith("unrepeatable"))).all()
    assert [post.text for post in found] == ["unrepeatable words and more"]


def test_when_somebody_else_changed_the_post_meanwhile_both_versions_are_kept(
    studio: OpenStudio, console: Console
) -> None:
    page = studio()
    page.fill(TEXT, "Mine")
    is_saved(page)
    post = post_of(console, page)
    author = factories.principal_for(console.user(Role.ADMIN))
    with console.stack.database.transaction() as session:
        posts.update_post(session, author, post.id, PostDraft(text="Theirs"), version=post.version)
    page.fill(TEXT, "Mine, longer")
    expect(page.locator(".notices")).to_contain_text("changed this post while you were writing")
    expect(page.locator(".notices blockquote")).to_have_text("Theirs")
    page.get_by_role("button", name="Keep mine as a new draft").click()
    is_saved(page)
    mine = post_of(console, page)
    assert (mine.text, mine.id == post.id) == ("Mine, longer", False)
    with console.stack.database.reading() as session:
        assert session.get_one(Post, post.id).text == "Theirs"


def test_scheduled_by_keyboard_alone_it_waits_for_exactly_that_minute(
    studio: OpenStudio, channels: Channels, console: Console
) -> None:
    page = studio()
    chip(page, channels.first).focus()
    if chip(page, channels.first).get_attribute("aria-pressed") != "true":
        page.keyboard.press("Space")
    page.focus(TEXT)
    page.keyboard.type("Scheduled by keyboard")
    wall = pick_time(page, timedelta(hours=30))
    page.get_by_label("If nothing can publish at that time").focus()
    page.keyboard.type("hold")
    page.focus(TEXT)
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/posts/*")
    post = post_of(console, page)
    assert (post.wall_time, post.timezone) == (wall, ZONE)
    assert post.missed_policy is MissedPolicy.HOLD
    assert post.scheduled_at is not None
    assert wall_time_in(post.scheduled_at, ZONE) == wall
    assert post.status in (PostStatus.SCHEDULED, PostStatus.PENDING_QUEUE)
    told = "Scheduled for" if post.status is PostStatus.SCHEDULED else "it will still go out on time"
    expect(page.get_by_text(told).first).to_be_visible()


def test_a_scheduled_post_changes_only_when_that_is_meant(
    studio: OpenStudio, channels: Channels, console: Console
) -> None:
    author = factories.principal_for(console.user(Role.ADMIN))
    draft = PostDraft(text="As it was planned", targets=(TargetDraft(channels.first),))
    with console.stack.database.transaction() as session:
        at = (utc_now() + timedelta(days=2)).replace(second=0, microsecond=0)
        post = posts.create_post(session, author, draft, Schedule.at(at, ZONE))
    page = studio(f"/studio?post={post.id}")
    expect(page.locator(TEXT)).to_have_value("As it was planned")
    expect(page.locator("#time")).to_have_value(wall_time_in(at, ZONE)[11:16])
    page.fill(TEXT, "Half a sent")
    expect(page.locator("#saved")).to_have_text("Changed, not saved yet")
    expect(page.locator("#preflight")).to_contain_text(
        "ready"
    )  # it was looked over, so it would be saved by now
    assert post_of(console, page).text == "As it was planned"
    reload(page)
    expect(page.locator(TEXT)).to_have_value("Half a sent")
    expect(page.locator(".notices")).to_contain_text("We brought back what was not saved yet")
    page.fill(TEXT, "A whole sentence.")
    page.click("#do-schedule")
    page.wait_for_url("**/posts/*")
    stored = post_of(console, page)
    assert (stored.text, stored.scheduled_at) == ("A whole sentence.", at)


def test_a_scheduled_post_can_go_back_to_being_a_draft(
    studio: OpenStudio, channels: Channels, console: Console
) -> None:
    author = factories.principal_for(console.user(Role.ADMIN))
    draft = PostDraft(text="Not yet", targets=(TargetDraft(channels.first),))
    with console.stack.database.transaction() as session:
        post = posts.create_post(session, author, draft, Schedule.at(utc_now() + timedelta(days=2), ZONE))
    page = studio(f"/studio?post={post.id}")
    page.fill(TEXT, "Not yet, and unfinished")
    page.get_by_role("button", name="Back to draft").click()
    page.wait_for_url("**/posts/*")
    assert (post_of(console, page).status, post_of(console, page).text) == (
        PostStatus.DRAFT,
        "Not yet, and unfinished",
    )


def test_whoever_needs_approval_can_only_ask_for_it(
    studio: OpenStudio, channels: Channels, console: Console
) -> None:
    creator = console.user(Role.CREATOR)
    with console.stack.database.transaction() as session:
        session.get_one(User, creator.id).needs_approval = True
    page = studio(role=Role.CREATOR)
    choose(page, channels.first)
    page.fill(TEXT, "May I?")
    expect(page.locator("#do-now")).to_have_count(0)
    pick_time(page, timedelta(hours=5))
    page.get_by_role("button", name="Request approval").click()
    page.wait_for_url("**/posts/*")
    assert post_of(console, page).status is PostStatus.PENDING_APPROVAL
    with console.stack.database.transaction() as session:
        session.get_one(User, creator.id).needs_approval = False


def test_leaving_the_studio_saves_what_was_typed_last(studio: OpenStudio, console: Console) -> None:
    page = studio()
    page.fill(TEXT, "Typed just before leaving")
    page.get_by_role("navigation").get_by_role("link", name="Posts").click()
    expect(page.get_by_role("link", name="Typed just before leaving")).to_be_visible()
    page.get_by_role("link", name="New post").click()
    expect(page.locator(TEXT)).to_have_value("")


def test_a_time_in_the_past_is_refused_at_the_field_and_nothing_is_lost(
    studio: OpenStudio, channels: Channels, console: Console
) -> None:
    page = studio()
    choose(page, channels.first)
    page.fill(TEXT, "Too late")
    page.fill("#date", "2020-01-01")
    page.click("#do-schedule")
    expect(page.locator("#refused")).to_be_visible()
    expect(page.locator("#when-error")).to_contain_text("has passed already")
    expect(page.locator("#date")).to_be_focused()
    expect(page.locator(TEXT)).to_have_value("Too late")
    is_saved(page)
    assert (post_of(console, page).status, post_of(console, page).text) == (PostStatus.DRAFT, "Too late")


def test_an_unknown_zone_is_refused_at_the_field(studio: OpenStudio, channels: Channels) -> None:
    page = studio()
    choose(page, channels.first)
    page.fill(TEXT, "Somewhere")
    page.fill("#zone", "Europe/Berlinn")
    page.focus(TEXT)
    expect(page.locator("#zone-error")).to_contain_text("There is no time zone")
    page.click("#do-schedule")
    expect(page.locator("#zone-error")).to_contain_text("Did you mean Europe/Berlin?")
    expect(page.locator("#zone")).to_have_value("Europe/Berlinn")


@pytest.mark.parametrize(("date", "what"), [("03-28", "does not exist"), ("10-31", "happens twice")])
def test_a_time_at_which_the_clocks_change_asks_which_one_is_meant(
    studio: OpenStudio, channels: Channels, console: Console, date: str, what: str
) -> None:
    page = studio()
    choose(page, channels.first)
    page.fill(TEXT, "Clock change")
    page.fill("#zone", ZONE)
    page.press("#zone", "Enter")
    page.fill("#date", f"2027-{date}")
    page.fill("#time", "02:30")
    expect(page.locator(".fold")).to_contain_text(what)
    page.locator(".fold input").nth(1).check()
    page.click("#do-schedule")
    page.wait_for_url("**/posts/*")
    scheduled_at = post_of(console, page).scheduled_at
    assert scheduled_at is not None
    assert scheduled_at.strftime("%H:%M") == {"03-28": "00:30", "10-31": "01:30"}[date]


def test_a_text_that_is_too_long_is_marked_and_refused_at_the_field(
    studio: OpenStudio, channels: Channels
) -> None:
    page = studio()
    choose(page, channels.first)
    page.fill(TEXT, "word " * 101)
    expect(counter(page, channels.first)).to_have_text("504 / 500")
    expect(page.locator(".text-copy mark")).to_be_visible()
    page.click("#do-schedule")
    expect(page.locator("#text-error-0")).to_contain_text("too long")
    page.click("#split")
    expect(page.locator("#text-1")).to_be_visible()
    expect(page.locator(".text-copy mark")).to_have_count(0)


def test_forty_thousand_pasted_characters_are_counted_and_saved(
    studio: OpenStudio, channels: Channels, console: Console
) -> None:
    page = studio()
    choose(page, channels.first)
    page.fill(TEXT, "ü bewegt " * 4500)
    expect(counter(page, channels.first)).to_have_text("40499 / 500")
    is_saved(page)
    assert len(post_of(console, page).text) == 40499


def test_a_picture_gets_its_alt_text_and_is_kept_with_the_draft(
    studio: OpenStudio, channels: Channels
) -> None:
    page = studio()
    choose(page, channels.first)
    page.fill(TEXT, "With a picture")
    page.set_input_files("#media-input", {"name": "teal.png", "mimeType": "image/png", "buffer": picture()})
    page.get_by_role("textbox", name="Alt text").fill("A teal rectangle")
    expect(page.locator(".preview-media img")).to_have_attribute("alt", "A teal rectangle")
    is_saved(page)
    reload(page)
    expect(page.locator(".picture")).to_contain_text("A teal rectangle")
    expect(page.locator(".picture img")).to_have_js_property("complete", True)


@pytest.mark.parametrize("how", ["paste", "drop"])
def test_a_picture_can_be_pasted_or_dropped_into_the_text(studio: OpenStudio, how: str) -> None:
    page = studio()
    page.evaluate(
        """([how, bytes]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "held.png", {type: "image/png"}));
            const options = {bubbles: true, cancelable: true};
            const event = how === "paste"
                ? new ClipboardEvent("paste", {...options, clipboardData: data})
                : new DragEvent("drop", {...options, dataTransfer: data});
            document.querySelector("#text-0").dispatchEvent(event);
        }""",
        [how, list(picture())],
    )
    expect(page.locator(".picture")).to_contain_text("held.png")
    expect(page.get_by_role("textbox", name="Alt text")).to_be_visible()


def test_a_file_that_is_no_picture_says_so_and_leaves_the_text_alone(
    studio: OpenStudio, tmp_path: Path
) -> None:
    page = studio()
    page.fill(TEXT, "Still here")
    page.set_input_files(
        "#media-input", {"name": "report.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7"}
    )
    expect(page.locator(".media-list .error")).to_contain_text("report.pdf is no picture")
    huge = tmp_path / "huge.jpg"
    huge.write_bytes(b"\xff\xd8\xff" + bytes(60_000_000))
    page.set_input_files("#media-input", huge)
    expect(page.locator(".media-list .error")).to_contain_text("huge.jpg has 60 MB; at most 20 MB")
    expect(page.locator(TEXT)).to_have_value("Still here")


def test_a_renamed_pdf_is_refused_by_the_server_with_its_reason_at_the_picture(studio: OpenStudio) -> None:
    page = studio(expects="422")
    page.fill(TEXT, "Still here")
    page.set_input_files(
        "#media-input", {"name": "pic.png", "mimeType": "image/png", "buffer": b"%PDF-1.7 x"}
    )
    expect(page.locator(".picture .error")).to_contain_text("picture")
    page.get_by_role("button", name="Take out pic.png").click()
    expect(page.locator(".picture")).to_have_count(0)
    expect(page.locator(TEXT)).to_have_value("Still here")


def test_a_connection_lost_while_uploading_leaves_the_text_and_says_what_to_do(studio: OpenStudio) -> None:
    page = studio(expects="ERR_CONNECTION_RESET")
    page.fill(TEXT, "Laptop closed")

    def lose(route: Route) -> None:
        route.abort("connectionreset")

    page.context.route("**/api/v1/media", lose)
    page.set_input_files("#media-input", {"name": "teal.png", "mimeType": "image/png", "buffer": picture()})
    expect(page.locator(".picture .error")).to_contain_text("connection was lost")
    expect(page.locator(TEXT)).to_have_value("Laptop closed")


def test_a_creator_writes_without_a_way_to_connect_channels(studio: OpenStudio) -> None:
    page = studio(role=Role.CREATOR)
    expect(page.locator(".channels").get_by_role("link", name="Channel", exact=True)).to_have_count(0)
    page.fill(TEXT, "By a creator")
    is_saved(page)


def test_on_a_phone_nothing_is_wider_than_the_screen(studio: OpenStudio, channels: Channels) -> None:
    page = studio(viewport={"width": 360, "height": 740})
    choose(page, channels.first)
    page.fill(TEXT, "https://example.org/" + "x" * 200)
    page.click("#add-part")
    page.get_by_role("button", name="Warning").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
