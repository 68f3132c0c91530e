"""Finding posts by their words, on both databases alike."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from contentcaster.services import posts
from contentcaster.services.drafts import PostDraft, TargetDraft
from tests.services.service_kit import Team


@pytest.fixture
def found(team: Team):
    def search(words: str) -> list[str]:
        return [row.text for row in team.read(posts.list_posts, team.alice, search=words).items]

    return search


@pytest.mark.parametrize(
    ("words", "is_found"),
    [
        ("release", True),
        ("RELEASE notes", True),
        ("notes release", True),
        ("rele", True),
        ("lease", False),
        ("größe", True),
        ("grösse", False),
        ("example path", True),
        ("spring-campaign", True),
        ("part", True),
        ("bluesky", True),
        ("nothing", False),
        ("...", False),
        ("🎉", True),
        ("„größe“", True),
        ("quoted", True),
        ("_", True),
        ("%%", False),
        ("' OR 1=1 --", False),
        ('"release" AND (', False),
        ("release*", True),
        ("", True),
    ],
)
def test_a_post_is_found_by_the_words_of_its_text_variants_thread_and_labels(
    team: Team, found, words: str, is_found: bool
) -> None:
    draft = PostDraft(
        text="Release notes 🎉🎉: die Größe zählt https://example.org/path_one",
        targets=(TargetDraft(team.mastodon.id), TargetDraft(team.bluesky.id, "Said otherwise on Bluesky")),
        thread=("A second part",),
        labels=("spring-campaign", "„quoted“"),
    )
    team.write(posts.create_post, team.alice, draft)
    assert (len(found(words)) == 1) is is_found


def test_what_changes_is_found_by_its_new_words_only(team: Team, found) -> None:
    draft = PostDraft(text="First", targets=(TargetDraft(team.mastodon.id, "Variant"),))
    post = team.write(posts.create_post, team.alice, draft)
    changed = PostDraft(text="Second", targets=(TargetDraft(team.mastodon.id, "Otherwise"),))
    team.write(posts.update_post, team.alice, post.id, changed, version=post.version)
    assert [found(word) for word in ("first", "variant")] == [[], []]
    assert [found(word) for word in ("second", "otherwise")] == [["Second"], ["Second"]]
    plain = PostDraft(text="Third", targets=(TargetDraft(team.mastodon.id),))
    team.write(posts.update_post, team.alice, post.id, plain, version=post.version + 1)
    assert [found(word) for word in ("otherwise", "third")] == [[], ["Third"]]


def test_nobody_finds_the_posts_of_others(team: Team, found) -> None:
    team.write(posts.create_post, team.bob, team.draft("A secret of Bob"))
    assert found("secret") == []


def test_a_page_goes_on_where_the_one_before_ended(team: Team) -> None:
    for number in range(7):
        team.write(posts.create_post, team.alice, team.draft(f"Campaign {number}"))
        team.write(posts.create_post, team.alice, team.draft(f"Other {number}"))
    first = team.read(posts.list_posts, team.alice, search="campaign", limit=4)
    second = team.read(posts.list_posts, team.alice, search="campaign", limit=4, cursor=first.next_cursor)
    assert [row.text for row in first.items + second.items] == [f"Campaign {n}" for n in range(6, -1, -1)]
    assert second.next_cursor == ""


def test_a_very_long_text_is_kept_and_found(team: Team, found) -> None:
    words = " ".join(f"word{number}ü" for number in range(11_000))
    team.write(posts.create_post, team.alice, team.draft(words[:100_000]))
    assert len(found("word77ü")) == 1


def test_the_index_answers_and_not_a_walk_through_all_posts(team: Team) -> None:
    with team.stack.database.reading() as session:
        if team.stack.database.is_postgres:
            session.execute(text("SET LOCAL enable_seqscan = off"))
            plan = "\n".join(
                row[0]
                for row in session.execute(
                    text(
                        "EXPLAIN SELECT post_id FROM post_words WHERE fts_post_words @@ to_tsquery('simple', 'abc:*')"
                    )
                )
            )
            assert "fts_post_words_words" in plan
        else:
            plan = "\n".join(
                row[3]
                for row in session.execute(
                    text(
                        "EXPLAIN QUERY PLAN SELECT post_id FROM post_words WHERE id IN"
                        " (SELECT rowid FROM fts_post_words WHERE fts_post_words MATCH '\"abc\"*')"
                    )
                )
            )
            assert "VIRTUAL TABLE INDEX" in plan
            assert "SCAN post_words" not in plan
