"""Preflight: what stops a post, what to look at, what is in order."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from contentcaster.clock import utc_now
from contentcaster.errors import InvalidInput
from contentcaster.models import Account, AccountStatus, JobState
from contentcaster.services import accounts, posts
from contentcaster.services.drafts import MediaDraft, PostDraft
from contentcaster.services.preflight import check_draft
from contentcaster.services.schedule import Schedule
from tests.services.service_kit import Team, soon


def levels(items: list) -> list[tuple[str, str]]:  # type: ignore[type-arg]
    return [(item.level, item.field) for item in items]


def test_a_sound_draft_has_only_good_news(team: Team) -> None:
    picture = team.picture(alt="A field")
    draft = team.draft("Fine", team.mastodon, team.bluesky, media=(MediaDraft(picture.id),))
    items = team.read(check_draft, team.alice, draft, Schedule.at(soon()))
    assert levels(items) == [("ok", "targets"), ("ok", "text"), ("ok", "media")]


def test_it_reports_instead_of_raising(team: Team) -> None:
    assert levels(team.read(check_draft, team.alice, PostDraft(options={"color": "red"}))) == [
        ("stop", "options")
    ]
    items = team.read(check_draft, team.alice, PostDraft(), Schedule.wall("nonsense", "UTC"))
    assert ("stop", "scheduled_at") in levels(items) and ("stop", "targets") in levels(items)


def test_every_stop_is_also_refused_at_scheduling(team: Team) -> None:
    drafts = [
        PostDraft(text="No channel"),
        team.draft(""),
        team.draft("x" * 501),
        team.draft("x" * 301, team.bluesky),
        team.draft("ok", thread=("x" * 501,)),
        team.draft("Hidden", team.bluesky, options={"visibility": "unlisted"}),
    ]
    for draft in drafts:
        items = team.read(check_draft, team.alice, draft, Schedule.at(soon()))
        assert items[0].level == "stop", draft
        with pytest.raises(InvalidInput) as refused:
            team.write(posts.create_post, team.alice, draft, Schedule.at(soon()))
        assert items[0].field in refused.value.fields
    assert team.jobs() == []


def test_the_same_text_within_a_day_is_pointed_out(team: Team) -> None:
    team.scheduled(draft=team.draft("Twice"))
    items = team.read(
        check_draft, team.alice, team.draft("Twice", team.mastodon, team.bluesky), Schedule.at(soon())
    )
    (check,) = [item for item in items if item.level == "check"]
    assert check.account_id == team.mastodon.id and "same text" in check.sentence
    later = Schedule.at(soon(2 * 86400))
    assert all(item.level == "ok" for item in team.read(check_draft, team.alice, team.draft("Twice"), later))


def test_a_clash_within_five_minutes_is_pointed_out_but_not_with_itself(team: Team) -> None:
    post = team.scheduled(text="First")
    near = Schedule.at(soon(3600 + 240))
    items = team.read(check_draft, team.alice, team.draft("Second"), near)
    assert ("check", "scheduled_at") in levels(items)
    own = team.read(check_draft, team.alice, team.draft("First"), near, post_id=post.id)
    assert all(item.level == "ok" for item in own)
    apart = Schedule.at(soon(3600 + 600))
    assert all(item.level == "ok" for item in team.read(check_draft, team.alice, team.draft("Second"), apart))


def test_cancelled_posts_clash_with_nothing(team: Team) -> None:
    post = team.scheduled(text="Gone")
    team.write(posts.cancel_post, team.alice, post.id)
    items = team.read(check_draft, team.alice, team.draft("Gone"), Schedule.at(soon()))
    assert all(item.level == "ok" for item in items)


def test_a_login_that_ends_before_the_post_is_due_is_pointed_out(team: Team) -> None:
    with team.stack.database.transaction() as session:
        session.get_one(Account, team.mastodon.id).token_expires_at = utc_now() + timedelta(minutes=10)
    items = team.read(check_draft, team.alice, team.draft(), Schedule.at(soon()))
    assert any(item.level == "check" and "login" in item.sentence for item in items)


def test_channels_that_do_not_work_and_missing_alt_texts_are_found(team: Team) -> None:
    picture = team.picture()
    with team.stack.database.transaction() as session:
        session.get_one(Account, team.bluesky.id).status = AccountStatus.REAUTHORISE
    draft = team.draft("Hi", team.mastodon, team.bluesky, media=(MediaDraft(picture.id),))
    items = team.read(check_draft, team.alice, draft, Schedule.at(soon()))
    assert levels(items)[0] == ("stop", f"targets.{team.bluesky.id}")
    assert ("check", "media") in levels(items)


def test_what_went_out_counts_as_history(team: Team) -> None:
    post = team.scheduled(text="Out")
    team.set_job(team.jobs(post.id)[0].id or 0, JobState.PUBLISHED, remote_id="1")
    items = team.read(check_draft, team.alice, team.draft("Out"), Schedule.at(soon()))
    assert any("same text" in item.sentence for item in items)


def test_what_an_admin_attached_may_stay_on_a_creators_post(team: Team) -> None:
    post = team.write(posts.create_post, team.alice, team.draft())
    team.write(posts.update_post, team.ada, post.id, team.draft("Hi", team.private), version=post.version)
    draft = team.draft("Hi", team.private)
    assert (
        levels(team.read(check_draft, team.alice, draft, Schedule.at(soon()), post_id=post.id))[0][0] == "ok"
    )
    assert levels(team.read(check_draft, team.alice, draft, Schedule.at(soon())))[0] == ("stop", "targets")
    assert (
        levels(team.read(check_draft, team.bob, draft, Schedule.at(soon()), post_id=post.id))[0][0] == "stop"
    )
    assert (
        levels(team.read(check_draft, team.alice, draft, Schedule.at(soon()), post_id="\x00"))[0][0] == "stop"
    )


def test_an_empty_draft_is_told_so_once(team: Team) -> None:
    items = team.read(
        check_draft, team.alice, team.draft("", team.mastodon, team.bluesky), Schedule.at(soon())
    )
    assert [item.sentence for item in items if item.level == "stop"] == [
        "Write something or attach a picture."
    ]


def test_a_channel_of_a_network_that_this_version_lost_stops_the_post_and_breaks_no_list(team: Team) -> None:
    with team.stack.database.transaction() as session:
        session.get_one(Account, team.mastodon.id).platform = "orkut"
    items = team.read(check_draft, team.alice, team.draft("Hi", team.mastodon), Schedule.at(soon()))
    assert items[0].level == "stop" and "knows no such network" in items[0].sentence
    assert len(team.read(accounts.list_accounts, team.alice)) == 2


def test_a_text_under_a_picture_is_shorter_where_the_network_says_so(team: Team) -> None:
    """Telegram: a caption holds 1,024, a message 4,096."""
    with team.stack.database.transaction() as session:
        session.execute(update(Account).where(Account.id == team.mastodon.id).values(platform="telegram"))
    picture = team.picture(alt="A field")
    for text, media, is_stopped in (
        ("x" * 1024, (MediaDraft(picture.id),), False),
        ("x" * 1025, (MediaDraft(picture.id),), True),
        ("x" * 4096, (), False),
    ):
        draft = team.draft(text, team.mastodon, media=media)
        stops = [item for item in team.read(check_draft, team.alice, draft) if item.level == "stop"]
        assert bool(stops) is is_stopped, (len(text), stops)
