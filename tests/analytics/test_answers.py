"""Who sees which numbers, and what the answers say of what is missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import Session

from contentcaster.errors import InvalidInput, NotAllowed
from contentcaster.models import Account, FollowerDay, Role, User
from contentcaster.platforms.metrics import PostCounts
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import analytics
from contentcaster.services.analytics_bots import bot_effect
from contentcaster.services.analytics_collect import enrol
from contentcaster.services.analytics_period import Period, period_of
from contentcaster.services.analytics_rollup import Measured, record
from tests.analytics.analytics_kit import published
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Stack

AT = datetime(2026, 11, 10, 9, 0, tzinfo=UTC)
PERIOD = period_of("2026-11-01", "2026-11-14", "UTC")


@pytest.fixture
def people(stack: Stack) -> dict[str, Principal]:
    """Two creators with a post each: Alice's has 10 likes, Bob's could not be measured."""
    with stack.database.transaction() as session:
        users = {
            name: factories.create_user(session, role, name=name)
            for name, role in [
                ("alice", Role.CREATOR), ("bob", Role.CREATOR), ("ada", Role.ADMIN), ("vic", Role.VIEWER),
                ("mona", Role.MONITOR),
            ]
        }  # fmt: skip
        shared = factories.create_account(session, users["ada"], handle="@shared")
        own = factories.create_account(session, users["ada"], handle="@own", is_shared=False)
        first = _publish(session, users["alice"], shared, AT)
        _publish(session, users["bob"], own, AT)
        enrol(session, now=AT)
        record(session, shared.id, [Measured(first, 0, AT, PostCounts(likes=10))])
        for account, day, followers in [
            (shared, 20, 100), (shared, 44, 150), (own, 44, 900)
        ]:  # fmt: skip
            at = datetime(2026, 10, 1, tzinfo=UTC) + timedelta(days=day - 1)
            session.add(FollowerDay(account_id=account.id, day=at.date(), taken_at=at, followers=followers))
    return {name: factories.principal_for(user) for name, user in users.items()}


def _publish(session: Session, author: User, account: Account, at: datetime) -> int:
    return published(session, author, account, at, text=f"Of {author.name}")


def test_viewers_and_admins_see_all_and_a_creator_their_own(
    stack: Stack, people: dict[str, Principal]
) -> None:
    with stack.database.reading() as session:
        seen = {
            name: analytics.summary(session, people[name], PERIOD) for name in ("alice", "bob", "ada", "vic")
        }
        assert {name: found.now.posts for name, found in seen.items()} == {
            "alice": 1, "bob": 1, "ada": 2, "vic": 2,
        }  # fmt: skip
        assert (seen["bob"].now.engagements, seen["bob"].now.measured) == (None, 0), "missing, not zero"
        assert seen["vic"].now.per_post == 10
        assert seen["alice"].followers == 150, "not those of a channel that she may not see"
        texts = [post.text for post in analytics.top_posts(session, people["alice"], PERIOD)]
        assert texts == ["Of alice"]
        assert [f.channel.handle for f in analytics.freshness(session, people["bob"], AT)] == ["@shared"]
        assert bot_effect(session, people["alice"], PERIOD).without_bots.now == 150
        with pytest.raises(NotAllowed):
            analytics.summary(session, people["mona"], PERIOD)


def test_an_api_key_of_a_creator_with_few_scopes_sees_no_more_for_it(
    stack: Stack, people: dict[str, Principal]
) -> None:
    from dataclasses import replace

    key = replace(people["alice"], api_key_id="k", scopes=frozenset({Permission.VIEW_ANALYTICS}))
    with stack.database.reading() as session:
        assert analytics.summary(session, key, PERIOD).now.posts == 1


def test_a_channel_connected_meanwhile_is_no_growth(stack: Stack, people: dict[str, Principal]) -> None:
    with stack.database.reading() as session:
        found = analytics.summary(session, people["vic"], PERIOD)
    assert (found.followers, found.followers_before) == (1050, 1000)


def test_the_period_before_lines_up_day_by_day(stack: Stack, people: dict[str, Principal]) -> None:
    with stack.database.reading() as session:
        points = analytics.series(session, people["vic"], PERIOD)
        later = analytics.series(session, people["vic"], period_of("2026-11-15", "2026-11-28", "UTC"))
    assert len(points) == 14
    assert [(p.posts, p.engagements) for p in points if p.posts] == [(2, 10)]
    assert [(p.before_posts, p.before_engagements) for p in later if p.before_posts] == [(2, 10)]


@pytest.mark.parametrize(
    ("first", "last", "zone", "field"),
    [
        ("2026-11-20", "2026-11-01", "UTC", "from"),
        ("1976-01-01", "2026-01-01", "UTC", "from"),
        ("2001-01-01", "2051-01-01", "UTC", "from"),
        ("yesterday", "", "UTC", "from"),
        ("", "9999-12-31", "UTC", "to"),
        ("", "", "Mars/Olympus", "timezone"),
        ("", "", "../../etc/passwd", "timezone"),
    ],
)
def test_periods_that_make_no_sense_are_refused_at_their_field(
    first: str, last: str, zone: str, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        period_of(first, last, zone)
    assert field in refused.value.fields


def test_a_day_whose_midnight_is_skipped_begins_where_the_clocks_jump_to() -> None:
    day = datetime(2026, 3, 29, tzinfo=UTC).date()  # Beirut goes from 00:00 to 01:00
    period = Period(day, day, "Asia/Beirut")
    assert (period.end - period.start) == timedelta(hours=23)
