"""Inputs with label, help and error at their place.

field("Instance address", text_input(name="instance_url", value=S.url, on_change=S.set_url),
      for_="instance_url", help="For example mastodon.social", error=S.errors["instance_url"])
"""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.components.basics import icon


def field(label: Any, control: rx.Component, *, for_: str, help: Any = "", error: Any = "") -> rx.Component:
    """A labelled control. `error` is a sentence or a Var of one; empty: nothing is shown."""
    return rx.el.div(
        rx.el.label(label, html_for=for_),
        control,
        rx.el.p(help, class_name="help", id=f"{for_}-help") if _is_given(help) else rx.fragment(),
        _error(error, for_) if _is_given(error) else rx.fragment(),
        class_name="field",
    )


def text_input(*, id: str, error: Any = "", **props: Any) -> rx.Component:
    """One line of text; pass the same `error` as to `field` so that screen readers are told."""
    return rx.el.input(id=id, name=props.pop("name", id), class_name="input", **_described(id, error, props))


def text_area(*, id: str, error: Any = "", **props: Any) -> rx.Component:
    return rx.el.textarea(
        id=id, name=props.pop("name", id), class_name="input", **_described(id, error, props)
    )


def select(*options: rx.Component, id: str, error: Any = "", **props: Any) -> rx.Component:
    """A native select; options are rx.el.option(...) or rx.foreach over them."""
    return rx.el.select(
        *options, id=id, name=props.pop("name", id), class_name="input", **_described(id, error, props)
    )


def checkbox(label: Any, *, id: str, **props: Any) -> rx.Component:
    return rx.el.label(
        rx.el.input(type="checkbox", id=id, name=props.pop("name", id), **props), label, class_name="check"
    )


def _error(error: Any, for_: str) -> rx.Component:
    message = rx.el.p(icon("circle-alert", 14), error, class_name="error", id=f"{for_}-error", role="alert")
    return message if isinstance(error, str) else rx.cond(error != "", message)


def _described(id: str, error: Any, props: dict[str, Any]) -> dict[str, Any]:
    attributes: dict[str, Any] = {"aria-describedby": f"{id}-error {id}-help"}
    if _is_given(error):
        attributes["aria-invalid"] = (
            "true" if isinstance(error, str) else rx.cond(error != "", "true", "false")
        )
    return props | {"custom_attrs": attributes | props.get("custom_attrs", {})}


def _is_given(value: Any) -> bool:
    return not (isinstance(value, str) and value == "")
