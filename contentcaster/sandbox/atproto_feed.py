"""The AppView's reads: profiles, feeds, threads, search, likes, follows, notifications (app.bsky.*).

Reading needs no token, as on the public AppView; a token that is sent must be good. Records are indexed at once,
while the real network takes 0.2 to 0.5 s.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiohttp import web

from .atproto_repo import limit_of
from .atproto_server import optional_account, session_account
from .atproto_views import author_view, post_view, profile_detailed, profile_view
from .errors import XrpcError, answer
from .gateway import network_of
from .network import FOLLOW, LIKE, REPOST, Network
from .things import Account, Json, Record, utc_iso


def _actor(request: web.Request, name: str = "actor") -> Account:
    account = network_of(request).account_named(request.query.get(name, ""))
    if account is None:
        raise XrpcError(400, "InvalidRequest", "Profile not found")
    return account


def _page(items: list[Any], request: web.Request, default: int = 50) -> tuple[list[Any], Json]:
    """One page by offset cursor, and the cursor of the next one if there is more."""
    limit, raw = limit_of(request, default), request.query.get("cursor", "0")
    start = int(raw) if raw.isdigit() else 0
    following = {"cursor": str(start + limit)} if len(items) > start + limit else {}
    return items[start : start + limit], following


async def get_profile(request: web.Request) -> web.Response:
    return answer(profile_detailed(network_of(request), _actor(request), optional_account(request)))


async def get_profiles(request: web.Request) -> web.Response:
    network, viewer = network_of(request), optional_account(request)
    names = request.query.getall("actors", [])
    if not 1 <= len(names) <= 25:
        raise XrpcError(400, "InvalidRequest", "actors must have 1 to 25 elements")
    found = [a for name in names if (a := network.account_named(name))]
    return answer({"profiles": [profile_detailed(network, a, viewer) for a in found]})


async def search_actors(request: web.Request) -> web.Response:
    network, viewer = network_of(request), optional_account(request)
    text = (request.query.get("q") or request.query.get("term") or "").strip().lstrip("@").lower()
    found = [
        a
        for a in network.accounts.values()
        if text and (text in a.at_handle or text in a.display_name.lower())
    ]
    page, following = _page(sorted(found, key=lambda a: a.at_handle), request, 25)
    return answer({"actors": [profile_view(network, a, viewer) for a in page]} | following)


async def get_author_feed(request: web.Request) -> web.Response:
    network, account, viewer = network_of(request), _actor(request), optional_account(request)
    if network.config.hide_timeline:
        raise XrpcError(403, "Forbidden", "Reading this feed is not allowed")
    kind = request.query.get("filter", "posts_with_replies")
    posts = [p for p in account.posts if _passes(p, kind)]
    reposts = [r for r in account.reposts if kind != "posts_with_media"]
    entries = sorted([*posts, *reposts], key=lambda r: r.indexed_at, reverse=True)
    page, following = _page(entries, request)
    feed = [entry for record in page if (entry := _entry(network, record, viewer))]
    return answer({"feed": feed} | following)


def _passes(post: Record, kind: str) -> bool:
    if kind == "posts_no_replies":
        return "reply" not in post.value
    if kind == "posts_with_media":
        return "embed" in post.value
    return True


def _entry(network: Network, record: Record, viewer: Account | None) -> Json | None:
    if record.collection == REPOST:
        original = network.records.get(record.value["subject"]["uri"])
        if original is None:
            return None
        by = profile_view(network, network.by_did[record.did], viewer)
        reason = {
            "$type": "app.bsky.feed.defs#reasonRepost", "by": by, "uri": record.uri, "cid": record.cid,
            "indexedAt": utc_iso(record.indexed_at),
        }  # fmt: skip
        return {"post": post_view(network, original, viewer), "reason": reason}
    entry: Json = {"post": post_view(network, record, viewer)}
    if reply := record.value.get("reply"):
        entry["reply"] = {name: _ref_view(network, reply[name], viewer) for name in ("root", "parent")}
    return entry


def _ref_view(network: Network, ref: Json, viewer: Account | None) -> Json:
    record = network.records.get(ref["uri"])
    if record is None:
        return {"$type": "app.bsky.feed.defs#notFoundPost", "uri": ref["uri"], "notFound": True}
    return {"$type": "app.bsky.feed.defs#postView"} | post_view(network, record, viewer)


async def get_timeline(request: web.Request) -> web.Response:
    network, viewer = network_of(request), session_account(request)
    follows = {r.value["subject"] for r in viewer.collections.get(FOLLOW, {}).values()} | {viewer.did}
    entries = [
        r for did in follows if (a := network.by_did.get(did)) for r in (*a.posts[-500:], *a.reposts[-500:])
    ]
    page, following = _page(sorted(entries, key=lambda r: r.indexed_at, reverse=True), request)
    return answer({"feed": [e for record in page if (e := _entry(network, record, viewer))]} | following)


async def get_posts(request: web.Request) -> web.Response:
    """Posts by uri; what is unknown or deleted is simply absent."""
    network, viewer = network_of(request), optional_account(request)
    uris = request.query.getall("uris", []) + request.query.getall("uris[]", [])
    if not 1 <= len(uris) <= 25:
        raise XrpcError(400, "InvalidRequest", "uris must have 1 to 25 elements")
    found = [r for uri in dict.fromkeys(uris) if (r := network.records.get(uri))]
    return answer({"posts": [post_view(network, record, viewer) for record in found]})


async def get_post_thread(request: web.Request) -> web.Response:
    network, viewer = network_of(request), optional_account(request)
    uri, raw_depth = request.query.get("uri", ""), request.query.get("depth", "6")
    name, _, rest = uri.removeprefix("at://").partition("/")
    owner = network.account_named(name)
    record = network.records.get(f"at://{owner.did}/{rest}" if owner else uri)
    if record is None:
        raise XrpcError(400, "NotFound", f"Post not found: {uri}")
    thread = _thread(network, record, viewer, int(raw_depth) if raw_depth.isdigit() else 6)
    at: Json = thread
    parent_ref = (record.value.get("reply") or {}).get("parent")
    while parent_ref is not None:
        parent = network.records.get(parent_ref["uri"])
        if parent is None:
            missing = {"$type": "app.bsky.feed.defs#notFoundPost", "uri": parent_ref["uri"], "notFound": True}
            at["parent"] = missing
            break
        at["parent"] = {
            "$type": "app.bsky.feed.defs#threadViewPost",
            "post": post_view(network, parent, viewer),
        }
        at, parent_ref = at["parent"], (parent.value.get("reply") or {}).get("parent")
    return answer({"thread": thread})


def _thread(network: Network, record: Record, viewer: Account | None, depth: int) -> Json:
    replies = network.replies.get(record.uri, []) if depth > 0 else []
    return {
        "$type": "app.bsky.feed.defs#threadViewPost", "post": post_view(network, record, viewer),
        "replies": [_thread(network, reply, viewer, depth - 1) for reply in replies], "threadContext": {},
    }  # fmt: skip


async def search_posts(request: web.Request) -> web.Response:
    """Posts that hold every word of q; `from:handle` and `#tag` work, newest first."""
    network, viewer, query = network_of(request), optional_account(request), request.query
    words = query.get("q", "").lower().split()
    author = next((w[5:].lstrip("@") for w in words if w.startswith("from:")), query.get("author"))
    words = [w for w in words if not w.startswith("from:")]
    if not words and not author:
        raise XrpcError(400, "InvalidRequest", 'Missing required key "q" at $')
    wanted = network.account_named(author) if author else None
    since, until = query.get("since", ""), query.get("until", "~")
    found = [
        r
        for r in reversed(network.posts)
        if (not author or (wanted and r.did == wanted.did))
        and since <= str(r.value.get("createdAt", "")) <= until
        and all(w in str(r.value.get("text", "")).lower() for w in words)
    ]
    page, following = _page(found, request, 25)
    return answer(
        {"posts": [post_view(network, r, viewer) for r in page], "hitsTotal": len(found)} | following
    )


def _subject_uri(request: web.Request) -> str:
    uri = request.query.get("uri", "")
    if not uri.startswith("at://"):
        raise XrpcError(400, "InvalidRequest", 'Missing required key "uri" at $')
    return uri


def _acted(network: Network, uri: str, collection: str) -> list[tuple[Account, Record]]:
    acted = [(network.by_did[did], records[0]) for did, records in network.actors(uri, collection).items()]
    return sorted(acted, key=lambda pair: pair[1].indexed_at, reverse=True)


async def get_likes(request: web.Request) -> web.Response:
    network, viewer, uri = network_of(request), optional_account(request), _subject_uri(request)
    page, following = _page(_acted(network, uri, LIKE), request)
    likes = [
        {
            "actor": profile_view(network, account, viewer), "createdAt": record.value["createdAt"],
            "indexedAt": utc_iso(record.indexed_at),
        }
        for account, record in page
    ]  # fmt: skip
    return answer({"uri": uri, "likes": likes} | following)


async def get_reposted_by(request: web.Request) -> web.Response:
    network, viewer, uri = network_of(request), optional_account(request), _subject_uri(request)
    page, following = _page(_acted(network, uri, REPOST), request)
    return answer({"uri": uri, "repostedBy": [profile_view(network, a, viewer) for a, _ in page]} | following)


async def get_followers(request: web.Request) -> web.Response:
    network, account = network_of(request), _actor(request)
    return _people(request, "followers", [a for a, _ in _acted(network, account.did, FOLLOW)])


async def get_follows(request: web.Request) -> web.Response:
    network, account = network_of(request), _actor(request)
    records = sorted(account.collections.get(FOLLOW, {}).values(), key=lambda r: r.indexed_at, reverse=True)
    dids = dict.fromkeys(r.value["subject"] for r in records)
    return _people(request, "follows", [network.by_did[did] for did in dids if did in network.by_did])


def _people(request: web.Request, name: str, people: Iterable[Account]) -> web.Response:
    network, viewer = network_of(request), optional_account(request)
    page, following = _page(list(people), request)
    subject = profile_view(network, _actor(request), viewer)
    return answer({"subject": subject, name: [profile_view(network, a, viewer) for a in page]} | following)


async def list_notifications(request: web.Request) -> web.Response:
    network, account = network_of(request), session_account(request)
    wanted = set(request.query.getall("reasons", []))
    notes = [
        n for n in reversed(account.notifications) if "reason" in n and (not wanted or n["reason"] in wanted)
    ]
    page, following = _page(notes, request)
    shown = [entity for note in page if (entity := _notification(network, note, account))]
    return answer({"notifications": shown, "priority": False} | following)


def _notification(network: Network, note: Json, account: Account) -> Json | None:
    record, author = network.records.get(note["uri"]), network.accounts.get(note["from"])
    if record is None or author is None:
        return None
    entity: Json = {
        "uri": record.uri, "cid": record.cid, "author": author_view(network, author, account),
        "reason": note["reason"], "record": record.value, "isRead": False, "indexedAt": utc_iso(record.indexed_at),
        "labels": [],
    }  # fmt: skip
    if note.get("subject"):
        entity["reasonSubject"] = note["subject"]
    return entity


async def get_unread_count(request: web.Request) -> web.Response:
    account = session_account(request)
    return answer({"count": sum(1 for note in account.notifications if "reason" in note)})
