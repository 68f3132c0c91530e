"""Chromium for tests, benches and screenshots, driven by the Node that comes with the product's own wheels."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from contentcaster.web.toolchain import node_program

ARGUMENTS = (
    "--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
)  # fmt: skip


@contextmanager
def running_chromium(*more: str, arguments: Sequence[str] = ARGUMENTS) -> Iterator[Browser]:
    """A headless Chromium: the one named in CHROMIUM, else the first on the PATH. Raises RuntimeError without one."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        raise RuntimeError(
            "No Chromium found: install it (Debian: apt-get install chromium) or set CHROMIUM."
        )
    # Playwright's own Node needs a library that a fresh Debian does not have.
    os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", str(node_program()))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*arguments, *more])
        try:
            yield browser
        finally:
            browser.close()
