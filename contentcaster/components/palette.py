"""The search of the top bar: pages at once, posts, channels and pictures from the server (assets/js/palette.js)."""

from __future__ import annotations

from typing import Any

import reflex as rx

from contentcaster.services.search import SearchHit


def _one(query: rx.Var[str]) -> tuple[rx.Var[str]]:
    return (query,)


class _Palette(rx.NoSSRComponent):
    library = "$/public/js/palette"
    is_default = False
    tag = "Palette"
    pages: rx.Var[list[dict[str, Any]]]
    permissions: rx.Var[list[str]]
    hits: rx.Var[list[SearchHit]]
    answered: rx.Var[str]
    on_search: rx.EventHandler[_one]  # type: ignore[type-arg,valid-type]


def palette(
    *, pages: list[dict[str, Any]], permissions: Any, hits: Any, answered: Any, on_search: Any
) -> rx.Component:
    """A button in the top bar, and the dialog that it and Ctrl-K open; each page names who may see it."""
    return _Palette.create(
        pages=pages, permissions=permissions, hits=hits, answered=answered, on_search=on_search
    )
