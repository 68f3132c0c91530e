"""Uploads of big files: read from disk while they are sent, with as much time as their size asks for."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from pathlib import Path

from contentcaster.platforms.base import OutgoingMedia
from contentcaster.security.egress_body import FileBody, FileSlice

_SLOWEST_BYTES_PER_SECOND = 200_000


def upload_seconds(size_bytes: int) -> float:
    """How long an upload of this size may take: a minute, and more for what is big."""
    return 60.0 + size_bytes / _SLOWEST_BYTES_PER_SECOND


def multipart(fields: Mapping[str, str], name: str, media: OutgoingMedia) -> tuple[FileBody, str]:
    """A form with one file (RFC 7578), and its content type. The file's name is our own: letters, digits and a dot."""
    boundary = secrets.token_hex(16)
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in fields.items()
    )
    head += (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{media.path.name}"\r\n'
        f"Content-Type: {media.mime_type}\r\n\r\n"
    )
    size = media.path.stat().st_size
    body = FileBody(head.encode(), FileSlice(media.path, 0, size), f"\r\n--{boundary}--\r\n".encode())
    return body, f"multipart/form-data; boundary={boundary}"


async def read_slice(path: Path, start: int, length: int) -> bytes:
    """A piece of a file, for networks that take uploads in parts."""

    def read() -> bytes:
        with open(path, "rb") as file:
            file.seek(start)
            return file.read(length)

    return await asyncio.to_thread(read)
