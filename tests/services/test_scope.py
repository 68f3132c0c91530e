"""What belongs to others is not there: every call that takes an id, asked by people it is not for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contentcaster.errors import NotAllowed, NotFound
from contentcaster.security.permissions import Principal
from contentcaster.services import accounts, failed_tasks, home, media, operations, posts, preflight, timeline
from contentcaster.services.drafts import PostDraft
from contentcaster.services.schedule import Schedule
from tests.services.service_kit import Team

POST_CALLS: dict[str, Callable[[Team, Principal, str], Any]] = {
    "get": lambda t, who, id: t.read(posts.get_post, who, id),
    "timeline": lambda t, who, id: t.read(timeline.get_timeline, who, id),
    "update": lambda t, who, id: t.write(posts.update_post, who, id, PostDraft(text="Mine"), version=1),
    "schedule": lambda t, who, id: t.write(posts.schedule_post, who, id, Schedule.now()),
    "now": lambda t, who, id: t.write(posts.publish_now, who, id),
    "unschedule": lambda t, who, id: t.write(posts.unschedule_post, who, id),
    "cancel": lambda t, who, id: t.write(posts.cancel_post, who, id),
    "delete": lambda t, who, id: t.write(posts.delete_post, who, id),
    "duplicate": lambda t, who, id: t.write(posts.duplicate_post, who, id),
}
MEDIA_CALLS: dict[str, Callable[[Team, Principal, str], Any]] = {
    "get": lambda t, who, id: t.read(media.get_media, who, id),
    "full": lambda t, who, id: t.read(media.open_file, who, id, "full"),
    "thumb": lambda t, who, id: t.read(media.open_file, who, id, "thumb"),
    "alt": lambda t, who, id: t.write(media.set_alt_text, who, id, "Mine"),
    "delete": lambda t, who, id: t.write(media.delete_media, who, id),
}


@pytest.mark.parametrize("name", POST_CALLS)
def test_a_post_of_another_creator_is_not_found(team: Team, name: str) -> None:
    post = team.scheduled(team.alice)
    before = team.read(posts.get_post, team.alice, post.id)
    for missing in (post.id, "0" * 26, "", "x" * 400, "'; --", "\x00", "\ud800"):
        with pytest.raises(NotFound) as refused:
            POST_CALLS[name](team, team.bob, missing)
        assert refused.value.message == "This post does not exist, or it is not yours."
    assert team.read(posts.get_post, team.alice, post.id) == before
    assert team.read(posts.list_posts, team.bob).items == []
    assert team.read(posts.count_posts_by_status, team.bob)["PendingQueue"] == 0
    assert team.read(home.get_home, team.bob).today == []


@pytest.mark.parametrize("name", [name for name in POST_CALLS if name not in ("get", "timeline")])
def test_a_monitor_reads_posts_and_changes_none(team: Team, name: str) -> None:
    post = team.scheduled(team.alice)
    assert not team.read(posts.get_post, team.mona, post.id).is_editable
    assert team.read(timeline.get_timeline, team.mona, post.id)
    with pytest.raises(NotAllowed):
        POST_CALLS[name](team, team.mona, post.id)


@pytest.mark.parametrize("name", POST_CALLS)
def test_a_viewer_sees_no_posts_at_all(team: Team, name: str) -> None:
    post = team.scheduled(team.alice)
    with pytest.raises(NotAllowed):
        POST_CALLS[name](team, team.vic, post.id)
    with pytest.raises(NotAllowed):
        team.read(posts.list_posts, team.vic)
    with pytest.raises(NotAllowed):
        team.read(preflight.check_draft, team.vic, PostDraft())


@pytest.mark.parametrize("name", MEDIA_CALLS)
def test_a_picture_of_another_creator_is_not_found(team: Team, name: str) -> None:
    picture = team.picture(team.alice)
    for missing in (picture.id, "0" * 26, "../../etc/passwd", "\x00"):
        with pytest.raises(NotFound):
            MEDIA_CALLS[name](team, team.bob, missing)
    assert team.read(media.list_media, team.bob).items == []
    with pytest.raises(NotAllowed):
        MEDIA_CALLS[name](team, team.vic, picture.id)


def test_channels_are_scoped_to_shared_and_own_ones(team: Team) -> None:
    seen = {account.id for account in team.read(accounts.list_accounts, team.alice)}
    assert seen == {team.mastodon.id, team.bluesky.id}
    assert len(team.read(accounts.list_accounts, team.ada)) == 3
    with pytest.raises(NotFound):
        team.read(accounts.get_account, team.alice, team.private.id)
    for who in (team.mona, team.vic):
        with pytest.raises(NotAllowed):
            team.read(accounts.list_accounts, who)
    for who in (team.alice, team.mona, team.vic):
        with pytest.raises(NotAllowed):
            team.write(accounts.patch_account, who, team.mastodon.id, is_enabled=False)
        with pytest.raises(NotAllowed):
            team.write(accounts.delete_account, who, team.mastodon.id)


OPERATIONS: dict[str, Callable[[Team, Principal, int], Any]] = {
    "groups": lambda t, who, id: t.read(failed_tasks.list_groups, who),
    "list": lambda t, who, id: t.read(failed_tasks.list_failed_tasks, who),
    "get": lambda t, who, id: t.read(failed_tasks.get_failed_task, who, id),
    "queues": lambda t, who, id: t.read(operations.list_queues, who),
    "workers": lambda t, who, id: t.read(operations.list_workers, who),
    "retry": lambda t, who, id: t.write(failed_tasks.retry_task, who, id),
    "resolve": lambda t, who, id: t.write(
        failed_tasks.resolve_task, who, id, remote_url="https://x.example/1"
    ),
    "discard": lambda t, who, id: t.write(failed_tasks.discard_task, who, id),
    "retry many": lambda t, who, id: t.write(failed_tasks.retry_tasks, who, [id]),
    "discard many": lambda t, who, id: t.write(failed_tasks.discard_tasks, who, [id]),
    "retry group": lambda t, who, id: t.write(failed_tasks.retry_group, who, "rejected~"),
    "discard group": lambda t, who, id: t.write(failed_tasks.discard_group, who, "rejected~"),
    "pause": lambda t, who, id: t.write(operations.pause_queue, who, "publish"),
    "resume": lambda t, who, id: t.write(operations.resume_queue, who, "publish"),
    "rebuild": lambda t, who, id: t.write(operations.rebuild_queues, who),
}
READING = ("groups", "list", "get", "queues", "workers")


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_are_for_admins_and_reading_them_for_monitors(team: Team, name: str) -> None:
    post = team.scheduled(team.alice)
    task_id = team.fail_job(team.jobs(post.id)[0].id)
    for who in (team.alice, team.vic):
        with pytest.raises(NotAllowed):
            OPERATIONS[name](team, who, task_id)
    if name in READING:
        OPERATIONS[name](team, team.mona, task_id)
    else:
        with pytest.raises(NotAllowed):
            OPERATIONS[name](team, team.mona, task_id)
    OPERATIONS[name](team, team.ada, task_id)


def test_raw_answers_of_networks_are_for_people_who_may_see_operations(team: Team) -> None:
    from contentcaster.clock import utc_now
    from contentcaster.models import JobAttempt

    post = team.scheduled(team.alice)
    job = team.jobs(post.id)[0]
    with team.stack.database.transaction() as session:
        session.add(
            JobAttempt(
                job_id=job.id or 0, fence=1, kind="send", worker="w", attempt=1, started_at=utc_now(),
                ended_at=utc_now(), outcome="refused", message="No.", diagnostics="raw answer",
            )
        )  # fmt: skip
    shown = [e.raw for e in team.read(timeline.get_timeline, team.mona, post.id) if e.raw]
    assert shown == ["raw answer"]
    assert not [e for e in team.read(timeline.get_timeline, team.alice, post.id) if e.raw]
