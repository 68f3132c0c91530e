"""Entities of the Mastodon API (field names and shapes of Mastodon 4.7, https://docs.joinmastodon.org/entities/)."""

from __future__ import annotations

import html
import time

from .network import Network
from .text import mastodon_html
from .things import Account, Json, Media, Poll, Status, utc_iso


def account_json(network: Network, account: Account) -> Json:
    base = network.base_url
    avatar = f"{base}/sandbox/avatar/{account.handle}.svg"
    header = f"{base}/sandbox/header.svg"
    last = account.statuses[-1] if account.statuses else None
    return {
        "id": account.id, "username": account.handle, "acct": account.handle, "display_name": account.display_name,
        "locked": False, "bot": account.bot, "discoverable": True, "indexable": True, "group": False,
        "created_at": utc_iso(account.created_at)[:10] + "T00:00:00.000Z",
        "note": f"<p>{html.escape(account.note)}</p>" if account.note else "",
        "url": f"{base}/@{account.handle}", "uri": f"{base}/users/{account.handle}",
        "avatar": avatar, "avatar_static": avatar, "avatar_description": "",
        "header": header, "header_static": header, "header_description": "",
        "followers_count": len(account.followers), "following_count": len(account.following),
        "statuses_count": len(account.statuses),
        "last_status_at": utc_iso(network.statuses[last].created_at)[:10] if last in network.statuses else None,
        "hide_collections": False, "noindex": False, "emojis": [], "roles": [], "fields": [],
    }  # fmt: skip


def credential_account_json(network: Network, account: Account) -> Json:
    return account_json(network, account) | {
        "source": {
            "privacy": "public", "sensitive": False, "language": None, "note": account.note, "fields": [],
            "follow_requests_count": 0, "hide_collections": None, "discoverable": True, "indexable": True,
            "attribution_domains": [], "quote_policy": "public",
        },
        "role": {
            "id": "-99", "name": "", "permissions": "0", "color": "", "highlighted": False,
            "collection_limit": 10,
        },
    }  # fmt: skip


def status_json(network: Network, status: Status, viewer: Account | None) -> Json:
    base, author = network.base_url, network.accounts[status.account_id]
    boosted = network.statuses.get(status.reblog_of) if status.reblog_of is not None else None
    shown = boosted or status
    where = f"{base}/@{author.handle}/{status.id}"
    parent = network.statuses.get(status.in_reply_to_id) if status.in_reply_to_id is not None else None
    entity: Json = {
        "id": str(status.id), "created_at": utc_iso(status.created_at),
        "in_reply_to_id": str(status.in_reply_to_id) if status.in_reply_to_id is not None else None,
        "in_reply_to_account_id": parent.account_id if parent else None,
        "sensitive": status.sensitive, "spoiler_text": status.spoiler_text, "visibility": status.visibility,
        "language": status.language,
        "uri": f"{base}/users/{author.handle}/statuses/{status.id}" + ("/activity" if boosted else ""),
        "url": where, "replies_count": len(shown.replies), "reblogs_count": len(shown.reblogged_by),
        "favourites_count": len(shown.favourited_by), "quotes_count": 0,
        "edited_at": utc_iso(status.edited_at) if status.edited_at else None,
        "content": content_html(network, shown), "reblog": None,
        "application": {"name": status.application, "website": None},
        "account": account_json(network, author),
        "media_attachments": [media_json(network, m) for i in shown.media_ids if (m := network.media.get(i))],
        "mentions": _mentions(network, shown),
        "tags": [{"name": tag, "url": f"{base}/tags/{tag}"} for tag in shown.tags],
        "emojis": [], "card": None, "poll": poll_json(shown, viewer) if shown.poll else None, "quote": None,
        "quote_approval": {"automatic": ["public"], "manual": [], "current_user": "automatic"},
    }  # fmt: skip
    if boosted is not None:
        entity["reblog"] = status_json(network, boosted, viewer)
    if viewer is not None:
        entity |= {
            "favourited": viewer.id in shown.favourited_by, "reblogged": viewer.id in shown.reblogged_by,
            "bookmarked": viewer.id in shown.bookmarked_by, "muted": False,
        }  # fmt: skip
        if viewer.id == status.account_id:
            entity |= {"pinned": False, "filtered": []}
    return entity


def content_html(network: Network, status: Status) -> str:
    """The status as HTML; kept until the next edit or restart on another port."""
    if not status.content or network.base_url not in status.content:
        people = {
            a.handle: f"{network.base_url}/@{a.handle}"
            for i in status.mentioned
            if (a := network.accounts.get(i))
        }
        status.content = mastodon_html(status.text, network.base_url, people)
    return status.content


def _mentions(network: Network, status: Status) -> list[Json]:
    people = [network.accounts[i] for i in status.mentioned if i in network.accounts]
    return [
        {"id": a.id, "username": a.handle, "url": f"{network.base_url}/@{a.handle}", "acct": a.handle}
        for a in people
    ]


def poll_json(status: Status, viewer: Account | None) -> Json:
    poll = status.poll
    assert poll is not None
    mine = poll.votes.get(viewer.id) if viewer else None
    counts = tally(poll)
    entity: Json = {
        "id": str(status.id), "expires_at": utc_iso(poll.expires_at), "expired": poll.expires_at <= time.time(),
        "multiple": poll.multiple, "votes_count": sum(counts),
        "voters_count": len(poll.votes) if poll.multiple else None, "emojis": [],
        "options": [{"title": t, "votes_count": c} for t, c in zip(poll.options, counts, strict=True)],
    }  # fmt: skip
    if viewer is not None:
        entity |= {"voted": mine is not None or viewer.id == status.account_id, "own_votes": mine or []}
    return entity


def tally(poll: Poll) -> list[int]:
    counts = [0] * len(poll.options)
    for choices in poll.votes.values():
        for choice in choices:
            counts[choice] += 1
    return counts


EXTENSIONS = {
    "image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp", "image/avif": "avif",
    "video/mp4": "mp4", "video/webm": "webm", "video/quicktime": "mov", "audio/mpeg": "mp3", "audio/ogg": "ogg",
    "audio/wav": "wav",
}  # fmt: skip


def media_url(network: Network, cid: str, mime: str) -> str:
    return f"{network.base_url}/media/{cid}.{EXTENSIONS.get(mime, 'bin')}"


def media_json(network: Network, media: Media) -> Json:
    ready = media.ready_at <= time.time()
    url = media_url(network, media.cid, media.mime) if ready else None
    size = {
        "width": media.width, "height": media.height, "size": f"{media.width}x{media.height}",
        "aspect": round(media.width / media.height, 6) if media.height else 0.0,
    }  # fmt: skip
    meta: Json = {"original": size, "small": size} if media.width and ready else {}
    if media.focus:
        x, _, y = media.focus.partition(",")
        meta["focus"] = {"x": float(x), "y": float(y)}
    return {
        "id": media.id, "type": media.kind, "url": url,
        "preview_url": media_url(network, media.cid, media.mime) if media.kind == "image" else None,
        "remote_url": None, "preview_remote_url": None, "text_url": None, "meta": meta,
        "description": media.description, "blurhash": "UBL_:rOpGG-oBUNG,qRj2so|=eE1w^n4S5NH" if media.width else None,
    }  # fmt: skip


def relationship_json(source: Account, target: Account) -> Json:
    following = target.id in source.following
    return {
        "id": target.id, "following": following, "showing_reblogs": following, "notifying": False,
        "languages": None, "followed_by": source.id in target.following, "blocking": target.id in source.blocking,
        "blocked_by": source.id in target.blocking,
        "muting": False, "muting_notifications": False, "muting_expires_at": None, "requested": False,
        "requested_by": False, "domain_blocking": False, "endorsed": False, "note": "",
    }  # fmt: skip
