"""What the assistant thinks of finds: how well each fits what a finder rule looks for, and why.

A number and a few words per find come back, and code bounds both: nothing that a stranger wrote, and nothing that a
model was talked into, can do more than move a score by the points that the rule allows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from contentcaster.assistant import checks, tasks
from contentcaster.assistant.model import Usage
from contentcaster.bots.candidates import Candidate
from contentcaster.db import Database
from contentcaster.services.assistant import choose_model, counted, voice_of

MAX_FINDS = 20
"""In one question."""
_MAX_WHY = 120


@dataclass(frozen=True)
class Fit:
    """From 0 (not at all) to 100, and why in a few words."""

    fit: int
    why: str


class Scorer:
    """Asks about finds; in the ledger and under the cap of the bots (services/assistant_ledger.py)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self, wanted: str, finds: Sequence[Candidate]) -> dict[int, Fit]:
        """Place in `finds` -> what was said of it; what the answer leaves out is missing.

        Raises:
            AssistantError: no answer, or none in the form asked for.
            TooMany: the tokens of the bots for today are used up.
        """
        finds = finds[:MAX_FINDS]
        model = choose_model(self._database.settings)
        voice = await asyncio.to_thread(voice_of, self._database)
        texts = [f"{find.handle} · {find.bio[:300]}\n{find.text[:700]}" for find in finds]
        prompt = tasks.score_prompt(wanted=wanted, texts=texts, brand_voice=voice)
        answer = ""
        async for piece in counted(self._database, None, model, prompt, Usage()):
            answer += piece
        return _fits(checks.parsed(answer, "scores"), len(finds))


def _fits(value: Any, count: int) -> dict[int, Fit]:
    """What can be used of the answer: one number and one short line per find that was asked about."""
    found: dict[int, Fit] = {}
    for row in value if isinstance(value, list) else []:
        if not isinstance(row, dict):
            continue
        number, fit = row.get("number"), row.get("fit")
        if not _is_number(number) or not _is_number(fit) or not 1 <= number <= count:
            continue
        # It is shown to people and never sent; even so, no link and nobody's name that a stranger smuggled in.
        why = " ".join(checks.without_foreign(checks.cleaned(str(row.get("why") or "")), "").split())
        found.setdefault(number - 1, Fit(max(0, min(100, fit)), why[:_MAX_WHY]))
    return found


def _is_number(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
