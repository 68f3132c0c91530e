"""Posts as a file: CSV that no spreadsheet runs and that can be imported again, or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select

from contentcaster.db import Database
from contentcaster.models import Post
from contentcaster.security.permissions import Principal
from contentcaster.services.bots_log import safe_cell
from contentcaster.services.post_queries import list_posts
from contentcaster.services.views import PostRow

MAX_POSTS = 50_000
_CHUNK = 200

COLUMNS = (
    "id",
    "status",
    "text",
    "channels",
    "scheduled_at",
    "timezone",
    "labels",
    "author",
    "link",
    "thread",
    "created_at",
)


def export_csv(
    database: Database, principal: Principal, *, status: Sequence[str] = (), search: str = ""
) -> Iterator[str]:
    """The posts that match, newest first, in pieces. `scheduled_at` is the wall time in `timezone`.

    A cell that a spreadsheet would take for a formula begins with an apostrophe; importing takes it away again.
    """
    yield "\ufeff" + _csv([COLUMNS])  # the mark by which Excel knows UTF-8
    for items in _pages(database, principal, status, search):
        yield _csv([[safe_cell(_text(item[name])) for name in COLUMNS] for item in items])


def export_json(
    database: Database, principal: Principal, *, status: Sequence[str] = (), search: str = ""
) -> Iterator[str]:
    """The same as a JSON array, in pieces."""
    yield "["
    is_first = True
    for items in _pages(database, principal, status, search):
        for item in items:
            yield ("\n" if is_first else ",\n") + json.dumps(item, ensure_ascii=False, default=str)
            is_first = False
    yield "\n]\n"


def _pages(
    database: Database, principal: Principal, status: Sequence[str], search: str
) -> Iterator[list[dict[str, Any]]]:
    cursor = ""
    for _ in range(MAX_POSTS // _CHUNK):
        with database.reading() as session:
            page = list_posts(session, principal, status=status, search=search, cursor=cursor, limit=_CHUNK)
            ids = [row.id for row in page.items]
            found = session.execute(select(Post.id, Post.text, Post.thread).where(Post.id.in_(ids)))
            texts = {row.id: (row.text, list(row.thread)) for row in found}
        yield [_item(row, *texts.get(row.id, (row.text, []))) for row in page.items]
        cursor = page.next_cursor
        if not cursor:
            return


def _item(row: PostRow, text: str, thread: list[str]) -> dict[str, Any]:
    return {
        "id": row.id,
        "status": row.status,
        "text": text,
        "channels": [channel.handle for channel in row.channels],
        "scheduled_at": row.wall_time if row.scheduled_at else "",
        "timezone": row.timezone,
        "labels": row.labels,
        "author": row.author_name,
        "link": row.remote_url,
        "thread": thread,
        "created_at": row.created_at.isoformat(),
    }


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _csv(rows: Sequence[Sequence[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows(rows)
    return buffer.getvalue()
