"""Search over everything a person may see: posts, channels and pictures; the pages are the console's own."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from contentcaster.security.permissions import Permission, Principal
from contentcaster.services.accounts import list_accounts
from contentcaster.services.drafts import clean_text
from contentcaster.services.media import list_media
from contentcaster.services.post_queries import list_posts

MAX_QUERY_LENGTH = 200
_MOST_OF_A_KIND = 6


@dataclass(frozen=True)
class SearchHit:
    """Something to go to."""

    kind: str
    """post | channel | media"""
    title: str
    detail: str
    href: str
    """A path of the console."""
    image_url: str = ""


def find(session: Session, principal: Principal, query: str) -> list[SearchHit]:
    """The best few of each kind, within what the person may see; nothing for an empty query."""
    words = " ".join(clean_text(query[:MAX_QUERY_LENGTH]).split())
    if not words:
        return []
    hits: list[SearchHit] = []
    if principal.can(Permission.COMPOSE) or principal.can(Permission.VIEW_ALL_POSTS):
        hits += _posts(session, principal, words)
    if principal.can(Permission.VIEW_ACCOUNTS):
        hits += _channels(session, principal, words)
    if principal.can(Permission.COMPOSE):
        hits += _media(session, principal, words)
    return hits


def _posts(session: Session, principal: Principal, words: str) -> list[SearchHit]:
    page = list_posts(session, principal, search=words, limit=_MOST_OF_A_KIND)
    return [
        SearchHit(
            kind="post",
            title=" ".join(row.text.split())[:140] or "(no text yet)",
            detail=f"{row.status} · {row.author_name}",
            href=f"/posts/{row.id}",
        )
        for row in page.items
    ]


def _channels(session: Session, principal: Principal, words: str) -> list[SearchHit]:
    wanted = words.casefold()
    found = [
        account
        for account in list_accounts(session, principal)
        if wanted in f"{account.platform_name} {account.handle} {account.display_name}".casefold()
    ]
    return [
        SearchHit("channel", f"{account.platform_name} · {account.handle}", account.status, "/channels")
        for account in found[:_MOST_OF_A_KIND]
    ]


def _media(session: Session, principal: Principal, words: str) -> list[SearchHit]:
    page = list_media(session, principal, search=words, limit=_MOST_OF_A_KIND)
    return [
        SearchHit("media", item.filename, item.alt or "no alt text", f"/media?open={item.id}", item.thumb_url)
        for item in page.items
    ]
