"""Mastodon accounts, follows, timelines, search and notifications, with paging by max_id, since_id, min_id."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from .errors import MastodonError, answer
from .gateway import mastodon_user, network_of, viewer
from .mastodon_compose import can_see
from .mastodon_json import account_json, relationship_json, status_json
from .mastodon_statuses import status_of
from .network import Network
from .things import Account, Json, Status, utc_iso


def _account(request: web.Request) -> Account:
    account = network_of(request).accounts.get(request.match_info["id"])
    if account is None:
        raise MastodonError(404, "Record not found")
    return account


def _limit(request: web.Request, default: int, maximum: int) -> int:
    raw = request.query.get("limit", "")
    return min(int(raw), maximum) if raw.isdigit() and int(raw) > 0 else default


def _bound(request: web.Request, name: str) -> int | None:
    raw = request.query.get(name, "")
    return int(raw) if raw.isascii() and raw.isdigit() else None


def page_ids(request: web.Request, ids: Sequence[int], default: int = 20, maximum: int = 40) -> list[int]:
    """One page of ascending ids, newest first. `min_id` takes those right above it, `since_id` the newest ones."""
    limit, above, low, high = (
        _limit(request, default, maximum), _bound(request, "min_id"), _bound(request, "since_id"),
        _bound(request, "max_id"),
    )  # fmt: skip
    if above is not None:
        fitting = [i for i in ids if i > above and (high is None or i < high)]
        return fitting[:limit][::-1]
    out: list[int] = []
    for item in reversed(ids):
        if low is not None and item <= low:
            break
        if high is None or item < high:
            out.append(item)
            if len(out) == limit:
                break
    return out


def paged(request: web.Request, entities: list[Json], ids: Sequence[int | str]) -> web.Response:
    """A list with Mastodon's Link header to the next and previous page."""
    headers = {}
    if ids:
        base = f"{network_of(request).base_url}{request.path}"
        rest = {k: v for k, v in request.query.items() if k not in ("max_id", "min_id", "since_id")}
        following, previous = (
            urlencode(rest | {"max_id": str(ids[-1])}),
            urlencode(rest | {"min_id": str(ids[0])}),
        )
        headers["Link"] = f'<{base}?{following}>; rel="next", <{base}?{previous}>; rel="prev"'
    return answer(entities, headers=headers)


async def show(request: web.Request) -> web.Response:
    return answer(account_json(network_of(request), _account(request)))


async def lookup(request: web.Request) -> web.Response:
    network, name = network_of(request), request.query.get("acct", "")
    account = network.account_named(name)
    if account is None:
        raise MastodonError(404, "Record not found")
    return answer(account_json(network, account))


def statuses_page(
    request: web.Request, ids: Sequence[int], reader: Account | None, keep: Callable[[Status], bool]
) -> web.Response:
    """One page of the statuses with these ascending ids that the reader may see."""
    network = network_of(request)
    kept = [i for i in ids if (s := network.statuses.get(i)) and can_see(network, s, reader) and keep(s)]
    page = page_ids(request, kept)
    return paged(request, [status_json(network, network.statuses[i], reader) for i in page], page)


async def statuses(request: web.Request) -> web.Response:
    network, account, reader = network_of(request), _account(request), viewer(request)
    if network.config.hide_timeline:
        raise MastodonError(403, "This action is not allowed")
    query = request.query
    on = {
        name
        for name in ("exclude_replies", "exclude_reblogs", "only_media", "pinned")
        if query.get(name) in ("true", "1")
    }
    tagged = query.get("tagged", "").lower()

    def keep(status: Status) -> bool:
        return not (
            ("exclude_replies" in on and status.in_reply_to_id is not None)
            or ("exclude_reblogs" in on and status.reblog_of is not None)
            or ("only_media" in on and not status.media_ids)
            or "pinned" in on
            or (tagged and tagged not in status.tags)
        )

    return statuses_page(request, account.statuses, reader, keep)


async def public(request: web.Request) -> web.Response:
    only_media = request.query.get("only_media") in ("true", "1")
    keep: Callable[[Status], bool] = lambda s: bool(s.media_ids) or not only_media  # noqa: E731
    return statuses_page(request, _recent(network_of(request).public), viewer(request), keep)


async def tagged(request: web.Request) -> web.Response:
    ids = network_of(request).by_tag.get(request.match_info["tag"].lower(), [])
    return statuses_page(request, ids, viewer(request), lambda s: True)


async def home(request: web.Request) -> web.Response:
    network, reader = network_of(request), mastodon_user(request, "read:statuses")
    authors = [reader, *(network.accounts[i] for i in reader.following if i in network.accounts)]
    ids = sorted({i for author in authors for i in _recent(author.statuses)})
    return statuses_page(request, ids, reader, lambda s: s.visibility != "direct")


def _recent(ids: list[int], count: int = 2000) -> list[int]:
    # Timelines of long runs hold 10,000s of ids; nobody pages that far back.
    return ids[-count:]


def _people(request: web.Request, accounts: Iterable[Account]) -> web.Response:
    network, limit = network_of(request), _limit(request, 40, 80)
    high = _bound(request, "max_id")
    people = sorted(accounts, key=lambda a: int(a.id), reverse=True)
    page = [a for a in people if high is None or int(a.id) < high][:limit]
    more = len(page) == limit
    return paged(request, [account_json(network, a) for a in page], [a.id for a in page] if more else [])


async def followers(request: web.Request) -> web.Response:
    network = network_of(request)
    return _people(
        request, [network.accounts[i] for i in _account(request).followers if i in network.accounts]
    )


async def following(request: web.Request) -> web.Response:
    network = network_of(request)
    return _people(
        request, [network.accounts[i] for i in _account(request).following if i in network.accounts]
    )


async def favourited_by(request: web.Request) -> web.Response:
    network, status = network_of(request), status_of(request, viewer(request))
    return _people(request, [network.accounts[i] for i in status.favourited_by])


async def reblogged_by(request: web.Request) -> web.Response:
    network, status = network_of(request), status_of(request, viewer(request))
    return _people(request, [network.accounts[i] for i in status.reblogged_by])


async def relationships(request: web.Request) -> web.Response:
    network, source = network_of(request), mastodon_user(request, "read:follows")
    wanted = request.query.getall("id[]", []) + request.query.getall("id", [])
    found = [network.accounts[i] for i in wanted if i in network.accounts]
    return answer([relationship_json(source, target) for target in found])


async def search_accounts(request: web.Request) -> web.Response:
    network = network_of(request)
    mastodon_user(request, "read:accounts")
    return answer(
        [account_json(network, a) for a in _match_accounts(network, request)[: _limit(request, 40, 80)]]
    )


def _match_accounts(network: Network, request: web.Request) -> list[Account]:
    text = request.query.get("q", "").strip().lstrip("@").lower()
    if not text:
        return []
    found = [a for a in network.accounts.values() if text in a.handle or text in a.display_name.lower()]
    return sorted(found, key=lambda a: (not a.handle.startswith(text), a.handle))


async def search(request: web.Request) -> web.Response:
    """Accounts, statuses and tags that hold every word of q."""
    network, reader = network_of(request), viewer(request)
    kind, limit = request.query.get("type"), _limit(request, 20, 40)
    raw_offset = request.query.get("offset", "0")
    offset = int(raw_offset) if raw_offset.isdigit() else 0
    part = slice(offset, offset + limit)
    words = request.query.get("q", "").lower().split()
    found: list[Status] = []
    if words and kind in (None, "statuses"):
        found = [
            s
            for i in reversed(network.public)
            if (s := network.statuses[i]) and all(w in s.text.lower() for w in words)
        ]
    text = words[0].lstrip("#") if words else ""
    tags = sorted(t for t, ids in network.by_tag.items() if text and text in t and ids)
    people = _match_accounts(network, request) if kind in (None, "accounts") else []
    return answer({
        "accounts": [account_json(network, a) for a in people[part]],
        "statuses": [status_json(network, s, reader) for s in found[part]],
        "hashtags": [_tag_json(network, t) for t in tags[part]] if kind in (None, "hashtags") else [],
    })  # fmt: skip


def _tag_json(network: Network, tag: str) -> Json:
    ids = network.by_tag.get(tag, [])
    people = len({network.statuses[i].account_id for i in ids if i in network.statuses})
    day = str(int(network.statuses[ids[-1]].created_at) // 86400 * 86400) if ids else "0"
    return {
        "id": str(zlib.crc32(tag.encode())), "name": tag, "url": f"{network.base_url}/tags/{tag}", "following": False,
        "featuring": False, "history": [{"day": day, "uses": str(len(ids)), "accounts": str(people)}],
    }  # fmt: skip


async def notifications(request: web.Request) -> web.Response:
    network, account = network_of(request), mastodon_user(request, "read:notifications")
    wanted = set(request.query.getall("types[]", []))
    refused = set(request.query.getall("exclude_types[]", []))
    notes: dict[int, Json] = {}
    for note in account.notifications:
        kind = note.get("type")
        if (
            kind
            and (not wanted or kind in wanted)
            and kind not in refused
            and note["from"] in network.accounts
        ):
            notes[int(note["id"])] = note
    page = page_ids(request, list(notes), 40, 80)
    return paged(request, [_notification_json(network, notes[i], account) for i in page], page)


def _notification_json(network: Network, note: Json, account: Account) -> Json:
    entity: Json = {
        "id": note["id"], "type": note["type"], "created_at": utc_iso(note["at"]),
        "group_key": f"ungrouped-{note['id']}", "account": account_json(network, network.accounts[note["from"]]),
    }  # fmt: skip
    status: Any = network.statuses.get(note.get("status", -1))
    if status is not None:
        entity["status"] = status_json(network, status, account)
    return entity
