"""Importing posts from files as people have them: all of a file or nothing, and each row says what is wrong."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from sqlmodel import func, select

from contentcaster.clock import utc_now
from contentcaster.errors import Conflict, InvalidInput, NotAllowed, NotFound
from contentcaster.models import Job, JobState, Post, PostStatus
from contentcaster.services import csv_import, csv_tables, post_export, posts, slots
from contentcaster.services.csv_plan import Choices
from contentcaster.services.csv_rows import find_date_order
from tests.services.service_kit import Team

DAY = f"{utc_now() + timedelta(days=3):%Y-%m-%d}"


def upload(team: Team, content: bytes | str, who=None):
    data = content.encode() if isinstance(content, str) else content
    return team.write(csv_import.store, who or team.alice, filename="plan.csv", content=data)


def choose(team: Team, view, **choices):
    merged = {"columns": view.choices.columns, "timezone": "Europe/Berlin"} | choices
    return team.write(csv_import.set_choices, team.alice, view.id, Choices(**merged))


def check(team: Team, view):
    return team.read(csv_import.check, team.alice, view.id)


def run(team: Team, view):
    return team.write(csv_import.run_import, team.alice, view.id)


def count_posts(team: Team) -> int:
    with team.stack.database.reading() as session:
        return session.exec(select(func.count()).select_from(Post).where(Post.deleted_at.is_(None))).one()


@pytest.mark.parametrize(
    "content",
    [
        "Text,Channels,Date,Time\n{0}",
        "\ufeffText,Channels,Date,Time\r\n{0}",
        "Text;Channels;Date;Time\n{1}",
        "sep=;\nText;Channels;Date;Time\n{1}",
        "Text\tChannels\tDate\tTime\n{2}",
        "Nachricht,Kanal,Datum,Uhrzeit\n{0}",
        "message,profile,day,publish_time\n{0}",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_files_of_every_spreadsheet_are_read_and_their_columns_guessed(content: str, encoding: str) -> None:
    row = ("Grüße, alle", "@acme@example.social", DAY, "09:00")
    rows = [sign.join(f'"{cell}"' for cell in row) for sign in (",", ";", "\t")]
    if content.startswith("\ufeff") and encoding != "utf-8":
        return
    text, found = csv_tables.decode(content.format(*rows).encode(encoding))
    table = csv_tables.parse(text, csv_tables.find_delimiter(text))
    assert table.rows[0].cells == list(row)
    assert list(csv_tables.guess_columns(table.headings).values()) == ["text", "channels", "date", "time"]
    assert found == encoding


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"Text,Channels\n", "no rows"),
        (b"PK\x03\x04 workbook", "workbook"),
        (b"%PDF-1.7 renamed", "no CSV file"),
        (b"Text\nab\x00cd\n", "no text"),
        (b"Text\n\xff\xfe\x81\x8d\n", "Line 2 holds bytes"),
        (b'Text,Time\n"one",9:00\n"never closed,9:00\nmore,9:00\n', "line 3 is never closed"),
        (b'Text,Time\n"closed" too early,9:00\n', "line 2 a closing quotation mark"),
        (b"Text\n" + b"x\n" * 5001, "more than 5,000 rows"),
        (b"Text\n" + b"x" * 8_000_001, "at most 8 MB"),
        (b"Text\n" + b"x" * 140_000, "more than 131,072 characters"),
        (b",".join([b"x"] * 61) + b"\n1\n", "at most 60"),
    ],
)
def test_a_file_that_cannot_be_read_says_why_and_where(team: Team, content: bytes, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        upload(team, content)
    assert says in caught.value.message
    assert "file" in caught.value.fields


def test_each_row_is_judged_by_itself_and_a_dry_run_makes_nothing(team: Team) -> None:
    long = "x" * 40_000
    view = upload(
        team,
        "text,channels,date,time,tags\n"
        f"Good,@acme@example.social,{DAY},09:00,a; b\n"
        f"{long},@acme@example.social,{DAY},09:00,\n"
        f"Where to?,@nobody@example.social,{DAY},09:00,\n"
        "Past,@acme@example.social,2020-01-01,09:00,\n"
        "When?,@acme@example.social,tomorrow,09:00,\n"
        f"No hour,@acme@example.social,{DAY},,\n"
        f",@acme@example.social,{DAY},09:00,\n"
        f"Too many,@acme@example.social,{DAY},09:00,a,b,c\n"
        "\n"
        "Idea,,,,\n"
        f"Good,@acme@example.social,{DAY},10:00,\n"
        f"Winter,mastodon,{DAY},25:00,\n",
    )
    report = check(team, choose(team, view))
    said = {row.line: " ".join(row.messages) for row in report.rows}
    assert said[2] == ""
    assert "too long" in said[3]
    assert "no channel “@nobody@example.social”. You can use: " in said[4]
    assert "passed already" in said[5]
    assert "“tomorrow” is no date" in said[6]
    assert "a date but no time" in said[7]
    assert "text is empty" in said[8]
    assert "It has 7 cells, the header 5" in said[9]
    assert "no channel" in said[11]
    assert "stands in line 2" in said[12]
    assert "“25:00” is no time" in said[13]
    assert (report.ok, report.to_look_at, report.wrong) == (1, 2, 8)
    assert [row.level for row in report.rows][:8] == ["stop"] * 8
    assert count_posts(team) == 0


def test_one_wrong_row_keeps_the_whole_file_out(team: Team) -> None:
    view = choose(
        team,
        upload(
            team, f"text,channels,date,time\nGood,@acme@example.social,{DAY},09:00\nBad,nowhere,{DAY},9:00\n"
        ),
    )
    with pytest.raises(InvalidInput, match="Nothing was imported: 1 row cannot be, the first in line 3"):
        run(team, view)
    assert count_posts(team) == 0


def test_an_import_that_fails_half_way_leaves_nothing(team: Team) -> None:
    view = choose(team, upload(team, f"text,channels,date,time\nA,@acme@example.social,{DAY},09:00\n"))
    with pytest.raises(RuntimeError), team.stack.database.transaction() as session:
        csv_import.run_import(session, team.alice, view.id)
        raise RuntimeError("the machine goes down")
    assert (count_posts(team), team.jobs()) == (0, [])
    assert run(team, view).imported == 1


def test_imported_posts_are_scheduled_like_any_other(team: Team) -> None:
    view = upload(
        team,
        "Text;Channels;When;Labels;Link\n"
        f'"Line one\nline two";@acme@example.social, acme.example;{DAY} 09:30;news, launch;https://example.org/a\n'
        f"'=1+1;bluesky;{DAY}T10:00:00+02:00;;\n"
        "An idea;;;;\n",
    )
    choose(team, view)
    assert run(team, view).imported == 3
    rows = {row.text: row for row in team.read(posts.list_posts, team.alice).items}
    first = rows["Line one\nline two\nhttps://example.org/a"]
    assert (first.status in ("Scheduled", "PendingQueue"), first.wall_time) == (True, f"{DAY}T09:30")
    assert (len(first.channels), first.labels) == (2, ["news", "launch"])
    assert rows["=1+1"].scheduled_at.strftime("%H:%M") == "08:00"
    assert rows["An idea"].status == "Draft"
    jobs = team.jobs(first.id)
    assert [job.payload["text"] for job in jobs] == [first.text] * 2
    assert team.read(posts.list_posts, team.alice, search="line two").items[0].id == first.id


def test_the_same_file_is_imported_once_however_often_the_button_is_pressed(team: Team) -> None:
    view = choose(team, upload(team, f"text,channels,date,time\nA,@acme@example.social,{DAY},09:00\n"))
    run(team, view)
    with pytest.raises(Conflict, match="imported already"):
        run(team, view)
    with pytest.raises(NotFound):
        team.read(csv_import.get_import, team.bob, view.id)
    assert count_posts(team) == 1


def test_rows_without_a_time_can_fill_the_queue(team: Team) -> None:
    times = [(day, time_) for day in range(7) for time_ in ("09:00", "17:00")]
    team.write(slots.set_plan, team.ada, team.mastodon.id, timezone="Europe/Berlin", times=times)
    taken = team.write(slots.create_in_queue, team.bob, team.draft("Before"))
    content = "text\n" + "".join(f"Post {number}\n" for number in range(6))
    view = choose(team, upload(team, content), without_time="queue", account_ids=[team.mastodon.id])
    run(team, view)
    mine = sorted(row.scheduled_at for row in team.read(posts.list_posts, team.alice).items)
    assert len(set(mine)) == 6
    assert min(mine) > taken.scheduled_at
    after = team.write(slots.create_in_queue, team.bob, team.draft("After"))
    assert after.scheduled_at > max(mine)


def test_whoever_needs_approval_imports_posts_that_wait_for_it(team: Team) -> None:
    from dataclasses import replace

    careful = replace(team.alice, needs_approval=True)
    view = choose(team, upload(team, f"text,channels,date,time\nA,@acme@example.social,{DAY},09:00\n"))
    team.write(csv_import.run_import, careful, view.id)
    row = team.read(posts.list_posts, team.alice).items[0]
    assert (row.status, team.jobs()) == ("PendingApproval", [])
    assert team.write(posts.approve_post, team.ada, row.id, version=row.version).status in (
        "Scheduled",
        "PendingQueue",
    )


def test_an_import_can_be_undone_and_names_what_had_gone_out(team: Team) -> None:
    view = choose(
        team,
        upload(
            team,
            f"text,channels,date,time\nA,@acme@example.social,{DAY},09:00\nB,@acme@example.social,{DAY},10:00\n",
        ),
    )
    run(team, view)
    job = team.jobs()[0]
    team.set_job(job.id, JobState.SENDING)
    result = csv_import.undo_import(team.stack.database, team.alice, view.id)
    assert (result.done, result.skipped) == (1, 1)
    assert "being sent right now" in result.problems[0]
    assert count_posts(team) == 1
    with pytest.raises(Conflict):
        csv_import.undo_import(team.stack.database, team.alice, view.id)


def test_dates_that_can_be_two_days_ask_for_the_order(team: Team) -> None:
    year = utc_now().year + 1
    view = upload(team, f"text,channels,date,time\nA,@acme@example.social,03/04/{year},9:05 pm\n")
    assert "can be two days" in check(team, choose(team, view)).rows[0].messages[0]
    report = check(team, choose(team, view, date_order="mdy"))
    assert "4 Mar" in report.rows[0].when
    assert "21:05" in report.rows[0].when
    assert find_date_order(["03/04/2026", "13/04/2026"]) == "dmy"
    assert find_date_order(["03/14/2026"]) == "mdy"


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({}, "which column holds the text"),
        ({"0": "text", "1": "text"}, "Two columns"),
        ({"9": "text"}, "no such"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_said_before_any_row(team: Team, columns, says: str) -> None:
    view = upload(team, "a,b\n1,2\n")
    try:
        problem = check(team, choose(team, view, columns=columns)).problem
    except InvalidInput as error:
        problem = error.message
    assert says in problem


def test_those_who_write_no_posts_import_none(team: Team) -> None:
    with pytest.raises(NotAllowed):
        upload(team, "text\nA\n", team.vic)


def test_a_thousand_rows_are_a_matter_of_seconds(team: Team) -> None:
    rows = "".join(
        f'"Post {number}: grüße, {"wort " * 30}",@acme@example.social,{DAY},{number // 60 % 24:02}:{number % 60:02}\n'
        for number in range(1000)
    )
    begun = time.monotonic()
    view = choose(team, upload(team, "text,channels,date,time\n" + rows))
    assert check(team, view).ok == 1000
    checked = time.monotonic()
    assert run(team, view).imported == 1000
    done = time.monotonic()
    print(f"{team.stack.name}: check {checked - begun:.1f} s, import {done - checked:.1f} s")
    with team.stack.database.reading() as session:
        assert session.exec(select(func.count()).select_from(Job)).one() == 1000
    assert done - begun < 60  # seconds on a quiet machine; this one may be busy


def test_what_is_exported_runs_in_no_spreadsheet_and_comes_back_the_same(team: Team) -> None:
    nasty = ["=HYPERLINK(1)", "+1", "-2", "@cmd", "\t=1", 'say "hi", all\nof you', "plain"]
    for text in nasty:
        team.write(posts.create_post, team.alice, team.draft(text))
    content = "".join(post_export.export_csv(team.stack.database, team.alice))
    table = csv_tables.parse(content.removeprefix("\ufeff"), ",")
    cells = [cell for row in table.rows for cell in row.cells]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]
    view = upload(team, content)
    assert view.choices.columns["2"] == "text"
    team.write(csv_import.set_choices, team.alice, view.id, Choices({"2": "text", "3": "channels"}))
    run(team, view)
    texts = [row.text for row in team.read(posts.list_posts, team.alice, limit=200).items]
    assert sorted(texts) == sorted([text.strip() for text in nasty] * 2)
    assert team.read(posts.list_posts, team.alice, status=[PostStatus.DRAFT]).items[0].channels
