"""Home: what goes out today, what needs a person, what comes next."""

from __future__ import annotations

import reflex as rx

from contentcaster.components.basics import page_head
from contentcaster.components.shell import NavItem
from contentcaster.pages.base import Page
from contentcaster.security.permissions import Permission
from contentcaster.state.home import HomeState


def body() -> rx.Component:
    return rx.fragment(page_head("Home"))


PAGE = Page(
    route="/",
    title="Home",
    body=body,
    load=HomeState.load,
    topics=("posts", "failed_tasks", "accounts", "queues"),
    nav=NavItem("Home", "/", "house", (Permission.COMPOSE,), shortcut="g h"),
)
