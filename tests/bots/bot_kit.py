"""A bot's world for a test: a real sandbox network, a channel on it, and a clock that the test moves.

`Day` runs the ledger by hand at simulated times, and reads from the sandbox's own ledger what really arrived when.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from contentcaster.bots.candidates import Candidate
from contentcaster.db import Database
from contentcaster.engine import ledger, settlement
from contentcaster.engine.policy import Policy
from contentcaster.engine.settlement import Settlement
from contentcaster.models import Account, ActAction, BotAct, BotLog, BotRule, Role
from contentcaster.sandbox.client import SandboxThread
from contentcaster.security.permissions import Principal
from contentcaster.services import bots, bots_acts, bots_channels, bots_outcomes, bots_plan
from contentcaster.services.bots_executor import ActExecutor
from contentcaster.services.bots_run import Drafter, RunExecutor
from tests.engine.ledger_kit import at
from tests.services_for_tests import factories
from tests.services_for_tests.stack import Stack

MORNING = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
OPEN_RAILS: dict[str, Any] = {"quiet_from": None, "quiet_to": None, "warm_up_days": 0}
QUEUES = ("engagement", "growth", "finder")


def wait_until(
    condition: Callable[[], bool], seconds: float = 15, *, instead: Callable[[], object] = lambda: ""
) -> None:
    """Wait for a condition; `instead` tells what there was when it did not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {instead()}"
        time.sleep(0.05)


@dataclass
class World:
    stack: Stack
    sandbox: SandboxThread
    ada: Principal
    mona: Principal
    alice: Principal
    account: Account
    person: dict[str, Any]
    now: datetime = MORNING
    dice: random.Random = field(default_factory=lambda: random.Random(7))

    @property
    def database(self) -> Database:
        return self.stack.database

    def write(self, service: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with self.database.transaction() as session:
            return service(session, *args, **kwargs)

    def read(self, service: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with self.database.reading() as session:
            return service(session, *args, **kwargs)

    def rails(self, **values: Any) -> None:
        self.write(bots_channels.save_rails, self.ada, self.account.id, OPEN_RAILS | values)
        with self.database.transaction() as session:
            bots_channels.locked_channel(session, self.account.id).warm_up_from = self.now

    def rule(self, bot: str, mode: str = "automatic", name: str = "A rule", **spec: Any) -> str:
        """A saved and enabled rule; returns its id."""
        view = self.write(bots.save_rule, self.ada, bot=bot, name=name, account_id=self.account.id, spec=spec)
        self.write(bots.set_mode, self.ada, view.id, mode)
        self.write(bots.set_enabled, self.ada, view.id, True)
        return str(view.id)

    def propose(self, rule_id: str, action: ActAction, candidate: Candidate, **more: Any) -> bots_acts.Told:
        with self.database.transaction() as session:
            rule, account = session.get_one(BotRule, rule_id), session.get_one(Account, self.account.id)
            proposal = bots_acts.Proposal(action=action, candidate=candidate, why="a test", **more)
            return bots_acts.propose(session, rule, account, proposal, now=self.now, dice=self.dice)

    def run_rule(self, rule_id: str, drafter: Drafter | None = None) -> Any:
        runner = RunExecutor(self.database, clock=lambda: self.now, drafter=drafter, dice=self.dice)
        return asyncio.run(runner.run(rule_id))

    def acts(self) -> list[BotAct]:
        with self.database.reading() as session:
            return list(session.execute(select(BotAct).order_by(BotAct.id)).scalars())

    def log(self, **equal: Any) -> list[BotLog]:
        with self.database.reading() as session:
            query = select(BotLog).order_by(BotLog.id)
            for name, value in equal.items():
                query = query.where(getattr(BotLog, name) == value)
            return list(session.execute(query).scalars())

    def others_status(self, text: str = "A post about #coffee.", handle: str = "bea") -> Candidate:
        """A post by somebody else on the network, as a candidate."""
        other = self.sandbox.control.account(handle)
        answer = self.sandbox.control.http.post(
            "/api/v1/statuses",
            json={"status": text},
            headers={"Authorization": f"Bearer {other['access_token']}"},
        )
        status = answer.json()
        return Candidate(
            kind="post", ref=status["id"], author_ref=status["account"]["id"], handle=f"@{handle}", text=text,
            url=status["url"], language="en", followers=10, written_at=self.now,
        )  # fmt: skip


def build_world(stack: Stack, sandbox: SandboxThread, *, platform: str = "sandbox") -> World:
    person = sandbox.control.account("acme")
    base = sandbox.base_url
    credentials: dict[str, Any] = {"instance_url": base, "access_token": person["access_token"]}
    remote_id = str(sandbox.control.http.get("/api/v1/accounts/lookup", params={"acct": "acme"}).json()["id"])
    if platform == "bluesky":
        session_row = sandbox.control.http.post(
            "/xrpc/com.atproto.server.createSession",
            json={"identifier": person["did"], "password": person["app_password"]},
        ).json()
        credentials = {
            "service_url": base, "pds_url": base, "identifier": person["did"], "did": person["did"],
            "handle": session_row["handle"], "app_password": person["app_password"],
            "access_jwt": session_row["accessJwt"], "refresh_jwt": session_row["refreshJwt"],
        }  # fmt: skip
        remote_id = person["did"]
    with stack.database.transaction() as session:
        ada = factories.create_user(session, Role.ADMIN, name="Ada")
        mona = factories.create_user(session, Role.MONITOR, name="Mona")
        alice = factories.create_user(session, Role.CREATOR, name="Alice")
        account = factories.create_account(
            session, ada, platform=platform, credentials=credentials, instance_url=base, remote_id=remote_id,
            handle="@acme", limits={"software": "mastodon"} if platform == "sandbox" else {},
        )  # fmt: skip
        people = [factories.principal_for(user) for user in (ada, mona, alice)]
    return World(stack, sandbox, *people, account=account, person=person)


@dataclass
class Day:
    """Simulated hours: the ledger and the executors run at the test's time, the network is the real sandbox."""

    world: World
    step: timedelta = timedelta(seconds=30)
    arrived: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)
    """What the server's own ledger recorded, with the simulated time of the step in which it came."""
    _policy: Policy = field(default_factory=lambda: Policy(lead_seconds=0.5))
    _number: int = 0

    async def run(self, until: datetime, *, each_step: Callable[[], None] = lambda: None) -> None:
        world = self.world
        executor = ActExecutor(world.database, clock=lambda: world.now)
        runner = RunExecutor(world.database, clock=lambda: world.now, dice=world.dice)
        executor._tell_end_of = lambda job: None  # type: ignore[method-assign]  # collected by hand, at simulated times
        while world.now < until:
            each_step()
            bots_plan.tick(world.database, now=world.now)
            if self._is_anything_due():  # most steps of a day have nothing to do
                await self._work(executor, runner)
                self._read_server()
                with world.database.transaction() as session:
                    bots_outcomes.collect(session, now=world.now)
            world.now = self._next(until)

    def _is_anything_due(self) -> bool:
        with self.world.database.reading() as session:
            return ledger.is_anything_due(session, queues=QUEUES, lead_seconds=0, now=at(self.world.now))

    def _next(self, until: datetime) -> datetime:
        """The time of the next job if it is near, else one step on: nothing happens in between."""
        world = self.world
        with world.database.reading() as session:
            due = session.execute(
                select(ledger.Job.due_at)
                .where(ledger.Job.state.in_(ledger.CLAIMABLE), ledger.Job.due_at > world.now)
                .order_by(ledger.Job.due_at)
                .limit(1)
            ).scalar()
        later = world.now + self.step
        return min(later, due) if due is not None else later

    async def _work(self, executor: ActExecutor, runner: RunExecutor) -> None:
        world = self.world
        with world.database.transaction() as session:
            jobs = ledger.claim(
                session, queues=QUEUES, worker="day", limit=100, lead_seconds=0, lease_seconds=60,
                now=at(world.now),
            )  # fmt: skip
        for job in jobs:
            chosen = runner if job.kind == "run_rule" else executor
            ready = await chosen.prepare(job)
            if callable(ready):
                with world.database.transaction() as session:
                    begun = ledger.begin_send(
                        session, [(job.id, job.fence)], lease_seconds=60, now=at(world.now)
                    )
                if not begun:
                    continue
                ready = await ready(time.monotonic() + 10)
            with world.database.transaction() as session:
                settlement.settle(session, [Settlement(job, "day", ready)], self._policy, now=at(world.now))

    def _read_server(self) -> None:
        answer = self.world.sandbox.control.ledger(since=self._number, account="acme")
        for effect in answer["effects"]:
            self._number = max(self._number, effect["number"])
            self.arrived.append((self.world.now, effect))

    def times(self, kind: str) -> list[datetime]:
        return [moment for moment, effect in self.arrived if effect["kind"] == kind]


def most_within(times: list[datetime], window: timedelta) -> int:
    """The most of these that fall into any window of that length."""
    return max((sum(1 for other in times if start <= other < start + window) for start in times), default=0)
