"""Column types and SQL expressions that both dialects share."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, DateTime, Enum, Float, Integer, String, Text, bindparam
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import coercions, roles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import SQLModel

# Alembic can only drop what has a name; set here because every table module imports this one first.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

_ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


class UTCDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime with microseconds; refuses naive values, restores UTC on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime: every time is aware and in UTC")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class database_now(ColumnElement[datetime]):  # noqa: N801 - reads as the SQL function it is
    """The database's wall clock plus `offset_seconds`, read when the statement runs, not when its transaction began."""

    type = UTCDateTime()
    inherit_cache = True
    _traverse_internals = [("offset", InternalTraversal.dp_clauseelement)]

    def __init__(self, offset_seconds: float = 0) -> None:
        self.offset = bindparam(None, float(offset_seconds), type_=Float(), unique=True)


@compiles(database_now, "postgresql")
def _now_on_postgres(element: database_now, compiler: SQLCompiler, **kw: Any) -> str:
    # A sub-query, so that it is read once per statement: a volatile function alone could not bound an index scan, and
    # each look for what is due would read all that waits.
    return f"(SELECT clock_timestamp() + make_interval(secs => {compiler.process(element.offset, **kw)}))"


@compiles(database_now, "sqlite")
def _now_on_sqlite(element: database_now, compiler: SQLCompiler, **kw: Any) -> str:
    # The same text form that UTCDateTime stores, so that comparing as text is comparing in time.
    offset = compiler.process(element.offset, **kw)
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', {offset} || ' seconds')"


class _Values(TypeDecorator[list[Any]]):
    """A whole list as one parameter: an array on Postgres, JSON on SQLite."""

    impl = Text
    cache_ok = True

    def __init__(self, item_type: TypeEngine[Any]) -> None:
        super().__init__()
        self.item_type = item_type

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return ARRAY(self.item_type) if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: list[Any] | None, dialect: Dialect) -> Any:
        return value if dialect.name == "postgresql" else json.dumps(value)


class is_one_of(ColumnElement[bool]):  # noqa: N801 - reads as the SQL operator it is
    """`column IN (values)` with the list as one parameter, so that the statement is the same however long it is: with
    a parameter per value, drivers and databases spend more on reading a batch's statement than on running it.

    `values` is a list, or a name under which it is given when the statement runs."""

    type = Boolean()
    inherit_cache = True
    _traverse_internals = [
        ("column", InternalTraversal.dp_clauseelement),
        ("values", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, column: Any, values: Sequence[Any] | str) -> None:
        self.column = coercions.expect(roles.ExpressionElementRole, column)
        kind = _Values(BigInteger() if isinstance(self.column.type, Integer) else Text())
        self.values = (
            bindparam(values, type_=kind)
            if isinstance(values, str)
            else bindparam(None, list(values), type_=kind, unique=True)
        )


@compiles(is_one_of, "postgresql")
def _is_one_of_on_postgres(element: is_one_of, compiler: SQLCompiler, **kw: Any) -> str:
    return f"{compiler.process(element.column, **kw)} = ANY({compiler.process(element.values, **kw)})"


@compiles(is_one_of, "sqlite")
def _is_one_of_on_sqlite(element: is_one_of, compiler: SQLCompiler, **kw: Any) -> str:
    values = compiler.process(element.values, **kw)
    return f"{compiler.process(element.column, **kw)} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - both are compiled SQL


def json_type() -> Any:
    """JSON that Postgres can index."""
    return JSON().with_variant(JSONB(), "postgresql")


def text_enum(enum: type[StrEnum]) -> Any:
    """An enum stored as its text: a new member needs no migration."""
    return Enum(
        enum,
        native_enum=False,
        create_constraint=False,
        length=40,
        values_callable=lambda e: [m.value for m in e],
    )


def short_text(length: int = 255) -> Any:
    return String(length)


def long_text() -> Any:
    return Text()


def new_id() -> str:
    """A 26-character id that cannot be guessed and sorts by creation time (a ULID in lower case)."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return "".join(_ID_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))
