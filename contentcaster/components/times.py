"""Times as people read them: in their zone, or as "2 s ago" that ticks in the browser without asking the server."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.state.shell import ShellState


class _Clock(rx.NoSSRComponent):
    library = "$/public/js/clock"
    is_default = False
    at: rx.Var[Any]


class _LocalTime(_Clock):
    tag = "LocalTime"
    zone: rx.Var[str]
    kind: rx.Var[str]


class _Since(_Clock):
    tag = "Since"


class _Heartbeat(_Clock):
    tag = "Heartbeat"
    level: rx.Var[str]
    text: rx.Var[str]
    silent_after: rx.Var[int]


SILENT_AFTER_SECONDS = 10
"""The same as engine.heartbeat.ALIVE_SECONDS: without a newer sign of life the pill turns red by itself."""


def local_time(at: Any, kind: str = "datetime", **props: Any) -> rx.Component:
    """A moment in the person's zone. `kind`: datetime, day, date, time, seconds, precise (with milliseconds)."""
    return _LocalTime.create(at=at, zone=ShellState.timezone, kind=kind, **props)


def since(at: Any, **props: Any) -> rx.Component:
    """How long ago, or in how long: "2 s ago", "in 4 min"; keeps counting."""
    return _Since.create(at=at, **props)


def heartbeat() -> rx.Component:
    """Whether posts go out right now; keeps counting, so a dead system cannot look alive."""
    return _Heartbeat.create(
        at=ShellState.beat_at,
        level=ShellState.beat_level,
        text=ShellState.beat_text,
        silent_after=SILENT_AFTER_SECONDS,
    )
