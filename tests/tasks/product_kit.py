"""The product without its web process: posts through the services, real worker processes, the sandbox network."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from huey import Huey
from sqlalchemy import select

from contentcaster.clock import utc_now
from contentcaster.db import Database
from contentcaster.engine import hints
from contentcaster.engine.policy import Policy
from contentcaster.engine.sender import Sender
from contentcaster.models import Job, JobState, Post, PostStatus, Role, Target, Worker
from contentcaster.sandbox.client import SandboxControl, SandboxThread
from contentcaster.sandbox.settings import SandboxSettings
from contentcaster.security.permissions import Principal
from contentcaster.services import connecting, posts, setup
from contentcaster.services.drafts import PostDraft, TargetDraft
from contentcaster.services.executors import create_executors
from contentcaster.services.schedule import Schedule
from contentcaster.settings import PROJECT_ROOT, Settings
from tasks.hint_queue import create_huey, send_hints
from tests.services_for_tests.programs import free_port, wait_until
from tests.services_for_tests.stack import Stack, activated, as_environment

HUEY_CONSUMER = [
    str(Path(sys.executable).parent / "huey_consumer"),
    "tasks.publish.huey",
    *["-k", "thread", "-w", "4", "-g", "TERM", "-t", "25", "-m", "1", "-q"],
]
WORKER = [sys.executable, "-m", "contentcaster", "worker", "publish"]

QUICK: dict[str, object] = {
    "publish_lead_seconds": 0.5,
    "lease_seconds": 4,
    "send_deadline_seconds": 2,
    "settle_seconds": 0.1,
    "hint_timeout_seconds": 1,
    "retry_base_seconds": 0.2,
}
"""Settings with which a crash is resolved within seconds."""


@dataclass
class Product:
    stack: Stack
    sandbox: SandboxControl
    principal: Principal
    account_id: str = ""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def database(self) -> Database:
        return self.stack.database

    @property
    def settings(self) -> Settings:
        return self.stack.settings

    def connect(self, handle: str = "ada") -> str:
        """Connect a sandbox account; later posts go out through it."""
        view = asyncio.run(
            connecting.connect_account(self.database, self.principal, "sandbox", {"handle": handle})
        )
        self.account_id = view.id
        return view.id

    def schedule(self, text: str, *, in_seconds: float = 1.0) -> str:
        """Schedule a post; returns its id."""
        with self.database.transaction() as session:
            draft = PostDraft(text=text, targets=(TargetDraft(account_id=self.account_id),))
            when = Schedule.at(utc_now() + timedelta(seconds=in_seconds))
            return posts.create_post(session, self.principal, draft, when).id

    def job_of(self, post_id: str) -> Job:
        with self.database.reading() as session:
            return session.execute(
                select(Job).join(Target, Target.job_id == Job.id).where(Target.post_id == post_id)  # type: ignore[arg-type]
            ).scalar_one()

    def status(self, post_id: str) -> PostStatus:
        with self.database.reading() as session:
            return session.get_one(Post, post_id).status

    def wait_for(self, post_id: str, status: PostStatus, *, seconds: float = 60) -> None:
        wait_until(lambda: self.status(post_id) is status, what=f"the post to be {status}", seconds=seconds)

    def wait_for_state(self, post_id: str, *states: JobState, seconds: float = 60) -> None:
        wait_until(
            lambda: self.job_of(post_id).state in states, what=f"the job to be {states}", seconds=seconds
        )

    def on_network(self, text: str) -> list[dict[str, Any]]:
        """Every post with this text that the network has."""
        return [post for post in self.sandbox.posts() if post["text"] == text]

    def sends(self, text: str) -> list[dict[str, Any]]:
        """Every request to publish this text that the network saw."""
        rows = self.sandbox.requests(method="POST", path="/api/v1/statuses")
        return [row for row in rows if row["text"] == text]

    def assert_published_once(self, post_id: str, text: str) -> None:
        (effect,) = self.on_network(text)
        job = self.job_of(post_id)
        assert (job.state, job.remote_id) == (JobState.PUBLISHED, effect["id"])

    # ── processes ───────────────────────────────────────────────────────────────────────────────────────────

    def start(self, command: list[str] = HUEY_CONSUMER, **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker process and wait until it has said that it is alive."""
        process = self.spawn(command, **environment)
        wait_until(
            lambda: process.poll() is not None or self._is_known(process.pid),
            what="the worker to be alive",
            seconds=60,
        )
        assert process.poll() is None, "the worker ended at once"
        return process

    def spawn(self, command: list[str], **environment: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command,
            cwd=PROJECT_ROOT,
            env=os.environ | dict(self.stack.environment) | {"PYTHONPATH": str(PROJECT_ROOT)} | environment,
            stdout=subprocess.DEVNULL,
        )
        self.processes.append(process)
        return process

    def _is_known(self, pid: int) -> bool:
        with self.database.reading() as session:
            return session.execute(select(Worker.id).where(Worker.pid == pid)).first() is not None

    @contextlib.contextmanager
    def sender(self) -> Iterator[Sender]:
        """A healthy worker inside the test process."""
        sender = Sender(
            self.database,
            Policy.from_settings(self.settings),
            create_executors(self.database),
            queues=("publish",),
            concurrency=10,
            channel_concurrency=10,
        )
        sender.start()
        try:
            yield sender
        finally:
            assert sender.stop(20)

    # ── Huey as the web process uses it ─────────────────────────────────────────────────────────────────────

    def huey(self) -> Huey:
        """The publish queue of this stack, with its task known."""
        huey = create_huey("publish", self.settings)

        def run(job_id: int) -> None:
            raise AssertionError("no consumer runs in this process")

        run.__module__ = "tasks.publish"
        huey.run = huey.task(name="run")(run)
        return huey

    def connect_hints(self) -> Huey:
        """From now on saved posts offer their hints to Huey, as in the web process."""
        huey = self.huey()
        hints.register_sender(
            lambda batch: send_hints(lambda queue: huey.run, batch),
            lead_seconds=self.settings.publish_lead_seconds,
        )
        return huey

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
        for process in self.processes:
            process.wait()


@contextlib.contextmanager
def product(stack: Stack, **settings: object) -> Iterator[Product]:
    """The product on `stack`, with a sandbox network of its own and an admin."""
    port = free_port()
    environment = dict(stack.environment) | as_environment(sandbox_port=port, **settings)
    with activated(stack.name, environment) as own, SandboxThread(SandboxSettings(port=port)) as sandbox:
        email = "ada@example.org"
        user_id = setup.create_admin(own.database, email=email, password="correct horse battery")
        principal = Principal(user_id=user_id, email=email, name="Ada", role=Role.ADMIN, timezone="UTC")
        made = Product(own, sandbox.control, principal)
        try:
            yield made
        finally:
            hints.register_sender(None, lead_seconds=3.0)
            made.close()


def past(seconds: float) -> datetime:
    return utc_now() - timedelta(seconds=seconds)
