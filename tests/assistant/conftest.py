"""`gemini`: the twin, where the settings of this folder's tests point; `team`: people on a stack of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.assistant.gemini_server import PORT, Twin, gemini_twin
from tests.services.service_kit import Team, build_team
from tests.services_for_tests.stack import Stack


@pytest.fixture
def gemini() -> Iterator[Twin]:
    with gemini_twin(PORT) as twin:
        yield twin


@pytest.fixture
def team(sqlite_stack: Stack) -> Team:
    return build_team(sqlite_stack)


@pytest.fixture
def both(stack: Stack) -> Team:
    return build_team(stack)
