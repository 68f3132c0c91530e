"""Writing, scheduling, changing and cancelling posts."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from contentcaster.clock import utc_now
from contentcaster.errors import Conflict, InvalidInput, NotAllowed, NotFound
from contentcaster.models import JobState
from contentcaster.services import accounts, posts
from contentcaster.services.drafts import MediaDraft, PostDraft, TargetDraft, draft_of
from contentcaster.services.schedule import Schedule
from tests.services.service_kit import Team, soon


def test_a_draft_may_be_empty_and_keeps_everything_typed(team: Team) -> None:
    empty = team.write(posts.create_post, team.alice, PostDraft())
    assert (empty.status, empty.version, empty.targets) == ("Draft", 1, [])
    draft = PostDraft(text="One", thread=("Two", "Three"), labels=("a", "b"), options={"language": "de"})
    kept = team.write(posts.create_post, team.alice, draft)
    assert draft_of(team.read(posts.get_post, team.alice, kept.id)) == draft


def test_scheduling_writes_post_targets_and_jobs_in_one_commit(team: Team) -> None:
    draft = PostDraft(
        text="For all",
        targets=(TargetDraft(team.mastodon.id), TargetDraft(team.bluesky.id, text="For Bluesky")),
        options={"language": "de"},
    )
    at = soon()
    post = team.write(posts.create_post, team.alice, draft, Schedule.at(at, "Europe/Berlin"))
    assert post.status == "PendingQueue"
    jobs = team.jobs(post.id)
    assert {job.payload["text"] for job in jobs} == {"For all", "For Bluesky"}
    assert {job.due_at for job in jobs} == {at} == {job.scheduled_at for job in jobs}
    assert all(job.expires_at == at + timedelta(hours=24) and job.max_attempts == 4 for job in jobs)
    assert all(job.payload["options"] == {"language": "de"} for job in jobs)
    assert {target.status for target in post.targets} == {"PendingQueue"}


def test_a_thread_becomes_a_chain_of_jobs_on_each_channel(team: Team) -> None:
    draft = team.draft("One", team.mastodon, team.bluesky, thread=("Two", "Three"))
    post = team.scheduled(draft=draft)
    for account in (team.mastodon, team.bluesky):
        chain = [job for job in team.jobs(post.id) if job.account_id == account.id]
        assert [job.payload["text"] for job in chain] == ["One", "Two", "Three"]
        assert [job.after_job_id for job in chain] == [None, chain[0].id, chain[1].id]
        assert len({job.payload["created_at"] for job in chain}) == 3
    assert len({job.idempotency_key for job in team.jobs(post.id)}) == 6
    assert len({job.client_ref for job in team.jobs(post.id) if job.account_id == team.bluesky.id}) == 3


def test_nothing_is_written_if_one_channel_refuses_the_text(team: Team) -> None:
    with pytest.raises(InvalidInput) as refused:
        team.write(
            posts.create_post, team.alice, team.draft("x" * 400, team.mastodon, team.bluesky), Schedule.now()
        )
    assert f"targets.{team.bluesky.id}.text" in refused.value.fields
    assert f"targets.{team.mastodon.id}.text" not in refused.value.fields
    assert "Bluesky" in refused.value.message
    assert team.jobs() == []
    assert team.read(posts.list_posts, team.alice).items == []


def test_all_that_is_wrong_is_said_at_once(team: Team) -> None:
    when = Schedule.at(utc_now() - timedelta(hours=2), "UTC")
    with pytest.raises(InvalidInput) as refused:
        team.write(posts.create_post, team.alice, PostDraft(), when)
    assert set(refused.value.fields) == {"targets", "scheduled_at"}


def test_a_time_that_passed_less_than_a_minute_ago_means_now(team: Team) -> None:
    post = team.scheduled(in_seconds=-50)
    assert abs((post.scheduled_at - utc_now()).total_seconds()) < 10  # type: ignore[operator]
    with pytest.raises(InvalidInput):
        team.scheduled(in_seconds=-90)


def test_an_edit_of_a_scheduled_post_freezes_it_anew(team: Team) -> None:
    post = team.scheduled(draft=team.draft("Old", team.mastodon, team.bluesky))
    before = {job.account_id: (job.id, job.idempotency_key) for job in team.jobs(post.id)}
    changed = team.write(
        posts.update_post,
        team.alice,
        post.id,
        team.draft("New", team.mastodon, team.bluesky),
        version=post.version,
        when=Schedule.at(soon(7200), "UTC"),
    )
    jobs = team.jobs(post.id)
    assert {job.account_id: (job.id, job.idempotency_key) for job in jobs} == before
    assert {job.payload["text"] for job in jobs} == {"New"}
    assert {job.due_at for job in jobs} == {changed.scheduled_at}
    assert changed.version == post.version + 1


def test_an_edit_may_add_and_remove_channels_and_thread_parts(team: Team) -> None:
    post = team.scheduled(draft=team.draft("Text", team.mastodon))
    changed = team.write(
        posts.update_post,
        team.alice,
        post.id,
        team.draft("Text", team.bluesky, thread=("More",)),
        version=post.version,
    )
    assert [(t.account_id, t.part) for t in changed.targets] == [(team.bluesky.id, 0), (team.bluesky.id, 1)]
    assert changed.status == "PendingQueue", "the cancelled job of the removed channel does not count"
    assert {job.account_id for job in team.jobs(post.id)} == {team.bluesky.id}
    (removed,) = [job for job in team.jobs() if job.account_id == team.mastodon.id]
    assert (removed.state, removed.post_id) == (JobState.CANCELLED, None)


def test_a_lost_update_is_refused(team: Team) -> None:
    post = team.write(posts.create_post, team.alice, team.draft("One"))
    team.write(posts.update_post, team.alice, post.id, team.draft("Two"), version=post.version)
    with pytest.raises(Conflict, match="changed by someone else"):
        team.write(posts.update_post, team.ada, post.id, team.draft("Three"), version=post.version)
    assert team.read(posts.get_post, team.alice, post.id).text == "Two"


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (JobState.CLAIMED, "being sent"),
        (JobState.SENDING, "being sent"),
        (JobState.UNKNOWN, "being sent"),
        (JobState.RESOLVING, "being sent"),
        (JobState.PUBLISHED, "gone out"),
    ],
)
def test_what_is_on_its_way_cannot_be_edited(team: Team, state: JobState, sentence: str) -> None:
    post = team.scheduled()
    proof = {"remote_id": "1"} if state is JobState.PUBLISHED else {}
    team.set_job(team.jobs(post.id)[0].id, state, **proof)
    detail = team.read(posts.get_post, team.alice, post.id)
    assert not detail.is_editable
    assert sentence in detail.locked_reason
    with pytest.raises(Conflict, match=sentence):
        team.write(posts.update_post, team.alice, post.id, team.draft("New"), version=post.version)
    with pytest.raises(Conflict, match=sentence):
        team.write(posts.unschedule_post, team.alice, post.id)


def test_a_try_that_may_have_arrived_locks_the_content(team: Team) -> None:
    post = team.scheduled()
    team.set_job(team.jobs(post.id)[0].id, JobState.RETRY_WAIT, first_sent_at=utc_now(), attempt=1)
    with pytest.raises(Conflict, match="tried already"):
        team.write(posts.update_post, team.alice, post.id, team.draft("New"), version=post.version)


def test_cancelling_stops_everything_that_waits(team: Team) -> None:
    post = team.scheduled(draft=team.draft("Text", team.mastodon, team.bluesky))
    team.set_job(team.jobs(post.id)[0].id, JobState.CLAIMED)
    cancelled = team.write(posts.cancel_post, team.alice, post.id)
    assert cancelled.status == "Cancelled"
    assert {job.state for job in team.jobs(post.id)} == {JobState.CANCELLED}
    with pytest.raises(Conflict, match="nothing to cancel"):
        team.write(posts.cancel_post, team.alice, post.id)


def test_cancelling_is_all_or_nothing_while_a_part_is_being_sent(team: Team) -> None:
    post = team.scheduled(draft=team.draft("Text", team.mastodon, team.bluesky))
    team.set_job(team.jobs(post.id)[0].id, JobState.SENDING)
    with pytest.raises(Conflict, match="no longer be stopped"):
        team.write(posts.cancel_post, team.alice, post.id)
    assert {job.state for job in team.jobs(post.id)} == {JobState.SENDING, JobState.PENDING_QUEUE}


def test_a_cancelled_post_can_be_scheduled_again(team: Team) -> None:
    post = team.scheduled()
    team.write(posts.cancel_post, team.alice, post.id)
    again = team.write(posts.schedule_post, team.alice, post.id, Schedule.now("UTC"))
    assert again.status == "PendingQueue"
    assert [job.state for job in team.jobs(post.id)] == [JobState.PENDING_QUEUE]


def test_a_refused_post_can_be_changed_and_sent_again_and_its_failure_is_closed(team: Team) -> None:
    post = team.scheduled()
    team.fail_job(team.jobs(post.id)[0].id)
    failed = team.read(posts.get_post, team.alice, post.id)
    assert failed.status == "Failed" and failed.is_editable and failed.targets[0].failed_task_id
    again = team.write(
        posts.update_post,
        team.alice,
        post.id,
        team.draft("Better"),
        version=failed.version,
        when=Schedule.now(),
    )
    assert again.status == "PendingQueue"
    assert again.targets[0].failed_task_id is None


def test_a_held_post_that_may_be_live_is_not_sent_again_by_an_edit(team: Team) -> None:
    post = team.scheduled()
    job = team.jobs(post.id)[0]
    team.fail_job(job.id, "needs_review", JobState.HELD, first_sent_at=utc_now())
    with pytest.raises(Conflict, match="may be live"):
        team.write(posts.schedule_post, team.alice, post.id, Schedule.now())


def test_a_scheduled_post_can_become_a_draft_again(team: Team) -> None:
    post = team.scheduled(draft=team.draft("Text", team.mastodon, thread=("More",)))
    draft = team.write(posts.unschedule_post, team.alice, post.id)
    assert draft.status == "Draft"
    assert team.jobs(post.id) == []
    assert draft.thread == ["More"] and [t.part for t in draft.targets] == [0]


def test_deleting_cancels_what_waits_and_hides_the_post(team: Team) -> None:
    post = team.scheduled()
    team.write(posts.delete_post, team.alice, post.id)
    assert [job.state for job in team.jobs()] == [JobState.CANCELLED]
    for who in (team.alice, team.ada):
        with pytest.raises(NotFound):
            team.read(posts.get_post, who, post.id)
        assert team.read(posts.list_posts, who).items == []


def test_a_post_in_flight_is_not_deleted(team: Team) -> None:
    post = team.scheduled()
    team.set_job(team.jobs(post.id)[0].id, JobState.UNKNOWN)
    with pytest.raises(Conflict):
        team.write(posts.delete_post, team.alice, post.id)


def test_posts_of_people_who_need_approval_wait_for_an_admin(team: Team) -> None:
    from dataclasses import replace

    newcomer = replace(team.alice, needs_approval=True)
    post = team.write(posts.create_post, newcomer, team.draft(), Schedule.at(soon(), "Europe/Berlin"))
    assert post.status == "PendingApproval" and team.jobs() == []
    with pytest.raises(NotAllowed):
        team.write(posts.approve_post, newcomer, post.id, version=post.version)
    approved = team.write(posts.approve_post, team.ada, post.id, version=post.version)
    assert approved.status == "PendingQueue" and approved.scheduled_at == post.scheduled_at
    edited = team.write(posts.update_post, newcomer, post.id, team.draft("Sly"), version=approved.version)
    assert edited.status == "PendingApproval", "what was approved is not what would go out"
    assert [job.state for job in team.jobs()] == [JobState.CANCELLED]
    rejected = team.write(posts.reject_post, team.ada, post.id, "No.")
    assert rejected.status == "Draft"


def test_publish_now_does_not_go_around_approval(team: Team) -> None:
    from dataclasses import replace

    newcomer = replace(team.alice, needs_approval=True)
    post = team.write(posts.create_post, newcomer, team.draft())
    assert team.write(posts.publish_now, newcomer, post.id).status == "PendingApproval"
    assert team.jobs() == []


def test_of_two_who_schedule_the_same_draft_at_once_one_wins(team: Team) -> None:
    post = team.write(posts.create_post, team.alice, team.draft())
    barrier, outcomes = threading.Barrier(2), []

    def schedule() -> None:
        barrier.wait()
        try:
            team.write(
                posts.schedule_post, team.alice, post.id, Schedule.at(soon(), "UTC"), version=post.version
            )
            outcomes.append("won")
        except Conflict:
            outcomes.append("lost")

    threads = [threading.Thread(target=schedule) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["lost", "won"]
    assert len(team.jobs(post.id)) == 1


def test_a_private_channel_is_not_there_for_others(team: Team) -> None:
    with pytest.raises(InvalidInput) as refused:
        team.write(posts.create_post, team.alice, team.draft("Hi", team.private))
    assert "targets" in refused.value.fields
    assert team.write(posts.create_post, team.ada, team.draft("Hi", team.private)).status == "Draft"


def test_a_picture_of_someone_else_cannot_be_attached(team: Team) -> None:
    picture = team.picture(team.bob)
    with pytest.raises(InvalidInput) as refused:
        team.write(posts.create_post, team.alice, team.draft(media=(MediaDraft(picture.id),)))
    assert "media" in refused.value.fields


def test_pictures_are_frozen_with_their_alt_texts(team: Team) -> None:
    picture = team.picture(alt="A teal field")
    post = team.scheduled(media=(MediaDraft(picture.id, alt="For this post"),))
    (frozen,) = team.jobs(post.id)[0].payload["media"]
    assert frozen["media_id"] == picture.id and frozen["alt"] == "For this post"
    assert (team.stack.settings.data_dir / "media" / frozen["storage_key"]).is_file()
    assert post.media[0].alt == "For this post"


def test_a_big_picture_goes_out_small_where_the_network_wants_it_small(team: Team) -> None:
    picture = team.picture(size=(1200, 1000), noise=True)
    assert picture.size_bytes > 1_000_000
    draft = team.draft("See", team.mastodon, team.bluesky, media=(MediaDraft(picture.id),))
    post = team.scheduled(draft=draft)
    sizes = {job.account_id: job.payload["media"][0]["size_bytes"] for job in team.jobs(post.id)}
    assert sizes[team.mastodon.id] == picture.size_bytes
    assert sizes[team.bluesky.id] < 1_000_000


@pytest.mark.parametrize("status", ["disabled", "reauthorise"])
def test_a_channel_that_does_not_work_stops_the_post_at_its_field(team: Team, status: str) -> None:
    from contentcaster.models import Account, AccountStatus

    with team.stack.database.transaction() as session:
        session.get_one(Account, team.mastodon.id).status = AccountStatus(status)
    with pytest.raises(InvalidInput) as refused:
        team.scheduled()
    assert f"targets.{team.mastodon.id}" in refused.value.fields


def test_what_is_not_public_never_goes_to_a_network_that_is(team: Team) -> None:
    draft = team.draft("Secret", team.mastodon, team.bluesky, options={"visibility": "private"})
    with pytest.raises(InvalidInput) as refused:
        team.scheduled(draft=draft)
    assert "Bluesky" in refused.value.fields["options.visibility"]


ODD_TEXTS = [
    "",
    "   \n\t ",
    "\x00",
    "\ud800",
    "a\x00b",
    "\u202eevil",
    "😀" * 10,
    "é" * 20,
    "'; DROP TABLE post; --",
    "%_\\",
]


@pytest.mark.parametrize("text", ODD_TEXTS, ids=range(len(ODD_TEXTS)))
def test_odd_texts_are_kept_or_refused_never_a_crash(team: Team, text: str) -> None:
    post = team.write(posts.create_post, team.alice, team.draft(text))
    assert "\x00" not in post.text
    page = team.read(posts.list_posts, team.alice, search=text.replace("\ud800", ""))
    assert [row.id for row in page.items] == [post.id]


@pytest.mark.parametrize(
    ("draft", "field"),
    [
        (PostDraft(text="x" * 100_001), "text"),
        (PostDraft(thread=("x",) * 26), "thread"),
        (PostDraft(labels=("x" * 41,)), "labels"),
        (PostDraft(labels=tuple(str(n) for n in range(21))), "labels"),
        (PostDraft(options={"visibility": "friends"}), "options.visibility"),
        (PostDraft(options={"color": "red"}), "options"),
        (PostDraft(options={"language": "klingon!"}), "options.language"),
        (PostDraft(targets=(TargetDraft("nope"),)), "targets"),
        (PostDraft(targets=(TargetDraft("x" * 500),)), "targets"),
        (PostDraft(targets=(TargetDraft("\x00"),)), "targets"),
        (PostDraft(media=(MediaDraft("\ud800"),)), "media"),
        (PostDraft(media=(MediaDraft("nope"),)), "media"),
        (PostDraft(media=(MediaDraft("nope", part=3),)), "media"),
        (PostDraft(media=(MediaDraft("nope", part=-1),)), "media"),
    ],
)
def test_a_draft_out_of_bounds_names_its_field(team: Team, draft: PostDraft, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        team.write(posts.create_post, team.alice, draft)
    assert field in refused.value.fields


def test_lists_page_by_key_without_gaps_or_repeats(team: Team) -> None:
    made = [team.write(posts.create_post, team.alice, PostDraft(text=f"Post {n}")).id for n in range(7)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = team.read(posts.list_posts, team.alice, cursor=cursor, limit=3)
        seen += [row.id for row in page.items]
        cursor = page.next_cursor
        if not cursor:
            break
    assert seen == made[::-1]
    with pytest.raises(InvalidInput):
        team.read(posts.list_posts, team.alice, cursor="garbage!")


def test_lists_filter_by_status_text_and_channel(team: Team) -> None:
    draft = team.write(posts.create_post, team.alice, team.draft("Apples and 100% pears", team.bluesky))
    waiting = team.scheduled(text="Oranges")
    assert [r.id for r in team.read(posts.list_posts, team.alice, status=("Draft",)).items] == [draft.id]
    assert [r.id for r in team.read(posts.list_posts, team.alice, search="ORANGE").items] == [waiting.id]
    assert [r.id for r in team.read(posts.list_posts, team.alice, search="100%").items] == [draft.id]
    assert team.read(posts.list_posts, team.alice, search="0_").items == []
    found = team.read(posts.list_posts, team.alice, account_id=team.bluesky.id).items
    assert [row.id for row in found] == [draft.id]
    with pytest.raises(InvalidInput):
        team.read(posts.list_posts, team.alice, status=("Nonsense",))
    counts = team.read(posts.count_posts_by_status, team.alice)
    assert counts["Draft"] == 1 and counts["PendingQueue"] == 1 and counts["Failed"] == 0


def test_a_duplicate_is_a_draft_of_ones_own(team: Team) -> None:
    post = team.scheduled(draft=team.draft("Text", team.mastodon, thread=("More",), labels=("x",)))
    copy = team.write(posts.duplicate_post, team.ada, post.id)
    assert copy.status == "Draft" and copy.author_id == team.ada.user_id
    assert draft_of(copy) == draft_of(post)


def test_removing_a_channel_is_refused_while_posts_wait_for_it(team: Team) -> None:
    post = team.scheduled()
    with pytest.raises(Conflict, match="1 post is scheduled"):
        team.write(accounts.delete_account, team.ada, team.mastodon.id)
    team.write(accounts.delete_account, team.ada, team.mastodon.id, is_cancelling_scheduled=True)
    assert team.read(posts.get_post, team.alice, post.id).status == "Cancelled"
    with pytest.raises(NotFound):
        team.read(accounts.get_account, team.ada, team.mastodon.id)


def test_an_edit_does_not_take_a_post_out_of_approval(team: Team) -> None:
    asked = team.write(
        posts.create_post, team.alice, team.draft(), Schedule.at(soon(), "UTC"), is_asking_approval=True
    )
    assert asked.status == "PendingApproval"
    edited = team.write(posts.update_post, team.alice, asked.id, team.draft("New"), version=asked.version)
    assert edited.status == "PendingApproval" and team.jobs() == []


def test_pictures_stay_with_their_part_when_empty_parts_are_dropped(team: Team) -> None:
    first, second = team.picture(), team.picture()
    draft = PostDraft(
        text="One",
        thread=("", "  ", "Three", ""),
        media=(MediaDraft(first.id, part=1), MediaDraft(second.id, part=3)),
    )
    post = team.write(posts.create_post, team.alice, draft)
    assert post.thread == ["", "Three"]
    assert {item.id: item.part for item in post.media} == {first.id: 1, second.id: 2}


def test_an_unfinished_thread_part_with_a_picture_can_go_out(team: Team) -> None:
    picture = team.picture()
    post = team.scheduled(draft=team.draft("One", thread=("",), media=(MediaDraft(picture.id, part=1),)))
    assert [len(job.payload["media"]) for job in team.jobs(post.id)] == [0, 1]


def test_jobs_made_while_another_change_waits_are_never_left_behind(team: Team) -> None:
    """A job without its target would send a post that people see as a draft."""
    post = team.write(posts.create_post, team.alice, team.draft())
    waiting = threading.Event()
    outcomes: list[str] = []

    def unschedule() -> None:
        waiting.set()
        try:
            team.write(posts.unschedule_post, team.alice, post.id)
            outcomes.append("done")
        except Conflict:
            outcomes.append("told")

    with team.stack.database.transaction() as session:
        posts.schedule_post(session, team.alice, post.id, Schedule.at(soon(), "UTC"))
        other = threading.Thread(target=unschedule)
        other.start()
        waiting.wait(10)
        other.join(0.5)  # it now waits for the lock that this transaction holds
        assert other.is_alive()
    other.join(30)
    detail = team.read(posts.get_post, team.alice, post.id)
    assert {target.job_id for target in detail.targets if target.job_id} == {
        job.id for job in team.jobs(post.id)
    }
    assert detail.status == ("Draft" if outcomes == ["done"] else "PendingQueue")
