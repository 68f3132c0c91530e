"""An installation of an earlier release is upgraded with its data, and the product goes on with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect
from sqlmodel import select

from contentcaster import migrations
from contentcaster.db import Database
from contentcaster.models import PostStatus, Role, User
from contentcaster.sandbox.client import SandboxThread
from contentcaster.sandbox.settings import SandboxSettings
from contentcaster.security.permissions import Principal
from contentcaster.security.vault import get_vault
from contentcaster.services import audit_chain, auth, failed_tasks, posts, timeline
from tests.services_for_tests import factories, postgres
from tests.services_for_tests.programs import free_port, wait_until
from tests.services_for_tests.stack import Servers, Stack, activated, as_environment
from tests.tasks.product_kit import Product
from tests.upgrade.release import ENCRYPTION_KEYS, PASSWORD, SECRET_KEY, Release, all_releases, load

RELEASES = all_releases()
# Also from the first migration of all: every step between has met rows.
STARTS = [(release, release.revision) for release in RELEASES] + [(RELEASES[0], "0001")]


@dataclass
class Installation:
    """The database of an earlier release, with its rows; not migrated yet."""

    stack: Stack
    release: Release
    sandbox: SandboxThread

    @property
    def database(self) -> Database:
        return self.stack.database


@pytest.fixture(params=["sqlite", "postgres"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=STARTS, ids=lambda start: f"{start[0].version} at {start[1]}")
def installation(
    request: pytest.FixtureRequest, dialect: str, servers: Servers, tmp_path: Path
) -> Iterator[Installation]:
    release, revision = request.param
    port = free_port()
    with _empty_database(dialect, servers, tmp_path) as own:
        environment = as_environment(
            data_dir=tmp_path,
            sandbox_port=port,
            secret_key=SECRET_KEY,
            encryption_keys=ENCRYPTION_KEYS,
            publish_lead_seconds=0.5,
            **own,
        )
        with activated(dialect, environment) as stack, SandboxThread(SandboxSettings(port=port)) as sandbox:
            migrations.upgrade(stack.database, revision)
            load(stack.database, _on_this_sandbox(release, sandbox))
            yield Installation(stack, release, sandbox)


@contextmanager
def _empty_database(dialect: str, servers: Servers, folder: Path) -> Iterator[dict[str, str]]:
    if dialect == "sqlite":
        yield {"database_url": f"sqlite:///{folder / 'old.sqlite'}"}
        return
    name = f"cc_upgrade_{free_port()}"
    try:
        yield {
            "database_url": postgres.create_database(servers.admin_url(), name),
            "redis_url": servers.new_redis_url(),
        }
    finally:
        postgres.drop_database(servers.admin_url(), name)


def _on_this_sandbox(release: Release, sandbox: SandboxThread) -> Release:
    """The recording with the network's address and logins of now: those that were recorded are long gone."""
    accounts = []
    for row in release.rows("account"):
        login = sandbox.control.account(row["handle"].lstrip("@"))
        credentials = {"instance_url": sandbox.base_url, "access_token": login["access_token"]}
        sealed = get_vault().encrypt(
            json.dumps(credentials), table="account", row_id=row["id"], column="credentials_encrypted"
        )
        accounts.append({**row, "instance_url": sandbox.base_url, "credentials_encrypted": sealed})
    tables: Mapping[str, Any] = {**release.tables, "account": accounts}
    return replace(release, tables=tables)


def test_an_upgraded_installation_reads_what_it_had_and_publishes_what_it_had_scheduled(
    installation: Installation,
) -> None:
    before, after = migrations.upgrade(installation.database)
    assert before is not None
    assert migrations.is_current(installation.database)
    assert after == migrations.head()
    assert migrations.pending_changes(installation.database) == []
    ada = _sign_in(installation)

    _reads_everything(installation, ada)
    _publishes(installation, ada)


def _sign_in(installation: Installation) -> Principal:
    """With the password of before the upgrade."""
    database = installation.database
    client = auth.Client(ip="192.0.2.1", user_agent="test")
    assert auth.sign_in_api(database, email="ada@example.org", password=PASSWORD, client=client).access_token
    with database.reading() as session:
        user = session.exec(select(User).where(User.email == "ada@example.org")).one()
        return factories.principal_for(user)


def _reads_everything(installation: Installation, ada: Principal) -> None:
    recorded = {row["id"]: row for row in installation.release.rows("post")}
    with installation.database.reading() as session:
        listed = posts.list_posts(session, ada, limit=100).items
        assert {post.id for post in listed} == set(recorded)
        for post_id, row in recorded.items():
            post = posts.get_post(session, ada, post_id)
            assert (post.text, post.status) == (row["text"], row["status"])
            assert timeline.get_timeline(session, ada, post_id)
        (task,) = failed_tasks.list_failed_tasks(session, ada).items
        assert "Refused" in task.text
        assert session.get_one(User, ada.user_id).role is Role.ADMIN
        report = audit_chain.verify(session)
        assert report.problem == ""
        assert report.events + report.older >= len(installation.release.rows("audit_event"))


def _publishes(installation: Installation, ada: Principal) -> None:
    (row,) = [row for row in installation.release.rows("post") if row["text"].startswith("Scheduled")]
    product = Product(installation.stack, installation.sandbox.control, ada)
    with product.sender():
        with installation.database.transaction() as session:
            version = posts.get_post(session, ada, row["id"]).version
            posts.publish_now(session, ada, row["id"], version=version)
        wait_until(
            lambda: product.status(row["id"]) is PostStatus.PUBLISHED,
            what="the post of the release before to be published",
            seconds=30,
        )
    assert len(product.on_network(row["text"])) == len(
        [target for target in installation.release.rows("target") if target["post_id"] == row["id"]]
    )


def test_the_processes_of_the_release_before_can_go_on_writing_after_the_migration(
    dialect: str, servers: Servers, tmp_path: Path
) -> None:
    """Expand and contract: the tables are migrated first, while the old web and worker processes still run. Rows as the
    old release writes them, with its columns alone, must be taken, and everything that it reads must still be there."""
    release = RELEASES[-1]
    with _empty_database(dialect, servers, tmp_path) as own:
        environment = as_environment(
            data_dir=tmp_path, secret_key=SECRET_KEY, encryption_keys=ENCRYPTION_KEYS, **own
        )
        with activated(dialect, environment) as stack:
            migrations.upgrade(stack.database, release.revision)
            old = _shape(stack.database)
            migrations.upgrade(stack.database)
            new = _shape(stack.database)
            assert [problem for table in old for problem in _lost(table, old[table], new.get(table))] == []

            load(stack.database, _only_columns_of(release, old))
            with stack.database.engine.connect() as connection:
                for table, columns in old.items():
                    names = ", ".join(f'"{name}"' for name in columns)
                    connection.exec_driver_sql(f'SELECT {names} FROM "{table}"').all()


Shape = dict[str, dict[str, Any]]


def _shape(database: Database) -> Shape:
    """Table -> column -> how it is declared; full-text tables are the database's own and left out."""
    inspector = inspect(database.engine)
    return {
        name: {column["name"]: column for column in inspector.get_columns(name)}
        for name in inspector.get_table_names()
        if not name.startswith("fts_") and name != "alembic_version"
    }


def _lost(table: str, old: dict[str, Any], new: dict[str, Any] | None) -> list[str]:
    """What of a table the release before would miss or could not write any more, in words."""
    if new is None:
        return [f"table {table} is gone"]
    problems = [f"{table}.{name} is gone" for name in old.keys() - new.keys()]
    for name, column in new.items():
        if name not in old:
            if not column["nullable"] and column["default"] is None:
                problems.append(f"{table}.{name} is new, required and has no default of the database")
        elif old[name]["nullable"] and not column["nullable"]:
            problems.append(f"{table}.{name} may not be empty any more")
        elif old[name]["type"]._type_affinity is not column["type"]._type_affinity:
            problems.append(f"{table}.{name} has another type")
        elif (getattr(column["type"], "length", None) or 10**9) < (
            getattr(old[name]["type"], "length", None) or 0
        ):
            problems.append(f"{table}.{name} has become shorter")
    return problems


def _only_columns_of(release: Release, shape: Shape) -> Release:
    tables = {
        name: [{key: value for key, value in row.items() if key in shape[name]} for row in rows]
        for name, rows in release.tables.items()
        if name in shape
    }
    return replace(release, tables=tables)


TAKEN_AWAY = {
    "ALTER TABLE app_user DROP COLUMN last_seen_at": "app_user.last_seen_at is gone",
    "ALTER TABLE app_user RENAME COLUMN name TO full_name": "app_user.name is gone",
    "DROP TABLE snippet": "table snippet is gone",
    "ALTER TABLE post ADD COLUMN mood varchar(9) NOT NULL": "post.mood is new, required and has no default of the "
    "database",
    "ALTER TABLE account ALTER COLUMN deleted_at SET NOT NULL": "account.deleted_at may not be empty any more",
    "ALTER TABLE app_user ALTER COLUMN version TYPE varchar(20)": "app_user.version has another type",
    "ALTER TABLE app_user ALTER COLUMN email TYPE varchar(30)": "app_user.email has become shorter",
}


def test_a_migration_that_takes_something_away_would_be_noticed(postgres_stack: Stack) -> None:
    old = _shape(postgres_stack.database)
    with postgres_stack.database.engine.begin() as connection:
        for statement in TAKEN_AWAY:
            connection.exec_driver_sql(statement)
    new = _shape(postgres_stack.database)

    found = [problem for table in old for problem in _lost(table, old[table], new.get(table))]

    assert set(TAKEN_AWAY.values()) <= set(found)
