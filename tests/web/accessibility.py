"""axe-core on an open page, and how it looks in both themes and on a phone."""

from __future__ import annotations

import os
from collections.abc import Sequence

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
    # The skip link stands before all landmarks on purpose.
    "rules": {"region": {"enabled": False}},
    "resultTypes": ["violations"],
}

_SETTLED = """async () => {
  const isMoving = () => document.querySelector('[data-sonner-toast][data-mounted="false"]') || document.getAnimations()
    .some(a => a.playState === 'running' && a.effect.getComputedTiming().iterations !== Infinity);
  for (let stillFrames = 0; stillFrames < 5;) {
    await new Promise(requestAnimationFrame);
    stillFrames = isMoving() ? 0 : stillFrames + 1;
  }
}"""


def accessibility_problems(page: Page) -> list[str]:
    """One line per rule that is broken, with the first elements that break it; once nothing moves any more.

    A message that is still fading in has no contrast yet.
    """
    page.evaluate(_SETTLED)
    found = Axe().run(page, options=_RULES).response["violations"]
    return [
        f"{problem['id']} ({problem['impact']}): "
        + "; ".join(node["html"][:160] for node in problem["nodes"][:3])
        for problem in found
    ]


_WEAR = """(theme) => {
  const root = document.documentElement;
  root.classList.remove("light", "dark");
  root.classList.add(theme);
  root.style.colorScheme = theme;
}"""

LOOKS = (("light", 1360), ("dark", 1360), ("light", 360))


def looks_right(page: Page, name: str, looks: Sequence[tuple[str, int]] = LOOKS) -> None:
    """axe finds nothing in light, dark and at 360 px, and nothing sticks out. PICTURES names a folder for looking."""
    size = page.viewport_size
    for theme, width in looks:
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(_WEAR, theme)
        problems = accessibility_problems(page)
        assert problems == [], (name, theme, width, problems)
        wide = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, (name, width)
        if os.environ.get("PICTURES"):
            page.screenshot(path=f"{os.environ['PICTURES']}/{name}-{theme}-{width}.png", full_page=True)
    page.evaluate(_WEAR, "light")
    if size:
        page.set_viewport_size(size)
