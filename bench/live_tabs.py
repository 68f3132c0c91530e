"""From the commit of a post's status to the changed page, with many tabs open in a real browser.

    python -m bench.live_tabs [--tabs 20] [--changes 40] [--stack sqlite|postgres]

The clock of this process and the browser's are the same machine's. Chromium runs without a screen; CHROMIUM names it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from bench.harness import free_port, machine, stop, table, wait_until
from contentcaster import live
from contentcaster.clock import utc_now
from contentcaster.models import Post, PostStatus, Role
from contentcaster.settings import PROJECT_ROOT
from contentcaster.web.build import ensure_built
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Servers, Stack, activated, as_environment

_WATCH = """(id) => {
  window.changed = {};
  new MutationObserver(() => {
    for (const el of document.querySelectorAll('[data-status]')) {
      const status = el.dataset.status;
      if (!(status in window.changed)) window.changed[status] = Date.now();
    }
  }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
}"""
_ALTERNATING = (PostStatus.PROCESSING, PostStatus.PUBLISHED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tabs", type=int, default=20)
    parser.add_argument("--changes", type=int, default=40)
    parser.add_argument("--stack", choices=["sqlite", "postgres"], default="postgres")
    given = parser.parse_args()
    ensure_built()
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="contentcaster-bench-")))
        servers = Servers()
        closing.callback(servers.close)
        if given.stack == "postgres":
            url = closing.enter_context(servers.new_postgres_database())
        else:
            url = servers.new_sqlite_database(folder)
        environment = as_environment(data_dir=folder, database_url=url, host="127.0.0.1", port=free_port())
        stack = closing.enter_context(activated(given.stack, environment))
        web = subprocess.Popen(
            [sys.executable, "-m", "contentcaster", "web"],
            cwd=PROJECT_ROOT,
            env=os.environ | dict(environment),
        )
        closing.callback(stop, [web])
        delays = _measure(stack, given.tabs, given.changes)
    delays.sort()
    rows = [[f"p{p}", f"{delays[min(len(delays) - 1, len(delays) * p // 100)]:.0f}"] for p in (50, 95, 99)]
    table(
        f"Commit to changed page: {given.tabs} tabs, {given.changes} changes, {given.stack} ({machine()})",
        ["share of tabs", "ms after the commit"],
        [*rows, ["slowest", f"{delays[-1]:.0f}"]],
    )


def _measure(stack: Stack, tabs: int, changes: int) -> list[float]:
    base = f"http://127.0.0.1:{stack.settings.port}"
    with stack.database.transaction() as session:
        author = factories.create_user(session, Role.CREATOR)
        post = factories.create_post(
            session, author, status=PostStatus.SCHEDULED, scheduled_at=utc_now() + timedelta(hours=1)
        )
        cookie = factories.browser_cookie(session, author)
    wait_until(lambda: _answers(base), seconds=60, what="the console")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-quic"]
        )
        pages = _open(browser, base, cookie, post, tabs)
        delays = [delay for number in range(changes) for delay in _change(stack, post, pages, number)]
        browser.close()
    return delays


def _open(browser: Browser, base: str, cookie: str, post: Post, tabs: int) -> list[Page]:
    context = browser.new_context()
    name, _, value = cookie.partition("=")
    context.add_cookies([{"name": name, "value": value, "url": base}])
    pages = []
    for number in range(tabs):
        page = context.new_page()
        page.goto(base + ("/posts" if number % 2 else f"/posts/{post.id}"))
        page.wait_for_selector("[data-status]")
        pages.append(page)
    return pages


def _change(stack: Stack, post: Post, pages: list[Page], number: int) -> list[float]:
    status = _ALTERNATING[number % 2]
    for page in pages:
        page.evaluate(_WATCH)
    with stack.database.transaction() as session:
        row = session.get(Post, post.id)
        assert row is not None
        row.status = status
        live.note(session, "posts", f"post:{post.id}")
    committed_ms = time.time() * 1000
    delays = []
    for page in pages:
        page.wait_for_function("(s) => s in window.changed", arg=status.value, timeout=10_000)
        delays.append(page.evaluate("(s) => window.changed[s]", status.value) - committed_ms)
    return delays


def _answers(base: str) -> bool:
    try:
        with urllib.request.urlopen(base + "/sign-in", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


if __name__ == "__main__":
    main()
