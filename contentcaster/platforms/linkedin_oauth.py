"""LinkedIn by OAuth 2.0, without PKCE: a code exchange that carries a verifier fails there (see linkedin.py)."""

from __future__ import annotations

from typing import Any

from contentcaster.platforms import linkedin_api as api
from contentcaster.platforms.base import Identity
from contentcaster.platforms.linkedin import LinkedInConnector, LinkedInPageConnector
from contentcaster.platforms.oauth import Chosen, Endpoints, Scope, StartField
from contentcaster.platforms.operator_app import OperatorAppOAuth
from contentcaster.security.egress import EgressClient


class LinkedInOAuth(OperatorAppOAuth):
    platform = "linkedin"
    name = "LinkedIn"
    scopes: tuple[Scope, ...] = (
        Scope("openid", "know whose profile this is"),
        Scope("profile", "show its name here"),
        Scope("w_member_social", "publish and delete posts as this member"),
    )
    uses_pkce = False
    app_url = "https://www.linkedin.com/developers/apps"
    app_steps: tuple[str, ...] = (
        "Create an app in LinkedIn's developer portal; it has to belong to a company page.",
        "Under Products add Share on LinkedIn and Sign In with LinkedIn using OpenID Connect.",
        "Under Auth paste the address below as an authorized redirect URL, exactly as it stands.",
        "Copy the Client ID and the Primary Client Secret from the same page.",
    )
    _connector: LinkedInConnector = LinkedInConnector()

    def api_url(self) -> str:
        return api.base_url()

    def endpoints(self, server_url: str) -> Endpoints:
        return api.endpoints()

    async def whose(self, stored: dict[str, Any], chosen: Chosen, client: EgressClient) -> Identity:
        return await self._connector.identify(client, stored, chosen.values.get("organization", ""))


class LinkedInPageOAuth(LinkedInOAuth):
    platform = "linkedin-page"
    name = "LinkedIn page"
    scopes: tuple[Scope, ...] = (
        Scope("w_organization_social", "publish and delete posts of the page"),
        Scope("r_organization_social", "find our own posts again after a doubt"),
        Scope("rw_organization_admin", "see which pages this login manages"),
    )
    app_steps: tuple[str, ...] = (
        "Create an app of its own for pages: LinkedIn gives the Community Management API only to an app without "
        "other products.",
        "Under Products request the Community Management API and wait for LinkedIn's approval.",
        "Under Auth paste the address below as an authorized redirect URL, exactly as it stands.",
        "Copy the Client ID and the Primary Client Secret from the same page.",
    )
    fields: tuple[StartField, ...] = (
        StartField(
            "organization",
            "Page",
            "The number in the page's admin address. Leave it empty if you manage only one.",
            "2414183",
            is_required=False,
        ),
    )
    _connector = LinkedInPageConnector()
