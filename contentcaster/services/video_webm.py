"""WebM files: what is in them, and their tags taken out.

Sources: RFC 8794 (EBML), RFC 9559 (Matroska) and the WebM container guidelines. Only headers are read; no frame is
decoded. What is taken out becomes a Void element of the same size, so that no position in the file changes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from contentcaster.services.video_mp4 import Damaged

MAX_ELEMENTS = 3_000_000
_EBML, _DOC_TYPE, _SEGMENT, _INFO, _SCALE, _DURATION = (
    0x1A45DFA3,
    0x4282,
    0x18538067,
    0x1549A966,
    0x2AD7B1,
    0x4489,
)
_TRACKS, _ENTRY, _TYPE, _CODEC, _VIDEO, _WIDTH, _HEIGHT = 0x1654AE6B, 0xAE, 0x83, 0x86, 0xE0, 0xB0, 0xBA
_SHOWN_WIDTH, _SHOWN_HEIGHT, _SHOWN_UNIT = 0x54B0, 0x54BA, 0x54B2
_CLUSTER, _TIME, _SIMPLE_BLOCK, _GROUP, _BLOCK = 0x1F43B675, 0xE7, 0xA3, 0xA0, 0xA1
_TAGS, _ATTACHMENTS, _TITLE, _DATE, _VOID = 0x1254C367, 0x1941A469, 0x7BA9, 0x4461, 0xEC
_PARENTS = frozenset({_EBML, _SEGMENT, _INFO, _TRACKS, _ENTRY, _VIDEO, _CLUSTER, _GROUP})
_METADATA = frozenset({_TAGS, _ATTACHMENTS, _TITLE, _DATE})


@dataclass(frozen=True)
class Element:
    id: int
    start: int
    body: int
    end: int


@dataclass
class Recording:
    doc_type: str = ""
    seconds: float = 0.0
    tracks: list[dict[int, int | str]] = field(default_factory=list)


def elements(file: BinaryIO, size: int) -> Iterator[Element]:
    """All elements in the order of the file; parents come before their children, of whatever length they are."""
    position, seen = 0, 0
    while position < size:
        seen += 1
        if seen > MAX_ELEMENTS:
            raise Damaged("too many elements")
        file.seek(position)
        head = file.read(12)
        id_length = _length(head, 0, 4)
        number = int.from_bytes(head[:id_length], "big")
        size_length = _length(head, id_length, 8)
        raw = int.from_bytes(head[id_length : id_length + size_length], "big") & ((1 << 7 * size_length) - 1)
        body = position + id_length + size_length
        if raw == (1 << 7 * size_length) - 1:  # unknown: as recorders write what is not finished yet
            if number not in (_SEGMENT, _CLUSTER):
                raise Damaged("an element without a length")
            end = size
        else:
            end = body + raw
        if end > size:
            raise Damaged("an element ends behind the file")
        yield Element(number, position, body, end)
        position = body if number in _PARENTS else end


def _length(head: bytes, at: int, most: int) -> int:
    """How many bytes a number takes, by its first one."""
    if at >= len(head) or head[at] == 0:
        raise Damaged("no element where one should be")
    length = 9 - head[at].bit_length()
    if length > most or at + length > len(head):
        raise Damaged("no element where one should be")
    return length


def read_recording(file: BinaryIO, size: int) -> Recording:
    """The tracks and the length of a file. Raises Damaged."""
    found = Recording()
    scale, stated, cluster, last = 1_000_000, 0.0, 0, 0
    for element in elements(file, size):
        kind = element.id
        if kind == _DOC_TYPE:
            found.doc_type = _read(file, element, 16).decode("latin-1").strip("\0 ")
        elif kind == _SCALE:
            scale = _integer(file, element) or scale
        elif kind == _DURATION:
            content = _read(file, element, 8)
            stated = (
                struct.unpack(">d" if len(content) == 8 else ">f", content)[0]
                if len(content) in (4, 8)
                else 0.0
            )
        elif kind == _ENTRY:
            found.tracks.append({})
        elif kind == _CODEC and found.tracks:
            found.tracks[-1][kind] = _read(file, element, 32).decode("latin-1").strip("\0 ")
        elif kind in (_TYPE, _WIDTH, _HEIGHT, _SHOWN_WIDTH, _SHOWN_HEIGHT, _SHOWN_UNIT) and found.tracks:
            found.tracks[-1][kind] = _integer(file, element)
        elif kind == _TIME:
            cluster = _integer(file, element)
        elif kind in (_SIMPLE_BLOCK, _BLOCK):
            last = max(last, cluster + _block_time(file, element))
    ticks = stated if 0 < stated < 1e12 else last
    found.seconds = ticks * scale / 1e9
    return found


def picture_of(recording: Recording) -> tuple[str, int, int] | None:
    """Codec, width and height of the first picture track."""
    for track in recording.tracks:
        if track.get(_TYPE) == 1:
            width, height = int(track.get(_WIDTH, 0)), int(track.get(_HEIGHT, 0))
            if not track.get(_SHOWN_UNIT, 0):
                width, height = int(track.get(_SHOWN_WIDTH, width)), int(track.get(_SHOWN_HEIGHT, height))
            return str(track.get(_CODEC, "")), width, height
    return None


def has_sound(recording: Recording) -> bool:
    return any(track.get(_TYPE) == 2 for track in recording.tracks)


def blank_metadata(file: BinaryIO, size: int) -> None:
    """Overwrite tags, attachments, title and date."""
    for element in [one for one in elements(file, size) if one.id in _METADATA]:
        length = element.end - element.start
        head = (
            bytes([_VOID, 0x80 | (length - 2)])
            if length < 10
            else bytes([_VOID, 0x01]) + (length - 9).to_bytes(7, "big")
        )
        file.seek(element.start)
        file.write(head + bytes(length - len(head)))


def _read(file: BinaryIO, element: Element, most: int) -> bytes:
    file.seek(element.body)
    return file.read(min(most, element.end - element.body))


def _integer(file: BinaryIO, element: Element) -> int:
    return int.from_bytes(_read(file, element, 8), "big")


def _block_time(file: BinaryIO, element: Element) -> int:
    content = _read(file, element, 12)
    at = _length(content, 0, 8)
    return int.from_bytes(content[at : at + 2], "big", signed=True)
