"""Half an hour before its time each post is looked at again: what changed is told, and nothing is stopped by it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from contentcaster.clock import utc_now
from contentcaster.models import Account, AccountStatus, Job, NotificationKind, PostCheck
from contentcaster.sandbox.client import SandboxThread
from contentcaster.services import connecting, home, notifications, posts, quotas, timeline
from contentcaster.services.drafts import MediaDraft
from contentcaster.services.preflight_due import Looked, look_at_due
from contentcaster.services.schedule import Schedule
from contentcaster.services.views import PostDetail, TimelineEntry
from tests.services.service_kit import Team, soon


@pytest.fixture
def sandbox(stack: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxThread]:
    with SandboxThread() as running:
        settings = stack.settings.model_copy(update={"sandbox_port": running.running.port})
        monkeypatch.setattr(stack.database, "settings", settings)
        yield running


@pytest.fixture
def channel(team: Team, sandbox: SandboxThread) -> Account:
    made = sandbox.control.account("acme")
    given = {"instance_url": made["instance_url"], "access_token": made["access_token"]}
    view = asyncio.run(connecting.connect_account(team.stack.database, team.ada, "mastodon", given))
    change(team, view.id, checked_at=utc_now() - timedelta(hours=1))
    with team.stack.database.reading() as session:
        return session.get_one(Account, view.id)


def change(team: Team, account_id: str, **values: Any) -> None:
    with team.stack.database.transaction() as session:
        session.execute(update(Account).where(Account.id == account_id).values(**values))


def look(team: Team, **more: Any) -> Looked:
    return look_at_due(team.stack.database, **more)


def looked(team: Team, post: PostDetail) -> list[TimelineEntry]:
    entries = team.read(timeline.get_timeline, team.alice, post.id)
    return [entry for entry in entries if entry.title == "Looked over"]


def post_of(team: Team, post: PostDetail) -> PostDetail:
    found: PostDetail = team.read(posts.get_post, team.alice, post.id)
    return found


def test_a_post_is_looked_at_once_half_an_hour_before_its_time(team: Team, channel: Account) -> None:
    near = team.scheduled(draft=team.draft("Near", channel), in_seconds=1700)
    far = team.scheduled(draft=team.draft("Far", channel), in_seconds=2200)
    assert look(team) == Looked(posts=1, with_problems=0, channels_asked=1)
    assert look(team) == Looked()
    (entry,) = looked(team, near)
    assert (entry.level, entry.detail) == ("ok", "28 min before its time: all is in order")
    assert looked(team, far) == []
    assert look(team, now=utc_now() + timedelta(seconds=450)).posts == 1


def test_a_changed_post_is_looked_at_again(team: Team, channel: Account) -> None:
    post = team.scheduled(draft=team.draft("As it was", channel), in_seconds=1000)
    look(team)
    team.write(
        posts.update_post,
        team.alice,
        post.id,
        team.draft("Changed", channel),
        version=post.version,
        when=Schedule.at(soon(900)),
    )
    assert post_of(team, post).problems == []
    assert look(team).posts == 1


def test_a_revoked_login_is_told_and_neither_the_channel_nor_the_post_is_touched(
    team: Team, sandbox: SandboxThread, channel: Account
) -> None:
    post = team.scheduled(draft=team.draft("Soon", channel), in_seconds=1200)
    sandbox.control.fault("revoked_token", times=3)
    assert look(team) == Looked(posts=1, with_problems=1, channels_asked=1)

    (problem,) = post_of(team, post).problems
    assert problem.level == "stop" and "refuses its login now" in problem.sentence
    (entry,) = looked(team, post)
    assert entry.level == "bad" and "nothing is stopped by this" in entry.note
    with team.stack.database.reading() as session:
        assert session.get_one(Account, channel.id).status is AccountStatus.CONNECTED
    assert post_of(team, post).status in ("Scheduled", "PendingQueue")
    told = team.read(notifications.list_notifications, team.alice).items
    assert [item.kind for item in told] == [NotificationKind.POST_AT_RISK.value]
    attention = team.read(home.get_home, team.alice).attention
    assert "“Soon” will not go out as it is" in [item.title for item in attention]
    assert "“Soon” will not go out as it is" not in [
        item.title for item in team.read(home.get_home, team.bob).attention
    ]


def test_a_network_that_is_away_is_told_as_something_that_may_pass(
    team: Team, sandbox: SandboxThread, channel: Account
) -> None:
    post = team.scheduled(draft=team.draft("Soon", channel), in_seconds=1200)
    sandbox.control.fault("error_before", times=5)
    look(team)
    (problem,) = post_of(team, post).problems
    assert problem.level == "check" and "tried again at its time" in problem.sentence
    assert team.read(notifications.list_notifications, team.alice).items == []


def test_a_channel_that_was_checked_a_moment_ago_is_not_asked_again(
    team: Team, sandbox: SandboxThread, channel: Account
) -> None:
    for text in ("One", "Two", "Three"):
        team.scheduled(draft=team.draft(text, channel), in_seconds=1200)
    assert look(team).channels_asked == 1
    team.scheduled(draft=team.draft("Four", channel), in_seconds=1200)
    assert look(team).channels_asked == 0


def test_what_the_saved_check_would_say_by_now_is_said(team: Team, channel: Account) -> None:
    first = team.scheduled(draft=team.draft("The same words", channel), in_seconds=1500)
    second = team.scheduled(draft=team.draft("The same words", channel), in_seconds=1600)
    picture = team.picture(alt="Kept")
    third = team.scheduled(
        draft=team.draft("Pictured", channel, media=(MediaDraft(picture.id),)), in_seconds=900
    )
    change(team, channel.id, token_expires_at=utc_now() + timedelta(seconds=1000))
    for path in (team.stack.database.settings.data_dir / "media").rglob("*"):
        if path.is_file():
            path.unlink()
    look(team)
    said = {
        post.id: [item.sentence for item in post_of(team, post).problems] for post in (first, second, third)
    }
    assert any("has the same text already" in sentence for sentence in said[second.id])
    assert any("ends on" in sentence and "will not go out there" in sentence for sentence in said[first.id])
    assert not any("ends on" in sentence for sentence in said[third.id]), "due before the login ends"
    assert any("file is missing on the server" in sentence for sentence in said[third.id])


def test_a_limit_that_is_used_up_past_the_due_time_is_said(team: Team, channel: Account) -> None:
    from contentcaster.platforms.quotas import QuotaReading

    post = team.scheduled(draft=team.draft("Soon", channel), in_seconds=1200)
    reading = QuotaReading(
        name="writes-hour",
        allowed=100,
        left=0,
        resets_in_seconds=50 * 60.0,
        window_seconds=3600.0,
        learned_from="ratelimit-remaining",
        is_gate=True,
    )
    writer = quotas._writer_of(team.stack.database)
    writer.add(f"channel:{channel.id}", channel.id, reading)
    quotas.flush(team.stack.database)
    look(team)
    (problem,) = post_of(team, post).problems
    assert "has used up what the network allows until" in problem.sentence


def test_posts_without_a_time_or_already_out_are_left_alone(team: Team, channel: Account) -> None:
    team.write(posts.create_post, team.alice, team.draft("Draft", channel), None)
    out = team.scheduled(draft=team.draft("Cancelled", channel), in_seconds=600)
    team.write(posts.cancel_post, team.alice, out.id)
    assert look(team) == Looked()
    with team.stack.database.reading() as session:
        assert session.get(PostCheck, out.id) is None


def test_recipients_that_a_mail_server_refused_are_named_in_the_timeline(team: Team) -> None:
    from contentcaster.models import JobAttempt, JobState

    post = team.scheduled(text="A mail to three")
    (job,) = team.jobs(post.id)
    assert job.id is not None
    team.set_job(job.id, JobState.PUBLISHED, remote_id="<1@x>", fence=1, ended_at=utc_now())
    with team.stack.database.transaction() as session:
        session.execute(
            update(Job)
            .where(Job.id == job.id)
            .values(remote_extra={"refused": {"no@example.org": "550 unknown"}})
        )
        session.add(
            JobAttempt(
                job_id=job.id,
                fence=1,
                kind="send",
                worker="w",
                attempt=1,
                started_at=utc_now(),
                sent_at=utc_now(),
                ended_at=utc_now(),
                outcome="published",
            )
        )
    entries = team.read(timeline.get_timeline, team.alice, post.id)
    (entry,) = [entry for entry in entries if entry.title == "Not for all"]
    assert entry.detail == "the mail server refused 1 recipient: no@example.org (550 unknown)"
    assert entry.level == "warn"
