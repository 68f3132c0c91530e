"""Alembic's entry: the same database and tables as the product, on both dialects."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context as alembic_context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection
from sqlmodel import AutoString

from contentcaster.db import get_database
from contentcaster.models import metadata
from contentcaster.models.types import UTCDateTime


def render_plain(kind: str, item: object, context: AutogenContext) -> str | bool:
    """Migrations name plain SQLAlchemy types, so that an old one still runs after our code has moved on."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, AutoString):
        return f"sa.String(length={item.length})"
    if kind == "type" and isinstance(item, sa.Enum):
        return f"sa.String(length={item.length})"
    if kind == "type" and isinstance(item, sa.JSON):
        context.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    return False


def run(connection: Connection) -> None:
    alembic_context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        render_item=render_plain,
        render_as_batch=connection.dialect.name == "sqlite",
        transaction_per_migration=False,
    )
    with alembic_context.begin_transaction():
        alembic_context.run_migrations()


given = alembic_context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with get_database().engine.connect() as own:
        run(own)
        own.commit()
