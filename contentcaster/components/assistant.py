"""The assistant in the composer (assets/js/composer_assistant.js): give it the State's vars and handlers once."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.state.assistant import Ask, AssistantState


def _ask(ask: rx.Var[Ask]) -> tuple[rx.Var[Ask]]:
    return (ask,)


def _id(ask_id: rx.Var[str]) -> tuple[rx.Var[str]]:
    return (ask_id,)


class _Bridge(rx.NoSSRComponent):
    library = "$/public/js/composer"
    is_default = False
    tag = "AssistantBridge"
    status: rx.Var[dict[str, Any]]
    reply: rx.Var[dict[str, Any]]
    on_ask: rx.EventHandler[_ask]  # type: ignore[type-arg,valid-type]
    on_stop: rx.EventHandler[_id]  # type: ignore[type-arg,valid-type]


def assistant_bridge() -> rx.Component:
    """Shows nothing; the panel and the alt-text buttons of the composer ask through it."""
    return rx.el.div(
        _Bridge.create(
            status=AssistantState.status,
            reply=AssistantState.reply,
            on_ask=AssistantState.ask,
            on_stop=AssistantState.stop,
        ),
        on_mount=AssistantState.arrive,
        hidden=True,
    )
