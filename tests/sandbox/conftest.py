"""A sandbox network per test module, empty at the start of each test, and people who use it over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from contentcaster.sandbox.client import SandboxControl, SandboxThread
from contentcaster.sandbox.ids import Tids

POST = "app.bsky.feed.post"
CREATED_AT = "2026-11-24T21:15:47.937Z"


class MastodonPerson:
    """An account that uses the Mastodon API."""

    def __init__(self, base_url: str, account: dict[str, Any]) -> None:
        self.account, self.handle, self.id = account, account["handle"], account["id"]
        headers = {"Authorization": f"Bearer {account['access_token']}"}
        self.http = httpx.Client(base_url=base_url, headers=headers, timeout=10, trust_env=False)

    def post(self, text: str, key: str | None = None, **more: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return self.http.post("/api/v1/statuses", json={"status": text, **more}, headers=headers)


class BlueskyPerson:
    """An account that uses XRPC."""

    def __init__(self, base_url: str, account: dict[str, Any]) -> None:
        self.account, self.handle, self.did = account, account["handle"], account["did"]
        self.http = httpx.Client(base_url=f"{base_url}/xrpc/", timeout=10, trust_env=False)
        self.tids = Tids()
        self.sign_in()

    def sign_in(self) -> None:
        body = {"identifier": self.handle, "password": self.account["app_password"]}
        response = self.http.post("com.atproto.server.createSession", json=body)
        assert response.status_code == 200, response.text
        self.session = response.json()
        self.http.headers["Authorization"] = f"Bearer {self.session['accessJwt']}"

    def call(self, method: str, **body: Any) -> httpx.Response:
        return self.http.post(f"com.atproto.repo.{method}", json={"repo": self.did, **body})

    def put(self, record: dict[str, Any], rkey: str | None = None, **more: Any) -> httpx.Response:
        collection = record.get("$type", POST)
        return self.call(
            "putRecord", collection=collection, rkey=rkey or self.tids.next(), record=record, **more
        )

    def create(self, record: dict[str, Any], **more: Any) -> httpx.Response:
        return self.call("createRecord", collection=record.get("$type", POST), record=record, **more)


def post_record(text: str, **more: Any) -> dict[str, Any]:
    return {"$type": POST, "text": text, "createdAt": CREATED_AT, **more}


@pytest.fixture(scope="module")
def sandbox_server() -> Iterator[SandboxThread]:
    with SandboxThread() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(sandbox_server: SandboxThread) -> SandboxThread:
    sandbox_server.control.reset()
    return sandbox_server


@pytest.fixture
def control(sandbox: SandboxThread) -> SandboxControl:
    return sandbox.control


@pytest.fixture
def alice(sandbox: SandboxThread) -> Iterator[MastodonPerson]:
    person = MastodonPerson(sandbox.base_url, sandbox.control.account("alice"))
    yield person
    person.http.close()


@pytest.fixture
def bob(sandbox: SandboxThread) -> Iterator[MastodonPerson]:
    person = MastodonPerson(sandbox.base_url, sandbox.control.account("bob"))
    yield person
    person.http.close()


@pytest.fixture
def ada(sandbox: SandboxThread) -> Iterator[BlueskyPerson]:
    person = BlueskyPerson(sandbox.base_url, sandbox.control.account("ada"))
    yield person
    person.http.close()


@pytest.fixture
def grace(sandbox: SandboxThread) -> Iterator[BlueskyPerson]:
    person = BlueskyPerson(sandbox.base_url, sandbox.control.account("grace"))
    yield person
    person.http.close()
