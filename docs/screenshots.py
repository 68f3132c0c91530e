"""Takes the pictures in docs/images from the running product: `make screenshots`.

A simulation in a folder of its own: an admin, demo data, a Mastodon-like and a Bluesky channel on the sandbox network,
one post written in the Studio, scheduled, and watched until it is published.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Page

from bench.harness import free_port, stop, wait_until
from contentcaster.sandbox.client import SandboxControl
from contentcaster.settings import PROJECT_ROOT
from tests.services_for_tests.browser import running_chromium

IMAGES = PROJECT_ROOT / "docs" / "images"
EMAIL, PASSWORD = "mara@example.org", "correct-horse-battery"
TEXT = (
    "We rebuilt our release notes so that people actually read them.\n\n"
    "Three things that worked:\n1. One screenshot per change, not one per release\n"
    "2. The “why” first, the ticket number last\n"
    "3. A changelog you can subscribe to https://acme.example/changes #devrel"
)


def main() -> None:
    port, sandbox_port = free_port(), free_port()
    url, network = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{sandbox_port}"
    folder = Path(tempfile.mkdtemp(prefix="contentcaster-screenshots-"))
    environment = os.environ | {
        "CONTENTCASTER_DATA_DIR": str(folder),
        "CONTENTCASTER_PORT": str(port),
        "CONTENTCASTER_SANDBOX_PORT": str(sandbox_port),
    }
    command = [sys.executable, "-m", "contentcaster"]
    up = subprocess.Popen([*command, "up"], cwd=PROJECT_ROOT, env=environment)
    try:
        wait_until(lambda: _answers(f"{url}/readyz"), seconds=300, what="the console")
        admin = [*command, "create-admin", "--email", EMAIL, "--name", "Mara K.", "--password-stdin"]
        subprocess.run(admin, cwd=PROJECT_ROOT, env=environment, input=PASSWORD.encode(), check=True)
        subprocess.run([*command, "demo", "--year"], cwd=PROJECT_ROOT, env=environment, check=True)
        _take_pictures(url, network)
    finally:
        stop([up])
        shutil.rmtree(folder, ignore_errors=True)


def _take_pictures(url: str, network: str) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with running_chromium() as browser:
        page = browser.new_page(viewport={"width": 1360, "height": 820}, timezone_id="Europe/Berlin")
        _sign_in(page, url)
        _connect_bluesky(page, url, network)
        page.goto(f"{url}/studio")
        page.locator("textarea").first.click()
        page.keyboard.type(TEXT)
        for handle in ("@acme-sky.sandbox.test", "@acme"):
            page.get_by_text(handle, exact=True).first.click()
        page.get_by_text("/ 300").wait_for()
        page.get_by_text("The text fits on every channel.").wait_for()
        _shoot(page, "studio")
        _schedule_soon(page)
        page.wait_for_url("**/posts/**")
        page.locator("main [data-status=Published]").first.wait_for(timeout=120_000)
        page.get_by_text("See it there").first.wait_for()
        _shoot(page, "post")
        for name, path in (
            ("home", "/"),
            ("posts", "/posts"),
            ("queues", "/queues"),
            ("channels", "/channels"),
            ("calendar", "/calendar"),
            ("analytics", "/analytics"),
            ("failed-tasks", "/failed-tasks"),
            ("bots", "/bots"),
        ):
            page.goto(f"{url}{path}")
            page.wait_for_load_state("networkidle")
            _shoot(page, name)
        page.goto(network)
        page.wait_for_load_state("load")
        _shoot(page, "sandbox")


def _schedule_soon(page: Page) -> None:
    """At the next full minute that is at least 20 s away, as a person would who wants to watch it."""
    due = (datetime.now(UTC) + timedelta(seconds=80)).replace(second=0, microsecond=0)  # noqa: TID251
    page.get_by_label("Date").fill(due.strftime("%Y-%m-%d"))
    page.get_by_label("Time", exact=True).fill(due.strftime("%H:%M"))
    page.get_by_role("button", name="Schedule").click()


def _connect_bluesky(page: Page, url: str, network: str) -> None:
    control = SandboxControl(network)
    account = control.account("acme-sky", protocol="bluesky", display_name="Acme")
    control.close()
    answer = page.request.post(
        f"{url}/api/v1/accounts",
        headers={"Origin": url},
        data={
            "platform": "bluesky",
            "service_url": network,
            "identifier": account["at_handle"],
            "app_password": account["app_password"],
        },
    )
    if not answer.ok:
        raise SystemExit(answer.text())


def _sign_in(page: Page, url: str) -> None:
    page.goto(f"{url}/sign-in")
    page.fill("input[name=email]", EMAIL)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url(lambda address: "sign-in" not in address)


def _shoot(page: Page, name: str) -> None:
    page.wait_for_timeout(600)  # toasts and transitions have settled
    page.screenshot(path=IMAGES / f"{name}.png")


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
        return bool(answer.status == 200)
    return False


if __name__ == "__main__":
    main()
