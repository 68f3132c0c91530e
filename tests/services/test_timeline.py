"""Explain this post: every step in order, in words."""

from __future__ import annotations

from datetime import timedelta

from contentcaster.clock import utc_now
from contentcaster.engine import failures
from contentcaster.models import JobAttempt, JobState
from contentcaster.services import posts
from contentcaster.services.timeline import get_timeline
from tests.services.service_kit import Team


def attempt(team: Team, job_id: int, fence: int, outcome: str, **values: object) -> None:
    now = utc_now()
    defaults = {
        "kind": "send",
        "worker": "fra-2",
        "attempt": 1,
        "started_at": now,
        "ended_at": now + timedelta(milliseconds=30),
    }
    with team.stack.database.transaction() as session:
        session.add(JobAttempt(job_id=job_id, fence=fence, outcome=outcome, **(defaults | values)))


def test_one_act_on_many_channels_is_one_line(team: Team) -> None:
    post = team.scheduled(draft=team.draft("Text", team.mastodon, team.bluesky))
    entries = team.read(get_timeline, team.alice, post.id)
    assert [entry.title for entry in entries] == ["Written", "Scheduled", "Due", "Due"]
    assert entries[1].detail == "by Alice" and entries[1].note == "2 sends"
    assert {entry.channel for entry in entries[2:]} == {
        "Mastodon · @acme@example.social",
        "Bluesky · acme.example",
    }
    assert {entry.level for entry in entries[2:]} == {"idle"}


def test_the_story_of_a_held_post_is_told_as_it_happened(team: Team) -> None:
    post = team.scheduled(in_seconds=2)
    job = team.jobs(post.id)[0]
    assert job.id
    due = job.scheduled_at
    attempt(
        team, job.id, 2, "unknown",
        prepared_at=due - timedelta(seconds=2.9),
        sent_at=due + timedelta(milliseconds=4),
        ended_at=due + timedelta(seconds=1.4),
        message="Connection reset after the request.",
    )  # fmt: skip
    attempt(
        team, job.id, 3, "cannot_tell", kind="lookup", ended_at=due + timedelta(seconds=31),
        message="Telegram has no read-back.",
    )  # fmt: skip
    team.fail_job(
        job.id, "needs_review", JobState.HELD, ended_at=due + timedelta(seconds=31), first_sent_at=due
    )
    told = [(e.title, e.detail, e.level) for e in team.read(get_timeline, team.alice, post.id)]
    assert ("Scheduled", "by Alice", "ok") in told
    assert ("Prepared", "2.9 s early on worker fra-2", "ok") in told
    assert ("Sending", "at the due time", "ok") in told
    assert ("No answer", "Connection reset after the request.", "warn") in told
    assert ("Looked up", "Telegram has no read-back.", "warn") in told
    assert told[-1][0] == "Waiting for you"
    assert team.read(get_timeline, team.alice, post.id)[-1].note == "Nothing is sent until you decide"


def test_retries_edits_and_decisions_name_the_person(team: Team) -> None:
    post = team.scheduled()
    post = team.write(posts.update_post, team.ada, post.id, team.draft("Other"), version=post.version)
    job = team.jobs(post.id)[0]
    assert job.id
    attempt(
        team, job.id, 1, "retry_later", sent_at=utc_now(), message="503 from the server.", http_status=503
    )
    task_id = team.fail_job(job.id, "retries_spent")
    given_up = team.read(get_timeline, team.alice, post.id)[-1]
    assert (given_up.title, given_up.level) == ("Given up", "bad")
    team.write(failures.retry, task_id, actor="Ada")
    told = [(entry.title, entry.detail) for entry in team.read(get_timeline, team.alice, post.id)]
    assert ("Changed", "by Ada") in told
    assert ("Not sent", "503 from the server.") in told
    assert ("Sent again", "by Ada") in told


def test_a_draft_has_a_short_story(team: Team) -> None:
    post = team.write(posts.create_post, team.alice, team.draft())
    (entry,) = team.read(get_timeline, team.alice, post.id)
    assert (entry.title, entry.detail) == ("Written", "by Alice")
