"""The REST application in this process, on each stack, asked over HTTP semantics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from contentcaster.api.app import create_api
from contentcaster.api.health import HealthMonitor
from contentcaster.api.rate_limit import Limits
from contentcaster.db import Database
from contentcaster.models import Role, User
from contentcaster.security.sessions import is_https
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Stack

ORIGIN = "http://127.0.0.1:8000"


@dataclass
class Api:
    """The application and people of each role who may ask it."""

    stack: Stack
    app: FastAPI
    users: dict[Role, User] = field(default_factory=dict)
    _clients: list[TestClient] = field(default_factory=list)

    def user(self, role: Role) -> User:
        if role not in self.users:
            with self.stack.database.transaction() as session:
                self.users[role] = factories.create_user(session, role)
        return self.users[role]

    def as_nobody(self, ip: str = "127.0.0.1") -> TestClient:
        """A client that is not signed in."""
        client = TestClient(self.app, base_url=ORIGIN, client=(ip, 40000), follow_redirects=False)
        client.__enter__()
        self._clients.append(client)
        return client

    def as_role(self, role: Role) -> TestClient:
        """A client with a bearer token of a person with this role."""
        return self.as_user(self.user(role))

    def as_user(self, user: User) -> TestClient:
        client = self.as_nobody()
        with self.stack.database.transaction() as session:
            client.headers["Authorization"] = f"Bearer {factories.access_token(session, user)}"
        return client

    def as_browser(self, role: Role) -> TestClient:
        """A client with the console's cookie, on a page of the console."""
        client, user = self.as_nobody(), self.user(role)
        with self.stack.database.transaction() as session:
            client.headers["Cookie"] = factories.browser_cookie(session, user)
        client.headers["Origin"] = ORIGIN
        return client

    def close(self) -> None:
        self.app.state.health.close()
        for client in self._clients:
            client.__exit__(None, None, None)


_apps: dict[tuple[object, ...], FastAPI] = {}


def app_for(stack: Stack) -> FastAPI:
    """Building the routes takes a third of a second, so tests with like settings share them, but nothing else."""
    settings = stack.settings
    key = (is_https(settings), settings.max_upload_mb)
    if key not in _apps:
        _apps[key] = create_api()
        _apps[key].state.health.close()
    app = _apps[key]
    app.state.health = HealthMonitor(Database(settings, pool_size=1))
    app.state.limits = Limits()
    return app


@pytest.fixture
def api(stack: Stack) -> Iterator[Api]:
    built = Api(stack, app_for(stack))
    yield built
    built.close()
