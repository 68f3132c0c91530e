"""What a submitted form hands to an event handler: text fields as strings, check boxes as booleans."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Form = dict[str, bool | Annotated[str, Field(max_length=8000)] | None]
"""The annotation of a handler's argument for rx.el.form(on_submit=...); None: an input that is not shown now."""


def text_of(form: Form, name: str) -> str:
    """What was typed into a field; "" if the form has none of that name."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def is_checked(form: Form, name: str) -> bool:
    """Whether a check box is ticked. Browsers say "on", Reflex says True."""
    return form.get(name) in (True, "on")
