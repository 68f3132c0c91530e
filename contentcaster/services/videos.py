"""Videos that people upload: checked by their headers, kept as they are but for what they tell of the place and the
device. No frame is decoded here (docs/decisions/012-videos-without-a-decoder.md): the networks do that.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image, ImageDraw

from contentcaster.errors import InvalidInput
from contentcaster.services import video_mp4, video_webm
from contentcaster.services.images import THUMB_EDGE, EncodedImage
from contentcaster.services.video_mp4 import Damaged

MAX_SECONDS = 4 * 3600
MAX_EDGE = 8192
_CODECS = {
    "avc1": "H.264", "avc3": "H.264", "hvc1": "HEVC", "hev1": "HEVC", "vp09": "VP9", "vp08": "VP8", "av01": "AV1",
    "mp4v": "MPEG-4", "apch": "ProRes", "apcn": "ProRes", "apcs": "ProRes", "apco": "ProRes", "ap4h": "ProRes",
    "jpeg": "Motion JPEG", "V_VP8": "VP8", "V_VP9": "VP9", "V_AV1": "AV1", "V_MPEG4/ISO/AVC": "H.264",
}  # fmt: skip
_PICTURES = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis")
_DAMAGED = "This video is damaged or cut off. Export it once more as MP4 and upload it again."
_EXTENSIONS = {"video/mp4": "mp4", "video/quicktime": "mov", "video/webm": "webm"}


@dataclass(frozen=True)
class VideoFacts:
    """What a file's headers say."""

    mime_type: str
    width: int
    height: int
    duration_seconds: float
    codec: str
    """As people call it ("H.264"); an unknown one by the file's own letters."""
    has_sound: bool

    @property
    def extension(self) -> str:
        return _EXTENSIONS[self.mime_type]


def looks_like_video(head: bytes) -> bool:
    """By the first bytes; a HEIC or AVIF picture has the same container and is none."""
    if head[4:8] in (b"ftyp", b"moov", b"wide") and head[8:12] not in _PICTURES:
        return True
    return head.startswith(b"\x1aE\xdf\xa3")


def inspect_video(file: BinaryIO, size: int) -> VideoFacts:
    """Read a file's headers.

    Raises:
        InvalidInput: field "media": damaged or cut off, without a picture track, too long, or a format that we do not
            take.
    """
    file.seek(0)
    head = file.read(64)
    try:
        facts = _webm(file, size) if head.startswith(b"\x1aE\xdf\xa3") else _mp4(file, size)
    except (Damaged, ValueError, OverflowError):
        raise _refused(_DAMAGED) from None
    if not (0 < facts.width <= MAX_EDGE and 0 < facts.height <= MAX_EDGE):
        raise _refused(
            f"This video says that it is {facts.width} × {facts.height}. Export it once more as MP4."
        )
    if not math.isfinite(facts.duration_seconds) or facts.duration_seconds <= 0:
        raise _refused("This video says nothing of its length. Export it once more as MP4.")
    if facts.duration_seconds > MAX_SECONDS:
        raise _refused(f"This video is longer than {MAX_SECONDS // 3600} hours. No network takes it.")
    return facts


def blank_metadata(file: BinaryIO, size: int) -> None:
    """Overwrite what a checked file tells of place, time and device. Raises InvalidInput: it contradicts itself."""
    file.seek(0)
    module = video_webm if file.read(4) == b"\x1aE\xdf\xa3" else video_mp4
    try:
        module.blank_metadata(file, size)
    except Damaged:
        raise _refused(_DAMAGED) from None


def length_of(seconds: float) -> str:
    """How long, for people: 0:12, 1:05:00; never 0:00."""
    whole = max(1, round(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def draw_poster(width: int, height: int) -> EncodedImage:
    """What stands for a video of which there is no frame: its shape, and the sign to play it."""
    scale = THUMB_EDGE / max(width, height)
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    picture = Image.new("RGB", size, (39, 39, 46))
    radius, (x, y) = max(4, min(size) // 6), (size[0] / 2, size[1] / 2)
    ImageDraw.Draw(picture).polygon(
        [(x - radius * 0.6, y - radius), (x - radius * 0.6, y + radius), (x + radius, y)],
        fill=(228, 228, 234),
    )
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=80, method=3)
    return EncodedImage(buffer.getvalue(), "image/webp", *size)


def _mp4(file: BinaryIO, size: int) -> VideoFacts:
    movie = video_mp4.read_movie(file, size)
    if movie.brand[:2] == b"3g":
        raise _refused("3GP videos are not taken by the networks. Save it as MP4.")
    pictures = [track for track in movie.tracks if track.handler == b"vide"]
    if not pictures:
        raise _refused("There is no picture in this file, only sound. Networks take videos with a picture.")
    track = pictures[0]
    width, height = (track.height, track.width) if track.is_turned else (track.width, track.height)
    has_sound = any(each.handler == b"soun" for each in movie.tracks)
    mime_type = "video/quicktime" if movie.brand in (b"qt  ", b"") else "video/mp4"
    return VideoFacts(mime_type, width, height, movie.seconds, _name(track.codec), has_sound)


def _webm(file: BinaryIO, size: int) -> VideoFacts:
    recording = video_webm.read_recording(file, size)
    if recording.doc_type != "webm":
        raise _refused("Matroska (MKV) videos are not taken by the networks. Save it as MP4.")
    picture = video_webm.picture_of(recording)
    if picture is None:
        raise _refused("There is no picture in this file, only sound. Networks take videos with a picture.")
    codec, width, height = picture
    has_sound = video_webm.has_sound(recording)
    return VideoFacts("video/webm", width, height, recording.seconds, _name(codec), has_sound)


def _name(codec: str) -> str:
    return _CODECS.get(codec, "".join(char for char in codec if char.isprintable())[:20] or "unknown")


def _refused(sentence: str) -> InvalidInput:
    return InvalidInput(sentence, field="media")
