"""While we were down: what was held for a person is decided over in one go, by who may."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import select

from contentcaster.clock import utc_now
from contentcaster.errors import NotAllowed
from contentcaster.models import FailedTask, MissedPolicy, PostStatus
from contentcaster.services import failed_tasks, home, missed, posts
from contentcaster.services.schedule import Schedule
from contentcaster.services.views import PostDetail
from contentcaster.settings import get_settings
from tests.services.service_kit import Team
from tests.services.test_missed import hold_missed_in


def held(team: Team, *texts: str, who: object = None) -> list[PostDetail]:
    """Posts whose time passed while nothing ran."""
    made = []
    for number, text in enumerate(texts):
        draft = replace(team.draft(text, team.mastodon, team.bluesky), missed_policy=MissedPolicy.HOLD)
        made.append(team.scheduled(who, draft=draft, in_seconds=60 + number))  # type: ignore[arg-type]
    hold_missed_in(team, get_settings().missed_after_minutes + 2)
    return made


def status(team: Team, post_id: str) -> str:
    return str(team.read(posts.get_post, team.ada, post_id).status)


def test_what_was_missed_is_listed_once_per_post_in_the_order_it_was_due(team: Team) -> None:
    first, second = held(team, "one", "two")
    theirs = held(team, "three", who=team.bob)[0]
    rows = team.read(missed.list_missed, team.ada)
    assert [row.post_id for row in rows] == [first.id, theirs.id, second.id] or {
        row.post_id for row in rows
    } == {first.id, second.id, theirs.id}
    assert [row.due_at for row in rows] == sorted(row.due_at for row in rows)
    assert all(len(row.channels) == 2 for row in rows)
    assert team.read(missed.count_missed, team.mona) == 3
    assert {row.post_id for row in team.read(missed.list_missed, team.bob)} == {theirs.id}
    with pytest.raises(NotAllowed):
        team.read(missed.list_missed, team.vic)


def test_each_decision_does_what_it_says_and_closes_what_stood_open(team: Team) -> None:
    now, later, never = held(team, "now", "later", "never")
    assert team.write(missed.publish_now, team.ada, [now.id]).done == 1
    at = utc_now() + timedelta(hours=3)
    assert team.write(missed.reschedule, team.ada, [later.id], Schedule.at(at)).done == 1
    assert team.write(missed.cancel, team.ada, [never.id]).done == 1
    assert status(team, now.id) == PostStatus.PENDING_QUEUE
    assert status(team, never.id) == PostStatus.MISSED  # it did miss its time; nothing waits any more
    moved = team.read(posts.get_post, team.ada, later.id)
    assert (moved.status, moved.scheduled_at) == (PostStatus.PENDING_QUEUE, at)
    assert team.read(missed.list_missed, team.ada) == []
    with team.stack.database.reading() as session:
        assert session.exec(select(FailedTask).where(FailedTask.resolved_at == None)).all() == []  # noqa: E711
    again = team.write(missed.publish_now, team.ada, [now.id, later.id, never.id])
    assert (again.done, again.skipped) == (0, 3) and "already" in again.problems[0]


def test_a_refusal_stops_none_of_the_others_and_nobody_decides_over_anothers(team: Team) -> None:
    mine = held(team, "mine")[0]
    theirs = held(team, "theirs", who=team.bob)[0]
    result = team.write(missed.cancel, team.alice, [mine.id, theirs.id])
    assert (result.done, result.skipped) == (1, 1) and "not yours" in result.problems[0]
    assert status(team, theirs.id) == PostStatus.MISSED
    for who in (team.mona, team.vic):
        with pytest.raises(NotAllowed):
            team.write(missed.publish_now, who, [theirs.id])
    bad = team.write(missed.reschedule, team.ada, [theirs.id], Schedule.at(utc_now() - timedelta(days=1)))
    assert bad.done == 0 and bad.problems and status(team, theirs.id) == PostStatus.MISSED


def test_home_and_failed_tasks_say_that_nothing_was_sent_not_that_it_may_be_live(team: Team) -> None:
    held(team, "one", "two")
    view = team.read(home.get_home, team.ada)
    assert [(item.href, item.count) for item in view.attention] == [("/missed", 2)]
    assert view.counts.needs_review == 0 and view.counts.failed_open == 4
    groups = team.read(failed_tasks.list_groups, team.ada)
    assert [group.is_review for group in groups] == [False, False]
