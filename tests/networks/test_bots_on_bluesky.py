"""Bots on the whole Bluesky network: found, decided, liked, answered, followed, once each, as its AppView counts it."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from contentcaster.clock import utc_now
from contentcaster.errors import InvalidInput
from contentcaster.models import (
    Account,
    ActAction,
    ActState,
    BotAct,
    BotLog,
    BotProspect,
    BotRule,
    BotSeen,
    Job,
    Role,
)
from contentcaster.services import bots, bots_acts, bots_channels, bots_overview, connecting
from contentcaster.services.bots_run import RunExecutor
from tests.bots.bot_kit import Day, World
from tests.networks.bluesky_network_server import bluesky_network
from tests.networks.test_bluesky_pds import Pds
from tests.services_for_tests import factories
from tests.services_for_tests.programs import wait_until
from tests.services_for_tests.stack import Stack

FAST = {"per_minute": 30, "per_hour": 300, "per_day": 1000, "spacing_seconds": 0, "jitter_seconds": 0}
LIKE, FOLLOW, POST = "app.bsky.feed.like", "app.bsky.graph.follow", "app.bsky.feed.post"


@pytest.fixture(scope="module")
def network() -> Iterator[Pds]:
    with bluesky_network() as url:
        yield Pds(url)


class Person:
    """Somebody on the network who uses another client."""

    def __init__(self, network: Pds) -> None:
        self.network, self.account = network, network.new_account()
        self.did, self.handle = str(self.account["did"]), str(self.account["handle"])
        self.headers = {"Authorization": f"Bearer {self.account['accessJwt']}"}

    def put(self, collection: str, record: dict[str, Any]) -> dict[str, Any]:
        stamped = {"$type": collection, "createdAt": utc_now().isoformat().replace("+00:00", "Z"), **record}
        answer = self.network.http.post(
            "com.atproto.repo.createRecord",
            json={"repo": self.did, "collection": collection, "record": stamped}, headers=self.headers,
        )  # fmt: skip
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def write(self, text: str, *, to: Person | None = None, tag: str = "") -> dict[str, Any]:
        """A post that mentions somebody or carries a tag, with the facets that say so."""
        facets = []
        for word, feature in (
            (
                f"@{to.handle}" if to else "",
                {"$type": "app.bsky.richtext.facet#mention", "did": to.did if to else ""},
            ),
            (f"#{tag}" if tag else "", {"$type": "app.bsky.richtext.facet#tag", "tag": tag}),
        ):
            if word:
                text = f"{text} {word}"
                end = len(text.encode())
                place = {"byteStart": end - len(word.encode()), "byteEnd": end}
                facets.append({"index": place, "features": [feature]})
        return self.put(POST, {"text": text, "langs": ["en"], "facets": facets})

    def ask(self, call: str, **params: Any) -> dict[str, Any]:
        answer = self.network.http.get(call, params=params, headers=self.headers)
        found: dict[str, Any] = answer.json() if answer.is_success else {}
        return found

    def records(self, did: str, collection: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask(
            "com.atproto.repo.listRecords", repo=did, collection=collection
        ).get("records", [])
        return found


@pytest.fixture
def acme(network: Pds) -> Person:
    return Person(network)


@pytest.fixture
def world(postgres_stack: Stack, network: Pds, acme: Person, monkeypatch: pytest.MonkeyPatch) -> World:
    """The product with one channel on this network, connected as a person connects it."""
    host = network.url.removeprefix("http://")
    settings = postgres_stack.settings.model_copy(update={"egress_allow": (host,)})
    database = postgres_stack.database
    monkeypatch.setattr(database, "settings", settings)
    with database.transaction() as session:
        ada = factories.principal_for(factories.create_user(session, Role.ADMIN, name="Ada"))
    credentials = {
        "service_url": network.url, "identifier": acme.handle, "app_password": acme.account["app_password"],
    }  # fmt: skip
    view = asyncio.run(connecting.connect_account(database, ada, "bluesky", credentials))
    with database.reading() as session:
        account = session.get_one(Account, view.id)
    made = World(postgres_stack, None, ada, ada, ada, account=account, person={}, now=utc_now())  # type: ignore[arg-type]
    made.rails(caps=dict.fromkeys(("like", "reply", "follow", "unfollow"), FAST))
    return made


class NetworkDay(Day):
    """Simulated minutes on a network that keeps no ledger for us: it is asked itself."""

    def _read_server(self) -> None:
        pass


def work(world: World, minutes: int = 6) -> None:
    day = NetworkDay(world, step=timedelta(minutes=1))
    asyncio.run(day.run(world.now + timedelta(minutes=minutes)))


def run_until(world: World, rule_id: str, is_right: Callable[[], bool]) -> None:
    """Run a rule until the AppView, which indexes within a second, shows it what it waits for."""

    def attempt() -> bool:
        runner = RunExecutor(world.database, clock=lambda: world.now, dice=random.Random(1))
        asyncio.run(runner.run(rule_id))
        return is_right()

    wait_until(attempt, seconds=30, what="the rule to find it")


def prospects(world: World) -> list[BotProspect]:
    with world.database.reading() as session:
        return list(session.execute(select(BotProspect)).scalars())


def test_found_liked_answered_and_followed_once_each_with_counts_that_others_see(
    network: Pds, world: World, acme: Person
) -> None:
    ben, word = Person(network), f"zebra{uuid.uuid4().hex[:8]}"
    asked = ben.write(f"How do you brew {word}?", to=acme, tag=word)

    finder = world.rule(
        "finder", sources=[{"kind": "hashtag", "value": word}], scoring={"min_score": 0}, name="Find",
    )  # fmt: skip
    run_until(world, finder, lambda: len(prospects(world)) == 2)
    assert {(row.kind, row.ref, row.source) for row in prospects(world)} == {
        ("post", asked["uri"], f"#{word}"), ("person", ben.did, f"#{word}"),
    }  # fmt: skip

    thanks = {"action": "reply", "templates": ["Slowly. Thank you for asking about {topic}!"]}
    engage = world.rule("engagement", when="mention", then=[{"action": "like"}, thanks], name="Answer")
    run_until(world, engage, lambda: len(world.acts()) == 2)
    grow = world.rule("growth", follow=True, min_score=0, name="Follow")
    world.run_rule(grow)
    (waiting,) = world.read(bots.list_waiting, world.ada).items
    assert (waiting.action, waiting.policy) == ("follow", "needs_person"), "on Bluesky a person decides that"
    world.write(bots.approve, world.ada, [waiting.id], now=world.now)
    work(world)
    assert {(act.action, act.state) for act in world.acts()} == {
        (action, ActState.DONE) for action in (ActAction.LIKE, ActAction.REPLY, ActAction.FOLLOW)
    }  # fmt: skip

    def counts() -> tuple[int, int, int]:
        (post,) = ben.ask("app.bsky.feed.getPosts", uris=asked["uri"])["posts"]
        profile = ben.ask("app.bsky.actor.getProfile", actor=ben.did)
        return post["likeCount"], post["replyCount"], profile["followersCount"]

    wait_until(lambda: counts() == (1, 1, 1), seconds=20, what="the AppView to count")
    told = ben.ask("app.bsky.notification.listNotifications")["notifications"]
    assert sorted(note["reason"] for note in told) == ["follow", "like", "reply"]
    assert {note["author"]["did"] for note in told} == {acme.did}

    # The keys are derived from channel, action and target.
    (like,) = ben.records(acme.did, LIKE)
    (follow,) = ben.records(acme.did, FOLLOW)
    key = bots_acts.record_key_of
    assert like["uri"].endswith(key(world.account.id, ActAction.LIKE, asked["uri"]))
    assert follow["uri"].endswith(key(world.account.id, ActAction.FOLLOW, ben.did))

    # A database that forgot everything does it all again, and makes no second like or follow.
    with world.database.transaction() as session:
        for table in (BotAct, BotLog, BotSeen, BotProspect):
            session.execute(delete(table))
        session.execute(delete(Job))
        session.get_one(BotRule, engage).cursor = {}
        session.get_one(BotRule, engage).spec = session.get_one(BotRule, engage).spec | {
            "then": [{"action": "like", "templates": [], "use_assistant": False, "instructions": ""}]
        }
    run_until(world, engage, lambda: len(world.acts()) == 1)
    run_until(world, finder, lambda: len(prospects(world)) == 2)
    world.run_rule(grow)
    (again,) = world.read(bots.list_waiting, world.ada).items
    world.write(bots.approve, world.ada, [again.id], now=world.now)
    work(world)
    assert {act.state for act in world.acts()} == {ActState.DONE}
    assert [row["uri"] for row in ben.records(acme.did, LIKE)] == [like["uri"]]
    assert [row["uri"] for row in ben.records(acme.did, FOLLOW)] == [follow["uri"]]
    assert counts() == (1, 1, 1)


def test_nobody_who_did_not_tag_the_channel_is_liked_and_a_rule_that_wants_to_is_refused(
    network: Pds, world: World, acme: Person
) -> None:
    ben, word = Person(network), f"yak{uuid.uuid4().hex[:8]}"
    ben.write("Not to you", tag=word)
    with pytest.raises(InvalidInput, match="only to people who wrote to the channel"):
        world.rule("engagement", when="hashtag", value=word, then=[{"action": "like"}])
    growing = world.rule("growth", follow=True, min_score=0, unfollow_after_days=14)
    finder = world.rule("finder", sources=[{"kind": "hashtag", "value": word}], scoring={"min_score": 0})
    run_until(world, finder, lambda: len(prospects(world)) == 2)
    shown = asyncio.run(bots_overview.simulate(world.database, world.ada, growing))
    assert [(act.action, act.would) for act in shown] == [("follow", "ask")]
    work(world, 2)
    assert ben.records(acme.did, LIKE) == [] and ben.records(acme.did, FOLLOW) == []
    assert world.write(bots_channels.stop_all, world.ada, "the end") == 0


def test_a_list_and_the_followers_of_somebody_are_sources(network: Pds, world: World) -> None:
    ben, cat = Person(network), Person(network)
    post = cat.write("From the list")
    made = ben.put("app.bsky.graph.list", {"purpose": "app.bsky.graph.defs#curatelist", "name": "Cats"})
    ben.put("app.bsky.graph.listitem", {"subject": cat.did, "list": made["uri"]})
    cat.put(FOLLOW, {"subject": ben.did})
    sources = [{"kind": "list", "value": made["uri"]}, {"kind": "followers_of", "value": f"@{ben.handle}"}]
    finder = world.rule("finder", sources=sources, scoring={"min_score": 0})

    def found() -> set[tuple[str, str]]:
        return {(row.kind, row.ref) for row in prospects(world)}

    run_until(world, finder, lambda: found() == {("post", post["uri"]), ("person", cat.did)})
