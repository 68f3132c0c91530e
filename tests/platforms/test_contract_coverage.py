"""No connector is left out of the contract."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

from contentcaster.platforms import CONNECTORS
from contentcaster.platforms.base import Feature
from contentcaster.services.analytics_collect import METRICS
from contentcaster.services.bots_networks import acts_of
from tests.platforms.contract import ConnectorContract

ELSEWHERE = {
    "nostr": "test_nostr.py: no HTTP, each promise against relays with the same faults",
    "email": "test_mail.py: no HTTP, each promise against an SMTP server with faults at every step",
    "sandbox": "test_sandbox_connector.py: the Mastodon connector under another name",
}


def test_every_network_is_held_to_the_contract_behind_the_fault_proxy() -> None:
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        importlib.import_module(f"tests.platforms.{path.stem}")
    held = {
        cls.connector.capabilities.platform
        for cls in _subclasses(ConnectorContract)
        if hasattr(cls, "connector")
    }
    assert held | set(ELSEWHERE) == set(CONNECTORS)
    assert not held & set(ELSEWHERE)


def _subclasses(cls: type[ConnectorContract]) -> Iterator[type[ConnectorContract]]:
    for child in cls.__subclasses__():
        yield child
        yield from _subclasses(child)


def test_what_the_table_says_of_acts_and_counts_is_what_there_is() -> None:
    acts = {Feature.LIKE, Feature.REPOST, Feature.FOLLOW, Feature.SEARCH}
    for platform, connector in CONNECTORS.items():
        features = connector.capabilities.features
        assert (features & acts == acts) is (acts_of(platform) is not None), platform
        assert (Feature.METRICS in features) is (platform in METRICS), platform
