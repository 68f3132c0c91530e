"""Where media files are: the media folder of the data dir, and with S3 settings a bucket that every host shares.

With a bucket the folder is a cache: what is kept goes to both, what is missing here is fetched. A file never changes
under its key, so a cached one is never outdated.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from contentcaster.models.types import new_id
from contentcaster.security import s3
from contentcaster.security.egress import EgressClient
from contentcaster.settings import Settings

_DEADLINE_SECONDS = 60.0
_MAX_FILE_BYTES = 200_000_000
_TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}


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


def _client(settings: Settings) -> EgressClient:
    return EgressClient(allow=settings.allowed_private_hosts, deadline_seconds=_DEADLINE_SECONDS)


async def _put(settings: Settings, bucket: s3.Bucket, key: str, content: bytes, mime_type: str) -> None:
    async with _client(settings) as client:
        await s3.put_object(client, bucket, key, content, mime_type=mime_type)


async def _get(settings: Settings, bucket: s3.Bucket, key: str) -> bytes | None:
    async with _client(settings) as client:
        return await s3.get_object(client, bucket, key, max_bytes=_MAX_FILE_BYTES)


async def _delete(settings: Settings, bucket: s3.Bucket, key: str) -> None:
    async with _client(settings) as client:
        await s3.delete_object(client, bucket, key)
