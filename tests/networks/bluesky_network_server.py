"""The whole Bluesky network on loopback: a PLC directory, a PDS and the AppView, with Postgres and Redis of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from tests.networks.node_server import free_port, running
from tests.services_for_tests import programs
from tests.services_for_tests.postgres import PostgresServer


@contextmanager
def bluesky_network() -> Iterator[str]:
    """The PDS's address; it passes reads on to the AppView, as on the real network."""
    postgres = PostgresServer.create()
    try:
        with _redis_without_password() as redis_port:
            ports = [free_port() for _ in range(3)]
            url = postgres.url().replace("postgresql+psycopg://", "postgresql://")
            arguments = [*map(str, ports), url, f"127.0.0.1:{redis_port}"]
            with running(Path(__file__).parent / "bluesky_network", *arguments):
                yield f"http://127.0.0.1:{ports[1]}"
    finally:
        postgres.close()


@contextmanager
def _redis_without_password() -> Iterator[int]:
    """The AppView's development environment signs in to none."""
    port = free_port()
    process = subprocess.Popen(
        [
            programs.find_redis(),
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        with redis.Redis(port=port) as client:
            programs.wait_until(lambda: _answers(client), what="Redis to answer")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
