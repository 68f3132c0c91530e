"""Takes the pictures in docs/images from the running product: `make screenshots`.

A simulation in a folder of its own: an admin, demo data, a Mastodon-like and a Bluesky channel on the sandbox network,
one post written in the Studio, scheduled, and watched until it is published, and one that its network refuses. Each
role has pictures of what its people see, taken signed in as one of them. Colours are cut to a palette: a third of the
size.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page

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

REFUSED = "Our status page says what happened, also when it was our own fault. https://acme.example/status"
ADMIN_PAGES = (
    ("home", "/"),
    ("posts", "/posts"),
    ("queues", "/queues"),
    ("channels", "/channels"),
    ("calendar", "/calendar"),
    ("analytics", "/analytics"),
    ("bots", "/bots"),
)
ROLE_PAGES = {
    "monitor": (("monitor-home", "/"), ("monitor-bot-log", "/bot-log")),
    "viewer": (("viewer-analytics", "/analytics"),),
}


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
        _fail_one(page, url, network)
        _visit(page, url, ADMIN_PAGES)
        page.goto(f"{url}/failed-tasks")
        page.locator("[aria-controls=explain]").first.click()
        page.locator("#explain").wait_for()
        _shoot(page, "failed-tasks")
        page.locator("#explain a[href^='/jobs/']").click()
        page.locator("[data-attempt]").first.wait_for()
        _shoot(page, "job")
        _add_people(page, url)
        _visit(page, url, (("users", "/users"), ("audit", "/audit")))
        for role, pages in ROLE_PAGES.items():
            _as_role(browser, url, role, pages)
        page.goto(network)
        page.wait_for_load_state("load")
        _shoot(page, "sandbox")


def _visit(page: Page, url: str, pages: tuple[tuple[str, str], ...]) -> None:
    for name, path in pages:
        page.goto(f"{url}{path}")
        page.wait_for_load_state("networkidle")
        _shoot(page, name)


def _as_role(browser: Browser, url: str, role: str, pages: tuple[tuple[str, str], ...]) -> None:
    page = browser.new_page(viewport={"width": 1360, "height": 820}, timezone_id="Europe/Berlin")
    _sign_in(page, url, f"{role}@example.org")
    _visit(page, url, pages)
    page.close()


def _add_people(page: Page, url: str) -> None:
    for role, name in (("creator", "Jonas W."), ("monitor", "Ines T."), ("viewer", "Otto B.")):
        person = {"email": f"{role}@example.org", "name": name, "role": role, "password": PASSWORD}
        _post(page, f"{url}/api/v1/users", url, person)


def _fail_one(page: Page, url: str, network: str) -> None:
    """A post that its network refuses, so that Failed tasks has something to explain."""
    control = SandboxControl(network)
    control.fault("error_before", {"text_contains": REFUSED[:12]}, times=None, params={"status": 422})
    accounts = page.request.get(f"{url}/api/v1/accounts").json()["items"]
    account_id = next(row["id"] for row in accounts if row["handle"] == "@acme")
    post = {"text": REFUSED, "targets": [{"account_id": account_id}], "scheduled_at": "now"}
    made = _post(page, f"{url}/api/v1/posts", url, post)
    wait_until(
        lambda: page.request.get(f"{url}/api/v1/posts/{made['id']}").json()["status"] == "Failed",
        seconds=60,
        what="the post to be refused",
        every=0.5,
    )
    control.close()


def _post(page: Page, address: str, url: str, data: dict[str, Any]) -> dict[str, Any]:
    answer = page.request.post(address, headers={"Origin": url}, data=data)
    if not answer.ok:
        raise SystemExit(answer.text())
    return dict(answer.json())


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
    login = {
        "platform": "bluesky",
        "service_url": network,
        "identifier": account["at_handle"],
        "app_password": account["app_password"],
    }
    _post(page, f"{url}/api/v1/accounts", url, login)


def _sign_in(page: Page, url: str, email: str = EMAIL) -> None:
    page.goto(f"{url}/sign-in")
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url(lambda address: "sign-in" not in address)


def _shoot(page: Page, name: str) -> None:
    page.wait_for_timeout(600)  # toasts and transitions have settled
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    small = picture.quantize(colors=256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small.save(IMAGES / f"{name}.png", optimize=True)


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
        return bool(answer.status == 200)
    return False


if __name__ == "__main__":
    main()
