"""The public pages: timeline, tag, profile, post; their assets; media files; and the live event stream."""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
from collections import deque
from typing import Any

from aiohttp import web

from . import page_images
from .faults import Faults
from .gateway import FAULTS, NETWORK
from .network import POST, Network
from .page_parts import (
    Card,
    asset,
    avatar,
    document,
    draw,
    record_card,
    status_card,
)
from .things import Account, Record, Status

PAGE_SIZE = 40
_PAUSE_SECONDS = 0.1


class Feed:
    """Passes changes on to open pages. A page that is behind gets the newest; nothing waits for it."""

    def __init__(self, network: Network, faults: Faults) -> None:
        self.network = network
        self.faults = faults
        self.closing = False
        self._subscribers: dict[asyncio.Event, deque[tuple[str, Any]]] = {}
        network.listeners.append(self._announce)

    def _announce(self, event: str, thing: Any) -> None:
        for wake, waiting in self._subscribers.items():
            waiting.append((event, thing))
            wake.set()

    def close(self) -> None:
        self.closing = True
        for wake in self._subscribers:
            wake.set()

    async def stream(self, response: web.StreamResponse) -> None:
        wake: asyncio.Event = asyncio.Event()
        waiting = self._subscribers[wake] = deque(maxlen=PAGE_SIZE)
        try:
            await response.write(b"retry: 1000\n\n")
            while not self.closing:
                try:
                    await asyncio.wait_for(wake.wait(), 15)
                except TimeoutError:
                    await response.write(b": still here\n\n")
                    continue
                wake.clear()
                events = [self._event(*waiting.popleft()) for _ in range(len(waiting))]
                if events:
                    events.append(_frame("aside", {"html": aside(self.network, self.faults)}))
                    await response.write("".join(events).encode())
                    await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            del self._subscribers[wake]

    def _event(self, event: str, thing: Any) -> str:
        data: dict[str, str] = {}
        if isinstance(thing, (Status, Record)):
            card = card_of(self.network, thing)
            data = {"key": card.key, "html": draw(card)}
        elif isinstance(thing, str):
            key = (
                f"s{thing}"
                if thing.isdigit()
                else "r" + thing.split("/")[2].rpartition(":")[2] + "-" + thing.split("/")[-1]
            )
            data = {"key": key}
        return _frame(event, data)


def _frame(event: str, data: dict[str, str]) -> str:
    return f"event: {event}\ndata: {json.dumps(data)}\n\n"


FEED = web.AppKey("feed", Feed)


def card_of(network: Network, thing: Status | Record) -> Card:
    return status_card(network, thing) if isinstance(thing, Status) else record_card(network, thing)


def _when(thing: Status | Record) -> float:
    return thing.created_at if isinstance(thing, Status) else thing.indexed_at


def newest(network: Network, before: float, count: int) -> list[Status | Record]:
    """The newest public posts of both networks that are older than `before` (epoch seconds)."""
    found: list[Status | Record] = []
    statuses = (network.statuses[i] for i in reversed(network.public))
    for source in (statuses, reversed(network.posts)):
        taken = 0
        for thing in source:
            if _when(thing) < before:
                found.append(thing)
                taken += 1
                if taken > count:
                    break
    return sorted(found, key=_when, reverse=True)[: count + 1]


async def timeline(request: web.Request) -> web.Response:
    network = request.app[NETWORK]
    try:
        before = float(request.query.get("before", "inf"))
    except ValueError:
        before = float("inf")
    found = newest(network, before, PAGE_SIZE)
    inner = '<h1 class="sr">Public timeline</h1><button id="fresh" class="fresh" hidden></button>'
    inner += f'<div id="posts">{_cards(network, found[:PAGE_SIZE])}</div>'
    if not found:
        inner += _empty(
            "Nothing has been posted yet", "Posts appear here the moment a connector publishes them."
        )
    if len(found) > PAGE_SIZE:
        inner += f'<p class="more"><a href="/?before={_when(found[PAGE_SIZE - 1])!r}">Older posts</a></p>'
    return document("Public timeline", inner, _aside(request), live=before == float("inf"))


def _cards(network: Network, things: list[Status | Record]) -> str:
    return "".join(draw(card_of(network, thing)) for thing in things)


def _empty(title: str, text: str) -> str:
    return f'<section class="card empty" id="empty"><h2>{html.escape(title)}</h2><p>{html.escape(text)}</p></section>'


def _aside(request: web.Request) -> str:
    return aside(request.app[NETWORK], request.app[FAULTS])


def aside(network: Network, faults: Faults) -> str:
    """The column beside the posts: how much there is, how the network behaves now, who is here."""
    rules = faults.rules
    config, posts = network.config, len(network.public) + len(network.posts)
    busy = sorted(network.accounts.values(), key=lambda a: len(a.statuses) + len(a.posts), reverse=True)
    people = "".join(_person(account) for account in busy[:8])
    more = f'<p class="note">and {len(busy) - 8} more</p>' if len(busy) > 8 else ""
    waiting = [rule.kind for rule in rules.values() if rule.times is None or rule.applied < rule.times]
    behaviour = [f"latency {config.latency_ms:g} ms"] if config.latency_ms else []
    behaviour += [f"fault: {kind}" for kind in waiting]
    behaviour += [f"{p:.0%} {kind}" for kind, p in config.fault_mix.items() if p]
    behaviour += ["ignores Idempotency-Key"] if config.keyless or config.software != "mastodon" else []
    behaviour += ["hides timelines"] if config.hide_timeline else []
    mood = "".join(f"<li>{html.escape(text)}</li>" for text in behaviour) or "<li class='calm'>no faults</li>"
    return (
        f'<section class="card"><h2>This network</h2><dl><dt>Posts</dt><dd id="total">{posts}</dd><dt>Accounts</dt>'
        f"<dd>{len(network.accounts)}</dd><dt>Requests</dt><dd>{network.request_count}</dd></dl>"
        f'<ul class="mood">{mood}</ul></section>'
        f'<section class="card"><h2>Accounts</h2>{people or "<p class=note>No account yet</p>"}{more}</section>'
    )


def _person(account: Account) -> str:
    count = len(account.statuses) + len(account.posts)
    name = html.escape(account.display_name)
    return (
        f'<a class="person" href="/@{account.handle}">{avatar(account, "small")}<span><b>{name}</b>'
        f"<small>@{account.handle}</small></span><span class='n'>{count}</span></a>"
    )


async def tag(request: web.Request) -> web.Response:
    network, name = request.app[NETWORK], request.match_info["tag"].lower()
    found: list[Status | Record] = [network.statuses[i] for i in network.by_tag.get(name, [])[-PAGE_SIZE:]]
    found += [r for r in network.posts if f"#{name}" in str(r.value.get("text", "")).lower()][-PAGE_SIZE:]
    found.sort(key=_when, reverse=True)
    inner = f'<h1 class="page">#{html.escape(name)}</h1>' + _cards(network, found[:PAGE_SIZE])
    return document(
        f"#{name}",
        inner if found else inner + _empty("No posts", "Nobody has used this tag."),
        _aside(request),
    )


def _missing(what: str) -> web.Response:
    return document(
        "Not here",
        _empty(f"This {what} is not here", "It may have been deleted, or never existed."),
        status=404,
    )


async def profile(request: web.Request) -> web.Response:
    """Both `/@handle` and `/profile/<handle or did>` show all of an account's posts."""
    network, account = request.app[NETWORK], request.app[NETWORK].account_named(request.match_info["name"])
    if account is None:
        return _missing("account")
    things: list[Status | Record] = [
        s for i in account.statuses if (s := network.statuses[i]).reblog_of is None
    ]
    shown = [t for t in things if isinstance(t, Status) and t.visibility in ("public", "unlisted")]
    both: list[Status | Record] = [*shown, *account.posts]
    both = sorted(both, key=_when, reverse=True)[:PAGE_SIZE]
    bot = '<span class="bot">bot</span>' if account.bot else ""
    followers = len(account.followers) + len(network.actors(account.did, "app.bsky.graph.follow"))
    note = f'<p class="note">{html.escape(account.note)}</p>' if account.note else ""
    counts = (
        f"{len(account.statuses)} on Mastodon, {len(account.posts)} on AT Protocol · {followers} followers"
    )
    head = (
        f'<section class="card profile">{avatar(account, "large")}<div>'
        f"<h1>{html.escape(account.display_name)}{bot}</h1>"
        f"<p class='handles'>@{account.handle} · @{account.at_handle}</p>{note}<p class='note'>{counts}</p>"
        "</div></section>"
    )
    posts = _cards(network, both) or _empty("No posts yet", "What this account publishes appears here.")
    return document(account.display_name, head + posts, _aside(request))


async def status_page(request: web.Request) -> web.Response:
    network, raw = request.app[NETWORK], request.match_info["id"]
    status = network.statuses.get(int(raw)) if raw.isascii() and raw.isdigit() else None
    if status is None or status.visibility not in ("public", "unlisted"):
        return _missing("post")
    above: list[Status] = []
    at = status
    while at.in_reply_to_id is not None and (parent := network.statuses.get(at.in_reply_to_id)):
        above.insert(0, parent)
        at = parent
    below = [
        s for i in status.replies if (s := network.statuses.get(i)) and s.visibility in ("public", "unlisted")
    ]
    return _thread(request, above, status, below)


async def record_page(request: web.Request) -> web.Response:
    network, account = request.app[NETWORK], request.app[NETWORK].account_named(request.match_info["name"])
    uri = f"at://{account.did}/{POST}/{request.match_info['rkey']}" if account else ""
    record = network.records.get(uri)
    if record is None:
        return _missing("post")
    above: list[Record] = []
    at = record
    while parent := network.records.get(((at.value.get("reply") or {}).get("parent") or {}).get("uri", "")):
        above.insert(0, parent)
        at = parent
    return _thread(request, above, record, network.replies.get(uri, []))


def _thread(request: web.Request, above: Any, thing: Status | Record, below: Any) -> web.Response:
    network = request.app[NETWORK]
    card = card_of(network, thing)
    inner = _cards(network, list(above)) + draw(card, main=True) + _cards(network, list(below))
    return document(
        f"Post by {card.account.display_name}", f'<div class="thread">{inner}</div>', _aside(request)
    )


async def events(request: web.Request) -> web.StreamResponse:
    """Server-sent events: post, edit, delete, reset."""
    headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):  # the page was closed
        await request.app[FEED].stream(response)
    return response


async def media(request: web.Request) -> web.Response:
    network, cid = request.app[NETWORK], request.match_info["cid"]
    data = network.blobs.get(cid)
    if data is None:
        return _missing("file")
    mime = network.blob_types.get(cid, "")
    safe = mime.startswith(("image/", "video/", "audio/")) and "svg" not in mime
    headers = {
        "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "public, max-age=31536000, immutable",
    }  # fmt: skip
    return web.Response(body=data, content_type=mime if safe else "application/octet-stream", headers=headers)


async def asset_file(request: web.Request) -> web.Response:
    name = request.path.rpartition("/")[2]
    kind = "text/css" if name.endswith(".css") else "text/javascript"
    headers = {"Cache-Control": "max-age=31536000"}
    return web.Response(body=asset(name), content_type=kind, charset="utf-8", headers=headers)


def add_pages(app: web.Application) -> None:
    app[FEED] = Feed(app[NETWORK], app[FAULTS])

    async def close(app: web.Application) -> None:
        app[FEED].close()

    app.on_shutdown.append(close)
    app.add_routes([
        web.get("/", timeline), web.get("/tags/{tag}", tag), web.get("/@{name}", profile),
        web.get("/@{name}/{id}", status_page), web.get("/users/{name}", profile),
        web.get("/users/{name}/statuses/{id}", status_page), web.get("/profile/{name}", profile),
        web.get("/profile/{name}/post/{rkey}", record_page), web.get("/media/{cid}.{extension}", media),
        web.get("/sandbox/events", events), web.get("/sandbox/avatar/{name}.svg", page_images.avatar),
        web.get("/sandbox/header.svg", page_images.header), web.get("/sandbox/icon.svg", page_images.icon),
        web.get("/sandbox/page.css", asset_file), web.get("/sandbox/page.js", asset_file),
    ])  # fmt: skip
