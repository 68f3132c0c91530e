"""What networks have in common to which people connect by OAuth through an app that the operator made there.

A network to add says its name, scopes, addresses, what to click, and whose token it is; the flow (state, PKCE, the
wizard, renewal) is services/oauth.py and oauth_session.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contentcaster.platforms.base import Identity
from contentcaster.platforms.oauth import App, Chosen, Endpoints, Grant, Scope, StartField
from contentcaster.platforms.oauth_session import stored_tokens
from contentcaster.security.egress import EgressClient


class OperatorAppOAuth:
    """An `OAuthNetwork` with one address for everyone and an app that does not register itself."""

    platform: str
    name: str
    scopes: tuple[Scope, ...]
    uses_pkce: bool = True
    registers_itself: bool = False
    app_url: str
    app_steps: tuple[str, ...]
    fields: tuple[StartField, ...] = ()

    def api_url(self) -> str:
        """Where the API is: the network's own, or what the operator named for tests."""
        raise NotImplementedError

    async def whose(self, stored: dict[str, Any], chosen: Chosen, client: EgressClient) -> Identity:
        """Who the stored token belongs to; may add what the connector needs to `stored`."""
        raise NotImplementedError

    def endpoints(self, server_url: str) -> Endpoints:
        raise NotImplementedError

    def server_url(self, values: Mapping[str, str]) -> str:
        return ""

    async def register(self, server_url: str, redirect_uri: str, website: str, client: EgressClient) -> App:
        raise NotImplementedError

    async def identify(
        self, grant: Grant, app: App, chosen: Chosen, client: EgressClient
    ) -> tuple[Identity, dict[str, Any]]:
        stored = {
            "api_url": self.api_url(),
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            **stored_tokens(grant),
        }
        return await self.whose(stored, chosen, client), stored
