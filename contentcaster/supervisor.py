"""`contentcaster up`: prepares the database and the console, then keeps web, workers and sandbox running.

Each part is a process of its own: one that dies is started again, and does not take the others along.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field

from contentcaster.settings import BOT_QUEUES, PROJECT_ROOT, QUEUES, Settings

_PR_SET_PDEATHSIG = 1
_STOP_SECONDS = 28.0
EXIT_NOT_PREPARED = 70
"""The web process could not migrate or compile, and has said why: starting it again would not help."""
_QUICK_DEATH_SECONDS = 5.0
_MAX_QUICK_DEATHS = 5


@dataclass
class Part:
    """One child process and how often it died young."""

    name: str
    arguments: list[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    quick_deaths: int = 0
    restart_at: float = field(default=0.0)

    def start(self) -> None:
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "contentcaster", *self.arguments],
            cwd=PROJECT_ROOT,
            stdin=subprocess.DEVNULL,
            preexec_fn=_die_with_parent,
            start_new_session=True,
        )


def run_everything(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    # The web process migrates and has the machine for itself until it answers: people wait for it.
    parts = [Part("web", ["web", "--prepare"])]
    later = [Part(f"web {number}", ["web"]) for number in range(2, settings.web_processes + 1)]
    later += _workers(settings)
    if settings.is_sandbox_on:
        later.insert(0, Part("sandbox", ["sandbox"]))
    parts[0].start()
    code = 0
    is_announced = False
    while not stopped.wait(timeout=0.1):
        if (code := _restart_the_dead(parts)) != 0:
            break
        if not is_announced and _answers(settings):
            print(f"\n  ContentCaster is ready: {settings.effective_public_url}\n", flush=True)
            is_announced = True
        if later and is_announced:
            for part in later:
                part.start()
            parts, later = [*parts, *later], []
    _stop(parts)
    return code


def _workers(settings: Settings) -> list[Part]:
    """Bots in a process of their own, which steps back: publishing shares no interpreter with them."""
    if not settings.has_bots_process:
        return [Part("worker", ["worker"])]
    publishing = [queue for queue in QUEUES if queue not in BOT_QUEUES]
    return [Part("worker", ["worker", *publishing]), Part("bots", ["worker", *BOT_QUEUES])]


def prepare() -> str | None:
    """Migrate, compile the console, make the first admin possible; a sentence if that cannot be.

    The web process of `up` does it: it needs the same imports to serve, and people wait for it.
    """
    from contentcaster import migrations
    from contentcaster.db import get_database
    from contentcaster.errors import ContentCasterError
    from contentcaster.logs import configure_logging
    from contentcaster.services import setup
    from contentcaster.settings import SettingsError, get_settings
    from contentcaster.web.build import BuildError, ensure_built

    try:
        configure_logging(get_settings())
        database = get_database()
        database.ping()
        migrations.upgrade(database)
        ensure_built()
        link = setup.prepare_first_admin(database)
    except (ContentCasterError, SettingsError, BuildError) as error:
        return str(error)
    if link:
        print(f"\n  Create the first admin here (works once): {link}\n", flush=True)
    return None


def _restart_the_dead(parts: list[Part]) -> int:
    now = time.monotonic()
    for part in parts:
        assert part.process is not None
        code = part.process.poll()
        if code is None:
            continue
        if code == EXIT_NOT_PREPARED:
            return 1
        if part.restart_at == 0.0:
            is_quick = now - part.started_at < _QUICK_DEATH_SECONDS
            part.quick_deaths = part.quick_deaths + 1 if is_quick else 0
            if part.quick_deaths >= _MAX_QUICK_DEATHS:
                print(f"{part.name} keeps failing at its start (exit {code}); stopping.", file=sys.stderr)
                return 1
            part.restart_at = now + min(0.2 * 2**part.quick_deaths, 5.0)
            print(f"{part.name} ended (exit {code}); starting it again.", file=sys.stderr)
        elif now >= part.restart_at:
            part.restart_at = 0.0
            part.start()
    return 0


def _stop(parts: list[Part]) -> None:
    for part in parts:
        if part.process is not None and part.process.poll() is None:
            part.process.terminate()
    deadline = time.monotonic() + _STOP_SECONDS
    for part in parts:
        if part.process is None:
            continue
        try:
            part.process.wait(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(part.process.pid, signal.SIGKILL)


def _answers(settings: Settings) -> bool:
    """Whether the web process takes requests."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - compared, not bound
    try:
        with urllib.request.urlopen(f"http://{host}:{settings.port}/healthz", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _die_with_parent() -> None:
    """Linux: a supervisor killed with -9 must not leave its parts behind."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
