"""What the benches share: a stack on real servers, a sandbox network, real worker processes, posts due when we say."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import func, update
from sqlmodel import select

from contentcaster.clock import utc_now
from contentcaster.engine import queues
from contentcaster.models import Job, Post, Role, Worker
from contentcaster.sandbox.client import SandboxControl
from contentcaster.security.permissions import Principal
from contentcaster.services import connecting, posts, setup
from contentcaster.services.drafts import PostDraft, TargetDraft
from contentcaster.services.schedule import Schedule
from contentcaster.settings import PROJECT_ROOT
from tests.services_for_tests.stack import Servers, Stack, activated, as_environment


@dataclass
class Rig:
    """Everything one bench run needs."""

    stack: Stack
    sandbox: SandboxControl
    principal: Principal
    account_ids: list[str]
    processes: list[subprocess.Popen[bytes]]
    network: subprocess.Popen[bytes]

    def schedule(self, due: Sequence[datetime], *, text: str = "bench post") -> None:
        """One post per due time, the channels taken in turn, as the Studio would write them."""
        numbered = list(enumerate(due))
        for start in range(0, len(numbered), 100):
            self._schedule(numbered[start : start + 100], text)
        if utc_now() > min(due):
            raise SystemExit(
                "This machine was too busy to write the posts before they were due; start again."
            )

    def _schedule(self, numbered: Sequence[tuple[int, datetime]], text: str) -> None:
        with self.stack.database.transaction() as session:
            for number, moment in numbered:
                account_id = self.account_ids[number % len(self.account_ids)]
                draft = PostDraft(text=f"{text} {number}", targets=(TargetDraft(account_id=account_id),))
                posts.create_post(session, self.principal, draft, Schedule.at(moment))

    def start_workers(self, count: int, *, consumer: bool = True, queues: Sequence[str] = ()) -> None:
        """Start worker processes: huey_consumer for the publish queue, or `contentcaster worker` with these queues."""
        binary = Path(sys.executable).parent / "huey_consumer"
        command = (
            [
                str(binary),
                "tasks.publish.huey",
                *["-k", "thread", "-w", "4", "-g", "TERM", "-t", "25", "-m", "1", "-q"],
            ]
            if consumer
            else [sys.executable, "-m", "contentcaster", "worker", *queues]
        )
        queue = queues[0] if queues else "publish"
        for _ in range(count):
            self.processes.append(self._spawn(command))
        wait_until(lambda: self._live_workers(queue) >= count, seconds=30, what="workers to start")

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        environment = os.environ | dict(self.stack.environment) | {"PYTHONPATH": str(PROJECT_ROOT)}
        return subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stdout=subprocess.DEVNULL)

    def move_to(self, due: datetime) -> datetime:
        """Make every waiting post due at `due` and have its hint offered again; returns `due`."""
        moved = {"due_at": due, "scheduled_at": due, "expires_at": due + timedelta(days=1)}
        with self.stack.database.transaction() as session:
            session.execute(update(Job).values(moved | {"late_until": None}))
            session.execute(update(Post).values(scheduled_at=due))
            queues.rebuild(session)
        return due

    def published(self) -> int:
        with self.stack.database.reading() as session:
            query = select(func.count()).select_from(Job).where(Job.state == "published")
            return int(session.exec(query).one())

    def _live_workers(self, queue: str) -> int:
        with self.stack.database.reading() as session:
            return sum(queue in row.queues for row in session.exec(select(Worker)).all())

    def open_jobs(self) -> int:
        with self.stack.database.reading() as session:
            return len(session.exec(select(Job.id).where(Job.state != "published")).all())

    def worker_cpu_seconds(self) -> float:
        total = 0.0
        for process in self.processes:
            times = psutil.Process(process.pid).cpu_times()
            total += times.user + times.system
        return total


@contextlib.contextmanager
def rig(name: str, *, channels: int, latency_ms: float, **settings: Any) -> Iterator[Rig]:
    """A migrated stack ("sqlite" or "postgres"), a sandbox process with that latency, connected channels."""
    folder = Path(tempfile.mkdtemp(prefix="contentcaster-bench-"))
    port = free_port()
    servers = Servers()
    own: dict[str, Any] = {"data_dir": folder, "sandbox_port": port, "log_level": "WARNING"} | settings
    with contextlib.ExitStack() as stack:
        stack.callback(servers.close)
        if name == "postgres":
            own |= {
                "database_url": stack.enter_context(servers.new_postgres_database()),
                "redis_url": servers.new_redis_url(),
            }
        else:
            own |= {"database_url": servers.new_sqlite_database(folder)}
        built = stack.enter_context(activated(name, as_environment(**own)))
        network = subprocess.Popen(
            [sys.executable, "-m", "contentcaster", "sandbox", "--port", str(port)],
            cwd=PROJECT_ROOT,
            env=os.environ | dict(built.environment),
        )
        stack.callback(stop, [network])
        wait_until(lambda: _answers(port), seconds=20, what="the sandbox")
        control = SandboxControl(f"http://127.0.0.1:{port}")
        stack.callback(control.close)
        control.config(latency_ms=latency_ms)
        principal = _admin(built)
        account_ids = [_connect(built, principal, f"bench{number}") for number in range(channels)]
        # Only here: tasks reads the settings when it is imported, and they exist only now.
        from tasks.runtime import connect_hints

        connect_hints()  # hints go to Huey from this process as from the web process
        made = Rig(built, control, principal, account_ids, [], network)
        stack.callback(lambda: stop(made.processes))
        yield made


def arrivals(sandbox: SandboxControl) -> list[dict[str, Any]]:
    """The publishing requests that the network saw, in order of arrival."""
    return [
        row
        for row in sandbox.requests(limit=1_000_000)
        if row["method"] == "POST" and "/statuses" in row["path"]
    ]


def lateness_ms(rows: Sequence[dict[str, Any]], due_of: dict[str, datetime]) -> list[float]:
    """Arrival minus due time of each request, in milliseconds, matched by the post's text."""
    return sorted(
        (datetime.fromisoformat(row["arrived_at"]) - due_of[row["text"]]).total_seconds() * 1000
        for row in rows
    )


def percentile(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table."""
    print(f"\n{title}\n\n| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for row in rows:
        print(
            "| " + " | ".join(f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in row) + " |"
        )


def due_times(count: int, *, per_second: float | None = None) -> list[datetime]:
    """`count` due times, all at once or spread evenly, far enough ahead to write the posts first."""
    start = utc_now() + timedelta(seconds=15 + count * 0.06)
    return [start + timedelta(seconds=number / per_second if per_second else 0) for number in range(count)]


def wait_until(condition: Any, *, seconds: float, what: str, every: float = 0.05) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"gave up waiting for {what}")
        time.sleep(every)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=30)
        process.kill()


def machine() -> str:
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}"


def _admin(stack: Stack) -> Principal:
    user_id = setup.create_admin(stack.database, email="bench@example.org", password="bench-bench-bench-1")
    return Principal(
        user_id=user_id, email="bench@example.org", name="Bench", role=Role.ADMIN, timezone="UTC"
    )


def _connect(stack: Stack, principal: Principal, handle: str) -> str:
    view = asyncio.run(connecting.connect_account(stack.database, principal, "sandbox", {"handle": handle}))
    return view.id


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
