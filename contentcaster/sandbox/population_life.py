"""How the generated people behave: they like, answer, repost, follow back, and block who pesters them.

People react to what comes over the API, after a delay. Who reacts is drawn from the seed and the effect, so the same
run meets the same reactions. At most a few hundred reactions wait at a time: a bench of 10,000 posts is not answered
10,000 times.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import logging
import random
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

from .atproto_acts import commit, prepare
from .errors import ApiError
from .mastodon_actions import boost, favour, follow_account
from .mastodon_compose import compose, publish
from .network import FOLLOW, LIKE, POST, REPOST, Network
from .population import Person, PopulationPlan, compose_text, populate, tag_facets
from .population_texts import ANSWERS, REPLIES
from .things import Account, Effect, Exchange, Json, Record, Status, utc_iso

log = logging.getLogger(__name__)
_MAX_WAITING = 300
_MAX_PER_POST = 10


class Population:
    """The people of a network and what they are about to do."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.plan = PopulationPlan(people=0)
        self.people: list[Person] = []
        self.acts: dict[str, int] = defaultdict(int)
        self._by_account: dict[str, Person] = {}
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._pestered: dict[tuple[str, str], deque[float]] = defaultdict(deque)
        network.watchers.append(self._saw)

    def start(self, plan: PopulationPlan) -> None:
        """Make the people of the plan, and let them live if it says so."""
        self.plan, self.people = plan, populate(self.network, plan)
        self._by_account = {person.account.id: person for person in self.people}
        if plan.react and self._task is None:
            self._task = asyncio.create_task(self._live())

    async def stop(self) -> None:
        """No more reactions; the people and what they did stay."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        self._waiting.clear()

    async def clear(self) -> None:
        await self.stop()
        self.people, self._by_account, self.plan = [], {}, PopulationPlan(people=0)
        self.acts.clear()
        self._pestered.clear()

    def as_json(self) -> Json:
        return {
            "people": len(self.people), "reacting": self._task is not None, "waiting": len(self._waiting),
            "acts": dict(self.acts), "handles": [person.account.handle for person in self.people],
        }  # fmt: skip

    async def _live(self) -> None:
        chatter = random.Random(f"chatter|{self.plan.seed}")
        next_chat = self._next_chat(chatter)
        while True:
            soonest = min([next_chat, *(item[0] for item in self._waiting[:1])])
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(0.0, min(soonest - time.monotonic(), 3600)))
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                self._do(heapq.heappop(self._waiting)[2])
            if time.monotonic() >= next_chat:
                next_chat = self._next_chat(chatter)
                if self.people:
                    self._do(lambda: self._chat(chatter))

    def _next_chat(self, dice: random.Random) -> float:
        rate = self.plan.chatter_per_minute / 60
        return time.monotonic() + (dice.expovariate(rate) if rate > 0 else 1e9)

    def _do(self, act: Callable[[], None]) -> None:
        try:
            act()
        except ApiError as error:  # what they meant to answer has gone, or they are blocked: people shrug
            log.debug("a generated person was refused: %s", error)

    def _later(self, dice: random.Random, act: Callable[[], None]) -> None:
        if len(self._waiting) < _MAX_WAITING:
            low, high = self.plan.delay_seconds
            self._count += 1
            due = time.monotonic() + low + (high - low) * dice.random() ** 2
            heapq.heappush(self._waiting, (due, self._count, act))
            self._wake.set()

    # What they notice

    def _saw(self, effect: Effect) -> None:
        if self._task is None or effect.origin != "api":
            return
        actor = self.network.by_handle.get(effect.account)
        if actor is None or actor.id in self._by_account:
            return
        dice = random.Random(
            f"{self.plan.seed}|{effect.account}|{effect.kind}|{effect.text or effect.subject}"
        )
        if effect.kind in ("post", "reply"):
            self._saw_post(effect, actor, dice)
        if effect.kind in ("reply", "like", "repost", "follow"):
            self._was_addressed(effect, actor, dice)

    def _saw_post(self, effect: Effect, actor: Account, dice: random.Random) -> None:
        thing = self._thing(effect.protocol, effect.id)
        if thing is None:
            return
        text, acts = (effect.text or "").lower(), 0
        for person in dice.sample(self.people, len(self.people)):
            if effect.protocol not in person.protocols or acts >= _MAX_PER_POST:
                continue
            interest = 0.8 if self._follows(person, actor, effect.protocol) else 0.06
            if any(word in text for topic in person.topics for word in (topic.tag, *topic.words)):
                interest += 0.35
            if dice.random() < interest * person.warmth:
                acts += 1
                self._react(person, thing, dice)

    def _react(self, person: Person, thing: Status | Record, dice: random.Random) -> None:
        self._later(dice, lambda: self._like(person, thing))
        if dice.random() < 0.25:
            self._later(dice, lambda: self._repost(person, thing))
        if dice.random() < 0.3:
            words = dice.choice(REPLIES)
            self._later(dice, lambda: self._reply(person, thing, words))

    def _was_addressed(self, effect: Effect, actor: Account, dice: random.Random) -> None:
        person, thing = self._addressed(effect)
        if person is None:
            return
        if self._is_too_much(person, actor):
            self._later(dice, lambda: self._block(person, actor))
            return
        chance = person.follows_back if effect.kind == "follow" else 0.12 * person.warmth
        if dice.random() < chance:
            self._later(dice, lambda: self._follow(person, actor, effect.protocol))
        if effect.kind == "reply" and thing is not None:
            if dice.random() < 0.6:
                self._later(dice, lambda: self._like(person, thing))
            if dice.random() < 0.4:
                words = dice.choice(ANSWERS)
                self._later(dice, lambda: self._reply(person, thing, words))

    def _addressed(self, effect: Effect) -> tuple[Person | None, Status | Record | None]:
        """Whom an effect is about, and for a reply the reply itself."""
        subject = effect.subject or ""
        if effect.kind == "follow":
            target = self.network.account_named(subject)
            return self._by_account.get(target.id) if target else None, None
        about = self._thing(effect.protocol, subject)
        owner = self._owner(about) if about is not None else None
        reply = self._thing(effect.protocol, effect.id) if effect.kind == "reply" else None
        return self._by_account.get(owner.id) if owner else None, reply

    def _is_too_much(self, person: Person, actor: Account) -> bool:
        recent, now = self._pestered[(person.account.id, actor.id)], time.monotonic()
        recent.append(now)
        while recent[0] < now - 60:
            recent.popleft()
        return len(recent) > person.patience

    def _thing(self, protocol: str, id: str) -> Status | Record | None:
        if protocol == "mastodon":
            return self.network.statuses.get(int(id)) if id.isdigit() else None
        return self.network.records.get(id)

    def _owner(self, thing: Status | Record) -> Account:
        if isinstance(thing, Status):
            return self.network.accounts[thing.account_id]
        return self.network.by_did[thing.did]

    def _follows(self, person: Person, actor: Account, protocol: str) -> bool:
        if protocol == "mastodon":
            return actor.id in person.account.following
        return person.account.did in self.network.actors(actor.did, FOLLOW)

    # What they do

    def _exchange(self, person: Person, kind: str) -> Exchange:
        self.acts[kind] += 1
        handle = person.account.handle
        return Exchange(
            0, time.time(), time.monotonic(), "-", "population", "", account=handle, origin="population"
        )

    def _write(self, person: Person, kind: str, collection: str, **value: Any) -> None:
        network, account = self.network, person.account
        full = {"$type": collection, "createdAt": utc_iso(time.time()), **value}
        write = prepare(network, account, collection, network.tids.next(), full, None)
        commit(network, account, [write], self._exchange(person, kind))

    def _exists(self, thing: Status | Record) -> bool:
        if isinstance(thing, Status):
            return thing.id in self.network.statuses
        return self.network.records.get(thing.uri) is thing

    def _like(self, person: Person, thing: Status | Record) -> None:
        if not self._exists(thing):
            return
        if isinstance(thing, Status):
            favour(self.network, self._exchange(person, "like"), person.account, thing)
        elif person.account.did not in self.network.actors(thing.uri, LIKE):
            self._write(person, "like", LIKE, subject={"uri": thing.uri, "cid": thing.cid})

    def _repost(self, person: Person, thing: Status | Record) -> None:
        if not self._exists(thing):
            return
        if isinstance(thing, Status):
            boost(self.network, self._exchange(person, "repost"), person.account, thing)
        elif person.account.did not in self.network.actors(thing.uri, REPOST):
            self._write(person, "repost", REPOST, subject={"uri": thing.uri, "cid": thing.cid})

    def _reply(self, person: Person, thing: Status | Record, words: str) -> None:
        if not self._exists(thing):
            return
        if isinstance(thing, Status):
            text = f"@{self._owner(thing).handle} {words}"
            body = {"status": text, "in_reply_to_id": str(thing.id), "language": "en"}
            publish(
                self.network, self._exchange(person, "reply"), compose(self.network, person.account, body)
            )
        else:
            ref = {"uri": thing.uri, "cid": thing.cid}
            root = (thing.value.get("reply") or {}).get("root", ref)
            self._write(person, "reply", POST, text=words, langs=["en"], reply={"root": root, "parent": ref})

    def _follow(self, person: Person, actor: Account, protocol: str) -> None:
        if protocol == "mastodon":
            follow_account(self.network, self._exchange(person, "follow"), person.account, actor)
        elif person.account.did not in self.network.actors(actor.did, FOLLOW):
            self._write(person, "follow", FOLLOW, subject=actor.did)

    def _block(self, person: Person, actor: Account) -> None:
        if actor.id not in person.account.blocking:
            self.acts["block"] += 1
            self.network.block(person.account, actor)

    def _chat(self, dice: random.Random) -> None:
        person = dice.choice(self.people)
        text, language = compose_text(dice, person)
        if dice.choice(person.protocols) == "mastodon":
            body = {"status": text, "language": language}
            publish(self.network, self._exchange(person, "post"), compose(self.network, person.account, body))
        else:
            self._write(person, "post", POST, text=text, langs=[language], facets=tag_facets(text))
