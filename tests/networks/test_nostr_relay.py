"""The Nostr connector on a real relay (nostr-relay)."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from contentcaster.clock import utc_now
from contentcaster.platforms import get_connector
from contentcaster.platforms.base import Channel
from contentcaster.security.egress import EgressClient
from tests.networks.node_server import free_port
from tests.networks.python_server import installed
from tests.platforms.channels import connect, make_post, send

NOSTR = get_connector("nostr")
_CONFIG = """
DEBUG: false
relay_name: contentcaster test relay
storage:
  sqlalchemy.url: sqlite+aiosqlite:///{data}/nostr.sqlite3
  num_concurrent_reqs: 10
  num_concurrent_adds: 2
  validators:
    - nostr_relay.validators.is_not_too_large
    - nostr_relay.validators.is_signed
    - nostr_relay.validators.is_recent
verification: {{nip05_verification: disabled}}
gunicorn: {{bind: "127.0.0.1:{port}", workers: 1, loglevel: warning, reload: false}}
authentication: {{enabled: false}}
"""


@pytest.fixture(scope="module")
def relay() -> Iterator[str]:
    try:
        program, port = installed("nostr-relay", "1.14") / "nostr-relay", free_port()
    except subprocess.CalledProcessError:
        if os.environ.get("CI") or os.environ.get("TEST_NETWORKS") == "1":
            raise
        pytest.skip("the relay's packages cannot be downloaded here")
    with tempfile.TemporaryDirectory() as data, tempfile.TemporaryFile("w+") as output:
        config = Path(data) / "config.yaml"
        config.write_text(_CONFIG.format(data=data, port=port))
        process = subprocess.Popen(
            [str(program), "-c", str(config), "serve"], cwd=data, stdout=output, stderr=output
        )
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > deadline:
                        output.seek(0)
                        raise RuntimeError(f"the relay did not start: {output.read()[-2000:]}") from None
                    time.sleep(0.2)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(15)


def on(relay: str, test: Callable[[Channel], Awaitable[None]]) -> None:
    async def inner() -> None:
        async with EgressClient(allow=frozenset({relay}), deadline_seconds=10) as client:
            credentials = {"secret_key": secrets.token_hex(32), "relays": f"ws://{relay}"}
            channel, _ = await connect(NOSTR, client, credentials)
            await test(channel)

    asyncio.run(asyncio.wait_for(inner(), 60))


def test_a_post_is_taken_found_and_a_repeat_is_the_same(relay: str) -> None:
    async def test(channel: Channel) -> None:
        options = {"content_warning": "Spoiler"}
        post = make_post(NOSTR, "Grüße 👩‍👩‍👧 https://example.com #Tag", options=options)
        first = await send(NOSTR, channel, post)
        assert (await send(NOSTR, channel, post)).id == first.id
        found = await NOSTR.find_own_post(post, channel, utc_now())
        assert found.found is not None and found.found.id == first.id
        absent = await NOSTR.find_own_post(make_post(NOSTR, "Never sent"), channel, utc_now())
        assert absent.is_certainly_absent

    on(relay, test)


def test_a_thread_is_taken_and_a_deleted_post_is_gone(relay: str) -> None:
    async def test(channel: Channel) -> None:
        post = make_post(NOSTR, "One")
        first = await send(NOSTR, channel, post)
        second = await send(NOSTR, channel, make_post(NOSTR, "Two", reply_to=first))
        await send(NOSTR, channel, make_post(NOSTR, "Three", reply_to=second))
        await NOSTR.delete(first, channel)
        assert (await NOSTR.find_own_post(post, channel, utc_now())).is_certainly_absent
        await NOSTR.delete(first, channel)

    on(relay, test)
