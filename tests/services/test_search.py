"""Search over posts, channels and pictures: what the person may see, and nothing else."""

from __future__ import annotations

from contentcaster.services import media, posts, search
from tests.services.service_kit import Team


def hits(team: Team, who: str, query: str) -> set[tuple[str, str]]:
    found = team.read(search.find, getattr(team, who), query)
    return {(hit.kind, hit.title) for hit in found}


def test_each_person_finds_their_own_and_nothing_of_others(team: Team) -> None:
    team.write(posts.create_post, team.alice, team.draft("The harvest report"))
    team.write(posts.create_post, team.bob, team.draft("The harvest of Bob"))
    picture = team.picture(team.alice)
    team.write(media.set_alt_text, team.alice, picture.id, "A harvest moon")
    assert hits(team, "alice", "harvest") == {("post", "The harvest report"), ("media", "cat.png")}
    assert {title for kind, title in hits(team, "ada", "harvest") if kind == "post"} == {
        "The harvest report",
        "The harvest of Bob",
    }
    assert hits(team, "bob", "harvest") == {("post", "The harvest of Bob")}
    assert hits(team, "vic", "harvest") == set(), "a Viewer reads numbers only"


def test_channels_are_found_by_handle_and_network_and_private_ones_by_nobody_else(team: Team) -> None:
    assert hits(team, "alice", "acme.example") == {("channel", "Bluesky · acme.example")}
    assert ("channel", "Mastodon · @boss@x.social") not in hits(team, "alice", "mastodon")
    assert ("channel", "Mastodon · @boss@x.social") in hits(team, "ada", "mastodon")


def test_odd_words_are_no_error(team: Team) -> None:
    for words in ("", "   ", "\x00", "%_\\", "'; DROP TABLE post; --", "x" * 500, '"' * 9, "😀"):
        team.read(search.find, team.alice, words)
