"""Cropping: a new picture from a part of another, which is kept."""

from __future__ import annotations

from contentcaster.db import Database
from contentcaster.errors import InvalidInput, NotFound
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services import media
from contentcaster.services.images import CropBox, crop_image
from contentcaster.services.views import MediaView


def crop_media(database: Database, principal: Principal, media_id: str, box: CropBox) -> MediaView:
    """Keep the part of a picture as a new one of this person, with the same alt text. Slow: call it in a thread.

    Raises:
        NotFound: no such picture, or not theirs. InvalidInput: field "box".
    """
    principal.require(Permission.COMPOSE)
    with database.reading() as session:
        view = media.get_media(session, principal, media_id)
        file = media.open_file(session, principal, media_id)
    if view.duration_seconds:
        raise InvalidInput(
            "A video cannot be cropped here. Cut it on your computer and upload it again.", field="box"
        )
    try:
        content = file.path.read_bytes()
    except FileNotFoundError:
        raise NotFound("The file of this picture is missing in the media folder.") from None
    prepared = crop_image(content, box)
    return media.keep_image(
        database, principal, prepared, filename=view.filename, alt=view.alt, source_id=view.id
    )
