"""`team`: people of every role with channels, on each stack."""

from __future__ import annotations

import pytest

from tests.services.service_kit import Team, build_team
from tests.services_for_tests.stack import Stack


@pytest.fixture
def team(stack: Stack) -> Team:
    return build_team(stack)
