"""The calendar of posts: FullCalendar's MIT parts, wrapped in assets/js/calendar.js.

Times cross the border as wall times in the person's zone ("2026-11-26T09:00"), dates as "2026-11-26".
"""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.state.shell import ShellState

VERSION = "6.1.20"


def _range(start: rx.Var[str], end: rx.Var[str]) -> tuple[rx.Var[str], rx.Var[str]]:
    return (start, end)


def _move(
    post_id: rx.Var[str], wall_time: rx.Var[str], version: rx.Var[int]
) -> tuple[rx.Var[str], rx.Var[str], rx.Var[int]]:
    return (post_id, wall_time, version)


class _Calendar(rx.NoSSRComponent):
    library = "$/public/js/calendar"
    is_default = False
    tag = "PostCalendar"
    lib_dependencies: list[str] = [
        f"@fullcalendar/{part}@{VERSION}"
        for part in ("core", "react", "daygrid", "timegrid", "list", "interaction")
    ]
    posts: rx.Var[list[dict[str, Any]]]
    slots: rx.Var[list[dict[str, Any]]]
    zone: rx.Var[str]
    color_by: rx.Var[str]
    on_range: rx.EventHandler[_range]  # type: ignore[type-arg,valid-type]
    on_move: rx.EventHandler[_move]  # type: ignore[type-arg,valid-type]


def post_calendar(*, posts: Any, slots: Any, color_by: Any, on_range: Any, on_move: Any) -> rx.Component:
    """Month, week, day and list. `on_range` asks for the posts of the days shown, `on_move` that one was dragged."""
    return _Calendar.create(
        posts=posts,
        slots=slots,
        zone=ShellState.timezone,
        color_by=color_by,
        on_range=on_range,
        on_move=on_move,
    )
