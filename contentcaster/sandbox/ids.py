"""Identifiers as the two networks make them.

Mastodon: snowflake-like numbers (milliseconds << 16, plus a sequence). AT Protocol: TIDs, DIDs of the plc method,
and content ids. A record's cid is the real one: CIDv1, dag-cbor, sha2-256 (https://atproto.com/specs/data-model),
so the same record gives the same cid here as on a PDS. Commits are simplified: their cid hashes the new revision
and the changed records, without the repository's search tree.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
import time
from typing import Any

_TID_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
_TID = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")
_RECORD_KEY = re.compile(r"[A-Za-z0-9_~.:-]{1,512}")
_DAG_CBOR, _RAW = 0x71, 0x55


class Snowflakes:
    """Strictly increasing status ids."""

    def __init__(self) -> None:
        self.last = 0

    def next(self) -> int:
        self.last = max(self.last + 1, int(time.time() * 1000) << 16)
        return self.last


class Tids:
    """Strictly increasing TIDs: 53 bits of microseconds, 10 bits of clock id, base32-sortable."""

    def __init__(self, clock_id: int = 7) -> None:
        self._last_micros = 0
        self._clock_id = clock_id
        self._past_clock_id = clock_id

    def next(self) -> str:
        self._last_micros = max(self._last_micros + 1, time.time_ns() // 1000)
        return self._encoded(self._last_micros, self._clock_id)

    def at(self, epoch: float) -> str:
        """A TID for an earlier time; a clock id of its own each keeps two of the same microsecond apart."""
        self._past_clock_id = self._past_clock_id % 1023 + 1
        return self._encoded(int(epoch * 1_000_000), self._past_clock_id)

    @staticmethod
    def _encoded(micros: int, clock_id: int) -> str:
        number, out = (micros << 10) | clock_id, ""
        for _ in range(13):
            out = _TID_ALPHABET[number & 31] + out
            number >>= 5
        return out


def is_tid(value: str) -> bool:
    return _TID.fullmatch(value) is not None


def is_record_key(value: str) -> bool:
    return _RECORD_KEY.fullmatch(value) is not None and value not in (".", "..")


def secret(seed: str, *parts: str, length: int = 43) -> str:
    """A repeatable credential: the same seed and name give the same one after a restart."""
    digest = hmac.new(seed.encode(), "\x00".join(parts).encode(), hashlib.sha512).digest()
    return base64.urlsafe_b64encode(digest).decode().replace("-", "x").replace("_", "y")[:length]


def did_for(handle: str) -> str:
    digest = hashlib.sha256(f"did:{handle}".encode()).digest()
    return "did:plc:" + base64.b32encode(digest).decode().lower()[:24]


def blob_cid(data: bytes) -> str:
    return _cid(_RAW, data)


def record_cid(value: Any) -> str:
    return _cid(_DAG_CBOR, dag_cbor(value))


def _cid(codec: int, data: bytes) -> str:
    binary = bytes((1, codec, 0x12, 0x20)) + hashlib.sha256(data).digest()
    return "b" + base64.b32encode(binary).decode().lower().rstrip("=")


def _cid_bytes(cid: str) -> bytes:
    body = cid[1:].upper()
    return base64.b32decode(body + "=" * (-len(body) % 8))


def canonical(value: Any) -> Any:
    """The value with its keys in dag-cbor order (shorter first), which is how a PDS gives records back."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return {key: canonical(value[key]) for key in keys}
    return [canonical(item) for item in value] if isinstance(value, list) else value


def dag_cbor(value: Any) -> bytes:
    """Canonical dag-cbor of an atproto JSON value; raises ValueError for what the data model forbids."""
    out = bytearray()
    _encode(value, out)
    return bytes(out)


def _head(major: int, number: int, out: bytearray) -> None:
    if number < 24:
        out.append(major << 5 | number)
    elif number < 0x100:
        out += bytes((major << 5 | 24, number))
    elif number < 0x10000:
        out += struct.pack(">BH", major << 5 | 25, number)
    elif number < 0x100000000:
        out += struct.pack(">BI", major << 5 | 26, number)
    else:
        out += struct.pack(">BQ", major << 5 | 27, number)


def _encode(value: Any, out: bytearray) -> None:
    if value is None:
        out.append(0xF6)
    elif value is True or value is False:
        out.append(0xF5 if value else 0xF4)
    elif isinstance(value, int):
        _head(0, value, out) if value >= 0 else _head(1, -1 - value, out)
    elif isinstance(value, str):
        data = value.encode()
        _head(3, len(data), out)
        out += data
    elif isinstance(value, list):
        _head(4, len(value), out)
        for item in value:
            _encode(item, out)
    elif isinstance(value, dict):
        _encode_map(value, out)
    else:
        raise ValueError("Records hold no fractions: the atproto data model has only whole numbers.")


def _encode_map(value: dict[str, Any], out: bytearray) -> None:
    if set(value) == {"$link"}:
        data = b"\x00" + _cid_bytes(str(value["$link"]))
        out += b"\xd8\x2a"
        _head(2, len(data), out)
        out += data
        return
    if set(value) == {"$bytes"}:
        text = str(value["$bytes"])
        data = base64.b64decode(text + "=" * (-len(text) % 4))
        _head(2, len(data), out)
        out += data
        return
    keys = sorted(((k.encode(), k) for k in value), key=lambda pair: (len(pair[0]), pair[0]))
    _head(5, len(keys), out)
    for encoded, key in keys:
        _head(3, len(encoded), out)
        out += encoded
        _encode(value[key], out)
