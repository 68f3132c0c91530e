"""Posts of people who need approval: who decides, on which version, and what is said about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contentcaster.errors import Conflict, InvalidInput, NotAllowed, NotFound
from contentcaster.security.permissions import Principal
from contentcaster.services import approval, approving, posts
from contentcaster.services.schedule import Schedule
from contentcaster.services.views import PostDetail
from tests.services.service_kit import Team, soon


@pytest.fixture
def newcomer(team: Team) -> Principal:
    return replace(team.alice, needs_approval=True)


def asked(team: Team, who: Principal, text: str = "Please read", in_seconds: float = 3600) -> PostDetail:
    when = Schedule.at(soon(in_seconds), "Europe/Berlin")
    post: PostDetail = team.write(posts.create_post, who, team.draft(text), when)
    return post


def kinds(team: Team, post_id: str) -> list[str]:
    return [review.kind for review in team.read(approval.list_reviews, team.ada, post_id)]


def test_only_the_version_that_was_read_is_approved(team: Team, newcomer: Principal) -> None:
    read = asked(team, newcomer)
    team.write(posts.update_post, newcomer, read.id, team.draft("Something else"), version=read.version)
    with pytest.raises(Conflict, match="changed since you read it"):
        team.write(posts.approve_post, team.ada, read.id, version=read.version)
    assert team.read(posts.get_post, team.ada, read.id).status == "PendingApproval"
    assert team.jobs() == [], "nothing goes out of words that nobody approved"
    assert kinds(team, read.id) == ["requested", "changed"]


def test_a_post_is_sent_back_with_a_reason_its_author_can_read(team: Team, newcomer: Principal) -> None:
    post = asked(team, newcomer)
    with pytest.raises(InvalidInput) as refused:
        team.write(posts.reject_post, team.ada, post.id, "  ")
    assert "reason" in refused.value.fields
    back = team.write(posts.reject_post, team.ada, post.id, "The link is dead.", version=post.version)
    assert (back.status, back.review_state) == ("Draft", "returned")
    said = team.read(approval.list_reviews, newcomer, post.id)
    assert [(item.kind, item.author_name, item.text) for item in said][-1] == (
        "returned",
        "Ada",
        "The link is dead.",
    )
    again = team.write(
        posts.schedule_post, newcomer, post.id, Schedule.at(soon(), "Europe/Berlin"), version=back.version
    )
    assert (again.status, again.review_state) == ("PendingApproval", "requested")


def test_every_change_after_approval_asks_anew(team: Team, newcomer: Principal) -> None:
    post = asked(team, newcomer)
    approved = team.write(posts.approve_post, team.ada, post.id, version=post.version)
    assert approved.review_state == "approved"
    moved = team.write(
        posts.schedule_post, newcomer, post.id, Schedule.at(soon(7200), "Europe/Berlin"), version=None
    )
    assert moved.status == "PendingApproval"
    assert team.jobs(post.id) == [], "what was approved for another time does not go out meanwhile"
    assert kinds(team, post.id) == ["requested", "approved", "requested"]


def test_author_and_admins_talk_about_a_post_and_nobody_else(team: Team, newcomer: Principal) -> None:
    post = asked(team, newcomer)
    team.write(approval.comment, team.ada, post.id, "Which launch?")
    team.write(approval.comment, newcomer, post.id, "The one in May.")
    with pytest.raises(NotFound):
        team.write(approval.comment, team.bob, post.id, "Me too")
    with pytest.raises(NotAllowed):
        team.write(approval.comment, team.mona, post.id, "I only watch")
    with pytest.raises(NotFound):
        team.read(approval.list_reviews, team.bob, post.id)
    with pytest.raises(InvalidInput):
        team.write(approval.comment, team.ada, post.id, "x" * 2001)
    said = [item.text for item in team.read(approval.list_reviews, team.ada, post.id)]
    assert said == ["", "Which launch?", "The one in May."]
    read = team.read(posts.get_post, team.ada, post.id)
    assert read.version == post.version, "a comment does not make what was read outdated"


def test_the_inbox_shows_what_is_due_first_and_all_that_would_go_out(team: Team, newcomer: Principal) -> None:
    later, sooner = asked(team, newcomer, "Later", 7200), asked(team, newcomer, "Sooner", 600)
    first = team.read(approval.list_pending, team.ada, limit=1)
    assert [item.id for item in first.items] == [sooner.id]
    second = team.read(approval.list_pending, team.ada, limit=1, cursor=first.next_cursor)
    assert [item.id for item in second.items] == [later.id] and second.next_cursor == ""
    assert first.items[0].channels[0].account_id == team.mastodon.id
    assert [review.kind for review in first.items[0].reviews] == ["requested"]
    with pytest.raises(NotAllowed):
        team.read(approval.list_pending, newcomer)


def test_of_many_approved_at_once_a_changed_one_is_left_waiting(team: Team, newcomer: Principal) -> None:
    good, changed = asked(team, newcomer, "Good"), asked(team, newcomer, "Before")
    team.write(posts.update_post, newcomer, changed.id, team.draft("After"), version=changed.version)
    versions = [(good.id, good.version), (changed.id, changed.version), ("nonsense", 1)]
    result = approving.approve_posts(team.stack.database, team.ada, versions)
    assert (result.done, result.skipped) == (1, 2)
    assert any("changed since" in problem for problem in result.problems)
    statuses = [team.read(posts.get_post, team.ada, post.id).status for post in (good, changed)]
    assert statuses == ["PendingQueue", "PendingApproval"]
    with pytest.raises(NotAllowed):
        approving.approve_posts(team.stack.database, newcomer, versions)
