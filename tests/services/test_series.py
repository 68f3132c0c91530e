"""Posts that repeat: the right instants, each occurrence at most one post, one skipped or changed alone."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlmodel import select

from contentcaster.clock import utc_now
from contentcaster.errors import Conflict, InvalidInput, NotFound
from contentcaster.models import Account, AccountStatus, Post, SeriesOccurrence, User
from contentcaster.services import posts, recurrence, series, series_making
from contentcaster.services.drafts import PostDraft, TargetDraft
from contentcaster.services.schedule import wall_time_in
from tests.services.service_kit import Team

ZONE = "Europe/Berlin"


def first_day(days: int = 1) -> str:
    return wall_time_in(utc_now() + timedelta(days=days), ZONE)[:10] + "T09:00"


def create(team: Team, rule: str = "FREQ=DAILY", first: str = "", **more):
    draft = more.pop("draft", None) or team.draft("Office hours")
    return team.write(
        series.create_series,
        more.pop("who", team.alice),
        draft,
        rule=rule,
        first_wall_time=first or first_day(),
        timezone=ZONE,
    )


def times(rule: str, first: str, count: int = 10, zone: str = ZONE) -> list[str]:
    cleaned = recurrence.normalise(rule, first, zone)
    found = itertools.islice(recurrence.occurrences(cleaned, first, zone), count)
    return [f"{each.at:%Y-%m-%dT%H:%M}" for each in found]


@pytest.mark.parametrize(
    ("rule", "first", "expected"),
    [
        ("FREQ=WEEKLY;BYDAY=TU,TH;COUNT=2", "2026-11-26T09:00", ["2026-11-26T08:00", "2026-12-01T08:00"]),
        ("RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", "2026-11-26T09:00", ["2026-11-27T08:00", "2026-12-25T08:00"]),
        ("freq=monthly;bymonthday=31;count=2", "2026-11-26T09:00", ["2026-12-31T08:00", "2027-01-31T08:00"]),
        ("FREQ=DAILY;UNTIL=20261128", "2026-11-27T09:00", ["2026-11-27T08:00", "2026-11-28T08:00"]),
        ("FREQ=DAILY;UNTIL=20261128T080000Z", "2026-11-27T09:00", ["2026-11-27T08:00", "2026-11-28T08:00"]),
        # the hour stays when the clocks change, on 2027-03-28 and 2027-10-31
        ("FREQ=DAILY;COUNT=2", "2027-03-27T09:00", ["2027-03-27T08:00", "2027-03-28T07:00"]),
        ("FREQ=DAILY;COUNT=2", "2027-03-28T02:30", ["2027-03-28T01:30", "2027-03-29T00:30"]),
        ("FREQ=DAILY;COUNT=2", "2027-10-31T02:30", ["2027-10-31T00:30", "2027-11-01T01:30"]),
        ("FREQ=YEARLY;COUNT=2", "2028-02-29T09:00", ["2028-02-29T08:00", "2032-02-29T08:00"]),
    ],
)  # fmt: skip
def test_a_rule_gives_these_instants(rule: str, first: str, expected: list[str]) -> None:
    assert times(rule, first) == expected


def test_clock_changes_are_explained() -> None:
    def notes(first: str) -> list[str]:
        return [each.note for each in recurrence.occurrences("FREQ=DAILY;COUNT=2", first, ZONE)]

    assert "does not exist that day" in notes("2027-03-27T02:30")[1]
    assert "goes out at 03:30" in notes("2027-03-27T02:30")[1]
    assert "comes twice that day" in notes("2027-10-30T02:30")[1]


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "every day",
        "FREQ=HOURLY",
        "FREQ=SECONDLY",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=5;UNTIL=20271231",
        "FREQ=DAILY;INTERVAL=x",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=DAILY;BYHOUR=1,2,3",
        "FREQ=DAILY;FREQ=WEEKLY",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=3",
        "FREQ=DAILY;UNTIL=99991231;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;UNTIL=20201301",
        "FREQ=DAILY;UNTIL=20200101",
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_quickly(rule: str) -> None:
    begun = time.monotonic()
    with pytest.raises(InvalidInput) as caught:
        recurrence.normalise(rule, "2026-11-26T09:00", ZONE)
    assert "rule" in caught.value.fields
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("FREQ=DAILY", "every day at 09:00"),
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "every weekday at 09:00"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;COUNT=10", "every 2 weeks on Tue and Thu at 09:00, 10 times"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "every month on the last Fri at 09:00"),
        (
            "FREQ=MONTHLY;BYMONTHDAY=-1;UNTIL=20271231",
            "every month on the last day at 09:00, until 31 Dec 2027",
        ),
        ("FREQ=YEARLY", "every year on 26 Nov at 09:00"),
    ],
)
def test_a_rule_is_said_in_words(rule: str, words: str) -> None:
    cleaned = recurrence.normalise(rule, "2026-11-26T09:00", ZONE)
    assert recurrence.describe(cleaned, "2026-11-26T09:00") == words


def test_the_posts_of_two_weeks_are_there_at_once_and_the_rest_is_planned(team: Team) -> None:
    made = create(team, "FREQ=WEEKLY")
    assert [each.state for each in made.next[:3]] == ["made", "made", "planned"]
    assert [each.post_status in ("Scheduled", "PendingQueue") for each in made.next[:2]] == [True, True]
    rows = team.read(posts.list_posts, team.alice).items
    assert sorted(row.wall_time for row in rows) == [each.wall_time for each in made.next[:2]]
    assert len(made.next) == 10


def test_however_many_workers_make_them_each_occurrence_is_one_post(team: Team) -> None:
    made = create(team, "FREQ=DAILY")
    at_once = len(team.read(posts.list_posts, team.alice).items)
    assert at_once in (13, 14)
    later = utc_now() + timedelta(days=10)
    with ThreadPoolExecutor(6) as pool:
        counts = list(pool.map(lambda _: series_making.make_due(team.stack.database, now=later), range(6)))
    with team.stack.database.reading() as session:
        rows = session.exec(select(SeriesOccurrence)).all()
        found = session.exec(select(Post)).all()
    assert len({row.wall_time for row in rows}) == len(rows) == len(found) == at_once + 10
    assert sum(counts) == 10
    assert len({post.wall_time for post in found}) == len(found)
    assert made.words == "every day at 09:00"


def test_one_can_be_left_out_and_taken_in_again(team: Team) -> None:
    made = create(team)
    soon, far = made.next[0], series.preview("FREQ=WEEKLY", first_day(40), ZONE)[0].wall_time
    view = team.write(series.skip, team.alice, made.id, soon.wall_time)
    assert view.next[0].state == "skipped"
    with pytest.raises(NotFound):
        team.read(posts.get_post, team.alice, soon.post_id)
    team.write(series.skip, team.alice, made.id, far)
    series_making.make_due(team.stack.database, now=utc_now() + timedelta(days=30))
    walls = [row.wall_time for row in team.read(posts.list_posts, team.alice, limit=200).items]
    assert far not in walls
    assert soon.wall_time not in walls
    again = team.write(series.unskip, team.alice, made.id, soon.wall_time)
    assert again.next[0].state == "made"
    with pytest.raises(Conflict):
        team.write(series.unskip, team.alice, made.id, soon.wall_time)


def test_one_can_be_changed_alone_and_stays_when_the_series_ends(team: Team) -> None:
    made = create(team, "FREQ=WEEKLY")
    far = made.next[4]
    post = team.write(series.make_now, team.alice, made.id, far.wall_time)
    again = team.write(series.make_now, team.alice, made.id, far.wall_time)
    assert (post.wall_time, again.id) == (far.wall_time, post.id)
    changed = PostDraft(text="Not today", targets=(TargetDraft(team.mastodon.id),))
    team.write(posts.update_post, team.alice, post.id, changed, version=again.version)
    view = team.read(series.get_series, team.alice, made.id)
    assert [each.is_changed for each in view.next[3:6]] == [False, True, False]
    assert team.write(series.end_series, team.alice, made.id).state == "ended"
    rows = team.read(posts.list_posts, team.alice).items
    assert [row.text for row in rows] == ["Not today"]
    with pytest.raises(Conflict):
        team.write(series.end_series, team.alice, made.id)


def test_what_cannot_be_scheduled_says_why_and_heals_by_itself(team: Team) -> None:
    made = create(team, "FREQ=WEEKLY")

    def set_status(status: AccountStatus) -> None:
        with team.stack.database.transaction() as session:
            session.execute(update(Account).where(Account.id == team.mastodon.id).values(status=status))

    set_status(AccountStatus.REAUTHORISE)
    # An hour short of a week after the first one: two weeks on, one more is due, at whatever hour this runs.
    later = made.next[0].at + timedelta(days=7, hours=-1)
    assert series_making.make_due(team.stack.database, now=later) == 0
    view = team.read(series.get_series, team.alice, made.id)
    assert "needs a new login" in view.problem
    set_status(AccountStatus.CONNECTED)
    assert series_making.make_due(team.stack.database, now=later) == 1
    assert team.read(series.get_series, team.alice, made.id).problem == ""


def test_somebody_who_left_makes_no_more_posts(team: Team) -> None:
    made = create(team, "FREQ=WEEKLY")
    with team.stack.database.transaction() as session:
        session.execute(update(User).where(User.id == team.alice.user_id).values(is_active=False))
    assert series_making.make_due(team.stack.database, now=utc_now() + timedelta(days=8)) == 0
    assert "cannot write posts any more" in team.read(series.get_series, team.ada, made.id).problem


def test_whoever_needs_approval_gets_posts_that_wait_for_it(team: Team) -> None:
    with team.stack.database.transaction() as session:
        session.get_one(User, team.alice.user_id).needs_approval = True
    series_id = create(team, "FREQ=WEEKLY").id
    series_making.make_due(team.stack.database, now=utc_now() + timedelta(days=8))
    statuses = {row.status for row in team.read(posts.list_posts, team.ada).items}
    assert "PendingApproval" in statuses
    assert team.read(series.get_series, team.alice, series_id).state == "active"


def test_a_series_ends_by_itself_after_its_last_post(team: Team) -> None:
    made = create(team, "FREQ=DAILY;COUNT=2")
    series_making.make_due(team.stack.database, now=utc_now() + timedelta(days=5))
    assert team.read(series.list_series, team.alice) == []
    assert [view.id for view in team.read(series.list_series, team.alice, is_active=False)] == [made.id]


def test_a_series_of_somebody_else_is_not_there(team: Team) -> None:
    made = create(team)
    for act in (series.end_series, lambda s, p, i: series.skip(s, p, i, made.next[0].wall_time)):
        with pytest.raises(NotFound):
            team.write(act, team.bob, made.id)
    assert team.read(series.list_series, team.bob) == []
    assert team.read(series.list_series, team.ada)[0].is_mine


def test_nothing_begins_that_is_wrong_or_over(team: Team) -> None:
    with pytest.raises(InvalidInput):
        create(team, draft=PostDraft(text="x" * 600, targets=(TargetDraft(team.mastodon.id),)))
    with pytest.raises(InvalidInput):
        create(team, "FREQ=DAILY;COUNT=2", "2020-01-01T09:00")
    assert team.read(series.list_series, team.alice) == []
