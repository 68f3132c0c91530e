"""A line for each place where somebody is signed in."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.components.basics import button, icon, pill
from contentcaster.components.times import local_time, since
from contentcaster.state.devices import SessionRow


def session_line(session: rx.Var[SessionRow], *, on_end: Any) -> rx.Component:
    """Device, address, when; and a button that ends it."""
    return rx.el.li(
        rx.match(
            session.icon,
            ("smartphone", icon("smartphone", 18)),
            ("terminal", icon("terminal", 18)),
            icon("monitor", 18),
        ),
        rx.el.div(
            rx.el.div(session.device, class_name="b sm"),
            rx.el.div(
                rx.cond(session.ip != "", rx.fragment(session.ip, " · ")),
                "used ",
                since(session.last_seen_at),
                " · signed in ",
                local_time(session.created_at),
                class_name="xs muted num",
            ),
            class_name="line-main",
        ),
        rx.cond(
            session.is_current,
            pill("this browser", "ok"),
            button("Sign out", kind="s", on_click=on_end),
        ),
        class_name="line",
    )
