"""Media in a bucket: signed as AWS documents it, kept on a server that checks signatures, fetched by another host."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from contentcaster.errors import Unavailable
from contentcaster.security.s3 import Bucket, StorageRefused, signed_headers
from contentcaster.services import media_storage
from contentcaster.settings import Settings, SettingsError, load_settings

KEYS = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")


def test_the_signature_is_the_one_that_aws_publishes_for_its_example() -> None:
    bucket = Bucket("https://examplebucket.s3.amazonaws.com", "", "us-east-1", *KEYS)
    headers = signed_headers(
        bucket,
        "GET",
        "https://examplebucket.s3.amazonaws.com/test.txt",
        b"",
        at=datetime(2013, 5, 24, tzinfo=UTC),
        more={"Range": "bytes=0-9"},
    )
    assert headers["Authorization"].endswith(
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


class _Server(BaseHTTPRequestHandler):
    """Objects in memory; whatever is not signed with the right keys over the right content is refused."""

    objects: dict[str, bytes]
    fails: list[int]

    def _serve(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.fails:
            return self._answer(self.fails.pop())
        if not self._is_signed(content):
            return self._answer(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        if self.command == "PUT":
            self.objects[self.path] = content
            return self._answer(200)
        if self.command == "DELETE":
            self.objects.pop(self.path, None)
            return self._answer(204)
        if self.path not in self.objects:
            return self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        return self._answer(200, self.objects[self.path])

    do_GET = do_PUT = do_DELETE = _serve  # noqa: N815 - the names that http.server calls

    def _is_signed(self, content: bytes) -> bool:
        given = self.headers["authorization"]
        names = given.split("SignedHeaders=")[1].split(",")[0].split(";")
        at = datetime.strptime(self.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        more = {name: self.headers[name] for name in names if name == "content-type"}
        bucket = Bucket(f"http://{self.headers['host']}", "media", "us-east-1", *KEYS)
        expected = signed_headers(
            bucket, self.command, f"http://{self.headers['host']}{self.path}", content, at=at, more=more
        )
        is_whole = hashlib.sha256(content).hexdigest() == self.headers["x-amz-content-sha256"]
        return is_whole and given == expected["Authorization"]

    def _answer(self, status: int, content: bytes = b"") -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Any]:
    handler = type("Handler", (_Server,), {"objects": {}, "fails": []})
    running = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    running.handler = handler  # type: ignore[attr-defined]
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def host(server: Any, folder: Path, secret: str = KEYS[1]) -> Settings:
    port = server.server_port
    return load_settings(
        data_dir=folder,
        egress_allow=(f"127.0.0.1:{port}",),
        s3_endpoint=f"http://127.0.0.1:{port}",
        s3_bucket="media",
        s3_access_key_id=KEYS[0],
        s3_secret_access_key=SecretStr(secret),
    )


def test_what_one_host_keeps_another_fetches_once(server: Any, tmp_path: Path) -> None:
    first, second = host(server, tmp_path / "a"), host(server, tmp_path / "b")
    content = b"\x89PNG" + bytes(3_000_000)
    media_storage.keep_file(first, "ab/01 picture.png", content)
    assert list(server.handler.objects) == ["/media/ab/01%20picture.png"]
    assert media_storage.local_file(second, "ab/01 picture.png").read_bytes() == content
    server.handler.objects.clear()
    assert media_storage.local_file(second, "ab/01 picture.png").read_bytes() == content, "cached"
    assert not media_storage.local_file(second, "ab/none.png").is_file()


def test_an_outage_and_wrong_keys_are_told_apart_and_leave_nothing_half_kept(
    server: Any, tmp_path: Path
) -> None:
    good, bad = host(server, tmp_path / "a"), host(server, tmp_path / "b", secret="wrong")
    server.handler.fails.append(503)
    with pytest.raises(Unavailable):
        media_storage.keep_file(good, "ab/1.png", b"x")
    media_storage.drop_file(good, "ab/1.png")
    with pytest.raises(StorageRefused, match="S3 settings"):
        media_storage.keep_file(bad, "ab/2.png", b"x")
    assert server.handler.objects == {}


def test_half_a_setting_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="go together"):
        load_settings(data_dir=tmp_path, s3_endpoint="https://s3.example.org")
