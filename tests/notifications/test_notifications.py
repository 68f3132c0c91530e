"""People are told what concerns them, once, the way they want it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from contentcaster.clock import utc_now
from contentcaster.models import FailedTask, Job, JobState, Notification, NotificationKind, Worker
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import notifications, notifications_events, posts
from contentcaster.services.notifications import MAIL, Group
from contentcaster.services.schedule import Schedule
from tests.services.service_kit import Team, build_team
from tests.services_for_tests.stack import Stack

WITH_MAIL: dict[str, Any] = {
    "smtp_url": "smtp+plain://127.0.0.1:1",
    "smtp_from": "console@example.org",
    "egress_allow": "127.0.0.1:1",
}


@pytest.fixture
def team(stack: Stack) -> Team:
    return build_team(stack)


def inbox(team: Team, who: Principal) -> list[notifications.NotificationView]:
    return team.read(notifications.list_notifications, who).items  # type: ignore[no-any-return]


def titles(team: Team, who: Principal) -> list[str]:
    return [item.title for item in inbox(team, who)]


def decide(team: Team, *user_ids: str, key: str = "k", **more: Any) -> int:
    told: int = team.write(
        notifications.notify,
        NotificationKind.APPROVAL_DECIDED,
        key=key,
        title="Your post was approved",
        href="/posts/1",
        user_ids=user_ids,
        **more,
    )
    return told


def fail(team: Team, reason: str = "rejected", **more: Any) -> Job:
    """A post of Alice ends with a failed task."""
    post = team.scheduled(text=more.pop("text", "Hello world"))
    job = team.jobs(post.id)[0]
    state = JobState.HELD if reason in ("needs_review", "missed") else JobState.DEAD
    team.fail_job(job.id or 0, reason, state, **more)
    return job


def tell(team: Team) -> int:
    return notifications_events.tell_of_failures(team.stack.database)


def test_the_same_event_is_told_once_however_often_it_is_announced(team: Team) -> None:
    assert decide(team, team.alice.user_id) == 1
    assert decide(team, team.alice.user_id) == 0
    assert titles(team, team.alice) == ["Your post was approved"]
    assert inbox(team, team.bob) == []


def test_nobody_hears_of_what_was_rolled_back(team: Team) -> None:
    with pytest.raises(RuntimeError), team.stack.database.transaction() as session:
        notifications.notify(
            session, NotificationKind.APPROVAL_DECIDED, key="x", title="No", user_ids=[team.alice.user_id]
        )
        raise RuntimeError
    assert inbox(team, team.alice) == []


def test_nobody_is_told_of_their_own_act_or_of_what_their_role_may_not_see(team: Team) -> None:
    told = decide(
        team,
        team.alice.user_id,
        team.bob.user_id,
        team.vic.user_id,
        team.mona.user_id,
        except_user_id=team.alice.user_id,
    )
    assert told == 1
    assert [len(inbox(team, who)) for who in (team.alice, team.bob, team.vic, team.mona)] == [0, 1, 0, 0]


def test_reading_marks_only_ones_own(team: Team) -> None:
    decide(team, team.alice.user_id, team.bob.user_id)
    other = inbox(team, team.bob)[0]
    assert team.write(notifications.mark_read, team.alice, [other.id]) == 0
    assert team.read(notifications.count_unread, team.bob) == 1
    assert team.write(notifications.mark_read, team.alice) == 1
    assert team.read(notifications.count_unread, team.alice) == 0
    assert inbox(team, team.alice)[0].is_read


def test_the_inbox_is_paged_newest_first(team: Team) -> None:
    start = utc_now()
    for number in range(5):
        decide(team, team.alice.user_id, key=f"k{number}", now=start + timedelta(seconds=number))
    first = team.read(notifications.list_notifications, team.alice, limit=2)
    second = team.read(notifications.list_notifications, team.alice, limit=2, cursor=first.next_cursor)
    third = team.read(notifications.list_notifications, team.alice, limit=2, cursor=second.next_cursor)
    times = [item.created_at for page in (first, second, third) for item in page.items]
    assert times == sorted(times, reverse=True) and len(set(times)) == 5 and third.next_cursor == ""


@pytest.mark.settings(**WITH_MAIL)
def test_what_a_person_chose_decides_over_inbox_and_mail(team: Team) -> None:
    kind = NotificationKind.APPROVAL_DECIDED
    assert decide(team, team.alice.user_id, key="default") == 1
    assert mails(team) == []  # quiet: this kind is not mailed unless somebody wants it
    team.write(notifications.set_preference, team.alice, kind, in_app=False, email=True)
    assert decide(team, team.alice.user_id, key="mail") == 1
    assert len(mails(team)) == 1 and len(inbox(team, team.alice)) == 1
    team.write(notifications.set_preference, team.alice, kind, in_app=False, email=False)
    assert decide(team, team.alice.user_id, key="off") == 0
    wish = next(
        row for row in team.read(notifications.list_preferences, team.alice) if row.kind == kind.value
    )
    assert (wish.in_app, wish.email) == (False, False)


def test_each_role_can_choose_among_what_may_concern_it(team: Team) -> None:
    def kinds(who: Principal) -> set[str]:
        return {row.kind for row in team.read(notifications.list_preferences, who)}

    assert kinds(team.vic) == set()
    assert "worker_down" in kinds(team.ada) and "worker_down" not in kinds(team.alice)
    assert {"post_failed", "needs_review", "approval_decided", "token_expiring"} <= kinds(team.alice)


def test_the_author_and_the_admins_are_told_of_a_post_that_failed(team: Team) -> None:
    fail(team)
    assert tell(team) == 1
    assert titles(team, team.alice) == ["“Hello world” did not go out on Mastodon · @acme@example.social"]
    assert inbox(team, team.alice)[0].body == "The network said no."
    assert inbox(team, team.ada)[0].href == "/failed-tasks"
    assert inbox(team, team.bob) == []
    assert tell(team) == 0 and len(inbox(team, team.alice)) == 1


@pytest.mark.settings(**WITH_MAIL)
def test_a_burst_of_failures_is_one_line_and_one_mail(team: Team) -> None:
    for _ in range(4):
        fail(team)
    tell(team)
    assert titles(team, team.alice) == ["4 of your posts did not go out on Mastodon · @acme@example.social"]
    assert inbox(team, team.alice)[0].count == 4
    assert len(mails(team)) == 1  # Ada's kind is not mailed unless she wants it
    fail(team)
    tell(team)
    assert inbox(team, team.alice)[0].count == 5


def test_a_post_in_doubt_asks_the_admins_and_tells_its_author(team: Team) -> None:
    fail(team, "needs_review")
    tell(team)
    assert [item.href for item in inbox(team, team.ada)] == ["/failed-tasks"]
    assert inbox(team, team.alice)[0].href.startswith("/posts/")
    assert inbox(team, team.alice)[0].kind == "needs_review"


def test_what_was_settled_meanwhile_is_no_news(team: Team) -> None:
    job = fail(team)
    with team.stack.database.transaction() as session:
        task = session.exec(select(FailedTask).where(FailedTask.job_id == job.id)).one()
        task.resolved_at = utc_now()
    assert tell(team) == 1 and inbox(team, team.alice) == []


def test_admins_hear_once_that_publishing_stands_still(team: Team) -> None:
    seen = utc_now() - timedelta(minutes=5)
    with team.stack.database.transaction() as session:
        session.add(
            Worker(id="w", hostname="h", pid=1, version="1", queues=["publish"], started_at=seen,
                   heartbeat_at=seen)
        )  # fmt: skip
    assert notifications_events.tell_of_standstill(team.stack.database) is not None
    assert notifications_events.tell_of_standstill(team.stack.database) is None
    assert titles(team, team.ada) == ["Publishing stands still: no worker is running"]


def test_a_group_counts_anew_once_its_line_was_read(team: Team) -> None:
    group = Group("g", "{count} things")
    for key in ("a", "b"):
        decide(team, team.alice.user_id, key=key, group=group)
    team.write(notifications.mark_read, team.alice)
    decide(team, team.alice.user_id, key="c", group=group)
    assert titles(team, team.alice) == ["Your post was approved", "2 things"]


def test_old_notifications_are_forgotten(team: Team) -> None:
    decide(team, team.alice.user_id, key="old", now=utc_now() - timedelta(days=100))
    decide(team, team.alice.user_id, key="new")
    assert team.write(notifications.forget) == 1
    assert len(inbox(team, team.alice)) == 1


def test_asking_for_approval_and_the_decision_are_told_each_to_the_other_side(team: Team) -> None:
    when = Schedule.at(utc_now() + timedelta(hours=2), "UTC")
    post = team.write(posts.create_post, team.alice, team.draft("Spring"), when, is_asking_approval=True)
    assert titles(team, team.ada) == ["Alice asks for your approval of “Spring”"]
    assert titles(team, team.alice) == []
    again = team.write(posts.update_post, team.alice, post.id, team.draft("Summer"), version=post.version)
    assert len(inbox(team, team.ada)) == 1, "a change while it waits is no new request"
    team.write(posts.reject_post, team.ada, again.id, "Too early.")
    assert titles(team, team.alice) == ["“Summer” was sent back by Ada"]
    assert inbox(team, team.alice)[0].body == "Too early."
    asked = team.write(posts.schedule_post, team.alice, again.id, when, is_asking_approval=True)
    team.write(posts.approve_post, team.ada, again.id, version=asked.version)
    assert len(inbox(team, team.ada)) == 2
    assert titles(team, team.alice)[0] == "“Summer” was approved by Ada"


def mails(team: Team) -> list[Job]:
    return [job for job in team.jobs() if job.kind == MAIL]


def test_permission_decides_who_is_told_by_role(team: Team) -> None:
    told = team.write(
        notifications.notify,
        NotificationKind.APPROVAL_REQUESTED,
        key="r",
        title="Alice asks for your approval",
        permission=Permission.APPROVE_POSTS,
    )
    assert told == 1 and len(inbox(team, team.ada)) == 1
    with team.stack.database.reading() as session:
        assert {row.user_id for row in session.exec(select(Notification))} == {team.ada.user_id}
