"""The report by mail: to whoever asked, once per slot, with text, HTML and the chart, by a real SMTP server."""

from __future__ import annotations

import email
import email.policy
import io
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from PIL import Image
from sqlalchemy import select, update

from contentcaster.clock import utc_now
from contentcaster.engine.policy import Policy
from contentcaster.engine.sender import Sender
from contentcaster.errors import InvalidInput, NotAllowed
from contentcaster.models import AnalyticsReport, Job, JobState, ReportCadence, Role, User
from contentcaster.platforms.metrics import PostCounts
from contentcaster.services import analytics_report
from contentcaster.services.analytics_collect import enrol
from contentcaster.services.analytics_report import KIND, ReportExecutor, next_report, period_of_report
from contentcaster.services.analytics_rollup import Measured, record
from tests.analytics.analytics_kit import published
from tests.networks.node_server import free_port
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Stack

PORT = free_port()
with_mail = pytest.mark.settings(
    smtp_url=f"smtp+plain://127.0.0.1:{PORT}",
    smtp_from="console@example.org",
    egress_allow=f"127.0.0.1:{PORT}",
    public_url="https://social.example.org",
)


class Mailbox:
    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=PORT)
    controller.start()
    yield box
    controller.stop()


@with_mail
def test_a_report_goes_out_once_per_slot_and_says_it_in_text_html_and_a_picture(
    sqlite_stack: Stack, mailbox: Mailbox
) -> None:
    database, now = sqlite_stack.database, utc_now()
    week = period_of_report(ReportCadence.WEEKLY, "UTC", now)
    with database.transaction() as session:
        vic = factories.create_principal(session, Role.VIEWER, timezone="UTC")
        gone = factories.create_user(session, Role.VIEWER)
        author = factories.create_user(session)
        account = factories.create_account(session, author, handle="@acme")
        at = week.start + timedelta(hours=30)
        job_id = published(session, author, account, at, text="<b>Release</b> & more")
        enrol(session, now=at)
        record(session, account.id, [Measured(job_id, 0, at, PostCounts(likes=1234))])
        assert analytics_report.set_report(session, vic, "weekly").next_at > now  # type: ignore[operator]
        analytics_report.set_report(session, factories.principal_for(gone), "monthly")
    assert analytics_report.plan_due(database, now=now) == 0, "not before its time"
    with database.transaction() as session:
        session.execute(update(AnalyticsReport).values(next_at=now - timedelta(minutes=1)))
        session.execute(update(User).where(User.id == gone.id).values(is_active=False))
    assert [analytics_report.plan_due(database, now=now) for _ in range(3)] == [1, 0, 0]

    sender = Sender(
        database,
        Policy.from_settings(database.settings),
        {KIND: ReportExecutor(database)},
        queues=("maintenance",),
        concurrency=2,
        channel_concurrency=2,
    )
    sender.start()
    try:
        deadline = time.monotonic() + 30
        while _states(sqlite_stack) != [JobState.PUBLISHED]:
            assert time.monotonic() < deadline, _states(sqlite_stack)
            time.sleep(0.02)
    finally:
        sender.stop()
    (mail,) = mailbox.mails
    assert mail["To"] == vic.email
    assert (
        mail["Subject"].startswith("Your week in numbers") and "1 post, 1,234 engagements" in mail["Subject"]
    )
    text = mail.get_body(("plain",)).get_content()
    html = mail.get_body(("html",)).get_content()
    for body in (text, html):
        for words in ("1,234", "What worked best?", "@acme", "https://social.example.org/analytics"):
            assert words in body
    assert "<b>Release</b> & more" in text and "&lt;b&gt;Release&lt;/b&gt; &amp; more" in html
    (picture,) = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert picture["Content-ID"].strip("<>") in html
    assert Image.open(io.BytesIO(picture.get_content())).size == (1200, 600)


@with_mail
def test_it_is_turned_off_and_who_may_not_read_gets_none(sqlite_stack: Stack) -> None:
    with sqlite_stack.database.transaction() as session:
        vic, mona = (factories.create_principal(session, role) for role in (Role.VIEWER, Role.MONITOR))
        analytics_report.set_report(session, vic, "monthly")
        assert analytics_report.get_report(session, vic).cadence == "monthly"
        assert analytics_report.set_report(session, vic, "off").next_at is None
        with pytest.raises(InvalidInput):
            analytics_report.set_report(session, vic, "hourly")
        with pytest.raises(NotAllowed):
            analytics_report.set_report(session, mona, "weekly")


def test_without_a_mail_server_it_is_refused_with_the_reason(sqlite_stack: Stack) -> None:
    with sqlite_stack.database.transaction() as session:
        vic = factories.create_principal(session, Role.VIEWER)
        with pytest.raises(InvalidInput, match="No mail server"):
            analytics_report.set_report(session, vic, "weekly")
        assert analytics_report.get_report(session, vic).can_mail is False


def test_slots_are_mondays_and_firsts_at_eight_by_the_person_s_clock() -> None:
    now = datetime(2026, 10, 21, 12, 0, tzinfo=UTC)  # a Wednesday; the clocks change on the 25th
    weekly = next_report(ReportCadence.WEEKLY, "Europe/Berlin", now)
    assert weekly == datetime(2026, 10, 26, 7, 0, tzinfo=UTC)
    assert next_report(ReportCadence.WEEKLY, "Europe/Berlin", weekly) == weekly + timedelta(days=7)
    monthly = next_report(ReportCadence.MONTHLY, "America/New_York", now)
    assert monthly == datetime(2026, 11, 1, 13, 0, tzinfo=UTC)
    week = period_of_report(ReportCadence.WEEKLY, "Europe/Berlin", weekly)
    month = period_of_report(ReportCadence.MONTHLY, "America/New_York", monthly)
    assert (week.first.day, week.last.day, week.days) == (19, 25, 7)
    assert (month.first.day, month.last.day) == (1, 31)


def _states(stack: Stack) -> list[JobState]:
    with stack.database.reading() as session:
        return list(session.execute(select(Job.state).where(Job.kind == KIND)).scalars())
