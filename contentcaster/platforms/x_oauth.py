"""X by OAuth 2.0 with PKCE (docs.x.com, OAuth 2.0 Authorization Code Flow with PKCE; a code is good for 30 seconds)."""

from __future__ import annotations

from typing import Any

from contentcaster.platforms import x_api
from contentcaster.platforms.base import Identity
from contentcaster.platforms.oauth import Chosen, Endpoints, Scope
from contentcaster.platforms.operator_app import OperatorAppOAuth
from contentcaster.platforms.x import identify
from contentcaster.security.egress import EgressClient


class XOAuth(OperatorAppOAuth):
    platform = "x"
    name = x_api.NAME
    scopes: tuple[Scope, ...] = (
        Scope("tweet.read", "find our own posts again after a doubt, and count"),
        Scope("tweet.write", "publish and delete posts"),
        Scope("users.read", "know whose account this is"),
        Scope("media.write", "upload pictures and videos", is_required=False),
        Scope("offline.access", "renew the login without asking you every two hours"),
    )
    app_url = "https://console.x.com"
    app_steps: tuple[str, ...] = (
        "Create an app in X's developer console, with the type Web App (a confidential client).",
        "Under User authentication settings choose Read and write.",
        "Paste the address below as its callback URI, exactly as it stands.",
        "Copy the OAuth 2.0 Client ID and Client Secret from Keys and tokens. X charges the app for each call.",
    )

    def api_url(self) -> str:
        return x_api.base_url()

    def endpoints(self, server_url: str) -> Endpoints:
        return x_api.endpoints()

    async def whose(self, stored: dict[str, Any], chosen: Chosen, client: EgressClient) -> Identity:
        return await identify(client, stored)
