"""Shows FlashState's message as a toast, once per message, without evaluating anything in the browser."""

from __future__ import annotations

import reflex as rx

from contentcaster.state.flash import FlashState


class _FlashToast(rx.NoSSRComponent):
    library = "$/public/js/toast"
    tag = "FlashToast"
    is_default = False
    seq: rx.Var[int]
    tone: rx.Var[str]
    message: rx.Var[str]


def flash_toast() -> rx.Component:
    """Shows each new message of this tab."""
    return _FlashToast.create(seq=FlashState.seq, tone=FlashState.tone, message=FlashState.message)
