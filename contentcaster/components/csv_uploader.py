"""Uploading a table of posts: a React part in assets/js/csv_uploader.js that posts to the REST API."""

from __future__ import annotations

from typing import Any

import reflex as rx


def _one(import_id: rx.Var[str]) -> tuple[rx.Var[str]]:
    return (import_id,)


class _Uploader(rx.NoSSRComponent):
    library = "$/public/js/csv_uploader"
    is_default = False
    tag = "CsvUploader"
    on_uploaded: rx.EventHandler[_one]  # type: ignore[type-arg,valid-type]


def csv_uploader(*, on_uploaded: Any) -> rx.Component:
    """A drop zone with progress; `on_uploaded` gets the id of the import."""
    return _Uploader.create(on_uploaded=on_uploaded)
