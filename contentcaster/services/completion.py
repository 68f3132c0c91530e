"""What @ and # are completed to while somebody writes: words of their own earlier posts first, then names known here.

All of it goes to the browser once, so that completing never waits for the server.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import regex
from sqlalchemy import select
from sqlmodel import Session

from contentcaster.bots.candidates import unpack
from contentcaster.models import BotProspect, Post, SnippetKind
from contentcaster.platforms.text import find_urls
from contentcaster.security.permissions import Permission, Principal
from contentcaster.services.accounts import list_accounts
from contentcaster.services.snippets import list_snippets

MAX_WORDS = 300
_LOOKED_AT_POSTS = 400
_LOOKED_AT_PROSPECTS = 300

_HASHTAG = regex.compile(r"(?<![\w/)=])#[\w·]*[\p{L}\p{M}][\w·]*")
_MENTION = regex.compile(r"(?<![=/\w.@])@[A-Za-z0-9_][\w.\-]*(?:@[\w.\-]+\w)?")


@dataclass(frozen=True)
class Completions:
    """Words with their sign, the likeliest first."""

    hashtags: list[str]
    mentions: list[str]


def list_completions(session: Session, principal: Principal) -> Completions:
    """For a person who writes: from their own posts, saved hashtag sets, the channels they see, and, for those who may
    see bots, the people that a finder found."""
    principal.require(Permission.COMPOSE)
    hashtags: Counter[str] = Counter()
    mentions: Counter[str] = Counter()
    texts = session.execute(
        select(Post.text, Post.first_comment, Post.thread)
        .where(Post.author_id == principal.user_id, Post.deleted_at.is_(None))
        .order_by(Post.created_at.desc())
        .limit(_LOOKED_AT_POSTS)
    )
    for text, first_comment, thread in texts:
        for part in (text, first_comment, *thread):
            words = _without_links(part[:20_000])
            hashtags.update(_HASHTAG.findall(words))
            mentions.update(_MENTION.findall(words))
    for snippet in list_snippets(session, principal):
        if snippet.kind == SnippetKind.HASHTAGS:
            hashtags.update(_HASHTAG.findall(snippet.text))
    if principal.can(Permission.VIEW_ACCOUNTS):
        known = [account.handle for account in list_accounts(session, principal)]
        mentions.update(handle for handle in known if _MENTION.fullmatch(handle))
    if principal.can(Permission.VIEW_BOTS):
        mentions.update(_prospects(session))
    return Completions(_ranked(hashtags), _ranked(mentions))


def _prospects(session: Session) -> list[str]:
    rows = session.execute(
        select(BotProspect.candidate)
        .where(BotProspect.state != "dismissed")
        .order_by(BotProspect.score.desc())
        .limit(_LOOKED_AT_PROSPECTS)
    ).scalars()
    handles = (unpack(candidate).handle for candidate in rows if candidate)
    signed = (handle if handle.startswith("@") else f"@{handle}" for handle in handles)
    return list(dict.fromkeys(handle for handle in signed if _MENTION.fullmatch(handle)))


def _without_links(text: str) -> str:
    pieces, position = [], 0
    for start, end in find_urls(text):
        pieces.append(text[position:start])
        position = end
    return " ".join([*pieces, text[position:]])


def _ranked(counted: Counter[str]) -> list[str]:
    """Most used first; of spellings that differ by case only, the one used most."""
    best: dict[str, str] = {}
    for word, _count in counted.most_common():
        best.setdefault(word.casefold(), word)
    return list(best.values())[:MAX_WORDS]
