"""One file sealed with a passphrase: scrypt, then AES-256-GCM in chunks.

Layout: magic, salt, nonce prefix; then chunks of a 4-byte length and that many bytes. Each chunk's nonce is the
prefix, its number and whether it is the last one (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár,
2015), so chunks cannot be changed, reordered, repeated or cut off unnoticed; the header is authenticated with each.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

MIN_PASSPHRASE_CHARACTERS = 12
_MAGIC = b"ContentCaster backup 1\n"
_SALT_BYTES = 16
_PREFIX_BYTES = 7
_CHUNK_BYTES = 1 << 20
_TAG_BYTES = 16
_SCRYPT_N = 1 << 16  # 64 MiB and a fifth of a second for each guess (RFC 7914)


class WrongPassphrase(Exception):
    """The file does not open with this passphrase, or was changed at its very beginning."""


class FileDamaged(Exception):
    """The file is no backup, or was changed or cut off."""


class SealedWriter:
    """A writable file; `close` writes the last chunk, without which nothing can be read as whole."""

    def __init__(self, file: BinaryIO, passphrase: str) -> None:
        salt, self._prefix = os.urandom(_SALT_BYTES), os.urandom(_PREFIX_BYTES)
        self._header = _MAGIC + salt + self._prefix
        self._cipher = _cipher(passphrase, salt)
        self._file = file
        self._buffer = bytearray()
        self._number = 0
        file.write(self._header)

    def write(self, data: bytes) -> int:
        self._buffer += data
        while len(self._buffer) > _CHUNK_BYTES:  # never all of it: the last chunk is written by close()
            self._write_chunk(bytes(self._buffer[:_CHUNK_BYTES]), is_last=False)
            del self._buffer[:_CHUNK_BYTES]
        return len(data)

    def close(self) -> None:
        self._write_chunk(bytes(self._buffer), is_last=True)
        self._buffer.clear()

    def _write_chunk(self, plain: bytes, *, is_last: bool) -> None:
        nonce = _nonce(self._prefix, self._number, is_last)
        sealed = self._cipher.encrypt(nonce, plain, self._header)
        self._file.write(struct.pack(">I", len(sealed)) + sealed)
        self._number += 1


class SealedReader:
    """A readable file; what it gives is authentic, and only the end of it proves that it is whole.

    Raises (also while reading):
        WrongPassphrase: the first chunk does not open.
        FileDamaged: anything later does not, or it is no backup.
    """

    def __init__(self, file: BinaryIO, passphrase: str) -> None:
        self._header = file.read(len(_MAGIC) + _SALT_BYTES + _PREFIX_BYTES)
        if (
            not self._header.startswith(_MAGIC)
            or len(self._header) != len(_MAGIC) + _SALT_BYTES + _PREFIX_BYTES
        ):
            raise FileDamaged("This file is no backup of ContentCaster.")
        salt = self._header[len(_MAGIC) : -_PREFIX_BYTES]
        self._prefix = self._header[-_PREFIX_BYTES:]
        self._cipher = _cipher(passphrase, salt)
        self._file = file
        self._number = 0
        self._plain = b""
        self._sealed = self._next_sealed()

    def read(self, size: int = -1) -> bytes:
        parts: list[bytes] = []
        wanted = size if size >= 0 else 1 << 62
        while wanted > 0:
            if not self._plain and not self._open_next():
                break
            part, self._plain = self._plain[:wanted], self._plain[wanted:]
            parts.append(part)
            wanted -= len(part)
        return b"".join(parts)

    def drain(self) -> None:
        """Read to the end, which proves that nothing is missing."""
        while self._open_next():
            pass

    def _open_next(self) -> bool:
        if self._sealed is None:
            return False
        following = self._next_sealed()
        try:
            nonce = _nonce(self._prefix, self._number, following is None)
            self._plain = self._cipher.decrypt(nonce, self._sealed, self._header)
        except InvalidTag:
            if self._number == 0:
                raise WrongPassphrase(
                    "The passphrase is not right, or the file was changed or cut off."
                ) from None
            raise FileDamaged("The file was changed or cut off.") from None
        self._number += 1
        self._sealed = following
        return True

    def _next_sealed(self) -> bytes | None:
        length = self._file.read(4)
        if not length:
            return None
        size = struct.unpack(">I", length)[0] if len(length) == 4 else -1
        sealed = self._file.read(size) if _TAG_BYTES <= size <= _CHUNK_BYTES + _TAG_BYTES else b""
        if len(sealed) != size:
            raise FileDamaged("The file was changed or cut off.")
        return sealed


def _cipher(passphrase: str, salt: bytes) -> AESGCM:
    return AESGCM(Scrypt(salt=salt, length=32, n=_SCRYPT_N, r=8, p=1).derive(passphrase.encode()))


def _nonce(prefix: bytes, number: int, is_last: bool) -> bytes:
    return prefix + struct.pack(">I?", number, is_last)
