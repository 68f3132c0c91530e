"""Mastodon's lists of people, private to their owner: make one, fill it, read what its people write."""

from __future__ import annotations

from aiohttp import web

from .errors import MastodonError, answer
from .gateway import exchange_of, mastodon_user, network_of
from .mastodon_accounts import statuses_page
from .things import Account, Json


async def create(request: web.Request) -> web.Response:
    network, owner = network_of(request), mastodon_user(request, "write:lists")
    title = str(_body(request).get("title") or "").strip()
    if not title:
        raise MastodonError(422, "Validation failed: Title can't be blank")
    id = network.new_id()
    owner.lists[id] = {"title": title[:200], "members": []}
    network.save_account(owner)
    return answer(_json(id, owner.lists[id]))


async def show_all(request: web.Request) -> web.Response:
    owner = mastodon_user(request, "read:lists")
    return answer([_json(id, value) for id, value in owner.lists.items()])


async def add_people(request: web.Request) -> web.Response:
    """Only whom the owner follows, as on Mastodon."""
    network, owner = network_of(request), mastodon_user(request, "write:lists")
    value = _list(request, owner)
    wanted = _body(request).get("account_ids")
    for id in map(str, wanted if isinstance(wanted, list) else []):
        if id not in network.accounts or id not in owner.following:
            raise MastodonError(404, "Record not found")
        if id not in value["members"]:
            value["members"].append(id)
    network.save_account(owner)
    return answer({})


async def timeline(request: web.Request) -> web.Response:
    network, owner = network_of(request), mastodon_user(request, "read:lists")
    members = [network.accounts[id] for id in _list(request, owner)["members"] if id in network.accounts]
    ids = sorted({id for member in members for id in member.statuses[-2000:]})
    return statuses_page(request, ids, owner, lambda status: status.visibility != "direct")


def _list(request: web.Request, owner: Account) -> Json:
    value = owner.lists.get(request.match_info["id"])
    if value is None:
        raise MastodonError(404, "Record not found")
    return value


def _body(request: web.Request) -> Json:
    body = exchange_of(request).body
    return body if isinstance(body, dict) else {}


def _json(id: str, value: Json) -> Json:
    return {"id": id, "title": value["title"], "replies_policy": "list", "exclusive": False}
