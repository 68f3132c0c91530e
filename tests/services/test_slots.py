"""Queue slots: the next free one, given to one post only, right also when the clocks change."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from contentcaster.clock import utc_now
from contentcaster.errors import Conflict, InvalidInput, NotAllowed, NotFound
from contentcaster.models import Account
from contentcaster.services import posts, slots
from contentcaster.services.drafts import PostDraft, TargetDraft
from contentcaster.services.schedule import Schedule
from tests.services.service_kit import Team

DAILY = [(weekday, time) for weekday in range(7) for time in ("09:00", "17:30")]


def plan(team: Team, account: Account, times=DAILY, zone: str = "Europe/Berlin", **more):
    return team.write(slots.set_plan, team.ada, account.id, timezone=zone, times=times, **more)


def queue(team: Team, who=None, *accounts: Account):
    return team.write(slots.create_in_queue, who or team.alice, team.draft("Queued", *accounts))


def test_posts_fill_one_slot_after_the_other(team: Team) -> None:
    plan(team, team.mastodon)
    made = [queue(team) for _ in range(5)]
    times = [post.scheduled_at for post in made]
    assert times == sorted(set(times))
    assert {post.wall_time[11:] for post in made} == {"09:00", "17:30"}
    assert all(later - earlier < timedelta(hours=16) for earlier, later in itertools.pairwise(times))
    assert [post.timezone for post in made] == ["Europe/Berlin"] * 5


def test_two_people_who_ask_at_once_never_get_the_same_slot(team: Team) -> None:
    plan(team, team.mastodon)

    def ask(number: int) -> datetime:
        who = team.alice if number % 2 else team.bob
        draft = PostDraft(text=f"Post {number}", targets=(TargetDraft(team.mastodon.id),))
        return team.stack.database.write(lambda s: slots.create_in_queue(s, who, draft)).scheduled_at

    with ThreadPoolExecutor(8) as pool:
        times = list(pool.map(ask, range(16)))
    assert len(set(times)) == 16
    first = min(times)
    wanted = slots.expand(
        [(day, m) for day in range(7) for m in (540, 1050)], "Europe/Berlin", first, first + timedelta(days=8)
    )
    assert sorted(times) == wanted[:16]  # and none was left out


def test_a_slot_is_free_again_when_its_post_is_cancelled_moved_or_deleted(team: Team) -> None:
    plan(team, team.mastodon)
    first, second, third = (queue(team) for _ in range(3))
    team.write(posts.cancel_post, team.alice, first.id)
    team.write(posts.schedule_post, team.alice, second.id, Schedule.at(utc_now() + timedelta(days=60)))
    team.write(posts.delete_post, team.alice, third.id)
    assert [queue(team).scheduled_at for _ in range(3)] == [
        first.scheduled_at,
        second.scheduled_at,
        third.scheduled_at,
    ]


def test_a_post_that_somebody_put_at_that_time_by_hand_takes_the_slot(team: Team) -> None:
    plan(team, team.mastodon)
    free = team.read(slots.next_free, team.alice, [team.mastodon.id])
    team.write(posts.create_post, team.bob, team.draft("By hand"), Schedule.at(free.at))
    assert queue(team).scheduled_at > free.at


def test_a_post_that_waits_for_approval_holds_its_slot(team: Team) -> None:
    plan(team, team.mastodon)
    draft = team.draft("May I?")
    asked = team.write(slots.create_in_queue, team.alice, draft, is_asking_approval=True)
    assert asked.status == "PendingApproval"
    assert queue(team, team.bob).scheduled_at > asked.scheduled_at


def test_several_channels_share_the_first_time_that_all_of_them_have_free(team: Team) -> None:
    plan(team, team.mastodon, [(day, "09:00") for day in range(7)])
    plan(team, team.bluesky, [(day, time) for day in range(7) for time in ("08:00", "09:00")])
    post = queue(team, team.alice, team.mastodon, team.bluesky)
    assert post.wall_time.endswith("T09:00")
    alone = queue(team, team.bob, team.bluesky)
    assert alone.wall_time.endswith("T08:00")


def test_where_their_times_never_meet_it_is_a_slot_of_one_and_says_so(team: Team) -> None:
    plan(team, team.mastodon, [(day, "09:00") for day in range(7)])
    plan(team, team.bluesky, [(day, "10:00") for day in range(7)])
    free = team.read(slots.next_free, team.alice, [team.mastodon.id, team.bluesky.id])
    assert len(free.account_ids) == 1
    assert "none at that time" in free.note


def test_without_slots_it_says_where_to_set_them(team: Team) -> None:
    with pytest.raises(InvalidInput, match="no queue times are set yet"):
        queue(team)


@pytest.mark.parametrize(
    ("times", "field"), [([(0, "25:00")], "times"), ([(7, "09:00")], "times"), ([(0, "nine")], "times")]
)
def test_times_that_are_none_are_refused(team: Team, times, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        plan(team, team.mastodon, times)
    assert field in caught.value.fields


def test_only_admins_change_slots_and_nobody_loses_an_update(team: Team) -> None:
    with pytest.raises(NotAllowed):
        team.write(slots.set_plan, team.alice, team.mastodon.id, timezone="UTC", times=[])
    with pytest.raises(NotFound):
        team.read(slots.get_plan, team.alice, team.private.id)
    made = plan(team, team.mastodon)
    plan(team, team.mastodon, version=made.version)
    with pytest.raises(Conflict):
        plan(team, team.mastodon, version=made.version)


BERLIN = [
    # the clocks go forward on 2027-03-28 at 02:00, and back on 2027-10-31 at 03:00
    ("02:30", datetime(2027, 3, 28, tzinfo=UTC), "2027-03-28T01:30"),
    ("02:30", datetime(2027, 10, 30, 22, tzinfo=UTC), "2027-10-31T00:30"),
    ("09:00", datetime(2027, 3, 28, tzinfo=UTC), "2027-03-28T07:00"),
    ("09:00", datetime(2027, 3, 26, 22, tzinfo=UTC), "2027-03-27T08:00"),
]


@pytest.mark.parametrize(("time", "start", "at"), BERLIN)
def test_a_weekly_time_keeps_its_hour_when_the_clocks_change(time: str, start: datetime, at: str) -> None:
    minute = int(time[:2]) * 60 + int(time[3:])
    found = slots.expand(
        [(day, minute) for day in range(7)], "Europe/Berlin", start, start + timedelta(days=1)
    )
    assert [f"{each:%Y-%m-%dT%H:%M}" for each in found] == [at]


def test_clock_changes_of_the_coming_year_are_explained() -> None:
    said = slots.describe_clock_changes([(6, 150)], "Europe/Berlin", datetime(2027, 1, 1, tzinfo=UTC))
    assert said == [
        "02:30 does not exist on Sun 28 Mar 2027: that slot goes out at 03:30.",
        "02:30 comes twice on Sun 31 Oct 2027: that slot goes out once, the first time.",
    ]


def test_the_calendar_gets_free_slots_only(team: Team) -> None:
    plan(team, team.mastodon)
    taken = queue(team)
    now = utc_now()
    free = team.read(slots.list_free_between, team.alice, now - timedelta(days=3), now + timedelta(days=4))
    assert 6 <= len(free) <= 8
    assert taken.scheduled_at not in [slot.at for slot in free]
    assert all(slot.at > now for slot in free)
