"""A real Synapse, installed once from PyPI into a cache and started on loopback with a room-owning account."""

from __future__ import annotations

import hashlib
import hmac
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.networks.node_server import free_port
from tests.networks.python_server import installed

VERSION = "1.163.2"
_SECRET = "registration-secret"
_CONFIG = """
server_name: "localhost"
pid_file: {data}/homeserver.pid
listeners:
  - {{port: {port}, bind_addresses: ['127.0.0.1'], tls: false, type: http, x_forwarded: false,
      resources: [{{names: [client], compress: false}}]}}
database: {{name: sqlite3, args: {{database: {data}/homeserver.db}}}}
media_store_path: {data}/media
registration_shared_secret: "{secret}"
report_stats: false
macaroon_secret_key: "macaroon"
form_secret: "form"
signing_key_path: "{data}/signing.key"
trusted_key_servers: []
suppress_key_server_warning: true
url_preview_enabled: false
rc_message: {{per_second: 1000, burst_count: 1000}}
rc_joins: {{local: {{per_second: 1000, burst_count: 1000}}}}
rc_registration: {{per_second: 1000, burst_count: 1000}}
"""


class Synapse:
    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def new_user(self, name: str) -> dict[str, Any]:
        """user_id and access_token, by the shared secret of the server's own registration tool."""
        nonce = self.http.get("/_synapse/admin/v1/register").json()["nonce"]
        parts = "\x00".join([nonce, name, "password", "notadmin"])
        mac = hmac.new(_SECRET.encode(), parts.encode(), hashlib.sha1).hexdigest()
        body = {"nonce": nonce, "username": name, "password": "password", "admin": False, "mac": mac}
        answer = self.http.post("/_synapse/admin/v1/register", json=body)
        answer.raise_for_status()
        created: dict[str, Any] = answer.json()
        return created

    def new_room(self, token: str, **more: Any) -> str:
        answer = self._as(token).post("/_matrix/client/v3/createRoom", json={"preset": "public_chat", **more})
        answer.raise_for_status()
        return str(answer.json()["room_id"])

    def messages(self, token: str, room: str) -> list[dict[str, Any]]:
        answer = self._as(token).get(
            f"/_matrix/client/v3/rooms/{room}/messages", params={"dir": "b", "limit": 100}
        )
        chunk: list[dict[str, Any]] = answer.json()["chunk"]
        return [event for event in chunk if event["type"] == "m.room.message"]

    def _as(self, token: str) -> httpx.Client:
        self.http.headers["Authorization"] = f"Bearer {token}"
        return self.http


@contextmanager
def synapse() -> Iterator[Synapse]:
    """From the first answer of the server until the block ends."""
    python, port = installed("matrix-synapse", VERSION) / "python", free_port()
    with tempfile.TemporaryDirectory() as data, tempfile.TemporaryFile("w+") as output:
        config = Path(data) / "homeserver.yaml"
        config.write_text(_CONFIG.format(data=data, port=port, secret=_SECRET))
        command = [str(python), "-m", "synapse.app.homeserver", "--config-path", str(config)]
        subprocess.run([*command, "--generate-keys"], check=True, cwd=data, stdout=output, stderr=output)
        process = subprocess.Popen(command, cwd=data, stdout=output, stderr=output)
        try:
            _await_answer(f"http://127.0.0.1:{port}/_matrix/client/versions", process, output)
            yield Synapse(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_answer(url: str, process: subprocess.Popen[bytes], output: Any) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    output.seek(0)
    raise RuntimeError(f"Synapse did not start: {output.read()[-2000:]}")
