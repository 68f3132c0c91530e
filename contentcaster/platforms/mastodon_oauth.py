"""The Mastodon API by OAuth: an app is registered at each server by itself, then code and PKCE.

Sources: docs.joinmastodon.org/methods/apps, /methods/oauth and /api/oauth-scopes (PKCE since 4.3; older servers ignore
the challenge), the OpenAPI description of Mastodon 4.7. Tokens do not end; a person can revoke them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contentcaster.platforms.base import Identity, Rejected
from contentcaster.platforms.calls import about, json_object, rate_limited, reading_failed, send
from contentcaster.platforms.mastodon import MastodonConnector, MastodonCredentials
from contentcaster.platforms.mastodon_instance import as_server_url, server_host
from contentcaster.platforms.oauth import App, Chosen, Endpoints, Grant, Scope, StartField
from contentcaster.security.egress import EgressClient

_APP_NAME = "ContentCaster"


class MastodonOAuth:
    platform = "mastodon"
    name = "Mastodon"
    scopes: tuple[Scope, ...] = (
        Scope("read", "know whose account this is, find own posts again, count"),
        Scope("write", "publish and delete posts, upload pictures"),
    )
    uses_pkce = True
    registers_itself = True
    app_url = ""
    app_steps: tuple[str, ...] = ()
    fields: tuple[StartField, ...] = (
        StartField(
            "instance_url",
            "Server",
            "The address of the server your account is on, or your whole handle.",
            "mastodon.social",
        ),
    )

    def server_url(self, values: Mapping[str, str]) -> str:
        return as_server_url(values.get("instance_url", ""))

    def endpoints(self, server_url: str) -> Endpoints:
        return Endpoints(f"{server_url}/oauth/authorize", f"{server_url}/oauth/token")

    async def register(self, server_url: str, redirect_uri: str, website: str, client: EgressClient) -> App:
        """POST /api/v1/apps. Raises Rejected where no such server is."""
        host = server_host(server_url)
        body = {
            "client_name": _APP_NAME,
            "redirect_uris": redirect_uri,
            "scopes": " ".join(scope.name for scope in self.scopes),
            "website": website,
        }
        response = await send(client, "POST", f"{server_url}/api/v1/apps", data=body)
        app = json_object(response)
        if response.status == 429:
            raise rate_limited(host, response)
        if response.status >= 500:
            raise reading_failed(host, response)
        client_id, secret = app.get("client_id"), app.get("client_secret")
        if not response.is_success or not isinstance(client_id, str) or not isinstance(secret, str):
            raise Rejected(
                f"{host} does not let apps register, or does not speak the Mastodon API. Check the address.",
                **about(response) | {"diagnostics": f"HTTP {response.status}"},
            )
        return App(client_id, secret)

    async def identify(
        self, grant: Grant, app: App, chosen: Chosen, client: EgressClient
    ) -> tuple[Identity, dict[str, Any]]:
        credentials = MastodonCredentials.model_validate(
            {"instance_url": chosen.server_url, "access_token": grant.access_token}
        )
        identity, stored = await MastodonConnector().verify(credentials, client)
        if grant.scopes:
            identity.limits["scopes"] = list(grant.scopes)
        return identity, stored
