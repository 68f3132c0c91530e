"""Failed tasks: grouped by cause, retried, resolved, let go."""

from __future__ import annotations

import threading

import pytest

from contentcaster.clock import utc_now
from contentcaster.errors import Conflict, InvalidInput, NotFound
from contentcaster.models import JobState
from contentcaster.services import failed_tasks, home, posts
from tests.services.service_kit import Team


def failed(
    team: Team, reason: str = "rejected", state: JobState = JobState.DEAD, **values: object
) -> tuple[str, int]:
    post = team.scheduled(text=f"{reason} {len(team.jobs())}")
    return post.id, team.fail_job(team.jobs(post.id)[0].id or 0, reason, state, **values)


def test_the_same_cause_on_the_same_channel_is_one_group(team: Team) -> None:
    for _ in range(3):
        failed(team, "reauthorise")
    failed(team, "needs_review", JobState.HELD, first_sent_at=utc_now())
    other = team.scheduled(draft=team.draft("x", team.bluesky))
    team.fail_job(team.jobs(other.id)[0].id or 0, "reauthorise")
    groups = team.read(failed_tasks.list_groups, team.mona)
    assert [(g.reason, g.count, g.is_review) for g in groups] == [
        ("needs_review", 1, True),
        ("reauthorise", 3, False),
        ("reauthorise", 1, False),
    ]
    assert groups[1].channel and groups[1].channel.account_id == team.mastodon.id
    assert groups[1].is_reconnect_advised and "Connect the channel again" in groups[1].advice
    assert "is it there" in groups[0].advice
    counts = team.read(home.get_sidebar_counts, team.ada)
    assert (counts.failed_open, counts.needs_review) == (5, 1)


def test_retrying_sends_only_what_failed(team: Team) -> None:
    post = team.scheduled(draft=team.draft("Both", team.mastodon, team.bluesky))
    first, second = team.jobs(post.id)
    team.set_job(first.id or 0, JobState.PUBLISHED, remote_id="1")
    task_id = team.fail_job(second.id or 0, "retries_spent")
    view = team.write(failed_tasks.retry_task, team.ada, task_id)
    assert (view.is_open, view.resolution, view.resolved_by) == (False, "retried", "Ada")
    assert [job.state for job in team.jobs(post.id)] == [JobState.PUBLISHED, JobState.PENDING_QUEUE]


def test_it_is_live_needs_a_link_and_sends_nothing(team: Team) -> None:
    post_id, task_id = failed(team, "needs_review", JobState.HELD, first_sent_at=utc_now())
    for link in ("", "javascript:alert(1)", "ftp://x", "https://a b", "https://x/" + "y" * 3000):
        with pytest.raises(InvalidInput) as refused:
            team.write(failed_tasks.resolve_task, team.ada, task_id, remote_url=link)
        assert "remote_url" in refused.value.fields
    team.write(failed_tasks.resolve_task, team.ada, task_id, remote_url=" https://x.example/1 ")
    post = team.read(posts.get_post, team.alice, post_id)
    assert post.status == "Published" and post.targets[0].remote_url == "https://x.example/1"


def test_discarding_cancels(team: Team) -> None:
    post_id, task_id = failed(team)
    team.write(failed_tasks.discard_task, team.ada, task_id)
    assert team.read(posts.get_post, team.alice, post_id).status == "Cancelled"
    with pytest.raises(Conflict, match="settled already"):
        team.write(failed_tasks.retry_task, team.ada, task_id)
    with pytest.raises(NotFound):
        team.write(failed_tasks.retry_task, team.ada, 999_999)


def test_bulk_retry_leaves_what_may_be_live_to_a_person(team: Team) -> None:
    ids = [failed(team)[1] for _ in range(3)]
    _post, held = failed(team, "needs_review", JobState.HELD, first_sent_at=utc_now())
    team.write(failed_tasks.discard_task, team.ada, ids[0])
    result = team.write(failed_tasks.retry_tasks, team.ada, [*ids, held, 999_999])
    assert (result.done, result.skipped) == (2, 3)
    assert any("may be live" in problem for problem in result.problems)
    assert team.read(failed_tasks.get_failed_task, team.mona, held).task.is_open


def test_a_group_is_retried_as_a_whole(team: Team) -> None:
    for _ in range(3):
        failed(team, "reauthorise")
    (group,) = team.read(failed_tasks.list_groups, team.ada)
    assert team.write(failed_tasks.retry_group, team.ada, group.key).done == 3
    assert team.read(failed_tasks.list_groups, team.ada) == []
    assert len(team.read(failed_tasks.list_failed_tasks, team.ada, is_open=False).items) == 3
    with pytest.raises(NotFound):
        team.write(failed_tasks.retry_group, team.ada, "nonsense")


def test_of_two_admins_who_retry_at_once_one_is_told(team: Team) -> None:
    _post, task_id = failed(team)
    barrier, outcomes = threading.Barrier(2), []

    def act() -> None:
        barrier.wait()
        try:
            team.write(failed_tasks.retry_task, team.ada, task_id)
            outcomes.append("done")
        except Conflict:
            outcomes.append("told")

    threads = [threading.Thread(target=act) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["done", "told"]


def test_lists_page_and_filter(team: Team) -> None:
    ids = [failed(team)[1] for _ in range(3)] + [failed(team, "expired")[1]]
    page = team.read(failed_tasks.list_failed_tasks, team.mona, limit=2)
    rest = team.read(failed_tasks.list_failed_tasks, team.mona, limit=2, cursor=page.next_cursor)
    assert [item.id for item in page.items + rest.items] == ids[::-1] and not rest.next_cursor
    only = team.read(failed_tasks.list_failed_tasks, team.mona, reason="expired").items
    assert [item.id for item in only] == [ids[-1]]
    assert team.read(failed_tasks.list_failed_tasks, team.mona, account_id=team.bluesky.id).items == []


def test_cancelling_or_deleting_a_post_closes_its_failures(team: Team) -> None:
    post_id, task_id = failed(team)
    team.write(posts.delete_post, team.alice, post_id)
    task = team.read(failed_tasks.get_failed_task, team.ada, task_id).task
    assert (task.is_open, task.resolution) == (False, "discarded")
