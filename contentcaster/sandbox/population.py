"""Generated people: accounts with a past, who follow each other, and who react to what is published.

The same seed gives the same people, posts and follows. What they do goes through the same acts as the API, and is
marked `population` in the ledger. `population_life` holds how they react.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Any

from .atproto_acts import prepare
from .network import FOLLOW, LIKE, POST, Network
from .population_texts import FIRST_NAMES, HOSTILE, LAST_NAMES, TOPICS, Topic
from .text import hashtags
from .things import Account, Json, Record, Status, utc_iso

MAX_PEOPLE = 5000
MAX_POSTS = 100_000


@dataclass(slots=True)
class PopulationPlan:
    """What `POST /sandbox/population` asks for.

    `delay_seconds` is the shortest and longest time until somebody reacts; `chatter_per_minute` is how often somebody
    posts by themselves; `days` is how far back the generated posts go.
    """

    people: int = 40
    posts: int = 200
    days: float = 14.0
    seed: str = "people"
    react: bool = True
    delay_seconds: tuple[float, float] = (2.0, 20.0)
    chatter_per_minute: float = 2.0

    @classmethod
    def checked(cls, body: Json) -> PopulationPlan:
        """Raises ValueError with a sentence that names the field."""
        unknown = set(body) - set(cls.__dataclass_fields__)
        if unknown:
            raise ValueError(f"A population has no field {', '.join(sorted(unknown))}.")
        plan = cls()
        for name, top in (
            ("people", MAX_PEOPLE),
            ("posts", MAX_POSTS),
            ("days", 3650),
            ("chatter_per_minute", 6000),
        ):
            value = body.get(name, getattr(plan, name))
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= top:
                raise ValueError(f"{name} is a number from 0 to {top}.")
            setattr(plan, name, type(getattr(plan, name))(value))
        delay = body.get("delay_seconds", plan.delay_seconds)
        if not isinstance(delay, (list, tuple)) or len(delay) != 2 or not all(_is_number(d) for d in delay):
            raise ValueError("delay_seconds is a pair: the shortest and the longest.")
        if not 0 <= delay[0] <= delay[1]:
            raise ValueError("delay_seconds is a pair that does not fall: the shortest and the longest.")
        plan.delay_seconds = (float(delay[0]), float(delay[1]))
        plan.react = body.get("react", True) is True
        plan.seed = str(body.get("seed", plan.seed))
        return plan


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@dataclass(slots=True)
class Person:
    """Somebody's account and temper; all from 0 to 1 but `patience`, the acts of one account borne in a minute."""

    account: Account
    topics: list[Topic]
    language: str
    warmth: float
    follows_back: float
    patience: int
    popularity: float
    protocols: tuple[str, ...] = field(default=("mastodon",))


def populate(network: Network, plan: PopulationPlan) -> list[Person]:
    """Make the people of a plan, or find them again; new ones get their past and their follows."""
    dice = random.Random(f"population|{plan.seed}")
    before = set(network.by_handle)
    people = [_person(network, dice, rank) for rank in range(plan.people)]
    fresh = [p for p in people if p.account.handle not in before]
    if fresh:
        _befriend(network, dice, fresh)
        _past(network, dice, fresh, plan)
    return people


def _person(network: Network, dice: random.Random, rank: int) -> Person:
    first, last = dice.choice(FIRST_NAMES), dice.choice(LAST_NAMES)
    topics = dice.sample(TOPICS, dice.choice((1, 1, 2)))
    protocols = dice.choice((("mastodon",), ("bluesky",), ("mastodon", "bluesky")))
    languages = [language for topic in topics for language in topic.posts]
    handle = f"{_ascii(first)}_{topics[0].tag}_{rank}"
    is_bot = dice.random() < 0.06
    person = Person(
        network.add_account(
            handle, f"{first} {last}", "both" if len(protocols) == 2 else protocols[0], bot=is_bot
        ),
        topics, dice.choice(["en", "en", *languages]), dice.betavariate(2, 3), dice.betavariate(2, 2),
        dice.randint(4, 14), 1 / (rank + 1), protocols,
    )  # fmt: skip
    person.account.note = " ".join(topic.bio for topic in topics) + (" Automated account." if is_bot else "")
    network.save_account(person.account)
    return person


def _ascii(name: str) -> str:
    return "".join(c for c in name.lower() if c.isascii() and c.isalnum()) or "someone"


def _befriend(network: Network, dice: random.Random, people: list[Person]) -> None:
    """Who follows whom: the popular are followed by many, as everywhere."""
    weights = [person.popularity for person in people]
    for person in people:
        for other in dice.choices(people, weights, k=dice.randint(2, 12)):
            if other is person:
                continue
            shared = set(person.protocols) & set(other.protocols)
            if "mastodon" in shared:
                network.follow(person.account, other.account)
            if "bluesky" in shared and person.account.did not in network.actors(other.account.did, FOLLOW):
                put_past(network, person.account, FOLLOW, {"subject": other.account.did}, time.time() - 86400)


def put_past(network: Network, account: Account, collection: str, value: Json, at: float) -> Record:
    """A record of an earlier time, that is not in the ledger and notifies nobody."""
    rkey = network.tids.at(at)
    full = {"$type": collection, "createdAt": utc_iso(at), **value}
    record = prepare(network, account, collection, rkey, full, None).record
    assert record is not None
    record.indexed_at = at
    network.put_record(record)
    return record


def compose_text(dice: random.Random, person: Person) -> tuple[str, str]:
    """Something that this person would write, and its language."""
    topic = dice.choice(person.topics)
    language = person.language if person.language in topic.posts else "en"
    tag = f" #{topic.tag}" if dice.random() < 0.7 else ""
    return dice.choice(topic.posts[language]) + tag, language


def _past(network: Network, dice: random.Random, people: list[Person], plan: PopulationPlan) -> None:
    now = time.time()
    times = sorted(now - dice.random() ** 1.5 * plan.days * 86400 - 60 for _ in range(plan.posts))
    for index, at in enumerate(times):
        author = dice.choices(people, [0.2 + p.popularity for p in people])[0]
        text, language = compose_text(dice, author)
        if index % 97 == 41:
            text = dice.choice(HOSTILE)
        fans = [
            p
            for p in people
            if p is not author and dice.random() < p.warmth * (0.08 + 0.4 * author.popularity)
        ]
        if dice.choice(author.protocols) == "mastodon":
            _past_status(network, author, text, language, at, [f for f in fans if "mastodon" in f.protocols])
        else:
            _past_record(network, author, text, language, at, [f for f in fans if "bluesky" in f.protocols])


def _past_status(
    network: Network, author: Person, text: str, language: str, at: float, fans: list[Person]
) -> None:
    number = int(at * 1000) << 16
    while number in network.statuses:
        number += 1
    status = Status(
        number, author.account.id, text, at, language=language, tags=hashtags(text), application="Web"
    )
    status.favourited_by = {fan.account.id: at + 60 for fan in fans}
    network.add_status(status)


def _past_record(
    network: Network, author: Person, text: str, language: str, at: float, fans: list[Person]
) -> None:
    value: Json = {"text": text, "langs": [language], "facets": tag_facets(text)}
    record = put_past(network, author.account, POST, value, at)
    for fan in fans:
        put_past(network, fan.account, LIKE, {"subject": {"uri": record.uri, "cid": record.cid}}, at + 60)


def tag_facets(text: str) -> list[Json]:
    """Facets for the hashtags of a text, by UTF-8 byte offsets."""
    facets = []
    for tag in hashtags(text):
        start = text.lower().index(f"#{tag}")
        begin = len(text[:start].encode())
        feature = {"$type": "app.bsky.richtext.facet#tag", "tag": tag}
        index = {"byteStart": begin, "byteEnd": begin + len(tag.encode()) + 1}
        facets.append({"index": index, "features": [feature]})
    return facets
