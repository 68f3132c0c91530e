"""Demo data: one command fills an empty installation with something to look at."""

from __future__ import annotations

import asyncio

import pytest
from sqlmodel import select

from contentcaster.errors import Unavailable
from contentcaster.models import Account, BotRule, Post, PostStatus, Role
from contentcaster.sandbox.client import SandboxThread
from contentcaster.sandbox.settings import SandboxSettings
from contentcaster.services import demo
from tests.services_for_tests import factories
from tests.services_for_tests.programs import free_port
from tests.services_for_tests.stack import Stack, activated, as_environment


def test_demo_twice_adds_posts_but_no_second_set_of_channels_or_rules(sqlite_stack: Stack) -> None:
    port = free_port()
    environment = dict(sqlite_stack.environment) | as_environment(sandbox_port=port)
    with SandboxThread(SandboxSettings(port=port)) as sandbox, activated("sqlite", environment) as stack:
        with stack.database.transaction() as session:
            admin = factories.principal_for(factories.create_user(session, role=Role.ADMIN))
        first = asyncio.run(demo.create_demo(stack.database, admin))
        again = asyncio.run(demo.create_demo(stack.database, admin))
        with stack.database.reading() as session:
            accounts = session.exec(select(Account)).all()
            statuses = {post.status for post in session.exec(select(Post)).all()}
            rules = [(rule.name, rule.is_enabled) for rule in session.exec(select(BotRule)).all()]
        people = sandbox.control.http.get("/sandbox/population").json()["people"]
    assert len(accounts) == len(demo.HANDLES)
    assert not set(first) & set(again)
    assert len(rules) == len(set(rules)) == 6 and all(is_on for _, is_on in rules)
    assert people == 60
    assert PostStatus.DRAFT in statuses
    assert PostStatus.PENDING_QUEUE in statuses


@pytest.mark.settings(sandbox="off")
def test_demo_without_the_sandbox_says_what_is_missing(sqlite_stack: Stack) -> None:
    with sqlite_stack.database.transaction() as session:
        admin = factories.principal_for(factories.create_user(session, role=Role.ADMIN))
    with pytest.raises(Unavailable, match="sandbox network, which is off"):
        asyncio.run(demo.create_demo(sqlite_stack.database, admin))
