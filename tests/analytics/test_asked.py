"""A view in an address: read, written, compared, narrowed down; and what makes no sense is said at its field."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from contentcaster.errors import InvalidInput
from contentcaster.models import Role
from contentcaster.platforms.metrics import PostCounts
from contentcaster.services import analytics, post_labels, posts
from contentcaster.services.analytics_asked import asked_of
from contentcaster.services.analytics_collect import enrol
from contentcaster.services.analytics_drawing import chart, kpis
from contentcaster.services.analytics_period import period_of
from contentcaster.services.analytics_rollup import Measured, record
from contentcaster.services.analytics_scope import Scope
from contentcaster.services.drafts import PostDraft
from tests.analytics.analytics_kit import label_rows, published, summed_labels
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Stack

TODAY = date(2026, 11, 25)


@pytest.mark.parametrize(
    ("words", "days", "other"),
    [
        ({}, ("2026-10-27", "2026-11-25"), ("2026-09-27", "2026-10-26")),
        ({"days": "7"}, ("2026-11-19", "2026-11-25"), ("2026-11-12", "2026-11-18")),
        ({"days": "month"}, ("2026-10-01", "2026-10-31"), ("2026-08-31", "2026-09-30")),
        ({"days": "7", "vs": "year"}, ("2026-11-19", "2026-11-25"), ("2025-11-19", "2025-11-25")),
        (
            {"from": "2024-02-29", "to": "2024-02-29", "vs": "year"},
            ("2024-02-29", "2024-02-29"),
            ("2023-02-28", "2023-02-28"),
        ),
        (
            {"days": "7", "vs_from": "2026-01-01", "vs_to": "2026-01-31", "label": "a&b", "network": "x"},
            ("2026-11-19", "2026-11-25"),
            ("2026-01-01", "2026-01-31"),
        ),
    ],
)
def test_an_address_says_the_view_and_the_view_says_its_address(
    words: dict[str, str], days: tuple[str, str], other: tuple[str, str]
) -> None:
    asked = asked_of(words, "Europe/Berlin", today=TODAY)
    assert (asked.period.first.isoformat(), asked.period.last.isoformat()) == days
    assert (asked.other.first.isoformat(), asked.other.last.isoformat()) == other
    assert asked.query() == words
    assert asked_of(asked.query(), "Europe/Berlin", today=TODAY) == asked


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"days": "-3"}, "days"),
        ({"days": "30; DROP TABLE"}, "days"),
        ({"from": "2026-11-20", "to": "2026-11-01"}, "from"),
        ({"vs_from": "2026-11-20", "vs_to": "2026-11-01"}, "vs_from"),
        ({"vs_from": "1976-01-01", "vs_to": "2026-11-01"}, "vs_from"),
        ({"vs": "sideways"}, "vs"),
    ],
)
def test_an_address_that_makes_no_sense_is_refused_at_its_field(words: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        asked_of(words, "UTC", today=TODAY)
    assert field in refused.value.fields


@pytest.fixture
def numbers(stack: Stack) -> dict[str, str]:
    """Two networks with one post each in October, and two in November on the first; ids by name."""
    with stack.database.transaction() as session:
        author = factories.create_user(session)
        mastodon = factories.create_account(session, author, platform="mastodon")
        bluesky = factories.create_account(session, author, platform="bluesky")
        for account, month, day, likes, labels in [
            (mastodon, 10, 5, 4, ("release",)), (bluesky, 10, 6, 6, ()), (mastodon, 11, 5, 10, ("release", "ops")),
            (mastodon, 11, 6, 20, ()),
        ]:  # fmt: skip
            at = datetime(2026, month, day, 9, tzinfo=UTC)
            job_id = published(session, author, account, at, labels=labels)
            enrol(session, now=at)
            record(session, account.id, [Measured(job_id, 0, at, PostCounts(likes=likes))])
        return {"mastodon": mastodon.id, "bluesky": bluesky.id, "author": author.id}


def test_a_network_a_channel_and_a_label_narrow_every_view_down(
    stack: Stack, numbers: dict[str, str]
) -> None:
    period = period_of("2026-10-01", "2026-11-30", "UTC")
    with stack.database.transaction() as session:
        viewer = factories.create_principal(session, Role.VIEWER)
    expected = {
        Scope(): (4, 40),
        Scope(network="mastodon"): (3, 34),
        Scope(network="telegram"): (0, None),
        Scope(account_id=numbers["bluesky"]): (1, 6),
        Scope(label="release"): (2, 14),
        Scope(network="mastodon", label="ops"): (1, 10),
        Scope(network="bluesky", label="ops"): (0, None),
    }
    with stack.database.reading() as session:
        for scope, (posts_, likes) in expected.items():
            asked = (session, viewer, period, scope)
            total = analytics.summary(*asked).now
            assert (total.posts, total.likes) == (posts_, likes), scope
            assert sum(day.posts for day in analytics.series(*asked)) == posts_, scope
            assert sum(cell.posts for cell in analytics.heat_map(*asked)) == posts_, scope
            assert len(analytics.top_posts(*asked)) == posts_, scope
            for by in (analytics.by_channel, analytics.by_author):
                assert sum(share.figures.posts for share in by(*asked)) == posts_, (scope, by)
        networks = analytics.by_network(analytics.by_channel(session, viewer, period))
        assert [(share.id, share.figures.likes) for share in networks] == [("mastodon", 34), ("bluesky", 6)]
        for scope, field in [
            (Scope(account_id="x'--"), "account_id"), (Scope(network="myspace"), "network"),
            (Scope(label="no such"), "label"), (Scope(label="x" * 300), "label"),
        ]:  # fmt: skip
            with pytest.raises(InvalidInput) as refused:
                analytics.summary(session, viewer, period, scope)
            assert field in refused.value.fields


def test_two_periods_of_different_length_are_compared_by_the_day(
    stack: Stack, numbers: dict[str, str]
) -> None:
    with stack.database.transaction() as session:
        viewer = factories.create_principal(session, Role.VIEWER)
    november, october = (
        period_of("2026-11-01", "2026-11-10", "UTC"), period_of("2026-10-04", "2026-10-08", "UTC"),
    )  # fmt: skip
    with stack.database.reading() as session:
        found = analytics.summary(session, viewer, november, against=october)
        points = analytics.series(session, viewer, november, against=october)
    assert (found.now.likes, found.before.likes) == (30, 10)
    engagements = next(card for card in kpis(found) if card.label == "Engagements")
    assert engagements.delta == "+50%" and "per day" in engagements.note, "30 in 10 days beside 10 in 5"
    assert [(p.day.day, p.before_engagements) for p in points if p.before_engagements] == [(2, 4), (3, 6)]
    assert points[5].before_day is None and len(points) == 10
    drawn = chart(points)
    assert drawn.marks[9].before_label == "–" and drawn.has_any


def test_labels_follow_the_post_and_its_numbers_follow_the_labels(
    stack: Stack, numbers: dict[str, str]
) -> None:
    with stack.database.transaction() as session:
        principal = factories.create_principal(session, Role.CREATOR)
        other = factories.create_principal(session, Role.CREATOR)
        ada = factories.create_principal(session, Role.ADMIN)
        draft = posts.create_post(session, principal, PostDraft(text="Hi", labels=("release", " a  b ")))
    with stack.database.transaction() as session:
        assert post_labels.choices(session, principal) == ["a b", "release"]
        assert post_labels.choices(session, other) == []
        assert [row.id for row in posts.list_posts(session, ada, label="a b").items] == [draft.id]
        assert posts.list_posts(session, other, label="a b").items == []
        best = analytics.top_posts(session, ada, period_of("2026-11-01", "2026-11-30", "UTC"))
        assert post_labels.set_labels(session, ada, best[0].post_id, ["ops", "ops", "new"]) == ["ops", "new"]
        post_labels.set_labels(session, ada, best[1].post_id, [])
        with pytest.raises(InvalidInput):
            post_labels.set_labels(session, ada, best[0].post_id, ["x" * 41])
    with stack.database.reading() as session:
        assert label_rows(session) == summed_labels(session)
        by = {
            share.name: share.figures.likes
            for share in analytics.by_label(session, ada, period_of("2026-10-01", "2026-11-30", "UTC"))
        }
    assert by == {"ops": 20, "new": 20, "release": 4}
