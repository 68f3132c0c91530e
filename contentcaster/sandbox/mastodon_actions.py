"""What people do with a Mastodon status: favourite, bookmark, boost, and take it back. Each is idempotent."""

from __future__ import annotations

import time

from aiohttp import web

from .errors import MastodonError, answer
from .gateway import exchange_of, mastodon_user, network_of
from .mastodon_json import status_json
from .mastodon_statuses import found, status_of
from .network import Network
from .things import Account, Exchange, Status


async def favourite(request: web.Request) -> web.Response:
    return _mark(request, "write:favourites", "like", "favourited_by", "favourite")


async def unfavourite(request: web.Request) -> web.Response:
    return _unmark(request, "write:favourites", "like", "favourited_by")


async def bookmark(request: web.Request) -> web.Response:
    return _mark(request, "write:bookmarks", "", "bookmarked_by", "")


async def unbookmark(request: web.Request) -> web.Response:
    return _unmark(request, "write:bookmarks", "", "bookmarked_by")


def _mark(request: web.Request, scope: str, kind: str, field: str, notification: str) -> web.Response:
    network, account = network_of(request), mastodon_user(request, scope)
    status = status_of(request, account)
    marks: dict[str, float] = getattr(status, field)
    if account.id not in marks:
        marks[account.id] = time.time()
        network.save_status(status)
        if kind:
            _record_mark(network, exchange_of(request), kind, account, status)
        if notification and status.account_id != account.id:
            note = {"type": notification, "from": account.id, "status": status.id}
            network.notify(network.accounts[status.account_id], note)
    return answer(status_json(network, status, account))


def _record_mark(network: Network, exchange: Exchange, kind: str, account: Account, status: Status) -> None:
    effect_id = f"{kind}:{account.id}:{status.id}"
    network.record_effect(
        exchange, kind, "mastodon", account, effect_id, subject=str(status.id), key=exchange.key
    )
    network.announce("edit", status)


def _unmark(request: web.Request, scope: str, kind: str, field: str) -> web.Response:
    network, account = network_of(request), mastodon_user(request, scope)
    status = status_of(request, account)
    if getattr(status, field).pop(account.id, None) is not None:
        network.save_status(status)
        if kind:
            network.hide_effect(f"{kind}:{account.id}:{status.id}")
            _record_mark(network, exchange_of(request), f"un{kind}", account, status)
    return answer(status_json(network, status, account))


async def reblog(request: web.Request) -> web.Response:
    network, account = network_of(request), mastodon_user(request, "write:statuses")
    status = status_of(request, account)
    if status.reblog_of is not None:
        status = found(network, status.reblog_of)
    if (
        status.visibility in ("private", "direct") and status.account_id != account.id
    ) or status.visibility == "direct":
        raise MastodonError(403, "This action is not allowed")
    boost = network.statuses.get(status.reblogged_by.get(account.id, -1))
    if boost is None:
        boost = Status(network.snowflakes.next(), account.id, "", time.time(), "public", reblog_of=status.id)
        network.add_status(boost)
        status.reblogged_by[account.id] = boost.id
        network.save_status(status)
        _record_mark(network, exchange_of(request), "repost", account, status)
        if status.account_id != account.id:
            note = {"type": "reblog", "from": account.id, "status": status.id}
            network.notify(network.accounts[status.account_id], note)
    return answer(status_json(network, boost, account))


async def unreblog(request: web.Request) -> web.Response:
    network, account = network_of(request), mastodon_user(request, "write:statuses")
    status = status_of(request, account)
    if status.reblog_of is not None:
        status = found(network, status.reblog_of)
    boost_id = status.reblogged_by.pop(account.id, None)
    if boost_id is not None:
        if boost := network.statuses.get(boost_id):
            network.remove_status(boost)
        network.save_status(status)
        network.hide_effect(f"repost:{account.id}:{status.id}")
        _record_mark(network, exchange_of(request), "unrepost", account, status)
    return answer(status_json(network, status, account))
