"""Messages that appear for a few seconds: what happened, said once.

rx.toast returned from a handler is evaluated as a script in the browser, which our CSP refuses. So a message is
state: each new `seq` makes the page show one toast (components.toast).
"""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

import reflex as rx
from pydantic import Field

from contentcaster.state.marks import public

Tone = Literal["ok", "info", "warn", "bad"]

MAX_MESSAGE_CHARACTERS = 600


class FlashState(rx.State):
    """The last message of this tab."""

    seq: int = 0
    tone: str = "info"
    message: str = ""

    def _show(self, tone: Tone, message: str) -> None:
        self.tone = tone
        self.message = message[:MAX_MESSAGE_CHARACTERS]
        self.seq = max(self.seq + 1, time.time_ns() // 1_000_000)  # never one that this tab has shown before

    def _clear(self) -> None:
        self.message = ""

    @public
    async def show(self, tone: Tone, message: Annotated[str, Field(max_length=2000)]) -> None:
        """Show a message; for `handle_exception`. A forged call reaches only the tab that forged it."""
        self._show(tone, message)


async def flash(state: rx.State, tone: Tone, message: str) -> None:
    """Show `message` in the tab whose event `state` is handling."""
    target: Any = await state.get_state(FlashState)
    target._show(tone, message)
