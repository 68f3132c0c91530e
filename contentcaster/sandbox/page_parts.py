"""Pieces of the public pages. Every text of others is escaped; nothing is loaded from elsewhere."""

from __future__ import annotations

import hashlib
import html
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any

from aiohttp import web

from .atproto_views import blob_url
from .mastodon_json import content_html, media_url, tally
from .network import LIKE, REPOST, Network
from .text import atproto_html
from .things import Account, Poll, Record, Status

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HEART = (
    '<path d="M20.8 5.6a5.2 5.2 0 0 0-7.4 0L12 7l-1.4-1.4a5.2 5.2 0 0 0-7.4 7.4'
    'L12 21.7 20.8 13a5.2 5.2 0 0 0 0-7.4Z"/>'
)
_LOOP = '<path d="m17 2 4 4-4 4M3 11v-1a4 4 0 0 1 4-4h14M7 22l-4-4 4-4M21 13v1a4 4 0 0 1-4 4H3"/>'
_BUBBLE = '<path d="M21 11.5a8.4 8.4 0 0 1-9 8.4 9 9 0 0 1-3.6-.8L3 21l1.9-5.2A8.4 8.4 0 1 1 21 11.5Z"/>'


def icon(path: str) -> str:
    return f'<svg viewBox="0 0 24 24" aria-hidden="true" focusable="false">{path}</svg>'


@cache
def asset(name: str) -> bytes:
    """A static file of the pages."""
    return resources.files(__package__).joinpath(name).read_bytes()


@cache
def asset_url(name: str) -> str:
    return f"/sandbox/{name}?{hashlib.sha256(asset(name)).hexdigest()[:10]}"


def document(title: str, inner: str, aside: str = "", live: bool = False, status: int = 200) -> web.Response:
    """A whole page."""
    script = f'<script src="{asset_url("page.js")}" defer></script>'
    indicator = '<span class="live" id="live" role="status">connecting</span>' if live else ""
    rail = f"<aside>{aside}</aside>" if aside else ""
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{html.escape(title)} · Sandbox network</title>
<link rel="icon" href="/sandbox/icon.svg" type="image/svg+xml"><link rel="stylesheet" href="{asset_url("page.css")}">
{script}</head><body{' data-live="1"' if live else ""}>
<header class="top"><a class="brand" href="/"><img src="/sandbox/icon.svg" alt="" width="24" height="24">
Sandbox network</a>
<span class="tagline">Nothing here leaves this machine</span>{indicator}</header>
<div class="columns{"" if rail else " single"}"><main>{inner}</main>{rail}</div></body></html>"""
    headers = {
        "Content-Security-Policy": _POLICY,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return web.Response(text=page, content_type="text/html", headers=headers, status=status)


def initials(account: Account) -> str:
    words = [w for w in account.display_name.replace("_", " ").replace("-", " ").split() if w[0].isalnum()]
    letters = words[0][0] + words[-1][0] if len(words) > 1 else (words[0] if words else account.handle)[:2]
    return letters.upper()


def hue(account: Account) -> int:
    return int(hashlib.sha256(account.handle.encode()).hexdigest()[:6], 16) % 12


def avatar(account: Account, size: str = "") -> str:
    return f'<span class="avatar h{hue(account)} {size}" aria-hidden="true">{html.escape(initials(account))}</span>'


def moment(epoch: float) -> str:
    """A time in UTC to the second, the exact one as its title, and how long ago."""
    at = datetime.fromtimestamp(epoch, UTC)
    exact = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    shown = f"{at.day} {at:%b %Y %H:%M:%S} UTC"
    hint = f'<span class="ago" data-at="{exact}">{ago(epoch)}</span>'
    return f'<time datetime="{exact}" title="{exact}">{shown}</time> {hint}'


def ago(epoch: float) -> str:
    seconds = max(0, int(time.time() - epoch))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago" if seconds >= 5 else "just now"


@dataclass(slots=True)
class Card:
    """A post of either network, ready to be drawn."""

    key: str
    account: Account
    protocol: str
    url: str
    at: float
    body: str
    warning: str = ""
    images: list[tuple[str, str, str]] = field(default_factory=list)  # url, alt, kind
    link: dict[str, str] = field(default_factory=dict)
    poll: Poll | None = None
    reply_to: tuple[str, str] | None = None  # label, href
    quote: str = ""
    replies: int = 0
    reposts: int = 0
    likes: int = 0
    facts: list[str] = field(default_factory=list)

    @property
    def href(self) -> str:
        return self.url.partition("://")[2].partition("/")[2]


def status_card(network: Network, status: Status) -> Card:
    author = network.accounts[status.account_id]
    media = [m for i in status.media_ids if (m := network.media.get(i))]
    parent = network.statuses.get(status.in_reply_to_id) if status.in_reply_to_id is not None else None
    above = network.accounts[parent.account_id] if parent else None
    facts = [status.visibility] if status.visibility != "public" else []
    facts += [f"language {status.language}"] if status.language else []
    facts += ["edited"] if status.edited_at else []
    facts += [f"key {status.idempotency_key}"] if status.idempotency_key else []
    return Card(
        f"s{status.id}", author, "mastodon", f"{network.base_url}/@{author.handle}/{status.id}", status.created_at,
        content_html(network, status), status.spoiler_text,
        [(media_url(network, m.cid, m.mime), m.description or "", m.kind) for m in media], poll=status.poll,
        reply_to=(f"@{above.handle}", f"/@{above.handle}/{parent.id}") if above and parent else None,
        replies=len(status.replies), reposts=len(status.reblogged_by), likes=len(status.favourited_by), facts=facts,
    )  # fmt: skip


def record_card(network: Network, record: Record) -> Card:
    author, value = network.by_did[record.did], record.value
    card = Card(
        f"r{record.did.rpartition(':')[2]}-{record.rkey}", author, "bluesky",
        f"{network.base_url}/profile/{author.at_handle}/post/{record.rkey}", record.indexed_at,
        atproto_html(str(value.get("text", "")), value.get("facets") or [], network.base_url),
        replies=len(network.replies.get(record.uri, [])), reposts=len(network.actors(record.uri, REPOST)),
        likes=len(network.actors(record.uri, LIKE)),
    )  # fmt: skip
    labels = (value.get("labels") or {}).get("values") or []
    card.warning = ", ".join(str(label.get("val", "")) for label in labels)
    card.facts = [f"language {', '.join(value['langs'])}"] if value.get("langs") else []
    card.facts.append(f"rkey {record.rkey}")
    parent = network.records.get(((value.get("reply") or {}).get("parent") or {}).get("uri", ""))
    if parent is not None:
        parent_author = network.by_did[parent.did]
        card.reply_to = (
            f"@{parent_author.at_handle}",
            f"/profile/{parent_author.at_handle}/post/{parent.rkey}",
        )
    _add_embed(network, card, value.get("embed") or {})
    return card


def _add_embed(network: Network, card: Card, embed: dict[str, Any]) -> None:
    kind = embed.get("$type")
    if kind == "app.bsky.embed.images":
        card.images = [(blob_url(network, i["image"]), i["alt"], "image") for i in embed["images"]]
    elif kind == "app.bsky.embed.video":
        card.images = [(blob_url(network, embed["video"]), str(embed.get("alt", "")), "video")]
    elif kind == "app.bsky.embed.external":
        external = embed["external"]
        card.link = {k: str(external[k]) for k in ("uri", "title", "description")}
        card.link["thumb"] = blob_url(network, external.get("thumb"))
    elif kind == "app.bsky.embed.record":
        quoted = network.records.get(embed["record"]["uri"])
        if quoted is not None:
            name = html.escape(network.by_did[quoted.did].at_handle)
            text = html.escape(str(quoted.value.get("text", "")))
            card.quote = f'<blockquote class="quote"><b>@{name}</b> {text}</blockquote>'
    elif kind == "app.bsky.embed.recordWithMedia":
        _add_embed(network, card, embed["record"] | {"$type": "app.bsky.embed.record"})
        _add_embed(network, card, embed["media"])


PROTOCOLS = {"mastodon": "Mastodon", "bluesky": "AT Protocol"}


def draw(card: Card, main: bool = False) -> str:
    """The HTML of one post."""
    account, href = card.account, "/" + html.escape(card.href)
    handle = account.at_handle if card.protocol == "bluesky" else account.handle
    profile = f"/profile/{account.at_handle}" if card.protocol == "bluesky" else f"/@{account.handle}"
    reply = card.reply_to
    above = (
        f'<p class="reply">Reply to <a href="{html.escape(reply[1])}">{html.escape(reply[0])}</a></p>'
        if reply
        else ""
    )
    bot = '<span class="bot">bot</span>' if account.bot else ""
    body = f'<div class="text">{card.body}</div>' if card.body else ""
    body += _media(card.images) + _link(card.link) + card.quote + _poll(card.poll)
    if card.warning:
        body = f'<details class="warning"><summary>{html.escape(card.warning)}</summary>{body}</details>'
    facts = "".join(f'<span class="fact">{html.escape(fact)}</span>' for fact in card.facts)
    name, badge = html.escape(account.display_name), PROTOCOLS[card.protocol]
    counted = (
        _count(_BUBBLE, card.replies, "replies")
        + _count(_LOOP, card.reposts, "reposts")
        + _count(_HEART, card.likes, "likes")
    )
    return (
        f'<article class="card post{" main" if main else ""}" data-key="{html.escape(card.key)}">{above}<header>'
        f'<a class="who" href="{html.escape(profile)}">{avatar(account)}<span><b>{name}</b>{bot}'
        f'<small>@{html.escape(handle)}</small></span></a><span class="badge {card.protocol}">{badge}</span>'
        f'</header>{body}<footer><a class="when" href="{href}">{moment(card.at)}</a>'
        f'<span class="counts">{counted}</span>'
        f"{f'<p class=facts>{facts}</p>' if facts else ''}</footer></article>"
    )


def _count(path: str, number: int, name: str) -> str:
    some = " some" if number else ""
    shown = f'<span>{number}</span><span class="sr"> {name}</span>'
    return f'<span class="count{some}" title="{number} {name}">{icon(path)}{shown}</span>'


def _media(items: list[tuple[str, str, str]]) -> str:
    if not items:
        return ""
    drawn = []
    for url, alt, kind in items:
        src, words = html.escape("/" + url.partition("://")[2].partition("/")[2]), html.escape(alt)
        if kind in ("image", "gifv"):
            mark = '<span class="alt" aria-hidden="true">ALT</span>' if alt else ""
            drawn.append(
                f'<a href="{src}"><img src="{src}" alt="{words}" title="{words}" loading="lazy">{mark}</a>'
            )
        elif kind in ("video", "audio"):
            drawn.append(f'<{kind} src="{src}" controls preload="metadata" title="{words}"></{kind}>')
        else:
            drawn.append(f'<a href="{src}">{words or "attached file"}</a>')
    return f'<div class="media n{min(len(items), 4)}">{"".join(drawn)}</div>'


def _link(link: dict[str, str]) -> str:
    if not link:
        return ""
    uri = link["uri"] if link["uri"].startswith(("http://", "https://")) else "#"
    thumb = (
        f'<img src="/{html.escape(link["thumb"].partition("://")[2].partition("/")[2])}" alt="">'
        if link["thumb"]
        else ""
    )
    where = html.escape(uri.partition("://")[2].partition("/")[0])
    return (
        f'<a class="link" href="{html.escape(uri)}" rel="nofollow noopener">{thumb}<span><small>{where}</small>'
        f"<b>{html.escape(link['title'])}</b><span>{html.escape(link['description'])}</span></span></a>"
    )


def _poll(poll: Poll | None) -> str:
    if poll is None:
        return ""
    counts = tally(poll)
    total = max(1, sum(counts))
    rows = "".join(
        f'<li><span>{html.escape(option)}</span><meter min="0" max="{total}" value="{count}"></meter>'
        f"<span>{count}</span></li>"
        for option, count in zip(poll.options, counts, strict=True)
    )
    return f'<ul class="poll">{rows}</ul>'
