"""From what was frozen when a post was scheduled to what a connector sends."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from contentcaster.db import Database
from contentcaster.errors import ContentCasterError
from contentcaster.platforms.base import NotSent, OutgoingMedia, OutgoingPost, Rejected, RemotePost
from contentcaster.services import media_storage


def outgoing_post(
    database: Database,
    payload: dict[str, Any],
    idempotency_key: str,
    client_ref: str,
    reply_to: RemotePost | None = None,
) -> OutgoingPost:
    """The post of a job's payload; its files are fetched from the bucket if they are not here.

    Raises:
        Rejected: a file is gone for good. NotSent: the bucket does not give one right now.
    """
    items = payload.get("media", ())
    paths = _paths(database, (item["storage_key"] for item in items))
    media = tuple(
        OutgoingMedia(
            media_id=item["media_id"],
            path=paths[item["storage_key"]],
            mime_type=item["mime_type"],
            width=item["width"],
            height=item["height"],
            size_bytes=item["size_bytes"],
            alt=item.get("alt", ""),
            duration_seconds=item.get("duration_seconds", 0),
        )
        for item in items
    )
    for item in media:
        if not item.path.is_file():
            what = "A video" if item.is_video else "An image"
            raise Rejected(f"{what} of this post is missing on the server. Add it again.")
    return OutgoingPost(
        text=payload.get("text", ""),
        idempotency_key=idempotency_key,
        client_ref=client_ref,
        created_at=datetime.fromisoformat(payload["created_at"]),
        media=media,
        options=payload.get("options", {}),
        reply_to=reply_to,
    )


def _paths(database: Database, keys: Iterable[str]) -> dict[str, Path]:
    """The files on this host. A bucket that does not give one is an outage, not the end of the post."""
    try:
        return {key: media_storage.local_file(database.settings, key) for key in keys}
    except ContentCasterError as error:
        raise NotSent(f"A picture or video of this post could not be fetched: {error.message}") from error
