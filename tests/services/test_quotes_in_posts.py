"""A quote in a draft: checked, told to the networks that can show it, left out of the others with a word about it."""

from __future__ import annotations

import pytest

from contentcaster.errors import InvalidInput
from contentcaster.services import preflight
from tests.services.service_kit import Team

ADDRESS = "https://bsky.app/profile/ada.test/post/3kabc"


def test_only_the_first_part_on_the_quotes_own_network_carries_it(team: Team) -> None:
    draft = team.draft("One", team.mastodon, team.bluesky, thread=("Two",), options={"quote": ADDRESS})
    said = [item.sentence for item in team.read(preflight.check_draft, team.alice, draft, None)]
    (left_out,) = [sentence for sentence in said if "the quote is left out there" in sentence]
    assert left_out.startswith("Mastodon")
    post = team.scheduled(draft=draft)
    told = {(job.account_id, job.payload["part"]): job.payload["options"] for job in team.jobs(post.id)}
    assert told[(team.bluesky.id, 0)] == {"quote": ADDRESS}
    assert [key for key, options in told.items() if "quote" in options] == [(team.bluesky.id, 0)]


@pytest.mark.parametrize(
    "typed", ["bsky.app/x", "https://example.org", "javascript:alert(1)", "https://x.com/" + "a" * 600]
)
def test_what_is_no_address_of_a_post_is_refused_at_its_field(team: Team, typed: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        team.scheduled(draft=team.draft("One", team.bluesky, options={"quote": typed}))
    assert list(refused.value.fields) == ["options.quote"]
