"""How lines of the bot log are found among millions: by facet, and by words.

Words that occur often are met within the newest lines. What is not met there is rare, so the full-text index gives few
hits to sort; or its lines are rare, so all of them are looked through.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, literal_column, select, text
from sqlmodel import Session

from contentcaster.models import BotLog

_RECENT_IDS = 20_000
"""So many of the newest lines are looked through first. A word that fills no page there is in fewer than one of 400."""
_LOOK = 1000
"""On SQLite, where the looking is done here: so many of those."""
_SAMPLE = 2000
"""Of so many of the newest lines it is told how common a word is."""
_FEW_FACETS = 100
_FEW_LINES = 200
"""Facets with fewer lines than that are looked through to their end."""
_NO_END = 2**62


def plan_for_each(session: Session) -> None:
    """Have this transaction's questions planned one by one, with room to note each hit.

    A plan that is meant to serve any filter serves some of them a hundred times too slowly; and where only the page of
    a hit is noted, pages that have some of everything are all read again.
    """
    if session.get_bind().dialect.name == "postgresql":
        chosen = {"plan_cache_mode": "force_custom_plan", "work_mem": "64MB"}
        session.execute(select(*(func.set_config(name, value, True) for name, value in chosen.items())))


def newest_of(
    session: Session,
    columns: Sequence[Any],
    facets: Sequence[int],
    first: int | None,
    below: int | None,
    limit: int,
) -> list[Any]:
    """The newest lines of these facets: the newest of each by the index, then the newest of those."""
    return _lines(session, columns, _ids_of(session, facets, first, below, limit)[:limit])


def find_words(
    session: Session,
    columns: Sequence[Any],
    words: Sequence[str],
    facets: Sequence[int] | None,
    first: int | None,
    below: int | None,
    limit: int,
) -> list[Any]:
    """The newest lines in which each word begins one of the line's, of these facets if any are given."""
    search = _Postgres if session.get_bind().dialect.name == "postgresql" else _Sqlite
    return search(session, columns, words, facets, first, below).find(limit)


class _Search:
    """One search; the two dialects differ in how text is matched."""

    def __init__(
        self,
        session: Session,
        columns: Sequence[Any],
        words: Sequence[str],
        facets: Sequence[int] | None,
        first: int | None,
        below: int | None,
    ) -> None:
        self.session, self.columns, self.words, self.facets = session, columns, words, facets
        self.first, self.below = first, below

    def find(self, limit: int) -> list[Any]:
        top = self.below or self.session.execute(select(func.max(BotLog.id))).scalar()
        if top is None:
            return []
        # Not by the index of facets: along the newest ids, whatever the database thinks of it.
        recent = select(*self.columns).where(BotLog.id > top - _RECENT_IDS, *self._bounds())
        if self.facets is not None:
            recent = recent.where(self._one_by_one(BotLog.facet).in_(self.facets))
        found = self._met(self._bounded(recent.order_by(BotLog.id.desc())), limit)
        if len(found) == limit:
            return found
        if self.facets is not None and len(self.facets) <= _FEW_FACETS:
            ids = _ids_of(self.session, self.facets, self.first, self.below, _FEW_LINES)
            if len(ids) < _FEW_LINES:  # so that is all there are
                return self._met(
                    select(*self.columns).where(BotLog.id.in_(ids)).order_by(BotLog.id.desc()), limit
                )
        return _lines(self.session, self.columns, self._indexed(limit))

    def _bounds(self) -> list[Any]:
        bounds = [] if self.first is None else [BotLog.id >= self.first]
        return bounds if self.below is None else [*bounds, BotLog.id < self.below]

    def _one_by_one(self, column: Any) -> Any:
        return column

    def _bounded(self, query: Select[Any]) -> Select[Any]:
        return query

    def _met(self, query: Select[Any], limit: int) -> list[Any]:
        """The first lines of the query that hold the words."""
        raise NotImplementedError

    def _indexed(self, limit: int) -> list[int]:
        """Ids of the newest hits, by the full-text index."""
        raise NotImplementedError


class _Postgres(_Search):
    @property
    def _holds(self) -> Any:
        return _all_of(self.words)

    def _met(self, query: Select[Any], limit: int) -> list[Any]:
        return list(self.session.execute(query.where(self._holds).limit(limit)).all())

    def _indexed(self, limit: int) -> list[int]:
        rare, common = self._by_frequency()
        hits: Any = select(BotLog.id).where(_all_of(rare), *self._bounds())
        if common:
            hits = hits.where(_all_of(common, is_indexed=False))
        if self.facets is not None:
            hits = hits.where(BotLog.facet.in_(self.facets))
        # MATERIALIZED: else the database walks all ids in their order, in the hope of meeting hits.
        chosen: Any = hits.cte("hits").prefix_with("MATERIALIZED")
        return list(
            self.session.execute(select(chosen.c.id).order_by(chosen.c.id.desc()).limit(limit)).scalars()
        )

    def _by_frequency(self) -> tuple[list[str], list[str]]:
        """Words to ask the index for, and those so common that its answer would be most of the table."""
        if len(self.words) < 2:
            return list(self.words), []
        newest = select(BotLog.id).order_by(BotLog.id.desc()).limit(_SAMPLE).scalar_subquery()
        counts = self.session.execute(
            select(*(func.count().filter(_all_of([word], f"w{n}")) for n, word in enumerate(self.words)))
            .select_from(BotLog)
            .where(BotLog.id.in_(newest))
        ).one()
        rare = [word for word, count in zip(self.words, counts, strict=True) if count < _SAMPLE // 50]
        rare = rare or [min(zip(counts, self.words, strict=True))[1]]
        return rare, [word for word in self.words if word not in rare]


def _all_of(words: Sequence[str], name: str = "words", *, is_indexed: bool = True) -> Any:
    """The line holds all of these words, as beginnings; by the index, or by looking at lines found otherwise."""
    vector = "bot_log.fts_bot_log" if is_indexed else "(bot_log.fts_bot_log || CAST('' AS tsvector))"
    name = name if is_indexed else f"{name}_seen"
    joined = " & ".join(f"{word}:*" for word in words)
    condition = text(f"{vector} @@ to_tsquery('simple', :{name})")
    return condition.bindparams(**{name: joined})


class _Sqlite(_Search):
    def _one_by_one(self, column: Any) -> Any:
        return literal_column("+bot_log.facet")  # the sign keeps SQLite from using the index

    def _bounded(self, query: Select[Any]) -> Select[Any]:
        return query.limit(_LOOK)

    def _met(self, query: Select[Any], limit: int) -> list[Any]:
        # FTS5 gathers every hit of a word's beginning before it gives the newest: a common one is met by looking.
        beginnings = [re.compile(rf"(?<![^\W_]){re.escape(_plain(word))}") for word in self.words]
        rows = self.session.execute(query).all()
        return [row for row in rows if _has_words(row, beginnings)][:limit]

    def _indexed(self, limit: int) -> list[int]:
        joined = " AND ".join(f'"{word}"*' for word in self.words)
        hits: Any = (
            select(literal_column("rowid").label("id"))
            .select_from(text("fts_bot_log"))
            .where(text("fts_bot_log MATCH :words").bindparams(words=joined))
        )
        query = select(BotLog.id).where(BotLog.id.in_(hits), *self._bounds())
        if self.facets is not None:
            query = query.where(self._one_by_one(BotLog.facet).in_(self.facets))
        return list(self.session.execute(query.order_by(BotLog.id.desc()).limit(limit)).scalars())


def _has_words(row: Any, beginnings: Sequence[re.Pattern[str]]) -> bool:
    """As FTS5 finds it: each word begins one of the line's, without regard to case and diacritics."""
    words = _plain(f"{row.target} {row.why} {row.rule_name} {row.channel}")
    return all(beginning.search(words) for beginning in beginnings)


def _plain(value: str) -> str:
    if value.isascii():
        return value.lower()
    return "".join(ch for ch in unicodedata.normalize("NFKD", value.lower()) if not unicodedata.combining(ch))


def _lines(session: Session, columns: Sequence[Any], ids: Sequence[int]) -> list[Any]:
    lines = select(*columns).where(BotLog.id.in_(ids)).order_by(BotLog.id.desc())
    return list(session.execute(lines).all()) if ids else []


def _ids_of(
    session: Session, facets: Sequence[int], first: int | None, below: int | None, limit: int
) -> list[int]:
    """The newest ids of these facets, at most `limit`."""
    values: dict[str, Any] = {"first": first or 0, "below": below or _NO_END, "limit": limit}
    if session.get_bind().dialect.name == "postgresql":
        found = text(_MERGE_POSTGRES).bindparams(facets=list(facets), **values)
    else:
        found = text(_MERGE_SQLITE).bindparams(facets=json.dumps(list(facets)), **values)
    return list(session.execute(found).scalars())


_MERGE_POSTGRES = """
SELECT l.id FROM unnest(CAST(:facets AS integer[])) AS f(value) CROSS JOIN LATERAL (
 SELECT b.id FROM bot_log b WHERE b.facet = f.value AND b.id >= :first AND b.id < :below
 ORDER BY b.id DESC LIMIT :limit) AS l ORDER BY l.id DESC LIMIT :limit"""
_MERGE_SQLITE = """
SELECT l.id FROM json_each(:facets) AS f CROSS JOIN bot_log AS l ON l.id IN (
 SELECT b.id FROM bot_log b WHERE b.facet = f.value AND b.id >= :first AND b.id < :below
 ORDER BY b.id DESC LIMIT :limit) ORDER BY l.id DESC LIMIT :limit"""
