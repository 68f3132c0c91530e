"""The contract suite over every connector that a server in this process can answer."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from contentcaster.platforms import get_connector
from contentcaster.sandbox.client import SandboxThread
from contentcaster.sandbox.settings import SandboxSettings
from tests.platforms.contract import ConnectorContract


class _OnSandbox(ConnectorContract):
    sandbox: SandboxThread

    @pytest.fixture(autouse=True)
    def _use(self, shared_sandbox: SandboxThread) -> None:
        self.sandbox = shared_sandbox

    def upstream(self) -> str:
        return self.sandbox.base_url

    def account(self) -> dict[str, Any]:
        return self.sandbox.control.account(f"c{uuid.uuid4().hex[:10]}")

    def visible(self, text: str) -> list[str]:
        return [post["id"] for post in self.sandbox.control.posts() if post["text"] == text]


class TestMastodon(_OnSandbox):
    connector = get_connector("mastodon")
    publish_path = "/api/v1/statuses"

    def new_credentials(self, proxy_url: str) -> dict[str, Any]:
        return {"instance_url": proxy_url, "access_token": self.account()["access_token"]}


class TestMastodonApiWithoutIdempotencyKeys(TestMastodon):
    """Other software with this API ignores the key: the own statuses are the only proof."""

    @pytest.fixture(autouse=True)
    def _use(self, keyless_sandbox: SandboxThread) -> None:
        self.sandbox = keyless_sandbox

    @pytest.fixture(scope="class")
    def keyless_sandbox(self) -> Any:
        with SandboxThread(SandboxSettings()) as sandbox:
            sandbox.control.config(software="gotosocial")
            yield sandbox


class TestBluesky(_OnSandbox):
    connector = get_connector("bluesky")
    publish_path = "/xrpc/com.atproto.repo.putRecord"

    def new_credentials(self, proxy_url: str) -> dict[str, Any]:
        account = self.account()
        return {
            "service_url": proxy_url,
            "identifier": account["at_handle"],
            "app_password": account["app_password"],
        }
