"""One job as operators see it, and lists of those that wait or run."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contentcaster.clock import utc_now
from contentcaster.engine import heartbeat
from contentcaster.errors import InvalidInput, NotAllowed, NotFound
from contentcaster.models import JobAttempt, JobEvent, JobState
from contentcaster.services import jobs
from contentcaster.services.jobs import STATES, JobDetail
from tests.services.service_kit import Team

HELD_BY = "host-1-abcdef"


def _ids(team: Team, **asked: object) -> list[int]:
    return [row.id for row in team.read(jobs.list_jobs, team.mona, **asked)]


def _job(team: Team, job_id: int) -> JobDetail:
    detail: JobDetail = team.read(jobs.get_job, team.mona, job_id)
    return detail


def _one(team: Team, text: str = "Hello", **more: object) -> int:
    return team.jobs(team.scheduled(text=text, **more).id)[0].id or 0  # type: ignore[arg-type]


def test_a_list_holds_what_waits_runs_or_is_in_doubt_by_time_and_nothing_that_has_ended(team: Team) -> None:
    later, sooner = _one(team, in_seconds=7200), _one(team, in_seconds=60)
    sending, unknown, held = _one(team), _one(team), _one(team)
    team.set_job(sending, JobState.SENDING, lease_owner=heartbeat.loop_id(HELD_BY, "publish"))
    team.set_job(unknown, JobState.UNKNOWN)
    team.fail_job(held, state=JobState.HELD)
    published, dead = _one(team), _one(team)
    team.set_job(published, JobState.PUBLISHED, remote_id="9")
    team.fail_job(dead)

    assert _ids(team) == [sooner, sending, unknown, held, later]
    assert _ids(team, queue="publish", state="sending") == [sending]
    assert _ids(team, queue="growth") == []
    assert _ids(team, worker=HELD_BY) == [sending]
    assert _ids(team, worker="host_1-abcdef") == []  # no pattern
    assert _ids(team, limit=2) == [sooner, sending]


def test_a_list_is_refused_what_there_is_not_and_to_whom_it_is_not_for(team: Team) -> None:
    with pytest.raises(InvalidInput):
        team.read(jobs.list_jobs, team.ada, queue="pubish")
    with pytest.raises(InvalidInput):
        team.read(jobs.list_jobs, team.ada, state="sendin")
    for person in (team.alice, team.vic):
        with pytest.raises(NotAllowed):
            team.read(jobs.list_jobs, person)
        with pytest.raises(NotAllowed):
            team.read(jobs.get_job, person, 1)


def test_a_job_shows_its_tries_events_thread_and_failed_task(team: Team) -> None:
    post = team.scheduled(draft=team.draft("One", thread=("Two",)))
    first, second = (job.id or 0 for job in team.jobs(post.id))
    now = utc_now()
    with team.stack.database.transaction() as session:
        for fence in (1, 2):
            session.add(
                JobAttempt(
                    job_id=first, fence=fence, kind="send", worker="w", attempt=fence, started_at=now, ended_at=now,
                    outcome="retry_later", http_status=503, message="The network is busy.", diagnostics="raw",
                )
            )  # fmt: skip
        session.add(JobEvent(job_id=first, name="rescheduled", actor="Alice"))
    task_id = team.fail_job(first, reason="retries_spent")

    detail = _job(team, first)

    assert detail.meaning == STATES[JobState.DEAD][2]
    assert (detail.job.text, detail.job.post_id) == ("One", post.id)
    assert (detail.before, [linked.id for linked in detail.after]) == (None, [second])
    assert [(view.outcome, view.http_status, view.raw) for view in detail.attempts] == [
        ("retry_later", 503, "raw")
    ] * 2
    assert detail.fences == [1, 2]
    assert [event.name for event in detail.events][-1] == "rescheduled"
    assert [(failure.id, failure.is_open) for failure in detail.failures] == [(task_id, True)]
    assert (before := _job(team, second).before) is not None and before.id == first


def test_a_lease_says_whether_its_worker_lives(team: Team) -> None:
    job_id, owner = _one(team), heartbeat.loop_id(HELD_BY, "publish")
    team.set_job(job_id, JobState.CLAIMED, lease_owner=owner)
    assert _job(team, job_id).job.worker == HELD_BY
    assert not _job(team, job_id).is_worker_alive
    with team.stack.database.transaction() as session:
        heartbeat.beat(session, owner, queues=["publish"], in_flight=1, is_queue_reachable=True)
    assert _job(team, job_id).is_worker_alive
    assert not _job(team, job_id).is_lease_over
    team.set_job(job_id, JobState.CLAIMED, lease_owner=owner, lease_until=utc_now() - timedelta(seconds=1))
    assert _job(team, job_id).is_lease_over


def test_every_state_is_explained_and_no_job_is_found_by_a_wrong_number(team: Team) -> None:
    assert set(STATES) == set(JobState)
    assert all(words and meaning.endswith(".") for words, _tone, meaning in STATES.values())
    with pytest.raises(NotFound):
        _job(team, 987_654)
