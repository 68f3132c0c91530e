"""Old snapshots go, in small steps, and no number that anybody sees changes by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from contentcaster.models import MetricPost, MetricSnapshot, Role
from contentcaster.platforms.metrics import PostCounts
from contentcaster.services import analytics, analytics_prune
from contentcaster.services.analytics_collect import AGES, enrol
from contentcaster.services.analytics_period import period_of
from contentcaster.services.analytics_rollup import Measured, record
from tests.analytics.analytics_kit import half_hour_rows, label_rows, published, rollup_rows
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Stack

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
OLD, YOUNG = NOW - timedelta(days=500), NOW - timedelta(days=200)


def test_only_the_newest_of_each_count_stays_and_every_view_is_as_before(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analytics_prune, "_POSTS_AT_ONCE", 2)
    with stack.database.transaction() as session:
        author = factories.create_user(session)
        viewer = factories.create_principal(session, Role.VIEWER)
        account = factories.create_account(session, author)
        ids = [published(session, author, account, OLD, labels=("a",)) for _ in range(5)]
        young = published(session, author, account, YOUNG)
        enrol(session, now=NOW)
        for job_id in (*ids, young):
            at = YOUNG if job_id == young else OLD
            record(
                session,
                account.id,
                [
                    # Views are told once, early; likes go up, down, and are not told at last.
                    Measured(
                        job_id,
                        slot,
                        at + age,
                        PostCounts(likes=None if slot == 12 else 20 - slot, views=7 if slot == 2 else None),
                    )
                    for slot, age in enumerate(AGES)
                ],
            )
        session.execute(update(MetricPost).values(next_at=None))
    period = period_of("2025-06-01", "2026-11-30", "UTC")

    def seen() -> list[object]:
        with stack.database.reading() as session:
            asked = (session, viewer, period)
            return [
                analytics.summary(*asked), analytics.series(*asked), analytics.heat_map(*asked),
                analytics.by_channel(*asked), analytics.by_label(*asked), analytics.top_posts(*asked),
                rollup_rows(session), half_hour_rows(session), label_rows(session),
            ]  # fmt: skip

    def snapshots(job_id: int) -> list[int]:
        with stack.database.reading() as session:
            query = select(MetricSnapshot.slot).where(MetricSnapshot.job_id == job_id)
            return sorted(session.execute(query).scalars())

    before = seen()
    assert analytics_prune.prune(stack.database, now=NOW) == 5 * (len(AGES) - 3)
    assert seen() == before
    assert snapshots(ids[0]) == [2, 11, 12], "views, likes, and the last look"
    assert len(snapshots(young)) == len(AGES)
    assert analytics_prune.prune(stack.database, now=NOW) == 0
    with stack.database.transaction() as session:
        late = [Measured(ids[0], 12, OLD + AGES[12], PostCounts(replies=3))]
        record(session, account.id, late, is_correction=True)
        post = session.get_one(MetricPost, ids[0])
        session.refresh(post)
        assert (post.likes, post.views, post.replies, post.engagements) == (9, 7, 3, 12)
        assert session.execute(select(func.count()).select_from(MetricSnapshot)).scalar_one() == 5 * 3 + 13
