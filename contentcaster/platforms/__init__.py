"""The networks: an explicit list, one file each."""

from __future__ import annotations

from contentcaster.platforms.base import Connector

CONNECTORS: tuple[Connector, ...] = ()


def get_connector(platform: str) -> Connector:
    """The connector of `platform`; raises KeyError for a network that we do not know."""
    return _BY_PLATFORM[platform]


_BY_PLATFORM: dict[str, Connector] = {connector.capabilities.platform: connector for connector in CONNECTORS}
