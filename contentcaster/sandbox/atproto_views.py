"""Views of the AppView (app.bsky.actor.defs, app.bsky.feed.defs, app.bsky.embed.*#view)."""

from __future__ import annotations

from typing import Any

from .mastodon_json import media_url
from .network import FOLLOW, LIKE, REPOST, Network
from .things import Account, Json, Record, utc_iso


def author_view(network: Network, account: Account, viewer: Account | None) -> Json:
    view: Json = {
        "did": account.did, "handle": account.at_handle, "displayName": _profile(account)[0],
        "avatar": f"{network.base_url}/sandbox/avatar/{account.handle}.svg", "labels": _own_labels(account),
        "createdAt": utc_iso(account.created_at),
    }  # fmt: skip
    if viewer is not None:
        view["viewer"] = {"muted": False, "blockedBy": viewer.id in account.blocking} | _follow_state(
            network, account, viewer
        )
    return view


def _follow_state(network: Network, account: Account, viewer: Account) -> Json:
    mine = network.actors(account.did, FOLLOW).get(viewer.did)
    theirs = network.actors(viewer.did, FOLLOW).get(account.did)
    return ({"following": mine[0].uri} if mine else {}) | ({"followedBy": theirs[0].uri} if theirs else {})


def _profile(account: Account) -> tuple[str, str]:
    """Display name and description: of the profile record if there is one."""
    record = account.collections.get("app.bsky.actor.profile", {}).get("self")
    value = record.value if record else {}
    return str(value.get("displayName") or account.display_name), str(
        value.get("description") or account.note
    )


def _own_labels(account: Account) -> list[Json]:
    """What an account says of itself in its profile record, such as that it is a bot."""
    record = account.collections.get("app.bsky.actor.profile", {}).get("self")
    labels = record.value.get("labels") if record else None
    values = labels.get("values", []) if isinstance(labels, dict) else []
    return [
        {"src": account.did, "uri": record.uri, "val": str(value["val"]), "cts": utc_iso(record.indexed_at)}
        for value in values
        if record is not None and isinstance(value, dict) and "val" in value
    ]


def profile_view(network: Network, account: Account, viewer: Account | None) -> Json:
    about = {"description": _profile(account)[1], "indexedAt": utc_iso(account.created_at)}
    return author_view(network, account, viewer) | about


def profile_detailed(network: Network, account: Account, viewer: Account | None) -> Json:
    return profile_view(network, account, viewer) | {
        "followersCount": len(network.actors(account.did, FOLLOW)),
        "followsCount": len({r.value["subject"] for r in account.collections.get(FOLLOW, {}).values()}),
        "postsCount": len(account.posts), "associated": {"lists": 0, "feedgens": 0, "starterPacks": 0},
    }  # fmt: skip


def post_view(network: Network, record: Record, viewer: Account | None) -> Json:
    view: Json = {
        "uri": record.uri, "cid": record.cid, "author": author_view(network, network.by_did[record.did], viewer),
        "record": record.value, "replyCount": len(network.replies.get(record.uri, [])),
        "repostCount": len(network.actors(record.uri, REPOST)), "likeCount": len(network.actors(record.uri, LIKE)),
        "quoteCount": max(0, network.quotes.get(record.uri, 0)), "bookmarkCount": 0,
        "indexedAt": utc_iso(record.indexed_at), "labels": _labels(record),
    }  # fmt: skip
    if (embed := record.value.get("embed")) and (embed_view := _embed(network, record.did, embed, viewer)):
        view["embed"] = embed_view
    if viewer is not None:
        liked = network.actors(record.uri, LIKE).get(viewer.did)
        reposted = network.actors(record.uri, REPOST).get(viewer.did)
        view["viewer"] = {"bookmarked": False, "threadMuted": False, "embeddingDisabled": False}
        view["viewer"] |= ({"like": liked[0].uri} if liked else {}) | (
            {"repost": reposted[0].uri} if reposted else {}
        )
    return view


def _labels(record: Record) -> list[Json]:
    values = (record.value.get("labels") or {}).get("values") or []
    return [
        {
            "src": record.did,
            "uri": record.uri,
            "cid": record.cid,
            "val": v["val"],
            "cts": record.value["createdAt"],
        }
        for v in values
    ]


def blob_url(network: Network, blob: Any) -> str:
    """Where the page and the views show a blob of a record."""
    cid = str(blob.get("ref", {}).get("$link", "")) if isinstance(blob, dict) else ""
    return media_url(network, cid, network.blob_types.get(cid, "")) if cid else ""


def _embed(network: Network, did: str, embed: Json, viewer: Account | None) -> Json | None:
    kind = embed.get("$type")
    if kind == "app.bsky.embed.images":
        images = [
            {
                "thumb": blob_url(network, i["image"]),
                "fullsize": blob_url(network, i["image"]),
                "alt": i["alt"],
            }
            | ({"aspectRatio": i["aspectRatio"]} if "aspectRatio" in i else {})
            for i in embed["images"]
        ]
        return {"$type": f"{kind}#view", "images": images}
    if kind == "app.bsky.embed.video":
        shown: Json = {k: embed[k] for k in ("alt", "aspectRatio") if k in embed}
        cid = embed["video"]["ref"]["$link"]
        return {"$type": f"{kind}#view", "cid": cid, "playlist": blob_url(network, embed["video"]), **shown}
    if kind == "app.bsky.embed.external":
        external = {k: embed["external"][k] for k in ("uri", "title", "description")}
        if "thumb" in embed["external"]:
            external["thumb"] = blob_url(network, embed["external"]["thumb"])
        return {"$type": f"{kind}#view", "external": external}
    if kind == "app.bsky.embed.record":
        return {"$type": f"{kind}#view", "record": _quoted(network, embed["record"]["uri"], viewer)}
    if kind == "app.bsky.embed.recordWithMedia":
        quoted = {"record": _quoted(network, embed["record"]["record"]["uri"], viewer)}
        return {
            "$type": f"{kind}#view",
            "record": quoted,
            "media": _embed(network, did, embed["media"], viewer),
        }
    return None


def _quoted(network: Network, uri: str, viewer: Account | None) -> Json:
    record = network.records.get(uri)
    if record is None:
        return {"$type": "app.bsky.embed.record#viewNotFound", "uri": uri, "notFound": True}
    return {
        "$type": "app.bsky.embed.record#viewRecord", "uri": uri, "cid": record.cid,
        "author": author_view(network, network.by_did[record.did], viewer), "value": record.value,
        "indexedAt": utc_iso(record.indexed_at), "labels": [],
    }  # fmt: skip
