"""Bringing the database to the version that this code expects."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from contentcaster.db import Database
from contentcaster.models import metadata
from contentcaster.settings import PROJECT_ROOT

_LOCK_ID = 711_003_517
"""One number, ours: two processes that start together must not both migrate."""


def upgrade(database: Database, revision: str = "head") -> tuple[str | None, str | None]:
    """Apply all migrations up to `revision`; returns the revision before and after. Safe to run from many processes
    at once. A database that a newer version has migrated is left as it is.
    """
    with _locked(database) as connection:
        before = current_revision(connection)
        config = _config(connection)
        if _is_newer(before):
            return before, before
        with contextlib.redirect_stdout(io.StringIO()):
            command.upgrade(config, revision)
        return before, current_revision(connection)


def pending_changes(database: Database) -> list[object]:
    """Differences between the tables in the code and those in the database; empty when they agree."""
    with database.engine.connect() as connection:
        options = {"compare_type": True, "include_name": _is_declared}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, metadata))


def _is_declared(name: str | None, kind: str, parents: object) -> bool:
    """Full-text objects are made by hand in their migration: no declaration is common to both dialects."""
    return not (name or "").startswith("fts_")


def is_current(database: Database) -> bool:
    """Whether the database is at the newest migration of this code."""
    with database.engine.connect() as connection:
        return current_revision(connection) == head()


def is_usable(database: Database) -> bool:
    """Whether this code can work with it: at its newest migration, or further. Migrations only add, so the processes of
    the version before go on, and can be started, while and after the next one has migrated.
    """
    with database.engine.connect() as connection:
        revision = current_revision(connection)
        return revision == head() or _is_newer(revision)


def _is_newer(revision: str | None) -> bool:
    """Revisions count up: one that is not ours and higher than all of ours is of a version to come."""
    newest = head()
    return revision is not None and newest is not None and revision > newest


def head() -> str | None:
    """The newest migration of this code."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def current_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


@contextlib.contextmanager
def _locked(database: Database) -> Iterator[Connection]:
    with database.engine.connect().execution_options(sqlite_begin="IMMEDIATE") as connection:
        if database.is_postgres:
            connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _LOCK_ID})
        yield connection
        connection.commit()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(PROJECT_ROOT / "alembic"))
    config.attributes["connection"] = connection
    return config
