"""axe-core on an open page."""

from __future__ import annotations

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
