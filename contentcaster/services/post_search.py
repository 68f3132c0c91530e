"""Full-text search of posts: text, variants, thread and labels, by words and their beginnings, through an index.

Postgres: a tsvector with a GIN index. SQLite: FTS5. Triggers keep both (see the migration of `post_words`), and both
cut text into words at the same signs and compare without regard to case.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, select, text, true
from sqlmodel import Session

from contentcaster.models import Post, PostWords
from contentcaster.services.drafts import clean_text
from contentcaster.services.paging import like_pattern

_WORD = re.compile(r"[^\W_]+", re.UNICODE)
MAX_WORDS = 8
_MAX_CHARACTERS = 200


def words_of(search: str) -> list[str]:
    """The words to look for, lower case; none in signs and emoji."""
    return _WORD.findall(clean_text(search)[:_MAX_CHARACTERS].lower())[:MAX_WORDS]


def matches(session: Session, search: str) -> ColumnElement[bool]:
    """Whether a post holds every one of the words, each as it stands or as the beginning of a longer one."""
    words = words_of(search)
    found = select(PostWords.post_id)
    if not words:
        if not clean_text(search):
            return true()
        # Signs and emoji are no words, and in no index: read, which is slow with very many posts.
        found = found.where(func.lower(PostWords.words).like(like_pattern(search), escape="\\"))
    elif session.get_bind().dialect.name == "sqlite":
        match = text("fts_post_words MATCH :words").bindparams(
            words=" AND ".join(f'"{word}"*' for word in words)
        )
        hits: Any = select(literal_column("rowid")).select_from(text("fts_post_words")).where(match)
        found = found.where(PostWords.id.in_(hits))
    else:
        match = text("post_words.fts_post_words @@ to_tsquery('simple', :words)").bindparams(
            words=" & ".join(f"{word}:*" for word in words)
        )
        found = found.where(match)
    condition: ColumnElement[bool] = Post.id.in_(found)
    return condition
