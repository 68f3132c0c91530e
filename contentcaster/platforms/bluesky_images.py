"""Makes pictures fit for Bluesky: decoded (the server answers 500 to a broken one) and below its size limit."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from contentcaster.platforms.base import Rejected

MAX_BLOB_BYTES = (
    1_000_000  # the limit stands at the record, not at the upload (measured on @atproto/pds 0.4.217)
)
_MAX_PIXELS = 60_000_000
_SIDES = (2000, 1600, 1280, 1000, 800, 600)
_QUALITIES = (90, 82, 74, 64)


@dataclass(frozen=True)
class FittedImage:
    content: bytes
    mime_type: str
    width: int
    height: int


def fit_image(path: Path, mime_type: str) -> FittedImage:
    """The picture as it is if it is small enough, else a JPEG below the limit.

    Raises:
        Rejected: it cannot be read as a picture, or not be made small enough.
    """
    content = path.read_bytes()
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.width * image.height > _MAX_PIXELS:
                raise Rejected("A picture has too many pixels for Bluesky.")
            image.load()
            if len(content) < MAX_BLOB_BYTES:
                upright = ImageOps.exif_transpose(image)
                return FittedImage(content, mime_type, upright.width, upright.height)
            return _shrink(ImageOps.exif_transpose(image))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise Rejected("A picture of this post is damaged. Add it again.") from None


def _shrink(image: Image.Image) -> FittedImage:
    if image.mode in ("RGBA", "LA", "P", "PA"):
        layered = image.convert("RGBA")
        flat = Image.new("RGB", layered.size, "white")
        flat.paste(layered, mask=layered.getchannel("A"))
    else:
        flat = image.convert("RGB")
    for side in _SIDES:
        smaller = flat.copy()
        smaller.thumbnail((side, side), Image.Resampling.LANCZOS)
        for quality in _QUALITIES:
            target = io.BytesIO()
            smaller.save(target, "JPEG", quality=quality, optimize=True, progressive=True)
            if target.tell() < MAX_BLOB_BYTES:
                return FittedImage(target.getvalue(), "image/jpeg", smaller.width, smaller.height)
    raise Rejected("A picture cannot be made small enough for Bluesky.")
