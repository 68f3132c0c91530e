"""Real network servers, started for these tests alone: `make test-networks` (TEST_NETWORKS=1)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
SMALL = ("test_nostr_relay.py",)
"""Seconds to download and start: these run with `make test` too, and in CI."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without the opt-in all but the smallest are skipped: their servers are large downloads."""
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.network)
            # The first test of a network may have to download its servers.
            item.add_marker(pytest.mark.timeout(1200))
            if os.environ.get("TEST_NETWORKS") != "1" and item.path.name not in SMALL:
                item.add_marker(pytest.mark.skip(reason="opt in with make test-networks"))
