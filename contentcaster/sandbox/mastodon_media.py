"""Media of the Mastodon API (https://docs.joinmastodon.org/methods/media/).

`/api/v2/media` answers 200 when the file is ready and 202 with `url: null` while it is processed; then
`GET /api/v1/media/:id` answers 206 until it is ready. `config.media_processing_ms` sets how long that takes.
"""

from __future__ import annotations

import io
import time
from typing import Any

from aiohttp import web
from PIL import Image, UnidentifiedImageError

from . import ids
from .atproto_repo import sniff
from .errors import MastodonError, answer
from .gateway import Upload, exchange_of, mastodon_user, network_of
from .mastodon_instance import MAX_IMAGE_BYTES, MAX_VIDEO_BYTES, MIME_TYPES
from .mastodon_json import media_json
from .things import Account, Media

_MAX_DESCRIPTION = 1500


async def upload(request: web.Request) -> web.Response:
    network, account = network_of(request), mastodon_user(request, "write:media")
    body = exchange_of(request).body
    file = body.get("file") if isinstance(body, dict) else None
    if not isinstance(file, Upload) or not file.data:
        raise MastodonError(422, "Validation failed: File can't be blank")
    mime = sniff(file.data)
    if mime not in MIME_TYPES:
        raise MastodonError(422, "Validation failed: File content type is invalid, File is invalid")
    limit = MAX_IMAGE_BYTES if mime.startswith("image/") else MAX_VIDEO_BYTES
    if len(file.data) > limit:
        raise MastodonError(422, f"Validation failed: File must be less than {limit // 1_048_576} MB")
    width, height = _dimensions(file.data) if mime.startswith("image/") else (0, 0)
    waiting = network.config.media_processing_ms / 1000
    media = Media(
        network.new_id(), account.id, ids.blob_cid(file.data), mime, len(file.data), width, height,
        _description(body.get("description")), _focus(body.get("focus")),
        ready_at=time.time() + waiting if waiting else 0.0,
    )  # fmt: skip
    network.add_media(media, file.data)
    return answer(media_json(network, media), 202 if waiting and "/v2/" in request.path else 200)


def _dimensions(data: bytes) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(data)) as image:
            size: tuple[int, int] = image.size
            image.verify()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise MastodonError(422, "Error processing thumbnail for uploaded media") from error
    return size


def _description(raw: Any) -> str | None:
    text = str(raw) if raw else None
    if text and len(text) > _MAX_DESCRIPTION:
        message = f"Description is too long (maximum is {_MAX_DESCRIPTION} characters)"
        raise MastodonError(422, f"Validation failed: {message}")
    return text


def _focus(raw: Any) -> str | None:
    if not raw:
        return None
    x, _, y = str(raw).partition(",")
    try:
        fits = -1 <= float(x) <= 1 and -1 <= float(y) <= 1
    except ValueError:
        fits = False
    if not fits:
        raise MastodonError(422, "Validation failed: Focus must be two numbers from -1 to 1")
    return f"{float(x)},{float(y)}"


def _own(request: web.Request, account: Account) -> Media:
    media = network_of(request).media.get(request.match_info["id"])
    if media is None or media.account_id != account.id:
        raise MastodonError(404, "Record not found")
    return media


async def show(request: web.Request) -> web.Response:
    media = _own(request, mastodon_user(request, "write:media"))
    return answer(media_json(network_of(request), media), 200 if media.ready_at <= time.time() else 206)


async def update(request: web.Request) -> web.Response:
    network, account = network_of(request), mastodon_user(request, "write:media")
    media, body = _own(request, account), exchange_of(request).body
    if media.status_id is not None:
        raise MastodonError(404, "Record not found")
    if isinstance(body, dict):
        if "description" in body:
            media.description = _description(body["description"])
        if "focus" in body:
            media.focus = _focus(body["focus"])
        network.save_media(media)
    return answer(media_json(network, media))


async def delete(request: web.Request) -> web.Response:
    network, account = network_of(request), mastodon_user(request, "write:media")
    media = _own(request, account)
    if media.status_id is not None:
        raise MastodonError(422, "Media attachment is currently used by a status")
    network.media.pop(media.id)
    network.store.drop("media", media.id)
    return answer({})
