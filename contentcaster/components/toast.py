"""Shows FlashState's message as a toast, once per message, without evaluating anything in the browser."""

from __future__ import annotations

import reflex as rx

from contentcaster.state.flash import FlashState


def flash_toast() -> rx.Component:
    """Mounts a new invisible element for each message; mounting it shows the toast."""
    kinds = {"ok": rx.toast.success, "warn": rx.toast.warning, "bad": rx.toast.error}
    return rx.cond(
        FlashState.seq > 0,
        rx.match(
            FlashState.tone,
            *[(tone, _on_mount(show(FlashState.message, duration=8000))) for tone, show in kinds.items()],
            _on_mount(rx.toast.info(FlashState.message, duration=6000)),
        ),
    )


def _on_mount(event: rx.event.EventSpec) -> rx.Component:
    return rx.el.span(key=FlashState.seq.to_string(), on_mount=event, hidden=True)
