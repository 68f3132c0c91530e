"""The networks: an explicit list, one connector each. The order is the one that people see."""

from __future__ import annotations

from contentcaster.platforms.base import Connector
from contentcaster.platforms.bluesky import BlueskyConnector
from contentcaster.platforms.mastodon import MastodonConnector
from contentcaster.platforms.matrix import MatrixConnector
from contentcaster.platforms.sandbox import SandboxConnector

_ALL: tuple[Connector, ...] = (
    MastodonConnector(),
    BlueskyConnector(),
    MatrixConnector(),
    SandboxConnector(),
)
CONNECTORS: dict[str, Connector] = {connector.capabilities.platform: connector for connector in _ALL}
"""By the platform's name, e.g. "mastodon"."""


def get_connector(platform: str) -> Connector:
    """The connector of `platform`; raises KeyError for a network that we do not know."""
    return CONNECTORS[platform]
