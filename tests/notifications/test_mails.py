"""Mails of notifications on a real SMTP server: tried again while it is away, and never sent twice."""

from __future__ import annotations

import asyncio
import email
import email.policy
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from contentcaster.clock import utc_now
from contentcaster.engine.policy import Policy
from contentcaster.engine.sender import Sender
from contentcaster.models import JobState, NotificationKind, Worker
from contentcaster.services import notifications, notifications_events, notifications_mail
from contentcaster.services.notifications import MAIL
from contentcaster.services.notifications_mail import MailExecutor
from tests.networks.node_server import free_port
from tests.services.service_kit import Team, build_team
from tests.services_for_tests.stack import Stack

PORT = free_port()
pytestmark = pytest.mark.settings(
    smtp_url=f"smtp+plain://127.0.0.1:{PORT}",
    smtp_from="console@example.org",
    egress_allow=f"127.0.0.1:{PORT}",
    public_url="https://social.example.org",
    retry_base_seconds=0.05,
)


class Mailbox:
    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.answers: list[str] = []
        """What the next mails are answered after their last dot; "drop" takes the mail and hangs up."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("2") or answer == "drop":
            self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        if answer == "drop":
            server.transport.abort()
        return answer


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=PORT)
    controller.start()
    yield box
    controller.stop()


@pytest.fixture
def team(sqlite_stack: Stack) -> Team:
    return build_team(sqlite_stack)


@pytest.fixture
def worker(team: Team) -> Iterator[Sender]:
    database = team.stack.database
    sender = Sender(
        database,
        Policy.from_settings(database.settings),
        {MAIL: MailExecutor(database)},
        queues=("maintenance",),
        concurrency=4,
        channel_concurrency=4,
    )
    sender.start()
    yield sender
    sender.stop()


def tell_alice(team: Team) -> None:
    team.write(
        notifications.notify,
        NotificationKind.POST_FAILED,
        key="k",
        title="“Hello” did not go out",
        body="The network said no.",
        href="/posts/1",
        user_ids=[team.alice.user_id],
        now=utc_now() - timedelta(minutes=2),  # the burst is over
    )


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def state(team: Team) -> JobState:
    return next(job.state for job in team.jobs() if job.kind == MAIL)


def test_a_mail_says_what_happened_and_links_to_it(team: Team, worker: Sender, mailbox: Mailbox) -> None:
    tell_alice(team)
    wait_for(lambda: state(team) is JobState.PUBLISHED)
    (mail,) = mailbox.mails
    assert mail["To"] == team.alice.email and mail["Subject"] == "“Hello” did not go out"
    assert "The network said no." in mail.get_content()
    assert "https://social.example.org/posts/1" in mail.get_content()
    assert mail["Auto-Submitted"] == "auto-generated"


def test_a_server_that_is_busy_is_tried_again_and_gets_the_mail_once(
    team: Team, worker: Sender, mailbox: Mailbox
) -> None:
    mailbox.answers = ["451 later", "451 later"]
    tell_alice(team)
    wait_for(lambda: state(team) is JobState.PUBLISHED)
    assert len(mailbox.mails) == 1


@pytest.mark.settings(settle_seconds=0.1)
def test_a_mail_whose_confirmation_got_lost_is_not_sent_again(
    team: Team, worker: Sender, mailbox: Mailbox
) -> None:
    mailbox.answers = ["drop"]
    tell_alice(team)
    wait_for(lambda: state(team) is JobState.HELD)
    assert len(mailbox.mails) == 1
    notifications_events.tell_of_failures(team.stack.database)
    assert (
        len(team.read(notifications.list_notifications, team.ada).items) == 0
    )  # a mail about a mail helps nobody


def test_that_all_workers_are_gone_is_mailed_without_them(team: Team, mailbox: Mailbox) -> None:
    seen = utc_now() - timedelta(minutes=5)
    with team.stack.database.transaction() as session:
        session.add(
            Worker(id="w", hostname="h", pid=1, version="1", queues=["publish"], started_at=seen,
                   heartbeat_at=seen)
        )  # fmt: skip
    to_mail = notifications_events.tell_of_standstill(team.stack.database)
    assert to_mail and not [job for job in team.jobs() if job.kind == MAIL]
    assert asyncio.run(notifications_mail.send_now(team.stack.database, to_mail)) == 1
    assert mailbox.mails[0]["Subject"] == "Publishing stands still: no worker is running"
