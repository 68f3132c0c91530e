"""The product on both stacks, with settings under which a crash is resolved within seconds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services_for_tests.stack import Stack
from tests.tasks import product_kit
from tests.tasks.product_kit import QUICK, Product


@pytest.fixture
def product(stack: Stack) -> Iterator[Product]:
    with product_kit.product(stack, **QUICK) as built:
        built.connect()
        yield built


@pytest.fixture
def fragile_product(disposable_stack: Stack) -> Iterator[Product]:
    """On servers that the test may stop."""
    with product_kit.product(disposable_stack, **QUICK) as built:
        built.connect()
        yield built
