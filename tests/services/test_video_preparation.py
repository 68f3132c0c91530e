"""A video goes up before its post is due; one that takes long holds nothing up and is not sent twice."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from contentcaster.clock import utc_now
from contentcaster.engine.policy import Policy
from contentcaster.engine.sender import Sender
from contentcaster.models import Account, Job
from contentcaster.platforms import x_api
from contentcaster.platforms.base import OutgoingPost
from contentcaster.sandbox.client import SandboxThread
from contentcaster.sandbox.settings import SandboxSettings
from contentcaster.services import connecting, media_video, posts, video_preparation
from contentcaster.services.drafts import MediaDraft
from contentcaster.services.executors import create_executors
from contentcaster.services.schedule import Schedule
from contentcaster.services.video_preparation import VideoPreparations, prepare_ahead
from tests.media_files import make_mp4
from tests.platforms.twins.x import XTwin
from tests.services.service_kit import Team, soon
from tests.services.test_draft_to_network import connected, until

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
def sender(team: Team) -> Iterator[Sender]:
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


def film(team: Team) -> MediaDraft:
    view = media_video.store_video(
        team.stack.database, team.alice, filename="film.mp4", source=io.BytesIO(make_mp4()), alt="The sea"
    )
    return MediaDraft(view.id)


def job_of(team: Team, post_id: str) -> Job:
    (job,) = team.jobs(post_id)
    return job


def test_the_videos_of_posts_due_soon_go_up_ahead_and_each_only_once(
    team: Team, sandbox: SandboxThread
) -> None:
    channel = connected(team, sandbox, "mastodon")
    near, far = (
        team.write(
            posts.create_post,
            team.alice,
            team.draft("Film", channel, media=(film(team),)),
            Schedule.at(soon(seconds)),
        )
        for seconds in (600, 3000)
    )
    database = team.stack.database
    assert prepare_ahead(database) == 1
    (upload,) = sandbox.control.requests(path="/api/v2/media")
    assert upload["status"] == 200 and sandbox.control.posts() == []
    job = job_of(team, near.id)
    assert job.progress["media_ids"] and job.progress["prepared_ahead"]["is_ready"]
    assert job_of(team, far.id).progress == {} and prepare_ahead(database) == 0
    team.write(
        posts.update_post,
        team.alice,
        near.id,
        team.draft("Other film", channel, media=(film(team),)),
        version=1,
    )
    assert job_of(team, near.id).progress == {}, "another video is another upload"
    assert prepare_ahead(database, now=utc_now() + timedelta(minutes=40)) == 1


def test_a_network_that_is_away_leaves_it_to_the_next_pass(
    team: Team, sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = connected(team, sandbox, "mastodon")
    sandbox.control.fault("error_before", {"path": "/api/v2/media"}, times=1)
    post = team.write(
        posts.create_post,
        team.alice,
        team.draft("Film", channel, media=(film(team),)),
        Schedule.at(soon(600)),
    )
    database = team.stack.database
    assert prepare_ahead(database) == 0
    assert job_of(team, post.id).attempt == 0, "nothing is lost by it"
    assert prepare_ahead(database) == 0, "not at once again"
    monkeypatch.setattr(video_preparation, "_AGAIN_SECONDS", 0)
    assert prepare_ahead(database) == 1


def test_a_video_that_is_processed_for_long_goes_out_once_when_it_is_ready(
    team: Team, sandbox: SandboxThread, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_preparation, "_COME_AGAIN_SECONDS", 0.2)
    preparations = sender._executors["publish"]._videos  # type: ignore[attr-defined]
    preparations.patience_seconds = 0.3
    sandbox.control.config(media_processing_ms=2500)
    channel = connected(team, sandbox, "mastodon")
    draft = team.draft("Film", channel, media=(film(team),))
    post = team.write(posts.create_post, team.alice, draft, Schedule.now())
    sender.wake()
    until(team, post.id, lambda p: p.status == "Published")
    job = job_of(team, post.id)
    assert job.snoozes >= 1 and job.attempt == 1, "waiting costs no try"
    assert len(sandbox.control.requests(path="/api/v2/media")) == 1
    assert [item["text"] for item in sandbox.control.posts()] == ["Film"]


def test_a_post_with_a_video_goes_the_whole_way_to_x(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draft, upload ahead, a lost answer, the look-up in the own timeline, one post."""
    database = team.stack.database
    with XTwin() as twin:
        monkeypatch.setattr(x_api, "base_url", lambda: twin.url)
        settings = database.settings.model_copy(update={"egress_allow": (twin.host,)})
        monkeypatch.setattr(database, "settings", settings)
        given = {
            "access_token": twin.oauth.new_access_token(),
            "refresh_token": twin.oauth.new_refresh_token(),
            "client_id": twin.oauth.client_id,
            "client_secret": twin.oauth.client_secret,
        }
        view = asyncio.run(connecting.connect_account(database, team.ada, "x", given))
        with database.reading() as session:
            channel = session.get_one(Account, view.id)
        draft = team.draft("Film https://example.org/a", channel, media=(film(team),), thread=("And more",))
        post = team.write(posts.create_post, team.alice, draft, Schedule.at(soon(600)))
        assert prepare_ahead(database) == 1 and twin.posts == {}
        team.write(posts.update_post, team.alice, post.id, draft, version=1, when=Schedule.at(soon(1.2)))
        twin.lose_answers = 1
        sender = Sender(
            database, Policy.from_settings(settings), create_executors(database), queues=("publish",), concurrency=5,
            channel_concurrency=5,
        )  # fmt: skip
        sender.start()
        try:
            done = until(team, post.id, lambda p: p.status == "Published", 30)
        finally:
            assert sender.stop()
        first, second = sorted(twin.posts.values(), key=lambda item: int(item["id"]))
        assert (first["written"], second["written"]) == ("Film https://example.org/a", "And more")
        assert second["parent"] == first["id"] and first["media"]
        assert [target.remote_url.rsplit("/", 1)[-1] for target in done.targets] == [
            first["id"],
            second["id"],
        ]


class _Uploads:
    """A connector whose uploads end when they are told to."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.may_end = asyncio.Event()

    async def prepare(self, post: OutgoingPost, channel: Any, progress: dict[str, Any]) -> dict[str, Any]:
        self.begun.append(post.text)
        await self.may_end.wait()
        return {"uploaded_for": post.text}


def test_what_was_uploaded_for_a_post_before_it_was_edited_is_not_sent_with_what_it_is_now() -> None:
    async def run() -> None:
        uploads, preparations = _Uploads(), VideoPreparations(patience_seconds=0.01)
        before, after = (
            OutgoingPost(
                text=text, idempotency_key="k", client_ref="", created_at=utc_now().replace(microsecond=0)
            )
            for text in ("Before", "After")
        )
        assert await preparations.prepared(7, uploads, before, None, {}) is None  # type: ignore[arg-type]
        assert await preparations.prepared(7, uploads, before, None, {}) is None  # type: ignore[arg-type]
        assert uploads.begun == ["Before"], "the same post is asked for again, not uploaded again"
        assert await preparations.prepared(7, uploads, after, None, {}) is None  # type: ignore[arg-type]
        uploads.may_end.set()
        done = await preparations.prepared(7, uploads, after, None, {})  # type: ignore[arg-type]
        assert (done, uploads.begun) == ({"uploaded_for": "After"}, ["Before", "After"])

    asyncio.run(run())
