"""Failed tasks, Queues and Channels: from a fault of the network to its repair, all of it real."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from sqlmodel import select

from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.models import Account, FailedTask, Role
from contentcaster.services import failed_tasks, preflight_due
from contentcaster.services.schedule import Schedule
from tests.services_for_tests.stack import Servers
from tests.web.accessibility import accessibility_problems
from tests.web.arriving import reload, visit
from tests.web.operations_world import World, in_a_thread, operations_world, wait_until
from tests.web.tab import open_tab

pytestmark = pytest.mark.browser

STATES = "reflex___state____state.contentcaster___state"
CANARY = "canary-5e1b9f0c-token-that-nobody-may-see"
SLOW = 20_000


@pytest.fixture(scope="module")
def world(built: Path, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with operations_world(servers, tmp_path_factory.mktemp("operations")) as running:
        yield running


@pytest.fixture(autouse=True)
def _clean(world: World) -> Iterator[None]:
    """Each test begins on a healthy network and ends without an error in any browser console."""
    world.network.clear_faults()
    world.network.config(software="mastodon", keyless=False, hide_timeline=False)
    world.problems.clear()
    world.frames.clear()
    admin = world.admin
    with world.console.stack.database.transaction() as session:
        for left in failed_tasks.list_groups(session, admin):
            failed_tasks.discard_group(session, admin, left.key)
    yield
    world.close_pages()
    assert world.problems == []


def group(page: Page, text: str) -> Locator:
    return page.locator("section[data-reason]", has_text=text)


def panel(page: Page) -> Locator:
    return page.locator("#explain")


def refused_post(world: World, handle: str, text: str) -> str:
    """A post that the network refuses at each of its tries."""
    account = world.connect(handle)
    world.network.fault("error_before", {"text_contains": text}, times=None, params={"status": 422})
    return world.publish(account, text)


# Failed tasks


def test_after_four_tries_a_post_stops_here_with_its_history_and_a_retry_publishes_it_without_a_reload(
    world: World, browser: Browser
) -> None:
    account, text = world.connect("three_failures"), "Three failures, then it works"
    world.network.fault("error_before", {"text_contains": text}, times=4, params={"status": 422})
    page = world.open(browser, Role.ADMIN, "/failed-tasks")
    expect(page.get_by_text("Nothing has failed")).to_be_visible()

    world.publish(account, text)
    failed = group(page, "Gave up after 4 tries")
    expect(failed).to_be_visible(timeout=SLOW)
    expect(failed).to_contain_text(text)
    expect(failed).to_contain_text("422")
    expect(page.locator(".nav-link", has_text="Failed tasks")).to_contain_text("1")
    expect(panel(page).locator("[data-status=Failed]")).to_be_visible()
    expect(panel(page).locator("li b", has_text="Sending")).to_have_count(4)
    raw = panel(page).locator("pre.raw").first
    expect(raw).to_be_hidden()
    panel(page).get_by_text("The network's answer").first.click()
    expect(raw).to_be_visible()

    failed.get_by_role("button", name="Retry").click()
    expect(panel(page).locator("[data-status=Published]")).to_be_visible(timeout=SLOW)
    expect(panel(page)).to_contain_text("Sent again by Person admin")
    expect(page.get_by_text("Nothing has failed")).to_be_visible()
    job = panel(page).locator("a[href^='/jobs/']").get_attribute("href")
    page.get_by_role("tab", name="Settled").click()
    expect(page.locator("tr", has_text=text)).to_contain_text("Sent again")
    assert page.evaluate("window.stayed")
    assert world.on_network(text) == 1

    page.goto(f"{world.console.url}{job}")
    expect(page.locator("[data-job-state=published]")).to_be_visible()
    expect(page.locator("[data-attempt=retry_later]")).to_have_count(4)
    expect(page.locator("[data-attempt=published]")).to_contain_text("sending")
    expect(page.locator("main")).to_contain_text("Nobody holds it.")
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_a_post_of_unknown_outcome_is_confirmed_with_its_link_and_a_bad_link_is_named_at_the_field(
    world: World, browser: Browser
) -> None:
    world.network.config(software="pleroma", keyless=True, hide_timeline=True)
    account, text = world.connect("is_it_there"), "Is this one there?"
    world.network.fault("drop_after", {"text_contains": text})
    post_id = world.publish(account, text)
    page = world.open(browser, Role.ADMIN, "/failed-tasks")
    held = group(page, "Needs review")
    expect(held).to_be_visible(timeout=SLOW)
    expect(panel(page)).to_contain_text("Nothing is sent until you decide")

    held.get_by_role("button", name="It is live: paste the link").click()
    link = page.get_by_label("Link of the post")
    link.fill("at acme, somewhere")
    page.get_by_role("button", name="It is live there").click()
    expect(page.locator("#remote_url-error")).to_contain_text("https://")
    expect(link).to_have_value("at acme, somewhere")
    expect(link).to_have_attribute("aria-invalid", "true")
    link.fill("https://sandbox.example/@is_it_there/1")
    page.get_by_role("button", name="It is live there").click()
    expect(held).to_have_count(0)
    expect(panel(page).locator("[data-status=Published]")).to_be_visible()
    assert world.on_network(text) == 1
    visit(page, f"{world.console.url}/posts/{post_id}")
    expect(page.get_by_role("link", name=re.compile("See it there"))).to_have_attribute(
        "href", "https://sandbox.example/@is_it_there/1"
    )


def test_a_revoked_login_is_connected_again_from_its_failed_task_and_both_posts_are_retried_at_once(
    world: World, browser: Browser
) -> None:
    account = world.connect("revoked")
    world.network.fault("revoked_token", {"account": "revoked"}, times=None)
    texts = ["Revoked, first post", "Revoked, second post"]
    for text in texts:
        world.publish(account, text)
    page = world.open(browser, Role.ADMIN, "/failed-tasks")
    failed = group(page, "Token revoked")
    expect(failed).to_contain_text("2 posts", timeout=SLOW)

    failed.get_by_role("link", name="Reconnect channel").click()
    expect(page.get_by_role("dialog")).to_contain_text("Reconnect Sandbox · @revoked")
    world.network.clear_faults()
    page.get_by_role("dialog").get_by_role("button", name="Connect").click()
    card = page.locator('[data-channel="@revoked"]')
    expect(card).to_have_attribute("data-status", "connected")

    page.locator(".nav-link", has_text="Failed tasks").click()
    failed.get_by_role("button", name="Retry both").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Send them").click()
    expect(failed).to_have_count(0)
    wait_until(lambda: [world.on_network(text) for text in texts] == [1, 1], "both posts on the network")


def test_letting_a_post_go_asks_first_and_sends_nothing(world: World, browser: Browser) -> None:
    text = "Refused for good"
    refused_post(world, "let_go", text)
    page = world.open(browser, Role.ADMIN, "/failed-tasks")
    row = page.locator("tr", has_text=text)
    expect(row).to_be_visible(timeout=SLOW)
    row.get_by_role("button", name="Let it go").click()
    question = page.get_by_role("alertdialog")
    expect(question).to_contain_text("Nothing is sent")
    question.get_by_role("button", name="Not now").click()
    expect(row).to_be_visible()
    row.get_by_role("button", name="Let it go").click()
    question.get_by_role("button", name="Let it go").click()
    expect(row).to_have_count(0)
    assert world.on_network(text) == 0


def test_a_monitor_reads_failed_tasks_and_can_act_on_none_not_even_with_a_forged_event(
    world: World, browser: Browser
) -> None:
    text = "Seen by the monitor"
    refused_post(world, "monitored", text)
    page = world.open(browser, Role.MONITOR, "/failed-tasks")
    row = page.locator("tr", has_text=text)
    expect(row).to_be_visible(timeout=SLOW)
    expect(panel(page)).to_contain_text("Given up")
    for name in ("Retry", "Let it go"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    with world.console.stack.database.reading() as session:
        task_id = session.exec(select(FailedTask.id).where(FailedTask.resolved_at.is_(None))).one()  # type: ignore[union-attr]

    async def forge() -> None:
        async with open_tab(world.console.url, cookie=world.console.cookie(Role.MONITOR)) as tab:
            state = f"{STATES}___failed_tasks____failed_tasks_state"
            for event, payload in (
                ("retry", {"task_id": task_id}),
                ("discard", {"task_id": task_id}),
                ("retry_group", {"key": "rejected~"}),
                ("resolve", {"form": {"remote_url": "https://a.example/1"}}),
            ):
                answer = await tab.ask(f"{state}.{event}", payload, path="/failed-tasks")
                assert "does not allow this" in str(answer)

    in_a_thread(forge())
    with world.console.stack.database.reading() as session:
        assert session.get_one(FailedTask, task_id).resolved_at is None


# Queues and workers


def test_a_paused_queue_says_who_and_why_holds_its_posts_and_sends_them_when_resumed(
    world: World, browser: Browser
) -> None:
    account, text = world.connect("paused"), "Waits for the queue"
    page = world.open(browser, Role.ADMIN, "/queues")
    queue = page.locator('[data-queue="publish"]')
    expect(page.locator('[data-worker="alive"]').first).to_be_visible()
    queue.get_by_role("button", name="Pause").click()
    page.get_by_label(re.compile("^Why")).fill("Maintenance until 14:00")
    page.get_by_role("button", name="Pause the queue").click()
    expect(queue).to_contain_text("by Person admin")
    expect(queue).to_contain_text("Maintenance until 14:00")

    world.publish(account, text)
    expect(queue).to_contain_text("Oldest was due", timeout=SLOW)
    assert world.on_network(text) == 0
    queue.get_by_role("button", name="Resume").click()
    wait_until(lambda: world.on_network(text) == 1, "the post on the network")
    expect(queue).to_have_attribute("data-paused", "false")
    expect(queue).to_contain_text("Nothing is late")


def test_a_monitor_sees_the_queues_without_a_lever(world: World, browser: Browser) -> None:
    page = world.open(browser, Role.MONITOR, "/queues")
    expect(page.locator("[data-queue]")).to_have_count(5)
    for name in ("Pause", "Resume", "Rebuild from the database"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)


def test_without_a_worker_the_page_says_so_and_what_to_type_and_recovers_when_one_starts(
    world: World, browser: Browser
) -> None:
    page = world.open(browser, Role.ADMIN, "/queues")
    expect(page.locator('[data-worker="alive"]').first).to_be_visible()
    world.stop_worker()
    try:
        alarm = page.get_by_role("alert")
        expect(alarm).to_contain_text("No worker runs", timeout=SLOW)
        expect(alarm).to_contain_text("contentcaster worker")
        expect(page.locator('[data-queue="publish"]')).to_contain_text("No worker")
    finally:
        world.start_worker()
    expect(page.locator('[data-worker="alive"]').first).to_be_visible(timeout=SLOW)
    expect(alarm).to_have_count(0)
    page.get_by_role("button", name="Rebuild from the database").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Rebuild").click()
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("Rebuilt from the database")


# Channels


def test_a_newcomer_connects_the_sandbox_with_just_a_handle_and_an_empty_one_is_named_at_the_field(
    world: World, browser: Browser
) -> None:
    page = world.open(browser, Role.ADMIN, "/channels")
    page.get_by_role("button", name="Connect a channel").first.click()
    page.locator('[data-platform="sandbox"]').click()
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator("#handle-error")).to_be_visible()
    page.get_by_label("Handle").fill("newcomer")
    page.get_by_role("button", name="Connect", exact=True).click()
    card = page.locator('[data-channel="@newcomer"]')
    expect(card).to_have_attribute("data-status", "connected")
    card.get_by_role("button", name="Check now").click()
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("login works")


def test_a_pasted_secret_goes_to_the_network_and_never_back_to_a_browser_a_log_or_the_database(
    world: World, browser: Browser
) -> None:
    page = world.open(browser, Role.ADMIN, "/channels")
    watcher = world.open(browser, Role.ADMIN, "/channels")
    page.get_by_role("button", name="Connect a channel").first.click()
    page.locator('[data-platform="mastodon"]').click()
    page.get_by_role("button", name="Paste a token instead").click()
    page.get_by_label("Access token").wait_for()  # the other form asks for a server too
    server = page.get_by_label("Server")
    server.fill(str(world.network.http.base_url).rstrip("/"))
    page.get_by_label("Access token").fill(CANARY)
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.locator("#access_token-error")).to_contain_text("does not accept")
    expect(server).to_have_value(str(world.network.http.base_url).rstrip("/"))
    expect(page.get_by_label("Access token")).to_have_attribute("type", "password")

    token = world.network.account("pasted")["access_token"]
    page.get_by_label("Access token").fill(token)
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(watcher.locator('[data-channel*="pasted"]')).to_be_visible()
    reload(watcher)  # hydrates: every var of every State is sent
    expect(watcher.locator('[data-channel*="pasted"]')).to_be_visible()

    seen = "".join(world.frames) + page.content() + watcher.content()
    seen += world.console.log.read_text(errors="replace")
    assert "pasted" in seen
    with world.console.stack.database.reading() as session:
        stored = " ".join(str(account.model_dump()) for account in session.exec(select(Account)))
    for secret in (CANARY, token):
        assert secret not in seen
        assert secret not in stored


def test_removing_a_channel_names_the_posts_that_depend_on_it_and_cancels_them_only_if_told(
    world: World, browser: Browser
) -> None:
    account = world.connect("removed")
    world.publish(account, "Tomorrow through the removed one", Schedule.at(utc_now() + timedelta(days=1)))
    page = world.open(browser, Role.ADMIN, "/channels")
    card = page.locator('[data-channel="@removed"]')
    card.get_by_role("button", name="More for this channel").click()
    page.get_by_role("menuitem", name="Remove").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 post waits")
    expect(dialog).to_contain_text("Tomorrow through the removed one")
    dialog.get_by_role("button", name="Remove the channel").click()
    expect(dialog.get_by_role("alert")).to_contain_text("scheduled")
    dialog.get_by_label("Cancel them on this channel").check()
    dialog.get_by_role("button", name="Remove the channel").click()
    expect(card).to_have_count(0)


def test_a_channel_is_renamed_unshared_and_switched_off_and_a_creator_sees_that_without_a_reload(
    world: World, browser: Browser
) -> None:
    world.connect("shared")
    page = world.open(browser, Role.ADMIN, "/channels")
    creator = world.open(browser, Role.CREATOR, "/channels")
    mine, theirs = (tab.locator('[data-channel="@shared"]') for tab in (page, creator))
    expect(theirs).to_be_visible()
    for button in ("Connect a channel", "Check now", "More for this channel"):
        expect(creator.get_by_role("button", name=button)).to_have_count(0)

    def choose(item: str) -> None:
        mine.get_by_role("button", name="More for this channel").click()
        page.get_by_role("menuitem", name=item).click()

    choose("Rename")
    page.get_by_label("Name", exact=True).fill("Acme everywhere")
    page.get_by_role("button", name="Rename").click()
    expect(theirs).to_contain_text("Acme everywhere")
    choose("Switch off")
    expect(theirs).to_have_attribute("data-status", "disabled")
    choose("Switch on")
    expect(theirs).to_have_attribute("data-status", "connected")
    choose("Stop sharing")
    expect(theirs).to_have_count(0)


def test_a_channels_page_shows_its_limits_as_answers_state_them_and_which_posts_an_ending_login_breaks(
    world: World, browser: Browser
) -> None:
    account = world.connect("limited")
    page = world.open(browser, Role.ADMIN, "/channels")
    page.get_by_role("link", name="limited", exact=True).click()
    expect(page.locator("main h1")).to_contain_text("@limited")
    world.network.config(mastodon_requests=200)
    try:
        world.publish(account, "Counts against the limit")
        # The worker learns it from the network's answer; this page hears of it.
        line = page.locator('[data-quota="requests"]')
        expect(line).to_contain_text("of 200 used", timeout=SLOW)
        expect(line).to_contain_text("x-ratelimit-remaining")
        expect(line).to_contain_text("per 5 minutes")
        expect(page.locator(".lines").first).to_contain_text("Published", timeout=SLOW)
    finally:
        world.network.config(mastodon_requests=300_000)

    world.publish(account, "Due after the login has ended", Schedule.at(utc_now() + timedelta(days=5)))
    with world.console.stack.database.transaction() as session:
        session.get_one(Account, account.id).token_expires_at = utc_now() + timedelta(days=3)
        live.note(session, "accounts")
    warning = page.locator('[data-login="ending"]')
    expect(warning).to_contain_text("1 scheduled post is due after that")
    expect(warning.get_by_role("link", name="Due after the login has ended")).to_be_visible()
    page.get_by_role("button", name="Check now").click()
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("login works")
    expect(warning).to_be_visible()
    look(page)


def test_what_the_look_before_the_due_time_finds_stands_at_the_post_while_somebody_can_act(
    world: World, browser: Browser
) -> None:
    account = world.connect("revoked")
    database = world.console.stack.database
    post_id = world.publish(account, "Due in twenty minutes", Schedule.at(utc_now() + timedelta(minutes=20)))
    page = world.open(browser, Role.ADMIN, f"/posts/{post_id}")
    expect(page.get_by_text("Due in twenty minutes").first).to_be_visible()
    with database.transaction() as session:
        session.get_one(Account, account.id).checked_at = None
    world.network.fault("revoked_token", {"account": "revoked"}, times=3)
    in_a_thread(preflight_due.look_at_due_async(database))
    expect(page.locator("[data-problems]")).to_contain_text("refuses its login now")
    expect(page.locator(".tl")).to_contain_text("nothing is stopped by this")
    look(page)


def look(page: Page) -> None:
    """A page has no accessibility problem and fits a narrow screen, in light and dark."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": 1280, "height": 800})
        assert accessibility_problems(page) == [], scheme
    page.set_viewport_size({"width": 360, "height": 780})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_have_no_accessibility_problem_and_fit_a_narrow_screen(
    world: World, browser: Browser, scheme: str
) -> None:
    text = f"Looked at in {scheme}"
    refused_post(world, f"looks_{scheme}", text)
    page = world.open(browser, Role.ADMIN, "/failed-tasks", color_scheme=scheme)
    expect(page.locator("tr", has_text=text)).to_be_visible(timeout=SLOW)
    problems = {}
    for path in ("/failed-tasks", "/queues", "/channels", "/users", "/audit", "/profile"):
        page.set_viewport_size({"width": 1280, "height": 800})
        visit(page, world.console.url + path)
        page.wait_for_selector("main h1")
        if found := accessibility_problems(page):
            problems[path] = found
        page.set_viewport_size({"width": 360, "height": 780})
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 360:
            problems[f"{path} at 360"] = [f"{width} px wide"]
    assert problems == {}
