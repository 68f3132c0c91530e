"""kill -9 of the worker that delivers a webhook: the receiver hears the same event again, under the same id."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from sqlmodel import select

from contentcaster.models import Job, JobState, Role
from contentcaster.services import webhooks
from contentcaster.settings import PROJECT_ROOT
from tests.services_for_tests import factories
from tests.services_for_tests.programs import free_port, wait_until
from tests.services_for_tests.receiver import running_receiver
from tests.services_for_tests.stack import Stack
from tests.tasks.product_kit import QUICK

PORT = free_port()
SETTINGS = QUICK | {"lease_seconds": 2, "send_deadline_seconds": 1, "egress_allow": f"127.0.0.1:{PORT}"}


@pytest.mark.settings(**SETTINGS)
def test_a_worker_killed_after_the_receiver_took_it_leads_to_the_same_event_once_more(
    sqlite_stack: Stack,
) -> None:
    environment = os.environ | dict(sqlite_stack.environment) | {"PYTHONPATH": str(PROJECT_ROOT)}
    command = [sys.executable, "-m", "contentcaster", "worker", "maintenance"]
    with running_receiver(PORT) as receiver:
        with sqlite_stack.database.transaction() as session:
            admin = factories.create_principal(session, Role.ADMIN)
            made = webhooks.create_endpoint(
                session, admin, name="x", url=receiver.url, events=["post.published"]
            )
            webhooks.send_test(session, admin, made.view.id)
        dying = subprocess.run(
            command, env=environment | {"CRASH_AT": "send.after_answer"}, check=False, timeout=60
        )
        assert dying.returncode == 137 and len(receiver.got) == 1
        healthy = subprocess.Popen(command, env=environment)
        try:
            wait_until(lambda: len(receiver.got) == 2, what="the second delivery", seconds=60)
            wait_until(lambda: _state(sqlite_stack) is JobState.PUBLISHED, what="its proof", seconds=20)
        finally:
            healthy.terminate()
            healthy.wait(30)
    assert len(set(receiver.ids())) == 1 and len({body for _, body in receiver.got}) == 1


def _state(stack: Stack) -> JobState:
    with stack.database.reading() as session:
        return session.exec(select(Job.state).where(Job.kind == "webhook")).one()
