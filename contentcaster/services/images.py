"""Pictures that people upload: checked before decoding, re-encoded without metadata, with smaller copies.

A hostile file costs little: its size and its pixel count are refused before any pixel is decoded, few decodes run at
once, and what is stored is only what our own encoder wrote.
"""

from __future__ import annotations

import io
import struct
import threading
from dataclasses import dataclass

from PIL import Image, ImageCms, ImageOps

from contentcaster.errors import InvalidInput

MAX_PIXELS = 50_000_000
"""A photo: JPEG can be decoded at a fraction of its size."""

MAX_PIXELS_UNSCALED = 30_000_000
"""Any other format; decoded it takes 120 MB, and as much again while it is scaled down."""

MAX_EDGE = 4096
"""Stored pictures are scaled down to this; the networks show less."""

THUMB_EDGE = 480

MIN_CROP_PIXELS = 16

SMALL_BYTES = 950_000
"""Pictures above this get a smaller copy, for networks that take at most 1 MB (Bluesky's app.bsky.embed.images)."""

Image.MAX_IMAGE_PIXELS = MAX_PIXELS

_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}
_SRGB = ImageCms.createProfile("sRGB")
_MAX_PROFILE_BYTES = 1_000_000

# Decoding needs memory in proportion to the pixels; one at a time bounds it.
_decoder = threading.Lock()

# What Pillow's decoders raise for damaged files, by its own tests and by fuzzing; a bug of ours is none of these.
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, OverflowError, struct.error)


@dataclass(frozen=True)
class EncodedImage:
    content: bytes
    mime_type: str
    width: int
    height: int

    @property
    def extension(self) -> str:
        return _EXTENSIONS[self.mime_type]


@dataclass(frozen=True)
class CropBox:
    """What is kept of a picture, as shares of its width and height from the upper left corner."""

    left: float
    top: float
    width: float
    height: float

    def __post_init__(self) -> None:
        values = (self.left, self.top, self.width, self.height)
        is_inside = self.left + self.width <= 1.0001 and self.top + self.height <= 1.0001
        # NaN fails every comparison, so it is refused too.
        if not (
            all(0 <= value <= 1 for value in values) and self.width > 0 and self.height > 0 and is_inside
        ):
            raise InvalidInput("The part to keep lies outside of the picture.", field="box")

    def pixels(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Left, top, right, bottom in a picture of this size; at least MIN_CROP_PIXELS each way."""
        left, top = round(self.left * width), round(self.top * height)
        right, bottom = (
            min(width, round((self.left + self.width) * width)),
            min(height, round((self.top + self.height) * height)),
        )
        if right - left < MIN_CROP_PIXELS or bottom - top < MIN_CROP_PIXELS:
            raise InvalidInput(f"Keep at least {MIN_CROP_PIXELS} pixels each way.", field="box")
        return left, top, right, bottom


@dataclass(frozen=True)
class PreparedImage:
    """What is stored of one upload."""

    full: EncodedImage
    thumb: EncodedImage
    small: EncodedImage | None
    """Below SMALL_BYTES, if `full` is not."""


def prepare_image(content: bytes, *, max_bytes: int) -> PreparedImage:
    """Check and re-encode an upload.

    Raises:
        InvalidInput: field "media": too big, no picture, animated, damaged, or a format that we do not take.
    """
    if len(content) > max_bytes:
        raise _refused(
            f"This file has {len(content) / 1e6:.1f} MB; at most {max_bytes / 1e6:.0f} MB are taken. "
            "Save it smaller and try again."
        )
    file_format = _sniff(content)
    with _decoder:
        try:
            picture = _decode(content, file_format)
            return _encode_all(picture, "PNG" if file_format == "GIF" else file_format)
        except Image.DecompressionBombError:
            raise _too_many_pixels(MAX_PIXELS) from None
        except _DAMAGED as error:
            raise InvalidInput(
                "This file is damaged or no picture. Open it on your computer, save it again and try once more.",
                field="media",
            ) from error


def crop_image(content: bytes, box: CropBox) -> PreparedImage:
    """A part of a picture, encoded as an upload is. Raises as `prepare_image`."""
    file_format = _sniff(content)
    with _decoder:
        try:
            picture = _decode(content, file_format)
            return _encode_all(picture.crop(box.pixels(picture.width, picture.height)), file_format)
        except Image.DecompressionBombError:
            raise _too_many_pixels(MAX_PIXELS) from None
        except _DAMAGED as error:
            raise _refused("The stored file of this picture is damaged. Upload it again.") from error


def _sniff(content: bytes) -> str:
    """The format by its first bytes; names and declared types are what the sender likes to claim."""
    head = content[:32]
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    raise _refused(_why_not(content[:512]))


def _why_not(head: bytes) -> str:
    if not head:
        return "This file is empty."
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"avif", b"hevc"):
        return "HEIC and AVIF pictures are not taken by the networks. Save it as JPEG or PNG."
    if head[4:8] == b"ftyp" or head.startswith(b"\x1aE\xdf\xa3"):
        return "This is a video; a picture is needed here."
    if b"<svg" in head.lower() or head.lstrip().startswith(b"<?xml"):
        return "SVG files can carry scripts and are not taken. Export it as PNG."
    return "This is no picture that we know. JPEG, PNG, WebP and still GIF pictures are taken."


def _decode(content: bytes, file_format: str) -> Image.Image:
    picture: Image.Image = Image.open(io.BytesIO(content), formats=[file_format])
    limit = MAX_PIXELS if file_format == "JPEG" else MAX_PIXELS_UNSCALED
    if picture.width * picture.height > limit or max(picture.size) > 60_000:
        raise _too_many_pixels(limit)
    if file_format != "JPEG" and getattr(picture, "is_animated", False):
        raise _refused("Animated pictures cannot be attached yet. A still picture works.")
    if file_format == "JPEG":
        # Decodes at a fraction of the size where that is still enough: less memory, less time.
        scale = MAX_EDGE / max(picture.size)
        picture.draft("RGB", (max(1, int(picture.width * scale)), max(1, int(picture.height * scale))))
    picture.load()
    profile = picture.info.get("icc_profile")
    picture = _in_whole_channels(picture)
    if max(picture.size) > MAX_EDGE:  # before anything that copies it: a copy of 50 megapixels is 150 MB
        picture.thumbnail((MAX_EDGE, MAX_EDGE), Image.Resampling.LANCZOS)
    ImageOps.exif_transpose(picture, in_place=True)
    if profile and len(profile) <= _MAX_PROFILE_BYTES:
        picture = _in_srgb(picture, profile, "RGBA" if picture.mode == "RGBA" else "RGB")
    plain = picture if picture.mode in ("RGB", "RGBA") else picture.convert("RGB")
    plain.info.clear()
    return plain


def _in_whole_channels(picture: Image.Image) -> Image.Image:
    """RGB, RGBA or CMYK with 8 bits each, which can be scaled; what is so already is not copied."""
    if picture.mode in ("RGB", "RGBA", "CMYK") and "transparency" not in picture.info:
        return picture
    if picture.mode.startswith("I"):  # 16-bit grey: convert() would clip it to white
        return picture.point(lambda value: value / 256).convert("L").convert("RGB")
    has_alpha = picture.mode in ("LA", "PA", "La", "RGBa") or "transparency" in picture.info
    return picture.convert("RGBA" if has_alpha else "RGB")


def _in_srgb(picture: Image.Image, profile: bytes, mode: str) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(picture, source, _SRGB, outputMode=mode)
    except (ImageCms.PyCMSError, OSError):
        return picture  # a broken profile: the plain numbers are the best guess, as in browsers
    return converted or picture


def _encode_all(picture: Image.Image, file_format: str) -> PreparedImage:
    full = _encode(picture, file_format, quality=90)
    thumb = picture.copy()
    thumb.thumbnail((THUMB_EDGE, THUMB_EDGE), Image.Resampling.LANCZOS)
    small = _encode_small(picture) if len(full.content) > SMALL_BYTES else None
    return PreparedImage(full, _encode(thumb, "WEBP", quality=80), small)


def _encode_small(picture: Image.Image) -> EncodedImage:
    """A JPEG below SMALL_BYTES: first less quality, then fewer pixels."""
    flat = _without_alpha(picture)
    for edge, quality in ((2048, 88), (2048, 78), (1600, 80), (1280, 78), (1024, 75), (800, 70)):
        if max(flat.size) > edge:
            flat.thumbnail((edge, edge), Image.Resampling.LANCZOS)
        encoded = _encode(flat, "JPEG", quality=quality)
        if len(encoded.content) <= SMALL_BYTES:
            break
    return encoded


def _without_alpha(picture: Image.Image) -> Image.Image:
    if picture.mode != "RGBA":
        return picture.copy()
    background = Image.new("RGB", picture.size, "white")
    background.paste(picture, mask=picture.getchannel("A"))
    return background


def _encode(picture: Image.Image, file_format: str, *, quality: int) -> EncodedImage:
    buffer = io.BytesIO()
    if file_format == "JPEG":
        picture.convert("RGB").save(buffer, "JPEG", quality=quality, progressive=True, optimize=True)
    elif file_format == "WEBP":
        picture.save(buffer, "WEBP", quality=quality, method=3)
    else:
        picture.save(buffer, "PNG", compress_level=6)
    return EncodedImage(buffer.getvalue(), _TYPES[file_format], picture.width, picture.height)


def _refused(sentence: str) -> InvalidInput:
    return InvalidInput(sentence, field="media")


def _too_many_pixels(limit: int) -> InvalidInput:
    return _refused(
        f"This picture has more than {limit // 1_000_000} megapixels. Save it smaller and try again."
    )
