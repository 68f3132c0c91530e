"""The networks that people connect by OAuth."""

from __future__ import annotations

from contentcaster.platforms.linkedin_oauth import LinkedInOAuth, LinkedInPageOAuth
from contentcaster.platforms.mastodon_oauth import MastodonOAuth
from contentcaster.platforms.oauth import OAuthNetwork
from contentcaster.platforms.x_oauth import XOAuth

_ALL: tuple[OAuthNetwork, ...] = (MastodonOAuth(), XOAuth(), LinkedInOAuth(), LinkedInPageOAuth())
OAUTH_NETWORKS: dict[str, OAuthNetwork] = {network.platform: network for network in _ALL}
"""By the platform's name."""
