"""A made-up year: complete, summed, and nothing that a network would ever be asked for."""

from __future__ import annotations

from sqlalchemy import func, select

from contentcaster.clock import utc_now
from contentcaster.models import MetricPost, Role
from contentcaster.services import analytics
from contentcaster.services.analytics_answers import answers
from contentcaster.services.analytics_asked import asked_of
from contentcaster.services.analytics_demo import create_year_on_sandbox
from contentcaster.services.analytics_period import period_of
from contentcaster.services.analytics_read import read_all
from tests.analytics.analytics_kit import label_rows, rollup_rows, summed_labels, summed_rows
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Stack


def test_a_viewer_can_answer_what_worked_where_and_when_and_it_is_made_once(stack: Stack) -> None:
    with stack.database.transaction() as session:
        ada = factories.create_user(session, Role.ADMIN)
        viewer = factories.create_principal(session, Role.VIEWER)
        for _ in range(2):
            factories.create_account(session, ada)
    assert create_year_on_sandbox(stack.database, ada.id) == 900
    assert create_year_on_sandbox(stack.database, ada.id) == 0
    with stack.database.reading() as session:
        assert rollup_rows(session) == summed_rows(session)
        due = select(func.count()).select_from(MetricPost).where(MetricPost.next_at.is_not(None))
        assert session.execute(due).scalar_one() == 0
        last = period_of("", "", "UTC").last
        year = period_of(last.replace(year=last.year - 1).isoformat(), "", "UTC")
        assert analytics.summary(session, viewer, year).now.posts == 900
        assert analytics.summary(session, viewer, year).followers
        assert len(analytics.by_channel(session, viewer, year)) == 2
        assert analytics.top_posts(session, viewer, year)[0].engagements
        best = analytics.best_times(analytics.heat_map(session, viewer, year))
        assert len(best) == 3
        assert all(7 <= cell.hour <= 18 and cell.weekday < 5 for cell in best)
        assert label_rows(session) == summed_labels(session)
        found = read_all(session, viewer, asked_of({"days": "365"}, "UTC"))
        what, where, when, bots = answers(found, utc_now())
        assert what.words.startswith("“") and "times the average" in what.note
        assert where.words == f"{found.channels[0].name} on {found.channels[0].channel.platform_name}"  # type: ignore[union-attr]
        assert when.words.split()[0] in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday") and when.at
        assert "more" in bots.words and "likes" in bots.note
