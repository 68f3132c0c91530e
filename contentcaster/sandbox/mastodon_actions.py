"""What people do with Mastodon statuses and accounts: favourite, bookmark, boost, follow, block, and take it back.

Each is idempotent, as on Mastodon: a repeated favourite or follow changes nothing. The acts at the top are used by
the generated population too; the handlers below only find who and what.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from aiohttp import web

from .errors import MastodonError, answer
from .gateway import exchange_of, mastodon_user, network_of
from .mastodon_compose import found
from .mastodon_json import relationship_json, status_json
from .mastodon_statuses import status_of
from .network import Network
from .things import Account, Exchange, Status

Act = Callable[[Network, Exchange, Account, Status], None]


def favour(network: Network, exchange: Exchange, account: Account, status: Status) -> None:
    if account.id not in status.favourited_by:
        status.favourited_by[account.id] = time.time()
        _changed(network, exchange, "like", account, status)
        _tell_author(network, "favourite", account, status)


def unfavour(network: Network, exchange: Exchange, account: Account, status: Status) -> None:
    if status.favourited_by.pop(account.id, None) is not None:
        network.hide_effect(f"like:{account.id}:{status.id}")
        _changed(network, exchange, "unlike", account, status)


def boost(network: Network, exchange: Exchange, account: Account, status: Status) -> None:
    own = status.account_id == account.id
    if status.visibility == "direct" or (status.visibility == "private" and not own):
        raise MastodonError(403, "This action is not allowed")
    if status.reblogged_by.get(account.id) in network.statuses:
        return
    made = Status(network.snowflakes.next(), account.id, "", time.time(), "public", reblog_of=status.id)
    network.add_status(made)
    status.reblogged_by[account.id] = made.id
    _changed(network, exchange, "repost", account, status)
    _tell_author(network, "reblog", account, status)


def unboost(network: Network, exchange: Exchange, account: Account, status: Status) -> None:
    boost_id = status.reblogged_by.pop(account.id, None)
    if boost_id is not None:
        if made := network.statuses.get(boost_id):
            network.remove_status(made)
        network.hide_effect(f"repost:{account.id}:{status.id}")
        _changed(network, exchange, "unrepost", account, status)


def keep(network: Network, exchange: Exchange, account: Account, status: Status) -> None:
    status.bookmarked_by.setdefault(account.id, time.time())
    network.save_status(status)


def unkeep(network: Network, exchange: Exchange, account: Account, status: Status) -> None:
    status.bookmarked_by.pop(account.id, None)
    network.save_status(status)


def _changed(network: Network, exchange: Exchange, kind: str, account: Account, status: Status) -> None:
    network.save_status(status)
    effect_id = f"{kind}:{account.id}:{status.id}"
    network.record_effect(
        exchange, kind, "mastodon", account, effect_id, subject=str(status.id), key=exchange.key
    )
    network.announce("edit", status)


def _tell_author(network: Network, kind: str, account: Account, status: Status) -> None:
    if status.account_id != account.id:
        note = {"type": kind, "from": account.id, "status": status.id}
        network.notify(network.accounts[status.account_id], note)


def follow_account(network: Network, exchange: Exchange, source: Account, target: Account) -> None:
    if target is source or source.id in target.blocking:
        raise MastodonError(403, "This action is not allowed")
    if network.follow(source, target):
        effect_id = f"follow:{source.id}:{target.id}"
        network.record_effect(
            exchange, "follow", "mastodon", source, effect_id, subject=target.handle, key=exchange.key
        )
        network.notify(target, {"type": "follow", "from": source.id})


def unfollow_account(network: Network, exchange: Exchange, source: Account, target: Account) -> None:
    if network.unfollow(source, target):
        network.hide_effect(f"follow:{source.id}:{target.id}")
        effect_id = f"unfollow:{source.id}:{target.id}:{exchange.number}"
        network.record_effect(exchange, "unfollow", "mastodon", source, effect_id, subject=target.handle)


def _on_status(scope: str, act: Act) -> Callable[[web.Request], web.Response]:
    def handle(request: web.Request) -> web.Response:
        network, account = network_of(request), mastodon_user(request, scope)
        status = status_of(request, account)
        if status.reblog_of is not None:
            status = found(network, status.reblog_of)
        act(network, exchange_of(request), account, status)
        shown = network.statuses.get(status.reblogged_by.get(account.id, -1)) if act is boost else None
        return answer(status_json(network, shown or status, account))

    return handle


_STATUS_ACTS = {
    "favourite": _on_status("write:favourites", favour),
    "unfavourite": _on_status("write:favourites", unfavour),
    "reblog": _on_status("write:statuses", boost),
    "unreblog": _on_status("write:statuses", unboost),
    "bookmark": _on_status("write:bookmarks", keep),
    "unbookmark": _on_status("write:bookmarks", unkeep),
}


async def on_status(request: web.Request) -> web.Response:
    """POST /api/v1/statuses/{id}/{act}"""
    handle = _STATUS_ACTS.get(request.match_info["act"])
    if handle is None:
        raise MastodonError(404, "Not Found")
    return handle(request)


async def on_account(request: web.Request) -> web.Response:
    """POST /api/v1/accounts/{id}/{act}: follow, unfollow, block, unblock"""
    network, exchange, act = network_of(request), exchange_of(request), request.match_info["act"]
    if act not in ("follow", "unfollow", "block", "unblock"):
        raise MastodonError(404, "Not Found")
    source = mastodon_user(request, "write:blocks" if "block" in act else "write:follows")
    target = network.accounts.get(request.match_info["id"])
    if target is None:
        raise MastodonError(404, "Record not found")
    if act == "follow":
        follow_account(network, exchange, source, target)
    elif act == "unfollow":
        unfollow_account(network, exchange, source, target)
    elif act == "block":
        network.block(source, target)
    else:
        source.blocking.pop(target.id, None)
        network.save_account(source)
    return answer(relationship_json(source, target))
