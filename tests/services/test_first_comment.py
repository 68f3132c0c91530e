"""The first comment of a post, and the tags of its links: frozen, counted and sent as they were shown."""

from __future__ import annotations

import pytest

from contentcaster.errors import InvalidInput, NotAllowed
from contentcaster.platforms.base import Feature
from contentcaster.platforms.link_tags import LinkTagRule, tag_links
from contentcaster.services import accounts, link_tags, posts, preflight
from contentcaster.services.drafts import PostDraft, TargetDraft
from contentcaster.services.platforms import capabilities_of
from contentcaster.services.schedule import Schedule
from tests.services.service_kit import Team, soon
from tests.services_for_tests import factories


def payloads(team: Team, post_id: str) -> list[tuple[str, int, bool]]:
    return [
        (job.payload["text"], job.payload["part"], job.payload.get("is_comment", False))
        for job in team.jobs(post_id)
    ]


def test_the_first_comment_follows_the_last_part_where_the_network_takes_one(team: Team) -> None:
    with team.stack.database.transaction() as session:
        silent = factories.create_account(session, team.users["ada"], platform="discord", handle="#news")
    assert Feature.FIRST_COMMENT not in capabilities_of(silent).features
    draft = team.draft("Read this", team.mastodon, silent, first_comment="Links: https://example.org")
    post = team.scheduled(draft=draft)
    by_channel = {job.account_id: [] for job in team.jobs(post.id)}  # type: ignore[var-annotated]
    for job in team.jobs(post.id):
        by_channel[job.account_id].append(job)
    first, comment = by_channel[team.mastodon.id]
    assert (comment.payload["text"], comment.after_job_id) == ("Links: https://example.org", first.id)
    assert [job.payload["text"] for job in by_channel[silent.id]] == ["Read this"]
    said = team.read(preflight.check_draft, team.alice, draft)
    assert [item.account_id for item in said if "first comment" in item.sentence] == [silent.id]
    named = [target.is_comment for target in team.read(posts.get_post, team.alice, post.id).targets]
    assert sorted(named) == [False, False, True]


def test_an_edit_of_the_first_comment_freezes_it_anew_and_removing_it_cancels_only_it(team: Team) -> None:
    post = team.scheduled(draft=team.draft("Read this", first_comment="Before", thread=("Part two",)))
    assert [text for text, _part, _is in payloads(team, post.id)] == ["Read this", "Part two", "Before"]
    changed = team.write(
        posts.update_post,
        team.alice,
        post.id,
        team.draft("Read this", first_comment="After", thread=("Part two",)),
        version=post.version,
    )
    assert payloads(team, post.id)[-1] == ("After", 2, True)
    team.write(
        posts.update_post,
        team.alice,
        post.id,
        team.draft("Read this", thread=("Part two",)),
        version=changed.version,
    )
    assert [text for text, _part, _is in payloads(team, post.id)] == ["Read this", "Part two"]


def test_a_first_comment_that_is_too_long_stops_the_post_at_its_own_field(team: Team) -> None:
    with pytest.raises(InvalidInput) as refused:
        team.scheduled(draft=team.draft("Short", first_comment="x" * 501))
    assert "first_comment" in refused.value.fields


@pytest.mark.parametrize(
    ("text", "tagged"),
    [
        ("no link", "no link"),
        ("https://e.org/a", "https://e.org/a?utm_source=s&utm_campaign=c"),
        ("(https://e.org/a?x=1#top).", "(https://e.org/a?x=1&utm_source=s&utm_campaign=c#top)."),
        ("https://e.org/?utm_source=own", "https://e.org/?utm_source=own&utm_campaign=c"),
        (
            "https://e.org/?x& http://b.org",
            "https://e.org/?x&utm_source=s&utm_campaign=c http://b.org?utm_source=s&utm_campaign=c",
        ),
    ],
)
def test_links_get_their_tags_and_keep_what_they_had(text: str, tagged: str) -> None:
    assert tag_links(text, LinkTagRule("s", "", "c")) == tagged


def test_each_channel_sends_its_own_tags_and_counts_them(team: Team) -> None:
    team.write(
        link_tags.set_link_tags, team.ada, team.bluesky.id, source="bsky", medium="social", campaign=""
    )
    text = "x" * 270 + " https://example.org"
    draft = PostDraft(text=text, targets=(TargetDraft(team.mastodon.id), TargetDraft(team.bluesky.id)))
    with pytest.raises(InvalidInput) as refused:
        team.scheduled(draft=draft)  # 290 as written, 327 with the tags: Bluesky takes 300
    assert list(refused.value.fields) == [f"targets.{team.bluesky.id}.text", "text"]
    shorter = PostDraft(text="See https://example.org", targets=draft.targets, options={"campaign": "spring"})
    post = team.scheduled(draft=shorter)
    sent = {job.account_id: job.payload for job in team.jobs(post.id)}
    assert sent[team.mastodon.id]["text"] == "See https://example.org"
    assert sent[team.bluesky.id]["text"].endswith("?utm_source=bsky&utm_medium=social&utm_campaign=spring")
    assert sent[team.bluesky.id]["options"] == {}, "networks are told nothing of our options"
    off = team.scheduled(
        draft=PostDraft(text=shorter.text, targets=draft.targets, options={"link_tags": "off"})
    )
    assert {text for text, _part, _is in payloads(team, off.id)} == {"See https://example.org"}


def test_tags_are_chosen_by_those_who_manage_channels_and_must_fit_in_a_link(team: Team) -> None:
    with pytest.raises(NotAllowed):
        team.write(link_tags.set_link_tags, team.alice, team.mastodon.id, source="x", medium="", campaign="")
    with pytest.raises(InvalidInput) as refused:
        team.write(link_tags.set_link_tags, team.ada, team.mastodon.id, source="a b", medium="", campaign="ü")
    assert set(refused.value.fields) == {"source", "campaign"}
    team.write(link_tags.set_link_tags, team.ada, team.mastodon.id, source="m", medium="", campaign="")
    view = team.read(accounts.get_account, team.alice, team.mastodon.id)
    assert view.link_tags is not None and view.link_tags.source == "m"
    team.write(link_tags.set_link_tags, team.ada, team.mastodon.id, source="", medium="", campaign="")
    assert team.read(accounts.get_account, team.alice, team.mastodon.id).link_tags is None


def test_a_duplicate_keeps_the_first_comment(team: Team) -> None:
    post = team.write(
        posts.create_post, team.alice, team.draft("One", first_comment="Two"), Schedule.at(soon(), "UTC")
    )
    assert team.write(posts.duplicate_post, team.alice, post.id).first_comment == "Two"
