"""One of the two stacks that every promise is tested on: SQLite + SqliteHuey, Postgres + Redis."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis

from contentcaster import db, migrations
from contentcaster.db import Database
from contentcaster.settings import PREFIX, UNPREFIXED, Settings, get_settings, load_settings
from tests.services_for_tests import postgres, redis_server
from tests.services_for_tests.postgres import PostgresServer
from tests.services_for_tests.redis_server import RedisServer


@dataclass(frozen=True)
class Stack:
    """The settings of a test and its own, migrated, empty database; the same ones `get_database()` gives."""

    name: str
    settings: Settings
    database: Database
    environment: Mapping[str, str] = field(repr=False)
    """What a subprocess of the product needs on top of `os.environ` to run on the same stack."""


@dataclass
class Servers:
    """The servers of one test run, started when first needed."""

    postgres_url: str = ""
    redis_url: str = ""
    _postgres: PostgresServer | None = None
    _redis: RedisServer | None = None
    _template: str = ""
    _sqlite_template: Path | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def admin_url(self) -> str:
        """A Postgres URL that may create databases."""
        if self.postgres_url:
            return self.postgres_url
        if self._postgres is None:
            self._postgres = PostgresServer.create()
        return self._postgres.url()

    def new_redis_url(self) -> str:
        """An empty Redis database of this test's own."""
        if self.redis_url:
            url = self.redis_url
        else:
            if self._redis is None:
                self._redis = RedisServer.create()
            url = self._redis.url(next(self._numbers) % redis_server.DATABASES)
        with redis.Redis.from_url(url) as client:
            client.flushdb()
        return url

    @contextmanager
    def new_postgres_database(self) -> Iterator[str]:
        """A migrated database, cloned from a template; dropped at the end."""
        admin = self.admin_url()
        if not self._template:
            self._template = f"cc_template_{secrets.token_hex(4)}"
            migrated_database(admin, self._template)
        name = f"cc_test_{secrets.token_hex(6)}"
        url = postgres.create_database(admin, name, self._template)
        try:
            yield url
        finally:
            postgres.drop_database(admin, name)

    def new_sqlite_database(self, folder: Path) -> str:
        """A migrated SQLite file in `folder`."""
        if self._sqlite_template is None:
            self._sqlite_template = Path(tempfile.mkdtemp(prefix="contentcaster-sqlite-")) / "template.sqlite"
            _migrate(f"sqlite:///{self._sqlite_template}")
        path = folder / "contentcaster.sqlite"
        shutil.copyfile(self._sqlite_template, path)
        return f"sqlite:///{path}"

    def close(self) -> None:
        if self._sqlite_template is not None:
            shutil.rmtree(self._sqlite_template.parent, ignore_errors=True)
        if self._template and self.postgres_url:
            postgres.drop_database(self.postgres_url, self._template)
        for server in (self._postgres, self._redis):
            if server is not None:
                server.close()


def migrated_database(admin_url: str, name: str) -> str:
    """Create a Postgres database with all tables and return its URL."""
    url = postgres.create_database(admin_url, name)
    _migrate(url)
    return url


def _migrate(url: str) -> None:
    database = Database(
        load_settings(database_url=url, secret_key="x" * 40, encryption_keys="unused"), pool_size=1
    )
    migrations.upgrade(database)
    if not database.is_postgres:
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()


@contextmanager
def activated(name: str, environment: dict[str, str]) -> Iterator[Stack]:
    """Make `environment` the settings of this process, so that get_settings() and get_database() give this stack."""
    with environment_of(environment):
        get_settings.cache_clear()
        db.get_database.cache_clear()
        stack = Stack(name, get_settings(), db.get_database(), environment)
        try:
            yield stack
        finally:
            stack.database.dispose()
            get_settings.cache_clear()
            db.get_database.cache_clear()


@contextmanager
def environment_of(values: Mapping[str, str]) -> Iterator[None]:
    """Exactly these settings in the environment, nothing inherited; put back at the end."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith((PREFIX, "GEMINI_"))]:
        del os.environ[name]
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def as_environment(**settings: object) -> dict[str, str]:
    """Settings as the environment variables that give them."""
    names = {name: name.upper() for name in settings}
    return {
        (names[name] if names[name] in UNPREFIXED else PREFIX + names[name]): str(value)
        for name, value in settings.items()
    }
