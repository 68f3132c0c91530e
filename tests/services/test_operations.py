"""Queues, workers, Home and the sidebar's numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contentcaster.clock import utc_now
from contentcaster.engine import heartbeat
from contentcaster.errors import InvalidInput
from contentcaster.models import Account, AccountStatus, JobAttempt, JobState, Worker
from contentcaster.services import home, operations, posts
from contentcaster.services.schedule import Schedule
from tests.services.service_kit import Team


def queue(team: Team, name: str = "publish") -> operations.QueueView:
    return next(view for view in team.read(operations.list_queues, team.mona) if view.name == name)


def test_depth_counts_what_waits_and_what_is_on_its_way(team: Team) -> None:
    waiting = team.scheduled()
    sending = team.scheduled(text="Sending")
    team.set_job(team.jobs(sending.id)[0].id or 0, JobState.SENDING)
    gone = team.scheduled(text="Gone")
    team.write(posts.cancel_post, team.alice, gone.id)
    view = queue(team)
    assert (view.waiting, view.in_flight, view.overdue, view.lag_seconds) == (1, 1, 0, 0.0)
    assert view.states == {"pending_queue": 1, "sending": 1}
    team.set_job(team.jobs(waiting.id)[0].id or 0, JobState.QUEUED, due_at=utc_now() - timedelta(seconds=90))
    view = queue(team)
    assert view.overdue == 1 and 89 < view.lag_seconds < 120


def test_thread_parts_that_wait_for_the_part_before_are_not_late(team: Team) -> None:
    post = team.scheduled(draft=team.draft("One", thread=("Two",)))
    first, second = team.jobs(post.id)
    past = utc_now() - timedelta(seconds=60)
    team.set_job(first.id or 0, JobState.SENDING, due_at=past)
    team.set_job(second.id or 0, JobState.QUEUED, due_at=past)
    assert queue(team).overdue == 0
    team.set_job(first.id or 0, JobState.PUBLISHED, remote_id="1", lease_until=None)
    assert queue(team).overdue == 1


def test_throughput_is_counted_by_minute(team: Team) -> None:
    post = team.scheduled()
    job_id = team.jobs(post.id)[0].id or 0
    now = utc_now()
    with team.stack.database.transaction() as session:
        for fence, minutes in enumerate((0, 0, 3, 10, 29, 45)):
            at = now - timedelta(minutes=minutes)
            session.add(
                JobAttempt(
                    job_id=job_id, fence=fence, kind="send", worker="w", started_at=at, ended_at=at,
                    outcome="published",
                )
            )  # fmt: skip
        session.add(
            JobAttempt(
                job_id=job_id,
                fence=99,
                kind="send",
                worker="w",
                started_at=now,
                ended_at=now,
                outcome="refused",
            )
        )
    view = queue(team)
    assert len(view.sparkline) == 30 and sum(view.sparkline) == 5
    assert view.finished_last_5_min == 3 and view.per_minute == 0.6


def test_pausing_names_who_and_why(team: Team) -> None:
    view = team.write(operations.pause_queue, team.ada, "publish", "Network down")
    assert (view.is_paused, view.paused_by, view.paused_reason) == (True, "Ada", "Network down")
    attention = team.read(home.get_home, team.ada).attention
    assert any(item.kind == "paused" for item in attention)
    assert not team.write(operations.resume_queue, team.ada, "publish").is_paused
    with pytest.raises(InvalidInput):
        team.write(operations.pause_queue, team.ada, "nope")


def test_rebuilding_says_how_many_jobs_wait(team: Team) -> None:
    for n in range(3):
        team.scheduled(text=str(n))
    team.set_job(team.jobs()[0].id or 0, JobState.QUEUED)
    assert team.write(operations.rebuild_queues, team.ada) == 3
    assert {job.state for job in team.jobs()} == {JobState.PENDING_QUEUE}


def test_workers_are_alive_silent_or_stopped(team: Team) -> None:
    now = utc_now()
    with team.stack.database.transaction() as session:
        for name, age, stopped in (("new", 1, None), ("silent", 60, None), ("stopped", 1, now)):
            session.add(
                Worker(
                    id=name, hostname="fra", pid=1, version="1", queues=["publish"],
                    started_at=now - timedelta(hours=1), heartbeat_at=now - timedelta(seconds=age),
                    stopped_at=stopped, rss_bytes=50_000_000,
                )
            )  # fmt: skip
    views = {view.id: view for view in team.read(operations.list_workers, team.mona)}
    assert {name: view.status for name, view in views.items()} == {
        "new": "alive", "silent": "silent", "stopped": "stopped",
    }  # fmt: skip
    assert views["new"].rss_mb == 50.0 and 3590 < views["new"].uptime_seconds < 3610


def test_the_sending_loops_of_one_process_are_one_worker_unless_one_of_them_is_silent(team: Team) -> None:
    now = utc_now()
    with team.stack.database.transaction() as session:
        for process, group, queues, age in (
            ("a", "publish", ["publish", "maintenance"], 1),
            ("a", "bots", ["growth", "engagement"], 2),
            ("b", "publish", ["publish"], 1),
            ("b", "bots", ["finder"], 60),
        ):
            session.add(
                Worker(
                    id=heartbeat.loop_id(process, group), hostname="fra", pid=1, version="1", queues=queues,
                    started_at=now - timedelta(hours=1), heartbeat_at=now - timedelta(seconds=age), in_flight=3,
                )
            )  # fmt: skip
    views = team.read(operations.list_workers, team.mona)
    assert {(view.id, view.status, *view.queues) for view in views} == {
        ("a", "alive", "publish", "engagement", "growth", "maintenance"),
        ("b", "alive", "publish"),
        ("b", "silent", "finder"),
    }
    assert next(view.in_flight for view in views if view.id == "a") == 6


def test_today_is_the_day_in_the_persons_zone(team: Team) -> None:
    noon = datetime.combine((utc_now() + timedelta(days=2)).date(), datetime.min.time(), UTC) + timedelta(
        hours=12
    )
    # 23:30 and 00:30 in Berlin (UTC+1 or +2) around the end of that day.
    inside = team.write(
        posts.create_post, team.alice, team.draft("In"), Schedule.at(noon + timedelta(hours=9))
    )
    team.write(
        posts.create_post, team.alice, team.draft("Out"), Schedule.at(noon + timedelta(hours=12, minutes=30))
    )
    view = team.read(home.get_home, team.alice, now=noon)
    assert [row.id for row in view.today] == [inside.id]
    assert view.next_up and view.next_up.id == inside.id
    assert view.timezone == "Europe/Berlin" and view.day == noon.date().isoformat()


def test_home_shows_what_wants_a_person(team: Team) -> None:
    with team.stack.database.transaction() as session:
        session.get_one(Account, team.mastodon.id).token_expires_at = utc_now() + timedelta(days=2)
        session.get_one(Account, team.bluesky.id).status = AccountStatus.REAUTHORISE
    post = team.scheduled()
    team.fail_job(team.jobs(post.id)[0].id or 0)
    admin = team.read(home.get_home, team.ada)
    assert {item.kind for item in admin.attention} == {"failed", "channel", "token"}
    creator = team.read(home.get_home, team.alice)
    assert {item.kind for item in creator.attention} == {"failed", "channel", "token"}
    assert any("of your posts did not go out" in item.title for item in creator.attention)
    assert creator.counts.failed_open == 0, "only people who see operations count failed tasks"
    assert team.read(home.get_home, team.bob).today == []


def test_the_sidebar_works_for_every_role(team: Team) -> None:
    team.scheduled()
    assert team.read(home.get_sidebar_counts, team.alice).scheduled_posts == 1
    assert team.read(home.get_sidebar_counts, team.bob).scheduled_posts == 0
    assert team.read(home.get_sidebar_counts, team.mona).scheduled_posts == 1
    assert team.read(home.get_sidebar_counts, team.vic).scheduled_posts == 0
    for who in (team.alice, team.bob, team.mona, team.vic):
        assert team.read(operations.get_heartbeat, who).level == "bad", "no worker runs in this test"
