"""A form that the browser posts itself: signing in needs a real request, so that a cookie can be set."""

from __future__ import annotations

from typing import Any

import reflex as rx
from reflex_components_core.el.elements.base import BaseHTML


class NativeForm(BaseHTML):
    """<form>; rx.form would prevent the browser's own post."""

    tag = "form"
    action: rx.Var[str]
    method: rx.Var[str]
    auto_complete: rx.Var[str]
    no_validate: rx.Var[bool]


def native_form(*children: Any, action: str, **props: Any) -> rx.Component:
    """A form that posts to `action` with a full page load."""
    return NativeForm.create(*children, action=action, method="post", **props)
