"""One act on many posts: what was refused is named, and what can be is taken back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from contentcaster.clock import utc_now
from contentcaster.errors import InvalidInput, NotAllowed
from contentcaster.models import JobState, Post, PostStatus
from contentcaster.services import bulk, posts, slots
from contentcaster.services.bulk import Act
from contentcaster.services.drafts import PostDraft
from contentcaster.services.schedule import Schedule
from tests.services.service_kit import Team


def run(team: Team, act: Act, *post_ids: str, who=None, **more):
    chosen = [(post_id, team.read(posts.get_post, team.ada, post_id).version) for post_id in post_ids]
    return bulk.run(team.stack.database, who or team.alice, act, chosen, **more)


def undo(team: Team, outcome, who=None):
    return bulk.undo(team.stack.database, who or team.alice, outcome.undo)


def get(team: Team, post_id: str):
    return team.read(posts.get_post, team.ada, post_id)


def planned(team: Team, text: str = "Planned", days: int = 3):
    when = Schedule.at(utc_now() + timedelta(days=days), "Europe/Berlin")
    return team.write(posts.create_post, team.alice, team.draft(text), planned=when)


def test_a_draft_keeps_the_time_it_is_meant_for(team: Team) -> None:
    draft = planned(team)
    assert (draft.status, draft.timezone, draft.scheduled_at is not None) == ("Draft", "Europe/Berlin", True)
    saved = team.write(
        posts.update_post, team.alice, draft.id, PostDraft(text="Unfinished"), version=draft.version
    )
    assert (saved.status, saved.wall_time) == ("Draft", draft.wall_time)
    half = Schedule.wall("2026-11-26T", "Europe/Berlin")
    again = team.write(posts.plan_draft, team.alice, draft.id, half)
    assert again.wall_time == draft.wall_time
    assert team.jobs() == []


def test_a_shift_moves_what_waits_names_the_rest_and_is_taken_back(team: Team) -> None:
    first, second, draft = team.scheduled(), team.scheduled(text="Two"), planned(team)
    gone = team.scheduled(text="Already out")
    team.set_job(team.jobs(gone.id)[0].id, JobState.PUBLISHED, ended_at=utc_now(), remote_id="1")
    outcome = run(team, Act.SHIFT, first.id, second.id, draft.id, gone.id, days=1, minutes=30)
    assert outcome.done == [first.id, second.id, draft.id]
    assert [(each.text, each.reason) for each in outcome.refused] == [
        ("Already out", "It is published: only what still waits can be moved.")
    ]
    for post in (first, second, draft):
        assert get(team, post.id).scheduled_at == post.scheduled_at + timedelta(days=1, minutes=30)
    assert get(team, draft.id).status == "Draft"
    assert len(undo(team, outcome).done) == 3
    for post in (first, second, draft):
        assert get(team, post.id).scheduled_at == post.scheduled_at


def test_a_shift_by_days_keeps_the_hour_when_the_clocks_change(team: Team) -> None:
    when = Schedule.wall("2027-03-27T09:00", "Europe/Berlin")
    post = team.write(posts.create_post, team.alice, team.draft("Spring"), when)
    run(team, Act.SHIFT, post.id, days=1)
    assert get(team, post.id).wall_time == "2027-03-28T09:00"


def test_a_shift_into_the_past_is_refused(team: Team) -> None:
    post = team.scheduled()
    outcome = run(team, Act.SHIFT, post.id, days=-2)
    assert outcome.refused[0].reason == "It would go out in the past."
    assert get(team, post.id).scheduled_at == post.scheduled_at


def test_moving_a_post_that_waits_for_approval_does_not_approve_it(team: Team) -> None:
    when = Schedule.at(utc_now() + timedelta(days=1))
    asked = team.write(posts.create_post, team.alice, team.draft("May I?"), when, is_asking_approval=True)
    outcome = run(team, Act.SHIFT, asked.id, who=team.ada, days=1)
    assert get(team, asked.id).status == "PendingApproval"
    undo(team, outcome, team.ada)
    assert (get(team, asked.id).status, team.jobs(asked.id)) == ("PendingApproval", [])


def test_cancelled_posts_come_back_at_their_time(team: Team) -> None:
    post, draft = team.scheduled(), planned(team)
    outcome = run(team, Act.CANCEL, post.id, draft.id)
    assert (outcome.done, len(outcome.refused)) == ([post.id], 1)
    assert get(team, post.id).status == "Cancelled"
    undo(team, outcome)
    back = get(team, post.id)
    assert (back.status in ("Scheduled", "PendingQueue"), back.scheduled_at) == (True, post.scheduled_at)


def test_only_drafts_are_deleted_and_they_come_back(team: Team) -> None:
    draft, waiting = planned(team), team.scheduled()
    outcome = run(team, Act.DELETE, draft.id, waiting.id)
    assert outcome.done == [draft.id]
    assert "no draft. Cancel it first" in outcome.refused[0].reason
    assert [row.id for row in team.read(posts.list_posts, team.alice).items] == [waiting.id]
    assert undo(team, outcome).done == [draft.id]
    assert get(team, draft.id).text == "Planned"
    assert [target.account_id for target in get(team, draft.id).targets] == [team.mastodon.id]


def test_copies_are_drafts_and_can_be_taken_away_again(team: Team) -> None:
    post = team.scheduled()
    outcome = run(team, Act.DUPLICATE, post.id)
    assert sorted(row.status for row in team.read(posts.list_posts, team.alice).items)[0] == "Draft"
    undo(team, outcome)
    assert [row.id for row in team.read(posts.list_posts, team.alice).items] == [post.id]


def test_planned_drafts_are_scheduled_and_those_without_a_time_named(team: Team) -> None:
    draft, idea = planned(team), team.write(posts.create_post, team.alice, team.draft("Idea"))
    outcome = run(team, Act.SCHEDULE, draft.id, idea.id)
    assert get(team, draft.id).status in ("Scheduled", "PendingQueue")
    assert "no planned time yet" in outcome.refused[0].reason
    undo(team, outcome)
    assert (get(team, draft.id).status, get(team, draft.id).wall_time) == ("Draft", draft.wall_time)


def test_many_go_into_the_queue_one_slot_each(team: Team) -> None:
    times = [(day, "09:00") for day in range(7)]
    team.write(slots.set_plan, team.ada, team.mastodon.id, timezone="Europe/Berlin", times=times)
    ideas = [team.write(posts.create_post, team.alice, team.draft(f"Idea {n}")).id for n in range(3)]
    outcome = run(team, Act.QUEUE, *ideas)
    at = [get(team, post_id).scheduled_at for post_id in ideas]
    assert at == sorted(set(at))
    undo(team, outcome)
    assert {get(team, post_id).status for post_id in ideas} == {"Draft"}


def test_what_waits_goes_out_now_and_what_waits_for_approval_does_not(team: Team) -> None:
    soon, draft, empty = team.scheduled(), planned(team), planned(team, "")
    asked = team.scheduled(text="Asked")
    with team.stack.database.transaction() as session:
        session.execute(update(Post).where(Post.id == asked.id).values(status=PostStatus.PENDING_APPROVAL))
    outcome = run(team, Act.PUBLISH, soon.id, draft.id, empty.id, asked.id, who=team.ada)
    assert outcome.done == [soon.id, draft.id]
    assert [each.reason for each in outcome.refused] == [
        "Write something or attach a picture.",
        "It waits for approval. Nothing of it is sent before somebody has decided.",
    ]
    assert outcome.undo == []
    for post in (soon, draft):
        assert get(team, post.id).scheduled_at <= utc_now()


def test_failed_posts_are_tried_again_by_those_who_may(team: Team) -> None:
    post, fine = team.scheduled(), team.scheduled(text="Fine")
    team.fail_job(team.jobs(post.id)[0].id)
    outcome = run(team, Act.RETRY, post.id, fine.id, who=team.ada)
    assert outcome.done == [post.id]
    assert "Nothing of it has failed" in outcome.refused[0].reason
    assert get(team, post.id).status in ("Scheduled", "PendingQueue", "Retrying", "Processing")
    with pytest.raises(NotAllowed):
        run(team, Act.RETRY, post.id)


def test_only_the_version_that_was_read_is_approved(team: Team) -> None:
    when = Schedule.at(utc_now() + timedelta(days=1))
    asked = [
        team.write(posts.create_post, team.alice, team.draft(f"May I {n}?"), when, is_asking_approval=True)
        for n in range(2)
    ]
    chosen = [(asked[0].id, asked[0].version), (asked[1].id, asked[1].version - 1)]
    outcome = bulk.run(team.stack.database, team.ada, Act.APPROVE, chosen)
    assert (outcome.done, [each.post_id for each in outcome.refused]) == ([asked[0].id], [asked[1].id])
    with pytest.raises(NotAllowed):
        bulk.run(team.stack.database, team.alice, Act.APPROVE, chosen)


def test_posts_of_others_are_refused_and_not_named(team: Team) -> None:
    secret = team.write(posts.create_post, team.bob, team.draft("A secret"))
    outcome = run(team, Act.DELETE, secret.id)
    assert (outcome.done, outcome.refused[0].text) == ([], "")
    with pytest.raises(InvalidInput):
        run(team, Act.SHIFT, secret.id)
