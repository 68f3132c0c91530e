"""Mastodon statuses: post, edit, delete, favourite, boost (https://docs.joinmastodon.org/methods/statuses/).

The Idempotency-Key is kept for an hour per account and only once the status exists, as Mastodon does; a repeated
key answers the same status. Servers of other software with this API ignore the header, and so does the sandbox
when `config.software` is not "mastodon" or `config.keyless` is set.
"""

from __future__ import annotations

import asyncio
import time

from aiohttp import web

from .errors import MastodonError, answer
from .gateway import exchange_of, mastodon_user, network_of, viewer
from .mastodon_compose import (
    attach,
    body_fields,
    can_see,
    check_length,
    check_media,
    compose,
    found,
    publish,
    status_id,
    texts,
    truthy,
)
from .mastodon_json import status_json
from .network import Network
from .things import Account, Status

_MOST_AT_ONCE = 20


async def create(request: web.Request) -> web.Response:
    network, exchange = network_of(request), exchange_of(request)
    author = mastodon_user(request, "write:statuses")
    key = exchange.key if honours_keys(network) else None
    if key and (known := _known(network, author, key)):
        return answer(status_json(network, found(network, known), author))
    status = compose(network, author, body_fields(exchange.body))
    status.idempotency_key = key
    if exchange.grant is not None:
        status.application = exchange.grant.application
    publish(network, exchange, status)
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


def status_of(request: web.Request, account: Account | None) -> Status:
    status = found(network_of(request), status_id(request.match_info["id"]))
    if not can_see(network_of(request), status, account):
        raise MastodonError(404, "Record not found")
    return status


async def show(request: web.Request) -> web.Response:
    reader = viewer(request)
    return answer(status_json(network_of(request), status_of(request, reader), reader))


async def show_several(request: web.Request) -> web.Response:
    """Statuses by id, at most 20; those that are gone or hidden are left out. Only Mastodon from 4.3 on has this."""
    network, reader = network_of(request), viewer(request)
    if network.config.software != "mastodon":
        raise MastodonError(404, "Record not found")
    ids = request.query.getall("id[]", [])
    if len(ids) > _MOST_AT_ONCE:
        raise MastodonError(422, f"Validation failed: at most {_MOST_AT_ONCE} statuses")
    known = [network.statuses[number] for raw in ids if (number := status_id(raw)) in network.statuses]
    return answer([status_json(network, s, reader) for s in known if can_see(network, s, reader)])


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
        [status_json(network, s, reader) for s in part if can_see(network, s, reader)]
        for part in (above, below)
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
    status, body = _own(status_of(request, author), author), body_fields(exchange.body)
    text, spoiler = str(body.get("status") or ""), str(body.get("spoiler_text") or "")
    media_ids = texts(body.get("media_ids"))
    if not text.strip() and not media_ids:
        raise MastodonError(422, "Validation failed: Text can't be blank")
    check_length(network, text, spoiler)
    check_media(network, author, media_ids, own=status.id)
    status.text, status.spoiler_text, status.media_ids, status.content = text, spoiler, media_ids, ""
    status.sensitive = truthy(body.get("sensitive")) or bool(spoiler)
    status.language = str(body["language"]) if body.get("language") else None
    status.edited_at = time.time()
    attach(network, status)
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
