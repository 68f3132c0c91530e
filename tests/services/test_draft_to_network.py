"""The whole way: a post of the services goes out through a real sender to the sandbox network, and is explained."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from contentcaster.engine.policy import Policy
from contentcaster.engine.sender import Sender
from contentcaster.models import Account
from contentcaster.sandbox.client import SandboxThread
from contentcaster.sandbox.settings import SandboxSettings
from contentcaster.services import connecting, failed_tasks, operations, posts, timeline
from contentcaster.services.drafts import MediaDraft
from contentcaster.services.executors import create_executors
from contentcaster.services.schedule import Schedule
from contentcaster.services.views import PostDetail
from tests.services.service_kit import Team, soon

pytestmark = pytest.mark.settings(
    publish_lead_seconds=1.0, retry_base_seconds=0.05, settle_seconds=0.2, lease_seconds=25
)


@pytest.fixture
def sandbox(stack: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxThread]:
    with SandboxThread(SandboxSettings(port=0)) as running:
        settings = stack.settings.model_copy(update={"sandbox_port": running.running.port})
        monkeypatch.setattr(stack.database, "settings", settings)
        yield running


@pytest.fixture
def sender(team: Team, sandbox: SandboxThread) -> Iterator[Sender]:
    database = team.stack.database
    running = Sender(
        database,
        Policy.from_settings(database.settings),
        create_executors(database),
        queues=("publish",),
        concurrency=20,
        channel_concurrency=10,
    )
    running.start()
    yield running
    assert running.stop()


def connected(team: Team, sandbox: SandboxThread, platform: str) -> Account:
    made = sandbox.control.account("acme")
    given = (
        {
            "service_url": made["service_url"],
            "identifier": made["at_handle"],
            "app_password": made["app_password"],
        }
        if platform == "bluesky"
        else {"instance_url": made["instance_url"], "access_token": made["access_token"]}
    )
    view = asyncio.run(connecting.connect_account(team.stack.database, team.ada, platform, given))
    with team.stack.database.reading() as session:
        return session.get_one(Account, view.id)


def until(team: Team, post_id: str, done: Callable[[PostDetail], bool], seconds: float = 20) -> PostDetail:
    end = time.monotonic() + seconds
    while True:
        post: PostDetail = team.read(posts.get_post, team.alice, post_id)
        if done(post):
            return post
        assert time.monotonic() < end, [(t.status, t.error) for t in post.targets]
        time.sleep(0.03)


def test_a_thread_with_a_picture_goes_out_on_two_networks_and_is_explained(
    team: Team, sandbox: SandboxThread, sender: Sender
) -> None:
    picture = team.picture(size=(1200, 1000), noise=True, alt="Noise")
    channels = [connected(team, sandbox, platform) for platform in ("mastodon", "bluesky")]
    draft = team.draft("One", *channels, media=(MediaDraft(picture.id),), thread=("Two", "Three"))
    post = team.write(posts.create_post, team.alice, draft, Schedule.at(soon(1.5), "Europe/Berlin"))
    sender.wake()
    done = until(team, post.id, lambda p: p.status == "Published")
    assert [target.status for target in done.targets] == ["Published"] * 6
    assert all(target.remote_url.startswith("http") and target.published_at for target in done.targets)
    on_network = sandbox.control.posts()
    assert sorted(item["text"] for item in on_network) == ["One", "One", "Three", "Three", "Two", "Two"]
    entries = team.read(timeline.get_timeline, team.alice, post.id)
    titles = [entry.title for entry in entries]
    assert titles.count("Published") == 6 and titles.count("Sending") == 6
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
    assert "at the due time" in [entry.detail for entry in entries if entry.title == "Sending"]
    view = next(q for q in team.read(operations.list_queues, team.mona) if q.name == "publish")
    assert view.finished_last_5_min == 6 and view.waiting == 0


def test_the_first_comment_goes_out_once_as_a_reply_after_the_post(
    team: Team, sandbox: SandboxThread, sender: Sender
) -> None:
    channels = [connected(team, sandbox, platform) for platform in ("mastodon", "bluesky")]
    draft = team.draft("Read this", *channels, first_comment="The link: https://example.org")
    post = team.write(posts.create_post, team.alice, draft, Schedule.at(soon(1.0), "Europe/Berlin"))
    sender.wake()
    done = until(team, post.id, lambda p: p.status == "Published")
    assert [target.is_comment for target in done.targets] == [False, True, False, True]
    on_network = sandbox.control.posts()
    assert sorted(item["text"] for item in on_network) == ["Read this"] * 2 + [draft.first_comment] * 2
    by_channel: dict[str, list[Any]] = {}
    for target in done.targets:
        by_channel.setdefault(target.account_id, []).append(target.published_at)
    assert all(first <= comment for first, comment in by_channel.values())


def test_an_edited_post_goes_out_once_as_edited(team: Team, sandbox: SandboxThread, sender: Sender) -> None:
    channel = connected(team, sandbox, "bluesky")
    post = team.write(posts.create_post, team.alice, team.draft("Old", channel), Schedule.at(soon(600)))
    team.write(
        posts.update_post, team.alice, post.id, team.draft("New", channel), version=1, when=Schedule.now()
    )
    sender.wake()
    until(team, post.id, lambda p: p.status == "Published")
    assert [item["text"] for item in sandbox.control.posts()] == ["New"]


def test_a_cancelled_post_sends_nothing(team: Team, sandbox: SandboxThread, sender: Sender) -> None:
    channel = connected(team, sandbox, "mastodon")
    post = team.write(posts.create_post, team.alice, team.draft("No", channel), Schedule.at(soon(3)))
    team.write(posts.cancel_post, team.alice, post.id)
    other = team.write(posts.create_post, team.alice, team.draft("Yes", channel), Schedule.at(soon(3.5)))
    until(team, other.id, lambda p: p.status == "Published")
    assert [item["text"] for item in sandbox.control.posts()] == ["Yes"]


def test_an_answer_lost_after_the_effect_is_looked_up_and_told(
    team: Team, sandbox: SandboxThread, sender: Sender
) -> None:
    channel = connected(team, sandbox, "bluesky")
    sandbox.control.fault("drop_after", {"path": "com.atproto.repo.createRecord"}, times=1)
    sandbox.control.fault("drop_after", {"path": "com.atproto.repo.putRecord"}, times=1)
    post = team.write(posts.create_post, team.alice, team.draft("Once", channel), Schedule.now())
    sender.wake()
    until(team, post.id, lambda p: p.status == "Published")
    assert [item["text"] for item in sandbox.control.posts()] == ["Once"]
    titles = [entry.title for entry in team.read(timeline.get_timeline, team.alice, post.id)]
    assert "No answer" in titles and "Found on the network" in titles


def test_a_server_that_refuses_three_times_makes_a_failed_task_that_a_retry_mends(
    team: Team, sandbox: SandboxThread, sender: Sender
) -> None:
    channel = connected(team, sandbox, "mastodon")
    sandbox.control.fault("error_before", {"path": "/api/v1/statuses", "method": "POST"}, times=50)
    post = team.write(posts.create_post, team.alice, team.draft("Try", channel), Schedule.now())
    sender.wake()
    failed = until(team, post.id, lambda p: p.status in ("Failed", "NeedsReview"), 40)
    (task,) = team.read(failed_tasks.list_failed_tasks, team.mona).items
    assert (
        failed.targets[0].failed_task_id == task.id and task.channel and task.channel.account_id == channel.id
    )
    detail = team.read(failed_tasks.get_failed_task, team.mona, task.id)
    assert len(detail.history) >= 4 and detail.payload_text == "Try"
    sandbox.control.clear_faults()
    team.write(failed_tasks.retry_task, team.ada, task.id)
    sender.wake()
    until(team, post.id, lambda p: p.status == "Published")
    assert [item["text"] for item in sandbox.control.posts()] == ["Try"]
