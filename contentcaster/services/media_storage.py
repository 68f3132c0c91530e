"""Where media files are: the media folder of the data dir, and with S3 settings a bucket that every host shares.

With a bucket the folder is a cache: what is kept goes to both, what is missing here is fetched. A file never changes
under its key, so a cached one is never outdated.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from contentcaster.models.types import new_id
from contentcaster.security import s3
from contentcaster.security.egress import EgressClient
from contentcaster.settings import Settings

_DEADLINE_SECONDS = 60.0
_DEADLINE_PER_BYTE = 1 / 200_000
_LEFT_BEHIND_SECONDS = 86_400.0
_MAX_FILE_BYTES = 220_000_000
_TYPES = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
}
_big_files = threading.Lock()
"""A video goes to a bucket in one piece of memory: one at a time bounds it."""


def bucket_of(settings: Settings) -> s3.Bucket | None:
    """The bucket of the settings; None: files are kept on this host only."""
    if not settings.s3_endpoint:
        return None
    secret = settings.s3_secret_access_key.get_secret_value()
    return s3.Bucket(
        settings.s3_endpoint, settings.s3_bucket, settings.s3_region, settings.s3_access_key_id, secret
    )


def keep_file(settings: Settings, key: str, content: bytes) -> None:
    """Write a new file, here and in the bucket. Raises Unavailable or StorageRefused if the bucket does not take it."""
    path = _path(settings, key)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())  # a scheduled post relies on it after a power cut, too
    bucket = bucket_of(settings)
    if bucket is not None:
        mime_type = _TYPES.get(path.suffix, "application/octet-stream")
        asyncio.run(_put(settings, bucket, key, content, mime_type))


@contextmanager
def unfinished_file(settings: Settings) -> Iterator[Path]:
    """A place for a file that is still being written; what is left there at the end is removed."""
    folder = settings.data_dir / "media"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.glob(".*.part"):  # by a process that was killed
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _LEFT_BEHIND_SECONDS:
                left.unlink()
    path = folder / f".{new_id()}.part"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def keep_unfinished(settings: Settings, key: str, unfinished: Path) -> None:
    """Move a finished file to its key, and into the bucket. Raises as `keep_file`."""
    path = _path(settings, key)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished.replace(path)
    bucket = bucket_of(settings)
    if bucket is not None:
        with _big_files:
            asyncio.run(_put(settings, bucket, key, path.read_bytes(), _TYPES[path.suffix]))


def local_file(settings: Settings, key: str) -> Path:
    """The file on this host, fetched from the bucket if it is not here yet; it may be missing in both.

    Raises:
        Unavailable, StorageRefused: the bucket does not give it right now.
    """
    path = _path(settings, key)
    bucket = bucket_of(settings)
    if bucket is None or path.is_file():
        return path
    content = asyncio.run(_get(settings, bucket, key))
    if content is not None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = path.with_name(f".{new_id()}.part")
        with open(unfinished, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(content)
        unfinished.replace(path)  # another worker may fetch the same one at this moment
    return path


def drop_file(settings: Settings, key: str) -> None:
    """Undo `keep_file` after a failure; never raises for the bucket: what is left there is only garbage."""
    _path(settings, key).unlink(missing_ok=True)
    bucket = bucket_of(settings)
    if bucket is not None:
        with suppress(Exception):
            asyncio.run(_delete(settings, bucket, key))


def _path(settings: Settings, key: str) -> Path:
    return settings.data_dir / "media" / key


def _client(settings: Settings, size: int = 0) -> EgressClient:
    seconds = _DEADLINE_SECONDS + size * _DEADLINE_PER_BYTE
    return EgressClient(allow=settings.allowed_private_hosts, deadline_seconds=seconds)


async def _put(settings: Settings, bucket: s3.Bucket, key: str, content: bytes, mime_type: str) -> None:
    async with _client(settings, len(content)) as client:
        await s3.put_object(client, bucket, key, content, mime_type=mime_type)


async def _get(settings: Settings, bucket: s3.Bucket, key: str) -> bytes | None:
    # Pictures are fetched inside of transactions: only a video may take its time.
    is_video = _TYPES.get(Path(key).suffix, "").startswith("video/")
    async with _client(settings, _MAX_FILE_BYTES if is_video else 0) as client:
        return await s3.get_object(client, bucket, key, max_bytes=_MAX_FILE_BYTES)


async def _delete(settings: Settings, bucket: s3.Bucket, key: str) -> None:
    async with _client(settings) as client:
        await s3.delete_object(client, bucket, key)
