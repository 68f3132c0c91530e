"""What becomes of a post at whose time nothing could publish: as its author chose."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contentcaster.clock import utc_now
from contentcaster.engine import reconciler
from contentcaster.engine.policy import CLOCK
from contentcaster.models import JobState, MissedPolicy
from contentcaster.services import posts, timeline
from contentcaster.services.drafts import draft_of
from contentcaster.services.schedule import Schedule
from contentcaster.settings import get_settings
from tests.services.service_kit import Team


def hold_missed_in(team: Team, minutes: float) -> int:
    """What the reconciler does that long from now."""

    def later(offset_seconds: float) -> Any:
        return CLOCK(offset_seconds + minutes * 60)

    return int(team.write(reconciler.hold_missed, now=later))


@pytest.mark.parametrize(
    ("policy", "state", "status"),
    [
        (MissedPolicy.PUBLISH_LATE, JobState.PENDING_QUEUE, "PendingQueue"),
        (MissedPolicy.HOLD, JobState.HELD, "Missed"),
        (MissedPolicy.SKIP, JobState.CANCELLED, "Missed"),
    ],
)
def test_a_post_that_nothing_could_publish_follows_its_authors_choice(
    team: Team, policy: MissedPolicy, state: JobState, status: str
) -> None:
    draft = replace(team.draft("Doors open at nine"), missed_policy=policy)
    post = team.scheduled(draft=draft, in_seconds=60)
    limit_minutes = get_settings().missed_after_minutes

    assert hold_missed_in(team, limit_minutes) == 0
    hold_missed_in(team, limit_minutes + 1.1)

    assert [job.state for job in team.jobs(post.id)] == [state]
    assert team.read(posts.get_post, team.alice, post.id).status == status


def test_a_held_post_says_why_and_can_be_published_after_all(team: Team) -> None:
    draft = replace(team.draft("Doors open at nine"), missed_policy=MissedPolicy.HOLD)
    post = team.scheduled(draft=draft, in_seconds=60)
    hold_missed_in(team, get_settings().missed_after_minutes + 1.1)

    entries = team.read(timeline.get_timeline, team.alice, post.id)
    assert any(entry.title == "Missed" for entry in entries)
    again = team.write(posts.schedule_post, team.alice, post.id, Schedule.now())
    assert again.status == "PendingQueue"
    assert hold_missed_in(team, 1) == 0


def test_a_new_time_and_a_new_choice_reach_the_waiting_job(team: Team) -> None:
    post = team.scheduled(in_seconds=60)
    assert [job.late_until for job in team.jobs(post.id)] == [None]
    later = utc_now() + timedelta(hours=2)
    draft = replace(draft_of(post), missed_policy=MissedPolicy.SKIP)
    changed = team.write(
        posts.update_post, team.alice, post.id, draft, version=post.version, when=Schedule.at(later)
    )
    (job,) = team.jobs(post.id)
    assert (job.on_missed, job.late_until) == (
        "skip",
        later + timedelta(minutes=get_settings().missed_after_minutes),
    )
    assert changed.missed_policy == "skip"
    assert draft_of(team.read(posts.get_post, team.alice, post.id)).missed_policy is MissedPolicy.SKIP
