"""How long the Studio takes to be usable in a cold browser, what goes over the wire, and how long later pages take.

    python -m bench.first_load [--rounds 7] [--stack postgres|sqlite] [--page /studio]

Each cold round is a new browser context: no cache, no compiled scripts of an earlier one; only the sign-in is given.
Usable means: the text field takes letters, and the page says that its connection stands and its data has come. A
page change is a click in the sidebar, timed in the browser until the new page's heading and data are there.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import ExitStack
from typing import Any

from playwright.sync_api import Browser, BrowserContext

from bench.harness import due_times, free_port, machine, percentile, rig, stop, table
from bench.live import sign_in, wait_for_web
from contentcaster.settings import PROJECT_ROOT
from tests.services_for_tests.browser import running_chromium
from tests.web.arriving import READY

_KINDS = {"Script": "scripts", "Stylesheet": "styles", "Font": "fonts", "Document": "page"}

_PAINTS = """() => ({
  page: performance.getEntriesByType("navigation")[0].responseEnd,
  paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
})"""

_GO = """async ({href, heading}) => {
  const link = document.querySelector(`.side a[href="${href}"]`);
  const started = performance.now();
  const isThere = () =>
    document.querySelector("#ready")?.dataset.ready === "yes" &&
    location.pathname.replace(/\\/$/, "") === href &&
    [...document.querySelectorAll("main h1")].some((each) => each.textContent.startsWith(heading));
  link.click();
  await new Promise((resolve) => {
    const look = () => (isThere() ? resolve() : requestAnimationFrame(look));
    requestAnimationFrame(look);
  });
  await new Promise(requestAnimationFrame);
  return performance.now() - started;
}"""

PAGES = (("/calendar", "Calendar"), ("/posts", "Posts"), ("/media", "Media"), ("/slots", "Queue slots"),
         ("/recurring", "Recurring"), ("/channels", "Channels"), ("/studio", "New post"))  # fmt: skip


def cold(
    browser: Browser, url: str, path: str, cookies: list[Any]
) -> tuple[dict[str, float], dict[str, int]]:
    """One cold load: milliseconds of its steps, and kilobytes over the wire by kind."""
    context = browser.new_context(viewport={"width": 1360, "height": 900})
    context.add_cookies(cookies)
    page = context.new_page()
    wire: dict[str, int] = defaultdict(int)
    kinds: dict[str, str] = {}
    cdp = context.new_cdp_session(page)
    cdp.send("Network.enable")
    cdp.on("Network.responseReceived", lambda e: kinds.__setitem__(e["requestId"], e["type"]))

    def finished(event: dict[str, Any]) -> None:
        kind = _KINDS.get(kinds.get(event["requestId"], ""), "other")
        wire[kind] += int(event["encodedDataLength"])
        wire["requests"] += 1

    cdp.on("Network.loadingFinished", finished)
    started = time.perf_counter()
    page.goto(url + path, wait_until="commit")
    page.locator(READY).first.wait_for(state="attached")
    ready = time.perf_counter()
    page.locator("#text-0" if path == "/studio" else "main h1").first.wait_for()
    usable = time.perf_counter()
    steps = page.evaluate(_PAINTS)
    page.wait_for_load_state("networkidle")
    context.close()
    return {
        "page": steps["page"],
        "paint": steps["paint"],
        "ready": (ready - started) * 1000,
        "usable": (usable - started) * 1000,
    }, wire


def changes(context: BrowserContext, url: str, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each page change; the first round fetches what a page needs, the later ones have it."""
    page = context.new_page()
    page.goto(url + "/studio")
    page.locator(READY).first.wait_for(state="attached")
    taken: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for href, heading in PAGES:
            taken[href].append(page.evaluate(_GO, {"href": href, "heading": heading}))
            page.wait_for_timeout(150)
    page.close()
    return taken


def run(stack_name: str, path: str, rounds: int) -> None:
    port = free_port()
    with rig(stack_name, channels=5, latency_ms=0, port=port) as made, ExitStack() as stack:
        made.schedule(due_times(40, per_second=0.01))
        web = subprocess.Popen(
            [sys.executable, "-m", "contentcaster", "web"],
            cwd=PROJECT_ROOT,
            env=os.environ | dict(made.stack.environment),
        )
        stack.callback(stop, [web])
        url = f"http://127.0.0.1:{port}"
        wait_for_web(url)
        browser = stack.enter_context(running_chromium())
        signed_in = browser.new_context(viewport={"width": 1360, "height": 900})
        sign_in(signed_in, url)
        cookies: list[Any] = list(signed_in.cookies())
        cold(browser, url, path, cookies)  # the server's own first time is not the browser's
        loads = [cold(browser, url, path, cookies) for _ in range(rounds)]
        steps = ("page", "paint", "ready", "usable")
        values = {step: sorted(load[step] for load, _ in loads) for step in steps}
        table(
            f"{path} in a cold browser, {rounds} times ({stack_name}, {machine()})",
            ["", *(f"{step} ms" for step in steps)],
            [
                ["p50", *(percentile(values[step], 0.5) for step in steps)],
                ["max", *(values[step][-1] for step in steps)],
            ],
        )
        wire = loads[-1][1]
        kinds = ("scripts", "styles", "fonts", "page", "other")
        table(
            f"Over the wire for {path} (compressed, headers included)",
            [*(f"{kind} kB" for kind in kinds), "all kB", "requests"],
            [
                [
                    *(wire[kind] / 1000 for kind in kinds),
                    sum(wire[kind] for kind in kinds) / 1000,
                    wire["requests"],
                ]
            ],
        )
        taken = changes(signed_in, url, rounds)
        table(
            "From a click in the sidebar to the page with its data",
            ["page", "first time ms", "later p50 ms", "later max ms"],
            [[href, times[0], percentile(sorted(times[1:]), 0.5), max(times[1:])] for href, times in taken.items()],
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--stack", choices=("postgres", "sqlite"), default="sqlite")
    parser.add_argument("--page", default="/studio")
    given = parser.parse_args()
    run(given.stack, given.page, max(2, given.rounds))


if __name__ == "__main__":
    main()
