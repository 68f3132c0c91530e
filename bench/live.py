"""From the commit of a status to the changed page, in a real browser with many tabs open.

    python -m bench.live [--tabs 20] [--changes 60] [--spacing 0.5] [--stack postgres|sqlite|both]

Each change is committed by this process as a worker would (another process than the web process); each tab notes when
its page shows it. Both read the same machine's clock.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

from playwright.sync_api import BrowserContext, Page
from sqlmodel import select

from bench.harness import Rig, due_times, free_port, machine, percentile, rig, stop, table, wait_until
from contentcaster.engine import ledger
from contentcaster.engine.outcomes import RetryLater
from contentcaster.engine.policy import Policy
from contentcaster.engine.settlement import Settlement, settle
from contentcaster.models import Job
from contentcaster.settings import PROJECT_ROOT
from tests.services_for_tests.browser import running_chromium

_LIKE_IN_FRONT = ("--disable-renderer-backgrounding", "--disable-background-timer-throttling",
                  "--disable-backgrounding-occluded-windows")  # fmt: skip

_WATCH = """() => {
  window.__seen = [];
  const status = () => document.querySelector('main [data-status]')?.dataset.status || '';
  let last = status();
  new MutationObserver(() => {
    const now = status();
    if (now && now !== last) window.__seen.push([now, Date.now()]);
    last = now || last;
  }).observe(document.querySelector('main'),
             {childList: true, characterData: true, subtree: true, attributes: true});
}"""


def run(name: str, tabs: int, changes: int, spacing_seconds: float) -> list[object]:
    port = free_port()
    with rig(name, channels=1, latency_ms=0, port=port) as made, ExitStack() as stack:
        made.schedule(due_times(1))
        web = subprocess.Popen(
            [sys.executable, "-m", "contentcaster", "web"],
            cwd=PROJECT_ROOT,
            env=os.environ | dict(made.stack.environment),
        )
        stack.callback(stop, [web])
        url = f"http://127.0.0.1:{port}"
        browser = stack.enter_context(running_chromium(*_LIKE_IN_FRONT))
        context = browser.new_context()
        wait_for_web(url)
        sign_in(context, url)
        post_id = _post_id(made)
        pages = [_open(context, f"{url}/posts/{post_id}") for _ in range(tabs)]
        committed = [_change(made, number, spacing_seconds) for number in range(changes)]
        time.sleep(1.0)
        delays = sorted(delay for page in pages for delay in _delays(page, committed))
        expected = tabs * changes
        return [name, tabs, changes, f"{len(delays)}/{expected}", percentile(delays, 0.5), percentile(delays, 0.95),
                delays[-1] if delays else float("nan")]  # fmt: skip


def _change(made: Rig, number: int, spacing_seconds: float) -> tuple[str, float]:
    """Commit the next status: Processing (claimed), then Retrying, and so on; returns it and when it was committed.

    The next one follows `spacing_seconds` later, as different events of a post would.
    """
    database = made.stack.database
    if number % 2 == 0:
        with database.transaction() as session:
            session.connection().exec_driver_sql("UPDATE job SET attempt = 0")
            claimed = ledger.claim(
                session, queues=["publish"], worker="bench", limit=1, lead_seconds=86400, lease_seconds=60
            )
        _claimed[:] = claimed
        status = "Processing"
    else:
        with database.transaction() as session:
            settle(session, [Settlement(_claimed[0], "bench", RetryLater(message="again"))], Policy())
        status = "Retrying"
    at = time.time() * 1000
    time.sleep(spacing_seconds)
    return status, at


_claimed: list[Any] = []


def _delays(page: Page, committed: list[tuple[str, float]]) -> list[float]:
    """How long after each commit the tab showed it; in order, as the statuses alternate."""
    seen: list[list[Any]] = page.evaluate("() => window.__seen")
    delays = []
    position = 0
    for status, at in committed:
        while position < len(seen) and (seen[position][0] != status or seen[position][1] < at - 5):
            position += 1
        if position < len(seen):
            delays.append(max(0.0, seen[position][1] - at))
            position += 1
    return delays


def _open(context: BrowserContext, url: str) -> Page:
    page = context.new_page()
    page.goto(url)
    page.locator("main [data-status=Scheduled], main [data-status=PendingQueue]").first.wait_for()
    page.evaluate(_WATCH)
    return page


def sign_in(context: BrowserContext, url: str) -> None:
    page = context.new_page()
    page.goto(f"{url}/sign-in")
    page.fill("input[name=email]", "bench@example.org")
    page.fill("input[name=password]", "bench-bench-bench-1")
    page.click("button[type=submit]")
    page.wait_for_url(lambda address: "sign-in" not in address)
    page.close()


def wait_for_web(url: str) -> None:
    import urllib.request
    from contextlib import suppress

    def answers() -> bool:
        with suppress(OSError), urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
        return False

    wait_until(answers, seconds=120, what="the web process")


def _post_id(made: Rig) -> str:
    with made.stack.database.transaction() as session:
        job = session.exec(select(Job)).one()
        job.due_at += timedelta(hours=1)
        session.add(job)
        return str(job.post_id)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tabs", type=int, default=20)
    parser.add_argument("--changes", type=int, default=60)
    parser.add_argument("--spacing", type=float, default=0.5, help="seconds between two changes")
    parser.add_argument("--stack", choices=("postgres", "sqlite", "both"), default="both")
    given = parser.parse_args()
    stacks = ("postgres", "sqlite") if given.stack == "both" else (given.stack,)
    table(
        f"From the commit of a status to the changed page ({machine()})",
        ["stack", "tabs", "changes", "seen", "p50 ms", "p95 ms", "max ms"],
        [run(name, given.tabs, given.changes, given.spacing) for name in stacks],
    )


if __name__ == "__main__":
    main()
