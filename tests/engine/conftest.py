"""The ledger of a test, on both dialects."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contentcaster.engine import hints
from tests.engine.ledger_kit import Ledger
from tests.services_for_tests.stack import Stack


@pytest.fixture(autouse=True)
def _no_hint_sender() -> Iterator[None]:
    """No test inherits another one's way to Huey."""
    hints.register_sender(None, lead_seconds=3.0)
    yield
    hints.register_sender(None, lead_seconds=3.0)


@pytest.fixture
def ledger(stack: Stack) -> Ledger:
    return Ledger(stack.database)
