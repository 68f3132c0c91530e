"""Fixtures for every test: the two stacks on real servers, and servers that a test may break.

    stack                one test on each of SQLite + SqliteHuey and Postgres + Redis; `.settings`, `.database`
    sqlite_stack         only the one or the other
    postgres_stack
    disposable_postgres  an own server each, with .stop(immediate=True), .start(), .kill9() on a stable port
    disposable_redis
    disposable_stack     a Postgres + Redis stack on these two
    settings             plain settings in a folder of the test's own, no database

`@pytest.mark.settings(publish_lead_seconds=0.5)` changes settings for one test. While a stack is there,
`get_settings()` and `get_database()` give the same settings and database as the fixture.

CONTENTCASTER_TEST_POSTGRES_URL (a role that may create databases) and CONTENTCASTER_TEST_REDIS_URL (is flushed!)
name servers to use; else programs found on the machine run, else those in the wheels.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from contentcaster.settings import Settings, load_settings
from tests.services_for_tests import postgres, programs
from tests.services_for_tests.postgres import PostgresServer
from tests.services_for_tests.redis_server import RedisServer
from tests.services_for_tests.stack import (
    Servers,
    Stack,
    activated,
    as_environment,
    environment_of,
    migrated_database,
)

# Taken out of the environment, where the product would refuse them as unknown settings.
_POSTGRES_URL = os.environ.pop("CONTENTCASTER_TEST_POSTGRES_URL", "")
_REDIS_URL = os.environ.pop("CONTENTCASTER_TEST_REDIS_URL", "")


@pytest.fixture(scope="session", autouse=True)
def _no_inherited_settings() -> Iterator[None]:
    with environment_of({}):
        yield


@pytest.fixture(scope="session")
def servers(_no_inherited_settings: None) -> Iterator[Servers]:
    """The Postgres and Redis that the tests of this run share."""
    running = Servers(
        postgres_url=re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", _POSTGRES_URL),
        redis_url=_REDIS_URL,
    )
    yield running
    running.close()
    postgres.forget_clusters()
    programs.forget_copies()


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path / "data", **_marked_settings(request))


@pytest.fixture(params=["sqlite", "postgres"])
def stack(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> Iterator[Stack]:
    with _stack(request.param, request, servers, tmp_path) as built:
        yield built


@pytest.fixture
def sqlite_stack(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> Iterator[Stack]:
    with _stack("sqlite", request, servers, tmp_path) as built:
        yield built


@pytest.fixture
def postgres_stack(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> Iterator[Stack]:
    with _stack("postgres", request, servers, tmp_path) as built:
        yield built


@pytest.fixture
def disposable_postgres(servers: Servers) -> Iterator[PostgresServer]:
    server = PostgresServer.create()
    yield server
    server.close()


@pytest.fixture
def disposable_redis() -> Iterator[RedisServer]:
    server = RedisServer.create()
    yield server
    server.close()


@pytest.fixture
def disposable_stack(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    disposable_postgres: PostgresServer,
    disposable_redis: RedisServer,
) -> Iterator[Stack]:
    """Postgres + Redis on servers that this test may stop and kill."""
    url = migrated_database(disposable_postgres.url(), "contentcaster")
    environment = _environment(request, tmp_path, database_url=url, redis_url=disposable_redis.url())
    with activated("postgres", environment) as built:
        yield built


@contextmanager
def _stack(name: str, request: pytest.FixtureRequest, servers: Servers, folder: Path) -> Iterator[Stack]:
    with ExitStack() as stack:
        if name == "postgres":
            url = stack.enter_context(servers.new_postgres_database())
            environment = _environment(request, folder, database_url=url, redis_url=servers.new_redis_url())
        else:
            data_dir = folder / "data"
            data_dir.mkdir(mode=0o700)
            environment = _environment(request, folder, database_url=servers.new_sqlite_database(data_dir))
        yield stack.enter_context(activated(name, environment))


def _environment(request: pytest.FixtureRequest, folder: Path, **own: object) -> dict[str, str]:
    return as_environment(**({"data_dir": folder / "data"} | own | _marked_settings(request)))


def _marked_settings(request: pytest.FixtureRequest) -> dict[str, object]:
    marked: dict[str, object] = {}
    for marker in reversed(list(request.node.iter_markers("settings"))):
        marked |= marker.kwargs
    return marked
