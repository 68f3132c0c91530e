"""The browser counts and reads clocks as the server does: one table through both."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from contentcaster.clock import utc_now
from contentcaster.errors import InvalidInput
from contentcaster.platforms.base import TextRule, TextUnit
from contentcaster.platforms.link_tags import LinkTagRule, tag_links
from contentcaster.platforms.text import find_urls, measure
from contentcaster.services import recurrence
from contentcaster.services.schedule import AmbiguousTime, Schedule, resolve
from tests.web.conftest import Console

RULES = {
    "mastodon": TextRule(
        500, TextUnit.GRAPHEMES, url_length=23, ignores_mention_domain=True, counts_content_warning=True
    ),
    "bluesky": TextRule(300, TextUnit.GRAPHEMES, max_bytes=3000),
    "x": TextRule(280, TextUnit.WEIGHTED, url_length=23, counts_bare_domains=True),
    "telegram": TextRule(4096, TextUnit.UTF16),
    "plain": TextRule(100, TextUnit.CHARACTERS),
}

TEXTS = [
    "",
    "Hello",
    "Grüße aus Köln, naïve façade",
    "e\u0301 combines, \u00e9 does not",
    "👩‍👩‍👧‍👦 family, 🇩🇪 flag, 👍🏽 thumb, 1️⃣ key, ☺️ and ☺, ©",
    "क्षि and 한글 and 日本語 and ไทย",
    "zero\u200bwidth and nbsp\u00a0and \u3000wide",
    "a\r\nb\nc",
    "https://example.org/a/very/long/path/that/counts/as/twenty-three/characters/only?x=1&y=2#z",
    "See https://example.org. And (https://example.org/a_(b)) too! HTTPS://UPPER.EXAMPLE/X, http://x",
    "https://例え.jp/日本?q=ä end; https://x.y/😀… https:// nothing",
    "no scheme example.org/path and ftp://example.org",
    "example.com. (bbc.co.uk/x) a@b.de #c.de e.g. README.md; https://a.de/?u=b.com 日本語x.io, end.It x.comfort",
    "@ada@mastodon.social and @bob and mail me@example.org or @ada@mastodon.social.",
    "https://mastodon.social/@ada@other.example and /@x@y.z and .@a@b.c ünder@a@b.c @ü@b.c",
    "#tag #日本 #1 #a1 x#no https://e.org/#frag",
    "x" * 299 + "👍",
    "ä" * 1501,
    "word " * 120,
    "😀" * 2050,
    "line\n" * 60 + "https://example.org/" + "p" * 200,
]


@pytest.fixture(scope="module")
def module_page(browser: Browser, console: Console) -> Any:
    page = browser.new_page()
    page.goto(console.url + "/sign-in")
    yield page
    page.close()


def in_browser(page: Page, module: str, code: str, argument: Any) -> Any:
    """Run code with the module that the page's own components are made of."""
    return page.evaluate(
        "async ([module, code, argument]) => {"
        " const m = await import(module);"
        " return ({counts: (t) => t.map(([text, rule, warning]) => { const r = m.measure(text, rule, warning);"
        "   return [r.length, r.isTooLong]; }),"
        "   links: (t) => t.map((text) => m.findLinks(text).map(({start, end}) => text.slice(start, end))),"
        "   cuts: (t) => t.map(([text, rule]) => { const at = m.overflowAt(text, rule);"
        "     return at === null ? null : text.slice(0, at); }),"
        "   tags: (t) => t.map(([text, tags]) => m.tagLinks(text, tags)),"
        "   parts: ([text, rules]) => m.splitIntoParts(text, rules),"
        "   readings: (t) => t.map(([date, time, zone]) => { const r = m.readingsOf(date, time, zone);"
        "     return [...new Set(r.candidates)].map((at) => at / 1000); }),"
        "   rules: (t) => t.map(([rule, date]) => { const repeat = m.repeatOf(rule, date);"
        "     return [repeat.kind, m.repeatRuleOf({repeat, schedule: {date}})]; }),"
        " })[code](argument); }",
        [module, code, argument],
    )


def as_json(rule: TextRule) -> dict[str, Any]:
    return asdict(rule) | {"unit": rule.unit.value}


def test_every_network_s_counter_in_the_browser_says_what_the_server_says(module_page: Page) -> None:
    table = [
        (text, rule, warning) for text in TEXTS for rule in RULES.values() for warning in ("", "Süß 👍🏽")
    ]
    sent = [(text, as_json(rule), warning) for text, rule, warning in table]
    counted = in_browser(module_page, "/js/composer_measure.js", "counts", sent)
    for (text, rule, warning), (length, is_too_long) in zip(table, counted, strict=True):
        expected = measure(text, rule, warning)
        assert (length, is_too_long) == (expected.length, expected.is_too_long), (text[:60], rule)


def test_links_are_tagged_in_the_browser_as_on_the_server(module_page: Page) -> None:
    more = ["https://e.org/?utm_source=own#x https://e.org/?a&", "(https://e.org/a_(b)#f)", "https://e.org?"]
    rules = [LinkTagRule("s", "m", "c"), LinkTagRule("", "", "only"), LinkTagRule()]
    table = [(text, rule) for text in TEXTS + more for rule in rules]
    tagged = in_browser(
        module_page, "/js/composer_measure.js", "tags", [(text, asdict(rule)) for text, rule in table]
    )
    assert tagged == [tag_links(text, rule) for text, rule in table]


def test_the_browser_sees_the_same_links_as_the_server(module_page: Page) -> None:
    found = in_browser(module_page, "/js/composer_measure.js", "links", TEXTS)
    assert found == [[text[start:end] for start, end in find_urls(text)] for text in TEXTS]


def test_what_is_marked_as_too_long_begins_where_the_server_would_refuse(module_page: Page) -> None:
    table = [(text, rule) for text in TEXTS for rule in RULES.values()]
    cuts = in_browser(
        module_page, "/js/composer_measure.js", "cuts", [(text, as_json(rule)) for text, rule in table]
    )
    for (text, rule), fitting in zip(table, cuts, strict=True):
        if fitting is None:
            assert not measure(text, rule).is_too_long
        else:
            assert not measure(fitting, rule).is_too_long
            assert measure(text[: len(fitting) + 15], rule).is_too_long


def test_a_long_text_is_split_at_sentences_and_every_part_fits_every_network(module_page: Page) -> None:
    rules = [RULES["mastodon"], RULES["bluesky"]]
    text = "One sentence follows another, and none is cut in two. " * 30 + "\n\n" + "Wörter ohne Punkt " * 40
    parts = in_browser(
        module_page, "/js/composer_measure.js", "parts", [text, [as_json(rule) for rule in rules]]
    )
    assert len(parts) > 5
    assert all(not measure(part, rule).is_too_long for part in parts for rule in rules)
    assert " ".join(parts).split() == text.split()
    assert all(part.endswith(".") for part in parts[:5])


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]
)
def test_a_wall_time_means_the_same_instants_in_the_browser_and_on_the_server(
    module_page: Page, zone: str
) -> None:
    year = utc_now().year + 1
    days = ["01-15", "03-14", "03-28", "04-04", "07-01", "10-03", "10-31", "11-07", "12-31"]
    times = ["00:00", "01:15", "01:45", "02:00", "02:15", "02:30", "03:00", "12:00", "23:59"]
    table = [(f"{year}-{day}", time, zone) for day in days for time in times]
    readings = in_browser(module_page, "/js/composer_clock.js", "readings", table)
    for (date, time, _zone), instants in zip(table, readings, strict=True):
        assert instants == expected_instants(f"{date}T{time}", zone), (date, time, zone)


def expected_instants(wall_time: str, zone: str) -> list[float]:
    try:
        return [resolve(Schedule.wall(wall_time, zone), now=utc_now()).at.timestamp()]
    except AmbiguousTime as error:
        return [reading.at.timestamp() for reading in error.readings]
    except InvalidInput as error:  # pragma: no cover - a table that is out of date
        raise AssertionError(error.message) from error


def test_a_kept_rule_is_shown_as_the_choice_that_says_it_and_says_the_same_again(module_page: Page) -> None:
    """2026-12-03 is the first Thursday of its month."""
    table = {
        "FREQ=DAILY": "daily",
        "FREQ=WEEKLY;COUNT=4;BYDAY=TH": "weekly",
        "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR": "weekdays",
        "FREQ=WEEKLY;INTERVAL=2;UNTIL=20271231T235959;BYDAY=TH": "fortnightly",
        "FREQ=MONTHLY;BYMONTHDAY=3": "monthly",
        "FREQ=MONTHLY;BYDAY=1TH": "nth",
        "FREQ=YEARLY": "yearly",
        "FREQ=WEEKLY;BYDAY=TU,TH": "custom",
        "FREQ=MONTHLY;BYMONTHDAY=-1": "custom",
    }
    sent = [(rule, "2026-12-03") for rule in table]
    shown = in_browser(module_page, "/js/composer_rule.js", "rules", sent)
    assert [kind for kind, _rule in shown] == list(table.values())
    first, zone = "2026-12-03T09:00", "Europe/Berlin"
    for rule, (_kind, again) in zip(table, shown, strict=True):
        assert recurrence.normalise(again, first, zone) == recurrence.normalise(rule, first, zone)
