"""Migrations: both dialects reach exactly the tables that the code declares."""

from __future__ import annotations

import threading

from contentcaster import migrations
from contentcaster.db import Database
from contentcaster.settings import load_settings
from tests.services_for_tests.stack import Servers, Stack


def test_the_migrated_database_and_the_tables_in_the_code_agree(stack: Stack) -> None:
    assert migrations.is_current(stack.database)
    assert migrations.pending_changes(stack.database) == []


def test_a_missing_migration_would_be_noticed(stack: Stack) -> None:
    with stack.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE job ADD COLUMN forgotten INTEGER")
    assert any("forgotten" in str(change) for change in migrations.pending_changes(stack.database))


def test_migrating_twice_changes_nothing(stack: Stack) -> None:
    before, after = migrations.upgrade(stack.database)
    assert before == after


def test_a_database_that_a_newer_version_has_migrated_is_used_and_left_as_it_is(stack: Stack) -> None:
    """The old processes may have to be started again while, or after, the next version migrates."""
    with stack.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert migrations.is_usable(stack.database) and not migrations.is_current(stack.database)
    assert migrations.upgrade(stack.database) == ("9999", "9999")
    with stack.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0003'")
    assert not migrations.is_usable(stack.database)


def test_two_processes_that_start_together_do_not_both_migrate(servers: Servers) -> None:
    from tests.services_for_tests import postgres

    admin = servers.admin_url()
    url = postgres.create_database(admin, "cc_migrate_race")
    database = Database(load_settings(database_url=url, secret_key="x" * 40, encryption_keys="unused"))
    outcomes: list[tuple[str | None, str | None]] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(migrations.upgrade(database))) for _ in range(2)
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(before is None for before, _ in outcomes) == [False, True]
        assert migrations.is_current(database)
    finally:
        database.dispose()
        postgres.drop_database(admin, "cc_migrate_race")
