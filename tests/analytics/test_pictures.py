"""A Viewer sees the pictures of what went out beside its numbers, and no other picture."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contentcaster.clock import utc_now
from contentcaster.errors import ContentCasterError
from contentcaster.models import Job, PostMedia, Role
from contentcaster.platforms.metrics import PostCounts
from contentcaster.services import analytics, media
from contentcaster.services.analytics_collect import enrol
from contentcaster.services.analytics_period import period_of
from contentcaster.services.analytics_rollup import Measured, record
from tests.analytics.analytics_kit import published
from tests.services.service_kit import png
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Stack


def test_the_best_posts_come_with_their_first_picture(sqlite_stack: Stack) -> None:
    database, at = sqlite_stack.database, utc_now() - timedelta(minutes=5)
    with database.transaction() as session:
        author = factories.create_user(session)
        viewer = factories.create_principal(session, Role.VIEWER, timezone="UTC")
        account = factories.create_account(session, author)
    principal = factories.principal_for(author)
    shown, second, other = (
        media.store_upload(
            database, principal, filename=f"{name}.png", content=png((40, 30 + number)), alt=name
        )
        for number, name in enumerate(("shown", "second", "other"))
    )
    with database.transaction() as session:
        job_id = published(session, author, account, at)
        post_id = session.get_one(Job, job_id).post_id
        for position, each in enumerate((shown, second)):
            session.add(PostMedia(post_id=post_id, media_id=each.id, position=position, alt=each.alt))
        session.flush()
        enrol(session, now=at)
        record(session, account.id, [Measured(job_id, 0, at, PostCounts(likes=1))])
    with database.reading() as session:
        [best] = analytics.top_posts(session, viewer, period_of("", "", "UTC"))
        assert (best.thumb_url, best.alt) == (shown.thumb_url, "shown")
        assert media.open_file(session, viewer, shown.id, "thumb").path.is_file()
        with pytest.raises(ContentCasterError):
            media.open_file(session, viewer, other.id, "thumb")
        with pytest.raises(ContentCasterError):
            media.get_media(session, viewer, shown.id)
