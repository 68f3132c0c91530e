"""X by OAuth 2.0 with PKCE (docs.x.com, OAuth 2.0 Authorization Code Flow with PKCE; a code is good for 30 seconds)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contentcaster.platforms import x_api
from contentcaster.platforms.base import Identity
from contentcaster.platforms.oauth import App, Chosen, Endpoints, Grant, Scope, StartField
from contentcaster.platforms.oauth_session import stored_tokens
from contentcaster.platforms.x import identify
from contentcaster.security.egress import EgressClient


class XOAuth:
    platform = "x"
    name = x_api.NAME
    scopes: tuple[Scope, ...] = (
        Scope("tweet.read", "find our own posts again after a doubt, and count"),
        Scope("tweet.write", "publish and delete posts"),
        Scope("users.read", "know whose account this is"),
        Scope("media.write", "upload pictures", is_required=False),
        Scope("offline.access", "renew the login without asking you every two hours"),
    )
    uses_pkce = True
    registers_itself = False
    app_url = "https://console.x.com"
    app_steps: tuple[str, ...] = (
        "Create an app in X's developer console, with the type Web App (a confidential client).",
        "Under User authentication settings choose Read and write.",
        "Paste the address below as its callback URI, exactly as it stands.",
        "Copy the OAuth 2.0 Client ID and Client Secret from Keys and tokens. X charges the app for each call.",
    )
    fields: tuple[StartField, ...] = ()

    def server_url(self, values: Mapping[str, str]) -> str:
        return ""

    def endpoints(self, server_url: str) -> Endpoints:
        return x_api.endpoints()

    async def register(self, server_url: str, redirect_uri: str, website: str, client: EgressClient) -> App:
        raise NotImplementedError

    async def identify(
        self, grant: Grant, app: App, chosen: Chosen, client: EgressClient
    ) -> tuple[Identity, dict[str, Any]]:
        stored = {
            "api_url": x_api.base_url(),
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            **stored_tokens(grant),
        }
        return await identify(client, stored), stored
