"""Videos of the media library: kept as they were uploaded, without what they tell of place, time and device."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from contentcaster import live
from contentcaster.db import Database
from contentcaster.errors import InvalidInput
from contentcaster.models import Media
from contentcaster.models.types import new_id
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import media, media_storage
from contentcaster.services.images import EncodedImage, prepare_image
from contentcaster.services.videos import VideoFacts, blank_metadata, draw_poster, inspect_video
from contentcaster.services.views import MediaView

_CHUNK_BYTES = 1 << 20


def store_video(
    database: Database,
    principal: Principal,
    *,
    filename: str,
    source: BinaryIO,
    alt: str = "",
    poster: bytes | None = None,
) -> MediaView:
    """Check and keep an uploaded video; memory stays small however big it is. Slow: call it in a thread.

    `poster` is a picture of it, as browsers make one; without it a drawn sign stands for the video.

    Raises:
        InvalidInput: field "media" (see `videos.inspect_video`; too big), "poster" (see `images.prepare_image`) or
            "alt".
    """
    principal.require(Permission.COMPOSE)
    alt = media.checked_alt(alt)
    settings = database.settings
    with media_storage.unfinished_file(settings) as unfinished:
        size = _copy(source, unfinished, settings.max_video_mb * 1_000_000)
        with open(unfinished, "r+b") as file:
            facts = inspect_video(file, size)
            thumb = _thumb(poster, facts, settings.max_upload_mb * 1_000_000)
            blank_metadata(file, size)
            file.flush()
            os.fsync(file.fileno())
        with open(unfinished, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return _keep(database, principal, unfinished, facts, thumb, size, digest, filename=filename, alt=alt)


def _keep(
    database: Database,
    principal: Principal,
    unfinished: Path,
    facts: VideoFacts,
    thumb: EncodedImage,
    size: int,
    digest: str,
    *,
    filename: str,
    alt: str,
) -> MediaView:
    """The files and the row; both or neither."""
    media_id, settings = new_id(), database.settings
    base = f"{media_id[-2:]}/{media_id}"
    key, thumb_key = f"{base}.{facts.extension}", f"{base}.thumb.webp"
    try:
        media_storage.keep_unfinished(settings, key, unfinished)
        media_storage.keep_file(settings, thumb_key, thumb.content)
        with database.transaction() as session:
            row = Media(
                id=media_id,
                owner_id=principal.user_id,
                filename=media.safe_filename(filename, facts.extension, default="video"),
                mime_type=facts.mime_type,
                width=facts.width,
                height=facts.height,
                size_bytes=size,
                sha256=digest,
                storage_key=key,
                alt=alt,
                duration_seconds=facts.duration_seconds,
                codec=facts.codec,
            )
            session.add(row)
            session.flush()
            live.note(session, "media")
            return media.view_of(row, used_in_posts=0)
    except BaseException:
        media_storage.drop_file(settings, key)
        media_storage.drop_file(settings, thumb_key)
        raise


def _copy(source: BinaryIO, target: Path, max_bytes: int) -> int:
    """The size of what was copied. Raises InvalidInput as soon as it is too much."""
    size = 0
    with open(target, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        while chunk := source.read(_CHUNK_BYTES):
            size += len(chunk)
            if size > max_bytes:
                raise InvalidInput(
                    f"This video has more than {max_bytes // 1_000_000} MB, which is the most that is taken. "
                    "Export it smaller and try again.",
                    field="media",
                )
            file.write(chunk)
    return size


def _thumb(poster: bytes | None, facts: VideoFacts, max_bytes: int) -> EncodedImage:
    if not poster:
        return draw_poster(facts.width, facts.height)
    try:
        return prepare_image(poster, max_bytes=max_bytes).thumb
    except InvalidInput as error:
        raise InvalidInput(error.message, field="poster") from error
