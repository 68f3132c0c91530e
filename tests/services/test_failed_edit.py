"""Edit and retry: only the channel that failed gets the new text, and only where nothing can be live."""

from __future__ import annotations

import pytest

from contentcaster.errors import Conflict, InvalidInput, NotAllowed
from contentcaster.models import Job, JobState
from contentcaster.services import failed_edit, posts
from tests.services.service_kit import Team


def failed(
    team: Team, state: JobState = JobState.DEAD, reason: str = "rejected"
) -> tuple[str, int, Job, Job]:
    """A post on two channels that failed on the first: its id, the failed task, the failed and the other job."""
    post = team.scheduled(text="Wrnog word", draft=team.draft("Wrnog word", team.mastodon, team.bluesky))
    jobs = {job.account_id: job for job in team.jobs(post.id)}
    dead, other = jobs[team.mastodon.id], jobs[team.bluesky.id]
    return post.id, team.fail_job(dead.id or 0, reason, state), dead, other


def test_only_the_channel_that_failed_gets_the_new_text_under_a_new_key(team: Team) -> None:
    post_id, task_id, dead, other = failed(team)
    team.write(failed_edit.edit_and_retry, team.ada, task_id, text="Wrong word")
    jobs = {job.id: job for job in team.jobs(post_id)}
    assert jobs[dead.id].payload["text"] == "Wrong word" and jobs[other.id].payload["text"] == "Wrnog word"
    assert jobs[dead.id].state is JobState.PENDING_QUEUE
    assert jobs[dead.id].idempotency_key != dead.idempotency_key
    assert jobs[other.id].idempotency_key == other.idempotency_key
    detail = team.read(posts.get_post, team.ada, post_id)
    texts = {target.channel.account_id: target.text for target in detail.targets}
    assert texts[team.mastodon.id] == "Wrong word"
    with pytest.raises(Conflict):
        team.write(failed_edit.edit_and_retry, team.ada, task_id, text="Again")


def test_a_text_that_does_not_fit_is_refused_at_the_field_and_changes_nothing(team: Team) -> None:
    post_id, task_id, dead, _other = failed(team)
    for text in ("x" * 5000, "   "):
        with pytest.raises(InvalidInput) as refused:
            team.write(failed_edit.edit_and_retry, team.ada, task_id, text=text)
        assert "text" in refused.value.fields
    job = next(job for job in team.jobs(post_id) if job.id == dead.id)
    assert (job.state, job.payload["text"]) == (JobState.DEAD, "Wrnog word")


def test_only_who_operates_may_and_nothing_that_may_be_live_is_changed(team: Team) -> None:
    _post, task_id, _dead, _other = failed(team)
    for who in (team.alice, team.mona, team.vic):
        with pytest.raises(NotAllowed):
            team.write(failed_edit.edit_and_retry, who, task_id, text="Mine now")
