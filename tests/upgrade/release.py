"""Rows of an earlier release, written into a database by exactly the columns that it had."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Date, MetaData, Table, inspect, text

from contentcaster.db import Database
from contentcaster.models import metadata
from contentcaster.models.types import UTCDateTime

FOLDER = Path(__file__).parent / "releases"
SECRET_KEY = "upgrade-test-" * 4
ENCRYPTION_KEYS = "k1:dXBncmFkZS10ZXN0LXVwZ3JhZGUtdGVzdC11cGdyYWQ="
"""Both of the installation that was recorded; of no use anywhere else."""
PASSWORD = "upgrade upgrade upgrade"


@dataclass(frozen=True)
class Release:
    """One recorded installation."""

    version: str
    revision: str
    """The newest migration of that release."""
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = field(repr=False)

    def rows(self, table: str) -> Sequence[Mapping[str, Any]]:
        return self.tables.get(table, ())


def read(path: Path) -> Release:
    """Raises ValueError if the file is no recording."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    head, tables = lines[0], {}
    for line in lines[1:]:
        tables.setdefault(line["table"], []).append(line["row"])
    return Release(head["version"], head["revision"], tables)


def all_releases() -> list[Release]:
    """Oldest first."""
    return [read(path) for path in sorted(FOLDER.glob("*.jsonl"))]


def load(database: Database, release: Release) -> int:
    """Insert the rows into the tables and columns that `database` has now; returns how many.

    On a database of an earlier revision, what that revision did not know is left out, as it could not have written it.
    Nothing of today's code fills in a value: what was not recorded must come from the database's own defaults.
    """
    known = {table.name: table for table in metadata.sorted_tables}
    names = [name for name in known if name in release.tables]
    count = 0
    with database.engine.begin() as connection:
        inspector = inspect(connection)
        there = set(inspector.get_table_names())
        for name in names:
            if name not in there:
                continue
            columns = {column["name"] for column in inspector.get_columns(name)}
            plain = Table(name, MetaData(), *(Column(c.name, c.type) for c in known[name].columns))
            rows = [
                {
                    key: _value(plain.c[key].type, value)
                    for key, value in row.items()
                    if key in columns and key in plain.c
                }
                for row in release.rows(name)
            ]
            if rows:
                connection.execute(plain.insert(), rows)
                count += len(rows)
        if database.is_postgres:
            _count_on(connection, there & set(names))
    return count


def _value(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, UTCDateTime):
        return datetime.fromisoformat(value)
    if isinstance(kind, Date):
        return date.fromisoformat(value)
    python = getattr(kind, "enum_class", None)
    return python(value) if python is not None else value


def _count_on(connection: Connection, tables: set[str]) -> None:
    """Postgres's sequences, which the recorded numbers did not move."""
    for name in tables:
        column = metadata.tables[name].autoincrement_column
        if column is None:
            continue
        sequence = connection.execute(
            text("SELECT pg_get_serial_sequence(:name, :column)"), {"name": name, "column": column.name}
        ).scalar()
        if sequence:
            connection.execute(
                text(f"SELECT setval('{sequence}', (SELECT coalesce(max({column.name}), 0) + 1 FROM {name}))")
            )
