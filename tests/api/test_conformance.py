"""Schemathesis: every call of our OpenAPI description with made-up values, as each role.

No answer is a 500, and each is as the description says: its status, its content type, its shape. `make fuzz` tries
many more values than the suite does.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from contentcaster.api.rate_limit import Limits, RateLimiter
from contentcaster.models import Role
from tests.api.conftest import Api, app_for
from tests.services_for_tests.stack import Stack

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "1"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
LEFT_OUT = {
    "/api/v1/auth/logout": "ends the session that the others are asked with",
    "/api/v1/me/sessions": "the same",
    "/api/v1/me/password": "hashes a password each time: slow",
    "/api/v1/auth/token": "the same",
    "/metrics": "only for this machine",
}


@pytest.fixture
def own_api(sqlite_stack: Stack) -> Iterator[Api]:
    running = Api(sqlite_stack, app_for(sqlite_stack))
    unlimited = RateLimiter(burst=1e9, per_second=1e9)
    running.app.state.limits = Limits(by_principal=unlimited, by_address=unlimited)
    yield running
    running.close()


@pytest.mark.parametrize("role", [*Role, None], ids=lambda role: role.value if role else "anonymous")
def test_every_call_answers_as_it_is_described(own_api: Api, role: Role | None) -> None:
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", own_api.app)
    problems: list[str] = []
    tried = 0
    headers = {}
    if role is not None:
        headers = {"Authorization": own_api.as_role(role).headers["authorization"]}
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path in LEFT_OUT:
            continue
        try:
            _try(operation, headers)
        except BaseExceptionGroup as group:
            problems += [f"{operation.label}: {error}"[:600] for error in group.exceptions]
        except Exception as error:  # noqa: BLE001 - collected: one run names everything that is wrong
            problems.append(f"{operation.label}: {type(error).__name__} {error}"[:600])
        tried += 1
    assert problems == [], "\n\n".join(problems)
    assert tried > 80


def test_a_lie_in_the_description_is_found(own_api: Api) -> None:
    """Guards the guard: with one type changed the same run must fail."""
    headers = {"Authorization": own_api.as_role(Role.VIEWER).headers["authorization"]}
    truth = own_api.app.openapi()
    lie = copy.deepcopy(truth)
    lie["components"]["schemas"]["Me"]["properties"]["id"] = {"type": "integer"}
    own_api.app.openapi_schema = lie
    try:
        schema = schemathesis.openapi.from_asgi("/api/openapi.json", own_api.app)
        with pytest.raises(BaseException, match=r"(?i)schema"):
            _try(schema["/api/v1/me"]["GET"], headers)
    finally:
        own_api.app.openapi_schema = truth


def _try(operation: Any, headers: dict[str, str]) -> None:
    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        case.call_and_validate(headers=headers, checks=CHECKS)

    ask()
