"""An address that leads nowhere."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import card
from contentcaster.pages.base import PlainPage
from contentcaster.pages.sign_in import entrance


def body() -> rx.Component:
    return entrance(
        card(
            rx.el.h1("There is no such page"),
            rx.el.p(
                "The address leads nowhere: it was mistyped, or what it led to is gone. Nothing of yours is lost.",
                class_name="muted sm",
            ),
            # A plain link: the router that leads from page to page does not know this place.
            rx.el.a("To the start", href="/", class_name="btn p"),
        )
    )


PAGE = PlainPage(route="404", title="No such page", body=body)
