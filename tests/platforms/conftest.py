from __future__ import annotations

from collections.abc import Iterator

import pytest

from contentcaster.sandbox.client import SandboxThread


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[SandboxThread]:
    """One sandbox network for tests that do not change its settings; accounts are theirs alone."""
    with SandboxThread() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox() -> Iterator[SandboxThread]:
    """A sandbox network of the test's own."""
    with SandboxThread() as sandbox:
        yield sandbox
