"""Coming to a page and waiting until it can be used.

What the server rendered is visible before the page listens to keys and clicks; whoever presses one right then tests
the machine's load. The page itself says when it is ready (components.basics.ready_mark): it is hydrated, its
connection stands and its first data has come.
"""

from __future__ import annotations

from playwright.sync_api import Page

READY = "#ready[data-ready=yes]"


def wait_until_ready(page: Page) -> None:
    """Until the page listens to keys and clicks; raises Playwright's TimeoutError after the page's own timeout."""
    page.locator(READY).first.wait_for(state="attached")


def visit(page: Page, url: str) -> None:
    """Go to a page of the console, as by its address."""
    page.goto(url)
    wait_until_ready(page)


def reload(page: Page) -> None:
    """Load the page anew, as F5 does."""
    page.reload()
    wait_until_ready(page)
