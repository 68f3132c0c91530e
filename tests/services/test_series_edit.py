"""Changing a series: it goes on anew from its next occurrence, and nothing that a person decided is undone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from contentcaster.clock import utc_now
from contentcaster.errors import ChangedMeanwhile, Conflict, InvalidInput, NotFound
from contentcaster.models import Post
from contentcaster.services import posts, series, series_edit, series_making
from contentcaster.services.drafts import PostDraft, TargetDraft
from tests.services.service_kit import Team
from tests.services.test_series import ZONE, create, first_day


def change(team: Team, made, text: str = "New words", **more):
    who = more.pop("who", team.alice)
    content = team.read(series_edit.get_content, who, made.id)
    return team.write(
        series_edit.update_series,
        who,
        made.id,
        more.pop("draft", PostDraft(text=text, targets=content.draft.targets)),
        **{
            "rule": content.rule,
            "first_wall_time": content.first_wall_time,
            "timezone": content.timezone,
            "version": content.version,
        }
        | more,
    )


def texts(team: Team) -> dict[str, str]:
    """Wall time -> text of the posts that are there."""
    return {row.wall_time: row.text for row in team.read(posts.list_posts, team.alice, limit=200).items}


def test_new_words_reach_the_posts_that_wait_and_stay_the_same_posts(team: Team) -> None:
    made = create(team, "FREQ=WEEKLY")
    before = [each.post_id for each in made.next[:2]]
    done = change(team, made)
    assert (done.rewritten, done.made, done.taken_back, done.kept) == (2, 0, 0, 0)
    assert [each.post_id for each in done.series.next[:2]] == before
    assert set(texts(team).values()) == {"New words"}
    assert not any(each.is_changed for each in done.series.next)
    assert "2 posts rewritten" in done.sentence
    # and those that are made later
    series_making.make_due(team.stack.database, now=utc_now() + timedelta(days=20))
    assert set(texts(team).values()) == {"New words"}


def test_another_rule_takes_back_adds_and_rewrites(team: Team) -> None:
    made = create(team, "FREQ=DAILY")
    before = len(texts(team))
    done = change(team, made, rule="FREQ=WEEKLY", first_wall_time=first_day(2)[:10] + "T17:30")
    assert done.rewritten == len(texts(team)) == 2
    assert done.taken_back == before - 2
    assert {wall[11:] for wall in texts(team)} == {"17:30"}
    back = change(team, made, rule="FREQ=DAILY", first_wall_time=first_day(1))
    assert (back.made, back.rewritten) == (before - 2, 2)
    assert len(texts(team)) == before
    with team.stack.database.reading() as session:
        times = [post.scheduled_at for post in session.exec(select(Post)).all() if post.deleted_at is None]
    assert len(set(times)) == len(times)


def test_another_zone_keeps_the_hour_on_the_wall(team: Team) -> None:
    made = create(team, "FREQ=WEEKLY")
    done = change(team, made, timezone="America/New_York")
    assert done.series.next[0].wall_time == made.next[0].wall_time
    assert done.series.next[0].at - made.next[0].at == timedelta(hours=6)
    post = team.read(posts.get_post, team.alice, done.series.next[0].post_id)
    assert (post.timezone, post.scheduled_at) == ("America/New_York", done.series.next[0].at)


def test_what_a_person_changed_or_left_out_keeps_its_day(team: Team) -> None:
    made = create(team, "FREQ=DAILY")
    by_hand, left_out, deleted = made.next[2], made.next[3], made.next[4]
    post = team.read(posts.get_post, team.alice, by_hand.post_id)
    mine = PostDraft(text="By hand", targets=(TargetDraft(team.mastodon.id),))
    team.write(posts.update_post, team.alice, post.id, mine, version=post.version)
    team.write(series.skip, team.alice, made.id, left_out.wall_time)
    team.write(posts.delete_post, team.alice, deleted.post_id)
    done = change(team, made, first_wall_time=first_day()[:10] + "T18:00")
    assert done.kept == 1
    assert "1 post changed by hand" in done.sentence
    found = texts(team)
    assert found.pop(by_hand.wall_time) == "By hand"
    days = [wall[:10] for wall in found]
    for each in (by_hand, left_out, deleted):
        assert each.wall_time[:10] not in days  # no second post for that day
    assert {wall[11:] for wall in found} == {"18:00"}
    states = {each.wall_time[:10]: each for each in done.series.next}
    assert states[left_out.wall_time[:10]].state == "skipped"
    assert states[by_hand.wall_time[:10]].is_changed
    series_making.make_due(team.stack.database, now=utc_now())
    assert len(texts(team)) == len(found) + 1


def test_a_count_goes_on_with_what_is_left_of_it(team: Team) -> None:
    yesterday = first_day(-1)
    made = create(team, "FREQ=DAILY;COUNT=5", yesterday)
    content = team.read(series_edit.get_content, team.alice, made.id)
    gone = 5 - len(made.next)
    assert gone in (1, 2)
    assert content.rule == f"FREQ=DAILY;COUNT={5 - gone}"
    assert content.first_wall_time == made.next[0].wall_time
    done = change(team, made)
    assert [each.wall_time for each in done.series.next] == [each.wall_time for each in made.next]


def test_a_refusal_changes_nothing(team: Team) -> None:
    made = create(team, "FREQ=WEEKLY")
    before = texts(team)
    too_long = PostDraft(text="x" * 600, targets=(TargetDraft(team.mastodon.id),))
    for options in (
        {"draft": too_long},
        {"draft": PostDraft(text="To nobody")},
        {"rule": "FREQ=NEVER"},
        {"rule": "FREQ=DAILY;COUNT=2", "first_wall_time": "2020-01-01T09:00"},
        {"timezone": "Europe/Berlinn"},
    ):
        with pytest.raises(InvalidInput):
            change(team, made, **options)
    assert texts(team) == before
    assert team.read(series.get_series, team.alice, made.id).rule == "FREQ=WEEKLY"


def test_nobody_overwrites_what_somebody_else_changed_meanwhile(team: Team) -> None:
    made = create(team, "FREQ=WEEKLY")
    change(team, made, "From the admin", who=team.ada)
    assert set(texts(team).values()) == {"From the admin"}
    with pytest.raises(ChangedMeanwhile):
        change(team, made, version=made.version)
    for act in (series_edit.get_content, lambda s, p, i: change(team, made, who=p)):
        with pytest.raises(NotFound):
            team.read(act, team.bob, made.id)
    team.write(series.end_series, team.alice, made.id)
    with pytest.raises(Conflict):
        team.read(series_edit.get_content, team.alice, made.id)


def test_a_worker_that_looked_before_the_change_makes_nothing_by_the_old_rule(team: Team) -> None:
    made = create(team, "FREQ=DAILY")
    later = utc_now() + timedelta(days=5)
    with team.stack.database.reading() as session:
        row = session.get_one(series_making.Series, made.id)
        looked_at = series_making.due_of(row, later)[-1]
    change(team, made, rule="FREQ=WEEKLY", timezone=ZONE)
    with team.stack.database.transaction() as session:
        assert series_making._make_one(session, made.id, looked_at, later) == 0
