"""Approval in the console: asked for in the Studio, decided in the inbox, read by its author; two browsers at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from contentcaster.clock import utc_now
from contentcaster.models import Account, Post, PostStatus, Role, User
from contentcaster.services import posts
from contentcaster.services.drafts import draft_of
from tests.services_for_tests import factories
from tests.web.accessibility import accessibility_problems
from tests.web.arriving import visit
from tests.web.conftest import Console, NewPage


@pytest.fixture(scope="module")
def channel(console: Console) -> Iterator[str]:
    """A channel, and a creator whose posts need approval."""
    admin, creator = console.user(Role.ADMIN), console.user(Role.CREATOR)
    with console.stack.database.transaction() as session:
        made = factories.create_account(
            session, admin, platform="mastodon", handle="@acme@approve.example"
        ).id
        session.get_one(User, creator.id).needs_approval = True
    yield made
    with console.stack.database.transaction() as session:
        session.get_one(User, creator.id).needs_approval = False
        session.get_one(Account, made).deleted_at = utc_now()


def ask_in_studio(page: Page, channel: str, text: str) -> str:
    """Write in the Studio and ask; the id of the post."""
    page.locator(f'.chip[data-account="{channel}"]').wait_for()
    if page.locator(f'.chip[data-account="{channel}"]').get_attribute("aria-pressed") != "true":
        page.click(f'.chip[data-account="{channel}"]')
    page.fill("#text-0", text)
    page.click("text=in 1 h")
    page.click("#do-schedule")
    page.wait_for_url("**/posts/*")
    return page.url.rsplit("/", 1)[1]


def status_of(console: Console, post_id: str) -> PostStatus:
    with console.stack.database.reading() as session:
        return session.get_one(Post, post_id).status


def test_a_post_is_asked_for_sent_back_with_a_reason_and_approved_in_bulk(
    console: Console, channel: str, new_page: NewPage
) -> None:
    inbox = new_page(Role.ADMIN, "/approvals")
    expect(inbox.get_by_role("heading", name="Approvals")).to_be_visible()
    author = new_page(Role.CREATOR, "/studio")
    expect(author.locator("#do-now")).to_have_count(0)
    expect(author.locator("#do-schedule")).to_have_text("Request approval")
    post_id = ask_in_studio(author, channel, "Please have a look")
    card = inbox.locator(f'[data-post="{post_id}"]')
    expect(card).to_contain_text("Please have a look", timeout=10_000)  # without a reload

    card.get_by_role("button", name="Send back").click()
    expect(card.get_by_role("alert")).to_contain_text("Say what should change")
    card.get_by_label("A word to the author").fill("The link is missing.")
    card.get_by_role("button", name="Send back").click()
    expect(card).to_have_count(0)
    expect(author.locator("#approval")).to_contain_text("The link is missing.", timeout=10_000)
    assert status_of(console, post_id) is PostStatus.DRAFT

    visit(author, f"{console.url}/studio?post={post_id}")
    expect(author.locator("#review")).to_contain_text("The link is missing.")
    ask_in_studio(author, channel, "Now with a link: https://example.org")
    expect(card).to_contain_text("Now with a link", timeout=10_000)
    assert accessibility_problems(inbox) == []
    card.get_by_role("checkbox").click()
    inbox.get_by_role("button", name="Approve 1").click()
    inbox.get_by_role("alertdialog").get_by_role("button", name="Approve them").click()
    expect(card).to_have_count(0)
    assert status_of(console, post_id) in (PostStatus.SCHEDULED, PostStatus.PENDING_QUEUE)
    expect(author.locator("#approval")).to_contain_text("approved it", timeout=10_000)


def test_a_tick_does_not_count_for_words_that_were_changed_after_it(
    console: Console, channel: str, new_page: NewPage
) -> None:
    author = new_page(Role.CREATOR, "/studio")
    post_id = ask_in_studio(author, channel, "Harmless words")
    inbox = new_page(Role.ADMIN, "/approvals")
    card = inbox.locator(f'[data-post="{post_id}"]')
    card.get_by_role("checkbox").click()
    expect(inbox.get_by_role("button", name="Approve 1")).to_be_visible()
    with console.stack.database.transaction() as session:
        person = factories.principal_for(session.get_one(User, console.user(Role.CREATOR).id))
        current = posts.get_post(session, person, post_id)
        draft = replace(draft_of(current), text="Other words")
        posts.update_post(session, person, post_id, draft, version=current.version)
    expect(card).to_contain_text("Other words", timeout=10_000)
    expect(card.get_by_role("checkbox")).not_to_be_checked()
    expect(card.get_by_role("alert")).to_contain_text("changed since you chose it")
    expect(inbox.get_by_role("button", name="Approve 1")).to_have_count(0)
    assert status_of(console, post_id) is PostStatus.PENDING_APPROVAL


def test_a_comment_reaches_the_other_side_while_both_look(
    console: Console, channel: str, new_page: NewPage
) -> None:
    author = new_page(Role.CREATOR, "/studio")
    post_id = ask_in_studio(author, channel, "About the launch")
    inbox = new_page(Role.ADMIN, "/approvals", viewport={"width": 360, "height": 800}, color_scheme="dark")
    card = inbox.locator(f'[data-post="{post_id}"]')
    card.get_by_label("A word to the author").fill("Which launch?")
    card.get_by_role("button", name="Only comment").click()
    expect(author.locator("#approval .talk")).to_contain_text("Which launch?", timeout=10_000)
    author.locator("#review-words").fill("The one in May.")
    author.locator("#approval").get_by_role("button", name="Comment").click()
    expect(card.locator(".talk")).to_contain_text("The one in May.", timeout=10_000)
    assert inbox.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert accessibility_problems(inbox) == []
