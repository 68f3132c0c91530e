"""The filter of a list in the page's address, so that a reload or a link shows the same."""

from __future__ import annotations

from typing import Any

import reflex as rx


class _Address(rx.NoSSRComponent):
    library = "$/public/js/address"
    is_default = False
    tag = "Address"
    query: rx.Var[str]


def address(query: Any) -> rx.Component:
    """Shows nothing; `query` is what stands behind the question mark. The page reads it when it is loaded."""
    return _Address.create(query=query)
