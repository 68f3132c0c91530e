"""The bot log: pages, filters, text, export that no spreadsheet runs, retention."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator
from datetime import timedelta

import pytest

from contentcaster.clock import utc_now
from contentcaster.errors import InvalidInput, NotAllowed
from contentcaster.services import bots_log, bots_log_search
from contentcaster.services.bots_log import Line, LogFilter
from tests.bots.bot_kit import World


def fill(world: World, count: int = 120) -> None:
    outcomes = ("done", "skipped", "refused")
    lines = [
        Line(bot="growth" if n % 2 else "engagement", action="follow" if n % 2 else "like",
             outcome=outcomes[n % 3], why=f"reason {n} tausend Gründe", target=f"@person{n}@mastodon.art",
             rule_name="Coffee people", at=utc_now() - timedelta(minutes=count - n))
        for n in range(count)
    ]  # fmt: skip
    world.write(bots_log.write, lines)


def test_pages_lead_through_every_line_once_newest_first(world: World) -> None:
    fill(world)
    seen = list(pages(world, LogFilter(), limit=50))
    assert len(seen) == 120
    assert seen == sorted(seen, reverse=True)


FOUND = {
    "person7@mastodon.art": 11, "person7": 11, "PERSON11": 11, "mastodon": 120, "gründe reason": 120, "coffee": 120,
    "nothing-like-it": 0, "' OR 1=1 --": 0, '"*': 0, "per% _": 120,
}  # fmt: skip


def test_text_is_found_by_the_beginnings_of_its_words(world: World) -> None:
    fill(world)
    for text, count in FOUND.items():
        page = world.read(bots_log.list_lines, world.mona, LogFilter(text=text), limit=200)
        assert len(page.items) == count, text


def test_filters_combine(world: World) -> None:
    fill(world)
    page = world.read(bots_log.list_lines, world.mona, LogFilter(bot="growth", outcome="done", text="person"))
    assert page.items
    assert {(line.bot, line.outcome) for line in page.items} == {("growth", "done")}
    recent = world.read(bots_log.list_lines, world.mona, LogFilter(hours=1), limit=200)
    assert 55 <= len(recent.items) <= 61
    for bad in ({"cursor": "x"}, {"cursor": "9" * 40}):
        with pytest.raises(InvalidInput):
            world.read(bots_log.list_lines, world.mona, **bad)
    with pytest.raises(InvalidInput):
        world.read(bots_log.list_lines, world.mona, LogFilter(outcome="x"))


# What is looked through and what the indexes are asked for: few lines here take every way there is.
WAYS = (
    {},
    {"_RECENT_IDS": 10, "_LOOK": 5},
    {"_RECENT_IDS": 10, "_FEW_LINES": 3},
    {"_RECENT_IDS": 10, "_FEW_FACETS": 0},
)
WANTED = ({"bot": "growth"}, {"outcome": "done", "action": "like"}, {"outcome": "failed"}, {})


def test_pages_of_any_filter_lead_through_every_line_that_fits(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(world)
    for way in WAYS:
        with monkeypatch.context() as patched:
            for name, value in way.items():
                patched.setattr(bots_log_search, name, value)
            for wanted, text in itertools.product(WANTED, ("", "reason", "reason 4")):
                fitting = [
                    line.id
                    for line in world.log(**wanted)[::-1]
                    if all(any(have.startswith(word) for have in line.why.split()) for word in text.split())
                ]
                assert list(pages(world, LogFilter(**wanted, text=text))) == fitting, (way, wanted, text)


def pages(world: World, wanted: LogFilter, limit: int = 40) -> Iterator[int]:
    """The ids of all pages in order."""
    cursor = ""
    while True:
        page = world.read(bots_log.list_lines, world.mona, wanted, cursor=cursor, limit=limit)
        yield from (line.id for line in page.items)
        cursor = page.next_cursor
        if not cursor:
            return


def test_the_hours_of_the_day_are_counted_per_bot_action_and_outcome(world: World) -> None:
    fill(world, 30)
    counted = world.read(bots_log.count_hours, hours=24, now=utc_now())
    assert sum(one.count for one in counted) == 30
    assert {(one.bot, one.action) for one in counted} == {("growth", "follow"), ("engagement", "like")}
    assert {one.hours_ago for one in counted} == {0}


def test_the_head_counts_lines_and_the_last_day(world: World) -> None:
    fill(world, 30)
    summary = world.read(bots_log.summarise, world.mona)
    assert summary.lines == 30
    assert summary.last_day == {"done": 10, "skipped": 10, "refused": 10}


def test_an_export_holds_no_formula_and_no_forged_line(world: World) -> None:
    hostile = ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "\t=1", "ok\r\nforged,line", 'quote " inside']
    world.write(
        bots_log.write,
        [Line(bot="growth", action="follow", outcome="done", why=text, target=text) for text in hostile],
    )
    content = "".join(bots_log.export_csv(world.database, world.mona, LogFilter()))
    rows = list(csv.reader(io.StringIO(content)))
    assert len(rows) == len(hostile) + 1
    cells = [cell for row in rows[1:] for cell in row]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]
    assert not [cell for cell in cells if "\n" in cell or "\r" in cell]
    with pytest.raises(NotAllowed):
        list(bots_log.export_csv(world.database, world.alice, LogFilter()))


def test_retention_drops_old_lines_and_their_words(world: World) -> None:
    fill(world, 10)
    world.write(
        bots_log.write,
        [
            Line(
                bot="growth",
                action="follow",
                outcome="done",
                why="ancient",
                at=utc_now() - timedelta(days=200),
            )
        ],
    )
    assert len(world.read(bots_log.list_lines, world.mona, LogFilter(text="ancient")).items) == 1
    assert bots_log.prune(world.database, keep_days=180) == 1
    assert world.read(bots_log.list_lines, world.mona, LogFilter(text="ancient")).items == []
    assert len(world.read(bots_log.list_lines, world.mona).items) == 10
