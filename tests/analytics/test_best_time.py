"""The best hour that the Studio proposes: from own numbers, in the asked zone, and only when there are enough."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from contentcaster.clock import utc_now
from contentcaster.models import Role
from contentcaster.platforms.metrics import PostCounts
from contentcaster.security.permissions import Principal
from contentcaster.services import planning_hints
from contentcaster.services.analytics_collect import enrol
from contentcaster.services.analytics_rollup import Measured, record
from tests.analytics.analytics_kit import published
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Stack

BERLIN = ZoneInfo("Europe/Berlin")
TUESDAY, THURSDAY = 1, 3


def at(weekday: int, hour: int, weeks_ago: int) -> datetime:
    """That hour in Berlin, in one of the last weeks."""
    today = utc_now().astimezone(BERLIN).date()
    day = today - timedelta(days=(today.weekday() - weekday) % 7 + 7 * weeks_ago)
    return datetime(day.year, day.month, day.day, hour, 20, tzinfo=BERLIN)


def measured_posts(stack: Stack, plan: list[tuple[datetime, int]]) -> tuple[Principal, str]:
    """A creator with one channel, and posts on it: when each went out, and its likes."""
    with stack.database.transaction() as session:
        author = factories.create_user(session, Role.CREATOR)
        account = factories.create_account(session, author, platform="mastodon")
        jobs = [(published(session, author, account, moment), likes) for moment, likes in plan]
        enrol(session, now=utc_now())
        record(
            session,
            account.id,
            [Measured(job, 0, utc_now(), PostCounts(likes=likes)) for job, likes in jobs],
        )
        return factories.principal_for(author), account.id


def look(stack: Stack, who: Principal, account_id: str, zone: str) -> planning_hints.TimeHints:
    with stack.database.reading() as session:
        return planning_hints.look(session, who, [account_id], zone)


def test_the_hour_that_did_best_is_proposed_as_its_next_time_in_the_asked_zone(stack: Stack) -> None:
    good = [(at(TUESDAY, 9, week), 40) for week in range(1, 7)]
    poor = [(at(THURSDAY, 15, week), 3) for week in range(1, 6)]
    lucky = [(at(THURSDAY, 20, 1), 400)]  # one post is no pattern
    who, channel = measured_posts(stack, good + poor + lucky)

    hints = look(stack, who, channel, "Europe/Berlin")
    assert hints.best_sentence == (
        "Tuesdays from 09:00 did best: 40 engagements per post, over 6 posts of the last 90 days."
    )
    proposed = datetime.fromisoformat(hints.best_wall_time).replace(tzinfo=BERLIN)
    assert (proposed.weekday(), proposed.hour, proposed.minute) == (TUESDAY, 9, 0)
    assert timedelta(0) < proposed - utc_now() <= timedelta(days=7)

    # The same posts by the clocks of somebody else, with summer time or without.
    tokyo = look(stack, who, channel, "Asia/Tokyo")
    assert tokyo.best_sentence.startswith(("Tuesdays from 16:00", "Tuesdays from 17:00"))


def test_below_three_posts_an_hour_it_says_how_many_there_are_and_proposes_none(stack: Stack) -> None:
    who, channel = measured_posts(
        stack, [(at(TUESDAY, 9, 1), 40), (at(TUESDAY, 9, 2), 50), (at(THURSDAY, 9, 1), 9)]
    )
    hints = look(stack, who, channel, "Europe/Berlin")
    assert hints.best_wall_time == ""
    assert "3 posts were measured in the last 90 days" in hints.best_sentence
    assert "counts from 3 posts on" in hints.best_sentence
