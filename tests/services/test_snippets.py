"""Saved texts, and what @ and # are completed to."""

from __future__ import annotations

import pytest

from contentcaster.bots.candidates import Candidate, pack
from contentcaster.errors import Conflict, InvalidInput, NotAllowed, NotFound
from contentcaster.models import BotProspect
from contentcaster.services import completion, posts, snippets
from tests.services.service_kit import Team


def saved(team: Team, who: str = "alice", **more: object) -> str:
    given = {"kind": "template", "name": "Release", "text": "{{ask: Version}} is out on {{date}}."} | more
    return str(team.write(snippets.save_snippet, getattr(team, who), **given).id)


def test_own_texts_are_private_and_shared_ones_are_there_for_everybody(team: Team) -> None:
    saved(team, name="Mine")
    saved(team, "ada", name="Ours", is_shared=True)
    assert [item.name for item in team.read(snippets.list_snippets, team.alice)] == ["Mine", "Ours"]
    of_bob = team.read(snippets.list_snippets, team.bob)
    assert [(item.name, item.owner_name, item.is_editable) for item in of_bob] == [("Ours", "Ada", False)]
    with pytest.raises(NotAllowed):
        saved(team, name="Everybody", is_shared=True)
    with pytest.raises(NotAllowed):
        team.read(snippets.list_snippets, team.vic)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"text": "Hello {{nmae}}"}, "text"),
        ({"text": "Hello {{date}"}, "text"),
        ({"text": "Hello {{ask:}}"}, "text"),
        ({"text": ""}, "text"),
        ({"text": "x" * 10_001}, "text"),
        ({"name": " "}, "name"),
        ({"kind": "poem"}, "kind"),
        ({"kind": "hashtags", "text": "#devrel and words"}, "text"),
    ],
)
def test_what_could_not_be_used_is_refused_when_it_is_saved(
    team: Team, change: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        saved(team, **change)
    assert field in refused.value.fields


def test_the_refusal_of_a_variable_names_those_that_there_are(team: Team) -> None:
    with pytest.raises(InvalidInput, match=r"no variable \{\{nmae\}\}.*\{\{author\}\}"):
        saved(team, text="By {{nmae}}")


def test_a_text_is_changed_by_its_owner_only_and_never_over_somebody_elses_change(team: Team) -> None:
    own = saved(team)
    given = {"kind": "signature", "name": "Sig", "text": "Alice", "snippet_id": own}
    changed = team.write(snippets.save_snippet, team.alice, **given, version=1)
    assert (changed.kind, changed.version) == ("signature", 2)
    with pytest.raises(Conflict):
        team.write(snippets.save_snippet, team.alice, **given, version=1)
    for stranger in (team.bob, team.ada):
        with pytest.raises(NotFound):
            team.write(snippets.save_snippet, stranger, **given)
        with pytest.raises(NotFound):
            team.write(snippets.delete_snippet, stranger, own)
    team.write(snippets.delete_snippet, team.alice, own)
    assert team.read(snippets.list_snippets, team.alice) == []


def test_completion_knows_own_words_channels_and_for_admins_found_people(team: Team) -> None:
    for text in ("Hi @zoe@example.social #DevRel", "Again #DevRel #selfhosting https://e.org/#nope"):
        team.write(posts.create_post, team.alice, team.draft(text))
    team.write(posts.create_post, team.bob, team.draft("#ofbob @friend_of_bob"))
    saved(team, kind="hashtags", name="Set", text="#opensource #devrel")
    with team.stack.database.transaction() as session:
        found = Candidate(kind="person", ref="r", handle="@found@example.org", author_ref="r")
        session.add(BotProspect(account_id=team.mastodon.id, kind="person", ref="r", candidate=pack(found)))
    alice = team.read(completion.list_completions, team.alice)
    assert alice.hashtags[0] == "#DevRel" and set(alice.hashtags) == {
        "#DevRel",
        "#selfhosting",
        "#opensource",
    }
    assert "@zoe@example.social" in alice.mentions and "@acme@example.social" in alice.mentions
    assert "@friend_of_bob" not in alice.mentions and "@found@example.org" not in alice.mentions
    assert "@found@example.org" in team.read(completion.list_completions, team.ada).mentions
