"""Video files made by hand: whole in their headers, with pictures that no player could show. They hold what phones put
in: the place, the device, a track of positions."""

from __future__ import annotations

import struct

PLACE = b"+52.5163+013.3777/"
DEVICE = b"Phone of Ada 17 Pro"
TRACKED = b"GPS5:52.5163,13.3777;" * 8


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def make_mp4(
    *,
    seconds: float = 12.5,
    size: tuple[int, int] = (1280, 720),
    codec: bytes = b"avc1",
    brand: bytes = b"isom",
    is_turned: bool = False,
    has_picture: bool = True,
    content: bytes = b"frames " * 40,
) -> bytes:
    """An MP4 (brand "qt  ": QuickTime) with picture, sound and a track of positions, the place in three spots."""
    head = box(b"ftyp", brand, struct.pack(">I", 512), b"isom", b"mp42")
    start = len(head) + 8
    data = box(b"mdat", content, TRACKED)
    tracked_at = start + len(content)
    tracks = [_track(2, b"soun", b"mp4a", seconds, (0, 0), start, 16)]
    if has_picture:
        tracks.insert(0, _track(1, b"vide", codec, seconds, size, start, len(content), is_turned=is_turned))
    tracks.append(_track(3, b"meta", b"gpmd", seconds, (0, 0), tracked_at, len(TRACKED)))
    movie = box(
        b"moov",
        _header(b"mvhd", 1000, seconds, 80),
        *tracks,
        box(b"udta", box(b"\xa9xyz", struct.pack(">HH", len(PLACE), 0x15C7), PLACE), box(b"\xa9mod", DEVICE)),
        box(b"meta", b"com.apple.quicktime.location.ISO6709", PLACE),
    )
    return head + data + movie + box(b"uuid", b"\0" * 16, b"<x:xmpmeta>" + PLACE + b"</x:xmpmeta>")


def make_fragmented_mp4(*, fragments: int = 4, samples: int = 25) -> bytes:
    """What recorders write: no length in the head, 25 pictures a second in each fragment."""
    head = box(b"ftyp", b"iso5", struct.pack(">I", 512), b"iso5", b"mp42")
    extends = box(b"mvex", box(b"trex", struct.pack(">6I", 0, 1, 1, 40, 0, 0)))
    track = _track(1, b"vide", b"avc1", 0, (640, 360), 0, 0)
    parts = [
        box(b"moof", box(b"mfhd", struct.pack(">2I", 0, n)), box(b"traf", _run_head(), _run(samples)))
        + box(b"mdat", b"frames")
        for n in range(fragments)
    ]
    return head + box(b"moov", _header(b"mvhd", 1000, 0, 80), track, extends) + b"".join(parts)


def make_webm(
    *, seconds: float | None = 5.0, size: tuple[int, int] = (640, 360), doc_type: bytes = b"webm"
) -> bytes:
    """A WebM of unknown length, as browsers record it; without `seconds` only its blocks tell how long it is."""
    info = element(0x2AD7B1, (1_000_000).to_bytes(3, "big"))
    info += element(0x4489, struct.pack(">d", seconds * 1000)) if seconds is not None else b""
    info += element(0x7BA9, DEVICE)
    picture = element(0xB0, size[0].to_bytes(2, "big")) + element(0xBA, size[1].to_bytes(2, "big"))
    track = element(0xD7, b"\1") + element(0x83, b"\1") + element(0x86, b"V_VP9") + element(0xE0, picture)
    cluster = element(0xE7, (4000).to_bytes(2, "big"))
    cluster += element(0xA3, b"\x81" + struct.pack(">h", 0) + b"\x80frame")
    cluster += element(0xA3, b"\x81" + struct.pack(">h", 900) + b"\x80frame")
    body = element(0x1549A966, info) + element(0x1654AE6B, element(0xAE, track))
    body += element(0x1254C367, b"LOCATION" + PLACE) + bytes.fromhex("1F43B67501FFFFFFFFFFFFFF") + cluster
    return element(0x1A45DFA3, element(0x4282, doc_type)) + bytes.fromhex("1853806701FFFFFFFFFFFFFF") + body


def element(number: int, body: bytes) -> bytes:
    """One EBML element with a length of eight bytes."""
    return (
        number.to_bytes((number.bit_length() + 7) // 8, "big") + b"\x01" + len(body).to_bytes(7, "big") + body
    )


def _header(kind: bytes, timescale: int, seconds: float, rest: int) -> bytes:
    return box(kind, struct.pack(">5I", 0, 0, 0, timescale, round(seconds * timescale)), bytes(rest))


def _track(
    number: int,
    handler: bytes,
    codec: bytes,
    seconds: float,
    size: tuple[int, int],
    offset: int,
    length: int,
    *,
    is_turned: bool = False,
) -> bytes:
    one = 1 << 16
    matrix = (0, one, 0, -one, 0, 0, 0, 0, 1 << 30) if is_turned else (one, 0, 0, 0, one, 0, 0, 0, 1 << 30)
    head = struct.pack(">6I", 0, 0, 0, number, 0, round(seconds * 1000)) + bytes(16)
    head += struct.pack(">9i", *matrix) + struct.pack(">2I", size[0] << 16, size[1] << 16)
    entry = box(codec, bytes(6), b"\0\1", bytes(16), struct.pack(">HH", *size), bytes(50))
    tables = [
        box(b"stsd", struct.pack(">2I", 0, 1), entry),
        box(b"stsz", struct.pack(">3I", 0, length, 1)),
        box(b"stsc", struct.pack(">5I", 0, 1, 1, 1, 1)),
        box(b"stco", struct.pack(">3I", 0, 1, offset)),
    ]
    media = box(
        b"mdia",
        _header(b"mdhd", 1000, seconds, 4),
        box(b"hdlr", bytes(8), handler, bytes(13)),
        box(b"minf", box(b"stbl", *tables)),
    )
    return box(b"trak", box(b"tkhd", head), media, box(b"udta", box(b"name", DEVICE)))


def _run_head() -> bytes:
    return box(b"tfhd", struct.pack(">2I", 0x020000, 1))


def _run(samples: int) -> bytes:
    return box(b"trun", struct.pack(">2I", 0, samples))
