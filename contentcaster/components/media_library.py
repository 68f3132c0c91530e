"""Adding pictures and videos to the library: a React part (assets/js/media_library.js) that uploads to the REST API."""

from __future__ import annotations

from typing import Any

import reflex as rx


def _one(media_id: rx.Var[str]) -> tuple[rx.Var[str]]:
    return (media_id,)


class _Uploader(rx.NoSSRComponent):
    library = "$/public/js/media_library"
    is_default = False
    tag = "MediaUploader"
    max_upload_bytes: rx.Var[int]
    max_video_bytes: rx.Var[int]
    on_uploaded: rx.EventHandler[_one]  # type: ignore[type-arg,valid-type]


def media_uploader(*, max_upload_bytes: Any, max_video_bytes: Any, on_uploaded: Any) -> rx.Component:
    """A drop zone with progress; `on_uploaded` gets the id of each file that arrived."""
    return _Uploader.create(
        max_upload_bytes=max_upload_bytes, max_video_bytes=max_video_bytes, on_uploaded=on_uploaded
    )
