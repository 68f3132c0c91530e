"""The assistant in the Studio, in a real browser, with a server that speaks the Gemini API behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from contentcaster.models import Role
from contentcaster.services import media
from tests.assistant.gemini_server import PORT, WITH_KEY, Twin, busy, gemini_twin, says
from tests.services.service_kit import png
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Servers, activated, as_environment
from tests.web.accessibility import accessibility_problems
from tests.web.arriving import reload, visit
from tests.web.conftest import Console, free_port, running_console

pytestmark = pytest.mark.browser
ANSWER_MS = 30_000
"""The first question of a process also loads the library, on a machine that may be busy."""
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def gemini() -> Iterator[Twin]:
    with gemini_twin(PORT) as twin:
        yield twin


@pytest.fixture(scope="module")
def own_console(
    gemini: Twin, built: Any, servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("assistant")
    environment = as_environment(
        data_dir=folder,
        database_url=servers.new_sqlite_database(folder),
        host="127.0.0.1",
        port=free_port(),
        **WITH_KEY,
    )
    with activated("sqlite", environment) as stack, running_console(stack, folder) as console:
        with stack.database.transaction() as session:
            factories.create_account(
                session, console.user_in(session, Role.ADMIN), platform="bluesky", handle="acme.example"
            )
        yield console


@pytest.fixture
def studio(browser: Browser, own_console: Console) -> Iterator[Open]:
    contexts: list[Any] = []
    problems: list[str] = []

    def open_page(path: str = "/studio", role: Role = Role.ADMIN, **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        name, _, value = own_console.cookie(role).partition("=")
        context.add_cookies([{"name": name, "value": value, "url": own_console.url, "httpOnly": True}])
        page = context.new_page()
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        visit(page, own_console.url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


def choose_channel(page: Page) -> None:
    chip = page.get_by_role("button", name="acme.example").first
    if chip.get_attribute("aria-pressed") != "true":
        chip.click()


def test_a_suggestion_streams_in_and_replaces_nothing_until_it_is_used(studio: Open, gemini: Twin) -> None:
    go_on = threading.Event()
    gemini.answers(says("Doors open ", "on Saturday. ", "Bring friends!", go_on=go_on))
    page = studio()
    text = page.get_by_role("textbox", name="Text", exact=True)
    text.fill("My own words")
    choose_channel(page)
    page.locator("#assistant-toggle").focus()
    page.keyboard.press("Enter")  # all of it with the keyboard
    expect(page.locator("#assistant .chip[aria-pressed=true]")).to_be_focused()
    page.get_by_label("What is it about?").fill("open day on saturday")
    page.get_by_label("Tone").select_option("friendly")
    page.locator("#assistant-ask").press("Enter")
    suggested = page.get_by_role("region", name="Suggested text")
    expect(suggested).to_have_text("Doors open ", timeout=ANSWER_MS)  # while the rest is still on its way
    expect(text).to_have_value("My own words")
    go_on.set()
    expect(page.locator("#assistant-accept")).to_be_visible()
    expect(suggested).to_have_text("Doors open on Saturday. Bring friends!")
    expect(page.locator(".suggestion .pill.ok")).to_have_text("fits")
    page.locator("#assistant-accept").press("Enter")
    expect(text).to_have_value("Doors open on Saturday. Bring friends!")
    text.press_sequentially(" Yes")
    page.locator("#assistant-undo").click()
    expect(text).to_have_value("My own words")
    page.locator("#assistant-undo").click()  # what was typed since is not lost either
    expect(text).to_have_value("Doors open on Saturday. Bring friends! Yes")


def test_hashtags_are_added_and_what_goes_wrong_is_said_at_its_place(studio: Open, gemini: Twin) -> None:
    page = studio()
    text = page.get_by_role("textbox", name="Text", exact=True)
    text.fill("Coffee on Saturday")
    page.locator("#assistant-toggle").click()
    page.get_by_role("button", name="Hashtags").click()
    gemini.answers(busy("17s"))
    page.locator("#assistant-ask").click()
    expect(page.locator("#assistant-error")).to_contain_text("Try again in 17 s", timeout=ANSWER_MS)
    gemini.answers(says('{"hashtags": ["coffee", "openday"]}'))
    page.locator("#assistant-ask").click()
    page.locator("#assistant-accept").click()
    expect(text).to_have_value("Coffee on Saturday\n\n#coffee #openday")


def test_a_foreign_link_is_pointed_out_and_stop_ends_a_question(studio: Open, gemini: Twin) -> None:
    page = studio()
    page.get_by_role("textbox", name="Text", exact=True).fill("Hello")
    page.locator("#assistant-toggle").click()
    page.get_by_role("button", name="Rewrite").click()
    gemini.answers(says("See https://evil.example/x"))
    page.locator("#assistant-ask").click()
    expect(page.locator(".suggestion-warnings")).to_contain_text("evil.example", timeout=ANSWER_MS)
    go_on = threading.Event()
    gemini.answers(says("One ", "two ", "three", go_on=go_on))
    page.get_by_role("button", name="Another").click()
    expect(page.get_by_role("region", name="Suggested text")).to_have_text("One ")
    page.locator("#assistant-stop").click()
    expect(page.locator(".suggestion")).to_have_count(0)
    go_on.set()


def test_alt_text_is_suggested_in_the_studio_and_in_the_library(
    studio: Open, gemini: Twin, own_console: Console
) -> None:
    with own_console.stack.database.reading() as session:
        admin = factories.principal_for(own_console.user_in(session, Role.ADMIN))
    picture = media.store_upload(own_console.stack.database, admin, filename="cat.png", content=png())
    gemini.answers(says("A cat on a sill."))
    page = studio(f"/studio?media={picture.id}")
    page.get_by_role("button", name="Suggest alt text for cat.png").click()
    alt = page.get_by_role("textbox", name="Alt text")
    expect(alt).to_have_value("A cat on a sill.", timeout=ANSWER_MS)
    page.get_by_role("button", name="Undo the suggested alt text").click()
    expect(alt).to_have_value("")
    visit(page, own_console.url + "/media")
    page.locator(".tiles button").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Suggest").click()
    expect(dialog.get_by_role("textbox", name="Alt text")).to_have_value("A cat on a sill.")
    assert accessibility_problems(page) == []
    dialog.get_by_role("button", name="Save alt text").click()
    expect(page.get_by_text("Alt text saved")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_panel_is_accessible_and_fits_a_phone(studio: Open, gemini: Twin, scheme: Any) -> None:
    gemini.answers(
        says("Doors open on Saturday at https://evil.example. Bring your friends and stay for the tasting!")
    )
    page = studio(color_scheme=scheme, viewport={"width": 1360, "height": 900})
    page.get_by_role("textbox", name="Text", exact=True).fill("Open day on Saturday")
    choose_channel(page)
    page.locator("#assistant-toggle").click()
    page.get_by_role("button", name="Rewrite").click()
    page.locator("#assistant-ask").click()
    expect(page.locator("#assistant-accept")).to_be_visible(timeout=ANSWER_MS)
    assert accessibility_problems(page) == []
    page.set_viewport_size({"width": 360, "height": 780})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_an_admin_sets_the_brands_voice_and_sees_what_was_used(studio: Open, gemini: Twin) -> None:
    page = studio("/assistant", viewport={"width": 1280, "height": 900})
    page.get_by_label("Brand voice").fill("Warm. We say “folks”.")
    page.get_by_label("Tokens per person and day").fill("x")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Enter a number.")).to_be_visible()
    expect(page.get_by_label("Brand voice")).to_have_value("Warm. We say “folks”.")
    page.get_by_label("Tokens per person and day").fill("50000")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved. The next question uses it.")).to_be_visible()
    reload(page)
    expect(page.get_by_label("Brand voice")).to_have_value("Warm. We say “folks”.")
    expect(page.get_by_role("cell", name="Person admin")).to_be_visible()
    assert accessibility_problems(page) == []
