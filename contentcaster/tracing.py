"""Places in the program that a trace shows. Off unless observe.py installs a tracer; then it costs one comparison.

with tracing.span("job.send", job_id=job.id):
    tracing.note(outcome="published")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext

Value = str | int | float | bool
Open = Callable[[str, Mapping[str, Value]], AbstractContextManager[None]]
Note = Callable[[Mapping[str, Value]], None]

_NOTHING = nullcontext()
_open: Open | None = None
_note: Note | None = None


def install(open_span: Open | None, note_on_span: Note | None) -> None:
    """Set what opens a span and what writes on the current one; None for both turns tracing off."""
    global _open, _note
    _open, _note = open_span, note_on_span


def is_on() -> bool:
    return _open is not None


def span(name: str, **attributes: Value) -> AbstractContextManager[None]:
    """A stretch of work; an exception that leaves it marks it as failed and goes on."""
    return _NOTHING if _open is None else _open(name, attributes)


def note(**attributes: Value) -> None:
    """Write on the span that is open here, if any."""
    if _note is not None:
        _note(attributes)
