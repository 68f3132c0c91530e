"""Nostr events: keys, ids and signatures.

Sources: NIP-01 (events, id as the SHA-256 of their canonical form), BIP-340 (Schnorr signatures, by libsecp256k1),
NIP-19 (nsec and npub), BIP-173 (bech32).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from coincurve import PrivateKey

TEXT_NOTE = 1
DELETION = 5
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def read_secret_key(text: str) -> bytes:
    """32 bytes of an nsec1... or 64 hex digits. Raises ValueError with a sentence."""
    text = text.strip()
    try:
        key = bytes.fromhex(text) if len(text) == 64 else decode_bech32("nsec", text.lower())
        PrivateKey(key)
    except ValueError:
        raise ValueError("This is no Nostr secret key. It starts with nsec1.") from None
    if len(key) != 32:
        raise ValueError("This is no Nostr secret key. It starts with nsec1.")
    return key


def public_key(secret: bytes) -> str:
    """The x coordinate, as 64 hex digits."""
    return PrivateKey(secret).public_key.format()[1:].hex()


def make_event(
    secret: bytes, kind: int, content: str, tags: list[list[str]], created_at_seconds: int
) -> dict[str, Any]:
    """A signed event; its id depends on nothing but the arguments."""
    event: dict[str, Any] = {
        "pubkey": public_key(secret),
        "created_at": created_at_seconds,
        "kind": kind,
        "tags": tags,
        "content": content,
    }
    event["id"] = event_id(event)
    event["sig"] = PrivateKey(secret).sign_schnorr(bytes.fromhex(event["id"])).hex()
    return event


def event_id(event: dict[str, Any]) -> str:
    canonical = [0, event["pubkey"], event["created_at"], event["kind"], event["tags"], event["content"]]
    text = json.dumps(canonical, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def encode_bech32(prefix: str, data: bytes) -> str:
    words = _regroup(data, 8, 5, pad=True)
    checksum = _polymod([*_expand(prefix), *words, 0, 0, 0, 0, 0, 0]) ^ 1
    words += [(checksum >> 5 * (5 - i)) & 31 for i in range(6)]
    return f"{prefix}1" + "".join(_BECH32[word] for word in words)


def decode_bech32(prefix: str, text: str) -> bytes:
    """Raises ValueError for another prefix, a foreign letter or a wrong checksum."""
    found, _, letters = text.rpartition("1")
    if found != prefix or len(letters) < 7 or any(letter not in _BECH32 for letter in letters):
        raise ValueError(f"no {prefix}1")
    words = [_BECH32.index(letter) for letter in letters]
    if _polymod([*_expand(prefix), *words]) != 1:
        raise ValueError("wrong checksum")
    return bytes(_regroup(words[:-6], 5, 8, pad=False))


def _expand(prefix: str) -> list[int]:
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def _polymod(words: Iterable[int]) -> int:
    total = 1
    for word in words:
        top = total >> 25
        total = (total & 0x1FFFFFF) << 5 ^ word
        for i, generator in enumerate(_GENERATORS):
            total ^= generator if (top >> i) & 1 else 0
    return total


def _regroup(data: Iterable[int], bits_from: int, bits_to: int, *, pad: bool) -> list[int]:
    held = count = 0
    out: list[int] = []
    for value in data:
        held = (held << bits_from) | value
        count += bits_from
        while count >= bits_to:
            count -= bits_to
            out.append((held >> count) & ((1 << bits_to) - 1))
    if pad and count:
        out.append((held << (bits_to - count)) & ((1 << bits_to) - 1))
    return out
