"""MP4 and QuickTime files: what is in them, and where they were filmed taken out.

Sources: ISO/IEC 14496-12 (boxes, movie fragments) and Apple's QuickTime File Format. Only the headers are read; no
frame is decoded. Metadata is blanked in place (its box becomes `free`), so that no offset in the file changes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

MAX_BOXES = 200_000
_BLANK_CHUNK = 1 << 16
_MAX_TABLE_BYTES = 8_000_000
_METADATA = (b"udta", b"meta", b"uuid")
_METADATA_HANDLERS = (b"meta", b"data")
"""Tracks of sensors (GoPro's gpmd, Apple's mebx, Google's camm): positions, second by second."""


class Damaged(ValueError):
    """The file does not follow its own format."""


@dataclass(frozen=True)
class Box:
    kind: bytes
    start: int
    body: int
    end: int


@dataclass
class Track:
    """What the headers say of one track."""

    box: Box
    handler: bytes = b""
    codec: str = ""
    number: int = 0
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    timescale: int = 0
    is_turned: bool = False
    tables: dict[bytes, Box] = field(default_factory=dict)


@dataclass
class Movie:
    brand: bytes
    seconds: float
    tracks: list[Track]


class _Reader:
    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size = file, size
        self._seen = 0

    def boxes(self, start: int, end: int) -> Iterator[Box]:
        position = start
        while position + 8 <= end:
            self._seen += 1
            if self._seen > MAX_BOXES:
                raise Damaged("too many boxes")
            head = self.read(position, 16)
            size, kind = struct.unpack(">I4s", head[:8])
            header = 8
            if size == 1:
                size, header = int.from_bytes(head[8:16], "big"), 16
            elif size == 0:
                size = end - position
            if size < header or position + size > end:
                raise Damaged(f"box {kind!r} ends outside of its parent")
            yield Box(kind, position, position + header, position + size)
            position += size

    def children(self, box: Box) -> Iterator[Box]:
        return self.boxes(box.body, box.end)

    def read(self, start: int, length: int) -> bytes:
        self.file.seek(start)
        return self.file.read(length)

    def body(self, box: Box, least: int, most: int = 256) -> bytes:
        content = self.read(box.body, min(most, box.end - box.body))
        if len(content) < least:
            raise Damaged(f"box {box.kind!r} is too short")
        return content


def read_movie(file: BinaryIO, size: int) -> Movie:
    """The tracks and the length of a file. Raises Damaged."""
    reader = _Reader(file, size)
    brand, movie, fragments = b"", None, []
    for box in reader.boxes(0, size):
        if box.kind == b"ftyp":
            brand = reader.body(box, 4)[:4]
        elif box.kind == b"moov":
            movie = box
        elif box.kind == b"moof":
            fragments.append(box)
    if movie is None:
        raise Damaged("there is no moov box")
    seconds, tracks, defaults = 0.0, [], {}
    for box in reader.children(movie):
        if box.kind == b"mvhd":
            timescale, duration = _times(reader, box)
            seconds = duration / timescale if timescale else 0.0
        elif box.kind == b"trak":
            tracks.append(_read_track(reader, box))
        elif box.kind == b"mvex":
            defaults = _fragment_defaults(reader, box)
    if fragments:
        seconds = max([seconds, *(_fragment_seconds(reader, fragments, one, defaults) for one in tracks)])
    return Movie(brand, max([seconds, *(track.seconds for track in tracks)]), tracks)


def _read_track(reader: _Reader, box: Box) -> Track:
    track = Track(box)
    for child in reader.children(box):
        if child.kind == b"tkhd":
            content = reader.body(child, 84)
            is_long = content[0] == 1
            track.number = int.from_bytes(content[20:24] if is_long else content[12:16], "big")
            at = 52 if is_long else 40
            if len(content) < at + 44:
                raise Damaged("tkhd is too short")
            a, b, _, c, d = struct.unpack(">5i", content[at : at + 20])
            track.is_turned = a == 0 and d == 0 and b != 0 and c != 0
            width, height = struct.unpack(">II", content[at + 36 : at + 44])
            track.width, track.height = width >> 16, height >> 16
        elif child.kind == b"mdia":
            _read_media(reader, child, track)
    return track


def _read_media(reader: _Reader, box: Box, track: Track) -> None:
    for child in reader.children(box):
        if child.kind == b"mdhd":
            track.timescale, duration = _times(reader, child)
            track.seconds = duration / track.timescale if track.timescale else 0.0
        elif child.kind == b"hdlr":
            track.handler = reader.body(child, 12)[8:12]
        elif child.kind == b"minf":
            for table in (b for b in reader.children(child) if b.kind == b"stbl"):
                track.tables = {each.kind: each for each in reader.children(table)}
    if (description := track.tables.get(b"stsd")) is not None:
        content = reader.body(description, 8, 8 + 40)
        track.codec = content[12:16].decode("latin-1").strip()
        if track.handler == b"vide" and not (track.width and track.height) and len(content) >= 44:
            track.width, track.height = struct.unpack(">HH", content[40:44])


def _times(reader: _Reader, box: Box) -> tuple[int, int]:
    """Timescale and duration of an mvhd or mdhd box."""
    content = reader.body(box, 20)
    if content[0] == 1:
        if len(content) < 32:
            raise Damaged("a header is too short")
        timescale, duration = struct.unpack(">IQ", content[20:32])
        return timescale, 0 if duration == 2**64 - 1 else duration
    timescale, duration = struct.unpack(">II", content[12:20])
    return timescale, 0 if duration == 2**32 - 1 else duration


# ── fragmented files, as recorders write them ───────────────────────────────────────────────────────────────


def _fragment_defaults(reader: _Reader, box: Box) -> dict[int, int]:
    """Track number -> how long a sample is where a fragment does not say."""
    found = {}
    for child in reader.children(box):
        if child.kind == b"trex":
            content = reader.body(child, 24)
            found[int.from_bytes(content[4:8], "big")] = int.from_bytes(content[12:16], "big")
    return found


def _fragment_seconds(reader: _Reader, fragments: list[Box], track: Track, defaults: dict[int, int]) -> float:
    if not track.timescale:
        return 0.0
    ticks = 0
    for fragment in fragments:
        for part in (b for b in reader.children(fragment) if b.kind == b"traf"):
            number, default = 0, 0
            for child in reader.children(part):
                if child.kind == b"tfhd":
                    content = reader.body(child, 8)
                    number = int.from_bytes(content[4:8], "big")
                    default = _tfhd_default(content, defaults.get(number, 0))
                elif child.kind == b"trun" and number == track.number:
                    ticks += _run_ticks(reader, child, default)
    return ticks / track.timescale


def _tfhd_default(content: bytes, default: int) -> int:
    flags = int.from_bytes(content[1:4], "big")
    at = 8 + (8 if flags & 0x1 else 0) + (4 if flags & 0x2 else 0)
    return int.from_bytes(content[at : at + 4], "big") if flags & 0x8 else default


def _run_ticks(reader: _Reader, box: Box, default: int) -> int:
    content = reader.read(box.body, box.end - box.body)
    if len(content) < 8:
        raise Damaged("trun is too short")
    flags, count = int.from_bytes(content[1:4], "big"), int.from_bytes(content[4:8], "big")
    if not flags & 0x100:
        return count * default
    at = 8 + (4 if flags & 0x1 else 0) + (4 if flags & 0x4 else 0)
    step = 4 * sum(bool(flags & bit) for bit in (0x100, 0x200, 0x400, 0x800))
    if at + step * count > len(content):
        raise Damaged("trun is too short")
    return sum(int.from_bytes(content[i : i + 4], "big") for i in range(at, at + step * count, step))


# ── taking metadata out ─────────────────────────────────────────────────────────────────────────────────────


def blank_metadata(file: BinaryIO, size: int) -> None:
    """Overwrite where, when and with what it was filmed: user data, XMP, and the tracks of sensors."""
    reader = _Reader(file, size)
    movie = read_movie(file, size)
    doomed = [box for box in reader.boxes(0, size) if box.kind in _METADATA]
    for box in [box for box in reader.boxes(0, size) if box.kind in (b"moov", b"moof")]:
        doomed += [child for child in reader.children(box) if child.kind in _METADATA]
    for track in movie.tracks:
        if track.handler in _METADATA_HANDLERS:
            for start, length in _samples(reader, track, size):
                _zero(file, start, length)
            doomed.append(track.box)
        else:
            doomed += [child for child in reader.children(track.box) if child.kind in _METADATA]
    for box in doomed:
        _zero(file, box.body, box.end - box.body)
        file.seek(box.start + 4)
        file.write(b"free")


def _samples(reader: _Reader, track: Track, size: int) -> Iterator[tuple[int, int]]:
    """Where a track's samples lie, chunk by chunk; only what is inside of the file."""
    tables = track.tables
    where, sizes, groups = (
        tables.get(b"stco") or tables.get(b"co64"),
        tables.get(b"stsz"),
        tables.get(b"stsc"),
    )
    if where is None or sizes is None or groups is None:
        return
    if any(box.end - box.body > _MAX_TABLE_BYTES for box in (where, sizes, groups)):
        raise Damaged("a table of samples is too large")
    wide = 8 if where.kind == b"co64" else 4
    offsets = _numbers(reader.read(where.body, where.end - where.body)[8:], wide)
    table = reader.read(sizes.body, sizes.end - sizes.body)
    same, lengths = int.from_bytes(table[4:8], "big"), _numbers(table[12:], 4)
    runs = _numbers(reader.read(groups.body, groups.end - groups.body)[8:], 4)
    firsts, per_chunk = runs[0::3], runs[1::3]
    sample, run, left = 0, 0, size
    for chunk, offset in enumerate(offsets, start=1):
        while run + 1 < len(firsts) and firsts[run + 1] <= chunk:
            run += 1
        count = per_chunk[run] if run < len(per_chunk) else 0
        length = same * count if same else sum(lengths[sample : sample + count])
        sample += count
        length = max(0, min(length, size - offset))
        left -= length
        if left < 0:  # made so that a small file is written over a million times
            raise Damaged("samples overlap")
        yield min(offset, size), length


def _numbers(content: bytes, width: int) -> list[int]:
    return [int.from_bytes(content[i : i + width], "big") for i in range(0, len(content) - width + 1, width)]


def _zero(file: BinaryIO, start: int, length: int) -> None:
    file.seek(start)
    while length > 0:
        file.write(bytes(min(length, _BLANK_CHUNK)))
        length -= _BLANK_CHUNK
