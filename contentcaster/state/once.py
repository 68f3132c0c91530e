"""What is shown once: a new secret goes to the tab that asked for it, and is kept nowhere else.

    self.secret = made.secret
    yield  # sent to the browser
    forget(self, secret="")

The tab goes on showing it until it is left or reloaded; the state kept on the server (in Redis, where there is one)
no longer has it when the handler ends.
"""

from __future__ import annotations

from typing import Any

import reflex as rx


def forget(state: rx.State, **empty: Any) -> None:
    """Set these vars to their empty values without telling the browser."""
    for name, value in empty.items():
        setattr(state, name, value)
        state.dirty_vars.discard(name)
