"""Bots and their log in a real browser: the rule editor, the live tail, and what a Monitor may not do."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from contentcaster.models import Role
from contentcaster.services import bots_log
from contentcaster.services.bots_log import Line
from tests.services_for_tests import factories
from tests.web.arriving import visit
from tests.web.conftest import Console, NewPage

pytestmark = pytest.mark.browser


def write_line(console: Console, target: str, outcome: str = "done", why: str = "fits") -> None:
    line = Line(
        bot="growth", action="follow", outcome=outcome, target=target, why=why, budget="17 of 20 today"
    )
    with console.stack.database.transaction() as session:
        bots_log.write(session, [line])


def test_a_rule_is_written_with_the_reason_at_its_field(new_page: NewPage, console: Console) -> None:
    owner = console.user(Role.ADMIN)
    with console.stack.database.transaction() as session:
        factories.create_account(session, owner, handle="@botter")
    page: Page = new_page(Role.ADMIN)
    visit(page, console.url + "/bots")
    page.locator("[data-bot=engagement]").get_by_role("button", name="New rule").click()
    page.fill("#templates", "Hi {first_name}")
    page.get_by_role("button", name="Save the rule").click()
    expect(page.get_by_role("alert").first).to_contain_text("no variable of a template")
    expect(page.locator("#templates")).to_have_value("Hi {first_name}")
    page.fill("#templates", "Thank you, {name}!")
    page.fill("#name", "Thanks")
    page.get_by_role("button", name="Save the rule").click()
    row = page.locator("[data-rule]", has_text="Thanks")
    expect(row).to_be_visible()
    expect(row.get_by_role("switch")).not_to_be_checked()
    expect(row.locator("select")).to_have_value("dry_run")


def test_a_line_appears_in_the_log_without_a_reload_and_filters_narrow_it(
    new_page: NewPage, console: Console
) -> None:
    write_line(console, "@first@mastodon.art")
    page: Page = new_page(Role.MONITOR)
    visit(page, console.url + "/bot-log")
    expect(page.get_by_text("@first@mastodon.art")).to_be_visible()
    write_line(console, "@second@mastodon.art", "refused", "deny list: crypto")
    expect(page.get_by_text("@second@mastodon.art")).to_be_visible()
    page.get_by_label("Outcome").select_option("refused")
    expect(page.get_by_text("@first@mastodon.art")).to_have_count(0)
    page.get_by_label("Outcome").select_option("")
    page.get_by_role("searchbox").fill("first")
    expect(page.get_by_text("@second@mastodon.art")).to_have_count(0)
    expect(page.get_by_text("@first@mastodon.art")).to_be_visible()
    page.get_by_text("@first@mastodon.art").click()
    expect(page.get_by_role("dialog")).to_contain_text("Explain this act")


def test_a_monitor_sees_no_lever(new_page: NewPage, console: Console) -> None:
    page: Page = new_page(Role.MONITOR)
    for route in ("/bots", "/bot-log"):
        visit(page, console.url + route)
        expect(page.locator("h1").first).to_be_visible()
        for name in ("Stop all bots", "New rule", "Approve", "Edit", "Delete", "Run now"):
            expect(page.get_by_role("button", name=name)).to_have_count(0)


def test_a_strangers_words_are_text_and_nothing_else(new_page: NewPage, console: Console) -> None:
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    write_line(console, hostile, why=hostile)
    page: Page = new_page(Role.ADMIN)
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.message}"))
    visit(page, console.url + "/bot-log")
    expect(page.get_by_text(hostile).first).to_be_visible()
    assert page.locator("img[src=x]").count() == 0


def test_the_page_draws_what_became_of_the_day_and_offers_drafts_by_the_assistant(
    new_page: NewPage, console: Console
) -> None:
    owner = console.user(Role.ADMIN)
    with console.stack.database.transaction() as session:
        factories.create_account(session, owner, handle="@drawn")
    write_line(console, "@third@mastodon.art", "snoozed", "the network asked for a pause")
    page: Page = new_page(Role.ADMIN)
    visit(page, console.url + "/bots")
    expect(page.locator("[data-outcome=snoozed]")).to_contain_text("1")
    page.locator("[data-bot=engagement]").get_by_role("button", name="New rule").click()
    expect(page.get_by_label("Let the assistant draft the reply")).to_be_visible()
    page.get_by_label("What it should write").fill("Thank them in one sentence.")
    page.get_by_label("Let the assistant draft the reply").check()
    page.get_by_label("Reply", exact=True).check()
    page.fill("#name", "Drafted")
    page.get_by_role("button", name="Save the rule").click()
    expect(page.locator("[data-rule]", has_text="Drafted")).to_be_visible()
