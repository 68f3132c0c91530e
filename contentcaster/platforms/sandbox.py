"""The built-in sandbox network: a name is enough to connect.

It speaks the Mastodon API, so its connector is Mastodon's with another way of connecting and another name. The address
is that of this server's own sandbox (`Settings.sandbox_url`), never one that a person types.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from contentcaster.platforms.base import Capabilities, Identity, NotSent, OutcomeUnknown, Rejected
from contentcaster.platforms.calls import about, json_object, send
from contentcaster.platforms.mastodon import MastodonConnector
from contentcaster.security.egress import EgressClient
from contentcaster.settings import get_settings


class SandboxCredentials(BaseModel):
    model_config = ConfigDict(extra="forbid")

    handle: str = Field(
        title="Handle",
        description="Any name; the account is made on the sandbox network if it is new.",
        min_length=1,
        max_length=60,
        json_schema_extra={"placeholder": "ada"},
    )


class SandboxConnector(MastodonConnector):
    capabilities: ClassVar[Capabilities] = replace(
        MastodonConnector.capabilities,
        platform="sandbox",
        name="Sandbox",
        color="#7c66dc",
        docs_url="",
        proven_on="itself",
    )
    Credentials: ClassVar[type[BaseModel]] = SandboxCredentials

    async def verify(self, credentials: BaseModel, client: EgressClient) -> tuple[Identity, dict[str, Any]]:
        assert isinstance(credentials, SandboxCredentials)
        settings = get_settings()
        if not settings.is_sandbox_on:
            raise Rejected("The sandbox network is off on this server.")
        url, handle = settings.sandbox_url, credentials.handle.strip().lstrip("@")
        body = {"handle": handle, "protocol": "mastodon"}
        try:
            response = await send(client, "POST", f"{url}/sandbox/accounts", json=body)
        except (NotSent, OutcomeUnknown) as error:
            raise NotSent(
                f"The sandbox network does not answer at {url}. Start it with `contentcaster sandbox`.",
                diagnostics=error.diagnostics,
            ) from None
        account = json_object(response)
        if not response.is_success or not account.get("access_token"):
            reason = str(account.get("error") or "The sandbox network refuses this handle.")[:200]
            raise Rejected(reason, **about(response))
        identity = await self._identify(client, url, account["access_token"])
        return identity, {"instance_url": url, "access_token": account["access_token"]}

    def _handle(self, name: str, domain: str) -> str:
        return f"@{name}"  # the sandbox's domain is an address and a port: no help to anyone
