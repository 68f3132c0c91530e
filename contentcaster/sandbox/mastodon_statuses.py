"""Mastodon statuses: post, edit, delete, favourite, boost (https://docs.joinmastodon.org/methods/statuses/).

The Idempotency-Key is kept for an hour per account and only once the status exists, as Mastodon does; a repeated
key answers the same status. Servers of other software with this API ignore the header, and so does the sandbox
when `config.software` is not "mastodon" or `config.keyless` is set.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiohttp import web

from .errors import MastodonError, answer
from .gateway import exchange_of, mastodon_user, network_of, viewer
from .mastodon_json import status_json
from .network import Network
from .text import hashtags, mastodon_length, mentions
from .things import Account, Json, Poll, Status

VISIBILITIES = ("public", "unlisted", "private", "direct")


async def create(request: web.Request) -> web.Response:
    network, exchange = network_of(request), exchange_of(request)
    author = mastodon_user(request, "write:statuses")
    key = exchange.key if honours_keys(network) else None
    if key and (known := _known(network, author, key)):
        return answer(status_json(network, found(network, known), author))
    status = _build(network, author, _fields(exchange.body))
    status.idempotency_key = key
    if exchange.grant is not None:
        status.application = exchange.grant.application
    network.add_status(status)
    _attach(network, status)
    _tell(network, author, status)
    network.record_effect(
        exchange, "post" if status.in_reply_to_id is None else "reply", "mastodon", author, str(status.id),
        key=exchange.key, text=status.text, url=f"{network.base_url}/@{author.handle}/{status.id}",
        subject=str(status.in_reply_to_id) if status.in_reply_to_id else None,
    )  # fmt: skip
    if status.visibility == "public":
        network.announce("post", status)
    if key:
        if network.config.idempotency_gap_ms:
            await asyncio.sleep(network.config.idempotency_gap_ms / 1000)
        network.idempotency[(author.id, key)] = (status.id, time.time())
    return answer(status_json(network, status, author))


def honours_keys(network: Network) -> bool:
    return not network.config.keyless and network.config.software == "mastodon"


def _known(network: Network, author: Account, key: str) -> int | None:
    found = network.idempotency.get((author.id, key))
    if found is None or time.time() - found[1] > network.config.idempotency_seconds:
        return None
    return found[0]


def _fields(body: Any) -> Json:
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise MastodonError(400, "Error occurred while parsing request parameters")
    return body


def truthy(value: Any) -> bool:
    return value is True or str(value).lower() in ("true", "1", "on", "t")


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _build(network: Network, author: Account, body: Json) -> Status:
    """A checked status that is not on the network yet."""
    if body.get("scheduled_at"):
        raise MastodonError(
            422, "Validation failed: the sandbox network does not schedule posts; publish when due"
        )
    text, spoiler = str(body.get("status") or ""), str(body.get("spoiler_text") or "")
    media_ids = _texts(body.get("media_ids"))
    poll = _poll(body.get("poll"))
    if spoiler and not text:
        text, spoiler = spoiler, ""
    if not text.strip() and not media_ids:
        raise MastodonError(422, "Validation failed: Text can't be blank")
    _check_length(network, text, spoiler)
    if poll and media_ids:
        raise MastodonError(422, "Validation failed: Cannot attach media to a post with a poll")
    visibility = body.get("visibility") or "public"
    if visibility not in VISIBILITIES:
        raise MastodonError(422, f"'{visibility}' is not a valid visibility")
    _check_media(network, author, media_ids)
    parent = _parent(network, author, body.get("in_reply_to_id"))
    return Status(
        id=network.snowflakes.next(), account_id=author.id, text=text, created_at=time.time(), visibility=visibility,
        spoiler_text=spoiler, sensitive=truthy(body.get("sensitive")) or bool(spoiler),
        language=str(body["language"]) if body.get("language") else None,
        in_reply_to_id=parent.id if parent else None, media_ids=media_ids, poll=poll, tags=hashtags(text),
        mentioned=_mentioned(network, text),
    )  # fmt: skip


def _check_length(network: Network, text: str, spoiler: str) -> None:
    limit = network.config.max_characters
    if mastodon_length(text, spoiler, network.config.characters_reserved_per_url) > limit:
        raise MastodonError(422, f"Validation failed: Text character limit of {limit} exceeded")


def _mentioned(network: Network, text: str) -> list[str]:
    found = [
        network.by_handle.get(name) for name, domain in mentions(text) if domain in (None, network.domain)
    ]
    return list(dict.fromkeys(a.id for a in found if a))


def _parent(network: Network, author: Account, raw: Any) -> Status | None:
    if raw in (None, ""):
        return None
    parent = network.statuses.get(_id(raw))
    if parent is None or not can_see(parent, author):
        raise MastodonError(404, "The post you are trying to reply to does not appear to exist.")
    return parent


def _check_media(network: Network, author: Account, media_ids: list[str], own: int | None = None) -> None:
    if len(media_ids) > network.config.max_media_attachments:
        limit = network.config.max_media_attachments
        raise MastodonError(422, f"Validation failed: Cannot attach more than {limit} files")
    missing = []
    for media_id in media_ids:
        media = network.media.get(media_id)
        if media is None or media.account_id != author.id or media.status_id not in (None, own):
            missing.append(media_id)
    if missing:
        ids = ", ".join(missing)
        raise MastodonError(
            422, f"Validation failed: Media with IDs {ids} not found or already attached to another post"
        )
    media_list = [network.media[i] for i in media_ids]
    if len(media_list) > 1 and any(m.kind in ("video", "audio") for m in media_list):
        raise MastodonError(
            422, "Validation failed: Cannot attach a video to a post that already contains images"
        )
    if any(m.ready_at > time.time() for m in media_list):
        message = "Cannot attach files that have not finished processing. Try again in a moment!"
        raise MastodonError(422, f"Validation failed: {message}")


def _poll(raw: Any) -> Poll | None:
    if not isinstance(raw, dict) or not raw.get("options"):
        return None
    options = _texts(raw["options"])
    if not 2 <= len(options) <= 4 or len(set(options)) != len(options) or not all(o.strip() for o in options):
        raise MastodonError(422, "Validation failed: Poll options must be 2 to 4 different texts")
    if any(len(option) > 50 for option in options):
        raise MastodonError(422, "Validation failed: Poll options can't be longer than 50 characters each")
    try:
        seconds = int(raw.get("expires_in", 0))
    except (TypeError, ValueError):
        seconds = 0
    if not 300 <= seconds <= 2629746:
        raise MastodonError(422, "Validation failed: Poll expires in must be from 300 to 2629746 seconds")
    return Poll(options, time.time() + seconds, truthy(raw.get("multiple")), truthy(raw.get("hide_totals")))


def _attach(network: Network, status: Status) -> None:
    for media_id in status.media_ids:
        media = network.media[media_id]
        media.status_id = status.id
        network.save_media(media)


def _tell(network: Network, author: Account, status: Status) -> None:
    parent = network.statuses.get(status.in_reply_to_id) if status.in_reply_to_id is not None else None
    notified = list(status.mentioned)
    if parent is not None:
        parent.replies.append(status.id)
        network.save_status(parent)
        network.announce("edit", parent)
        notified.append(parent.account_id)
    for account_id in dict.fromkeys(notified):
        if account_id != author.id:
            note = {"type": "mention", "from": author.id, "status": status.id}
            network.notify(network.accounts[account_id], note)


def _id(raw: Any) -> int:
    text = str(raw)
    return int(text) if text.isascii() and text.isdigit() else -1


def found(network: Network, status_id: int) -> Status:
    status = network.statuses.get(status_id)
    if status is None:
        raise MastodonError(404, "Record not found")
    return status


def can_see(status: Status, account: Account | None) -> bool:
    if status.visibility in ("public", "unlisted") or (account and account.id == status.account_id):
        return True
    if account is None:
        return False
    return account.id in status.mentioned or (
        status.visibility == "private" and status.account_id in account.following
    )


def status_of(request: web.Request, account: Account | None) -> Status:
    status = found(network_of(request), _id(request.match_info["id"]))
    if not can_see(status, account):
        raise MastodonError(404, "Record not found")
    return status


async def show(request: web.Request) -> web.Response:
    reader = viewer(request)
    return answer(status_json(network_of(request), status_of(request, reader), reader))


async def source(request: web.Request) -> web.Response:
    account = mastodon_user(request, "read:statuses")
    status = _own(status_of(request, account), account)
    return answer({"id": str(status.id), "text": status.text, "spoiler_text": status.spoiler_text})


async def context(request: web.Request) -> web.Response:
    network, reader = network_of(request), viewer(request)
    status = status_of(request, reader)
    above: list[Status] = []
    at = status
    while at.in_reply_to_id is not None and (parent := network.statuses.get(at.in_reply_to_id)):
        above.insert(0, parent)
        at = parent
    below: list[Status] = []
    waiting = list(status.replies)
    while waiting:
        if reply := network.statuses.get(waiting.pop(0)):
            below.append(reply)
            waiting = reply.replies + waiting
    show_all = [
        [status_json(network, s, reader) for s in part if can_see(s, reader)] for part in (above, below)
    ]
    return answer({"ancestors": show_all[0], "descendants": show_all[1]})


def _own(status: Status, account: Account) -> Status:
    if status.account_id != account.id:
        raise MastodonError(404, "Record not found")
    return status


async def edit(request: web.Request) -> web.Response:
    """Replace a status; what is left out is reset, as servers of this API do."""
    network, exchange = network_of(request), exchange_of(request)
    author = mastodon_user(request, "write:statuses")
    status, body = _own(status_of(request, author), author), _fields(exchange.body)
    text, spoiler = str(body.get("status") or ""), str(body.get("spoiler_text") or "")
    media_ids = _texts(body.get("media_ids"))
    if not text.strip() and not media_ids:
        raise MastodonError(422, "Validation failed: Text can't be blank")
    _check_length(network, text, spoiler)
    _check_media(network, author, media_ids, own=status.id)
    status.text, status.spoiler_text, status.media_ids, status.content = text, spoiler, media_ids, ""
    status.sensitive = truthy(body.get("sensitive")) or bool(spoiler)
    status.language = str(body["language"]) if body.get("language") else None
    status.edited_at = time.time()
    _attach(network, status)
    network.save_status(status)
    network.record_effect(
        exchange, "edit", "mastodon", author, f"edit:{status.id}:{exchange.number}", text=text
    )
    network.announce("edit", status)
    return answer(status_json(network, status, author))


async def delete(request: web.Request) -> web.Response:
    network, exchange = network_of(request), exchange_of(request)
    author = mastodon_user(request, "write:statuses")
    status = _own(status_of(request, author), author)
    entity = status_json(network, status, author) | {"text": status.text}
    network.remove_status(status)
    network.hide_effect(str(status.id))
    effect_id = f"delete:{status.id}"
    network.record_effect(
        exchange, "delete", "mastodon", author, effect_id, subject=str(status.id), text=status.text
    )
    network.announce("delete", str(status.id))
    return answer(entity)
