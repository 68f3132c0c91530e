"""Bodies of requests that are read from files while they are sent, so that a video costs little memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FileSlice:
    """`length` bytes of a file from `start` on."""

    path: Path
    start: int
    length: int


class FileBody:
    """Pieces of memory and of files, sent one after another; its length is known before."""

    def __init__(self, *parts: bytes | FileSlice) -> None:
        self._parts = parts
        self._length = sum(len(part) if isinstance(part, bytes) else part.length for part in parts)

    @classmethod
    def whole(cls, path: Path) -> FileBody:
        """All of a file."""
        return cls(FileSlice(path, 0, path.stat().st_size))

    def __len__(self) -> int:
        return self._length

    def chunks(self, size: int) -> Iterator[bytes]:
        """The bytes in order, at most `size` at a time. Raises OSError if a file has become shorter."""
        for part in self._parts:
            if isinstance(part, bytes):
                yield from (part[at : at + size] for at in range(0, len(part), size))
                continue
            left = part.length
            with open(part.path, "rb") as file:
                file.seek(part.start)
                while left:
                    chunk = file.read(min(size, left))
                    if not chunk:
                        raise OSError("the file has become shorter while it was sent")
                    left -= len(chunk)
                    yield chunk
