"""Bluesky on the whole network (PLC, PDS and AppView of @atproto/dev-env 0.3.215): what only the AppView can tell.

Acts and their keys, counts, search, notifications, threads, quotes, labels and languages, as others see them.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from contentcaster.clock import utc_now
from contentcaster.models import ActAction
from contentcaster.platforms import get_connector
from contentcaster.platforms.acts import ActOrder, Seen
from contentcaster.platforms.base import Channel, OutgoingPost, RemotePost
from contentcaster.platforms.bluesky_acts import BlueskyActs
from contentcaster.platforms.bluesky_metrics import BlueskyMetrics
from contentcaster.security.egress import EgressClient
from contentcaster.services.bots_acts import record_key_of
from tests.networks import test_bluesky_pds
from tests.networks.bluesky_network_server import bluesky_network
from tests.networks.test_bluesky_pds import Pds
from tests.platforms.channels import connect, make_picture, make_post, send

BLUESKY, ACTS, METRICS = get_connector("bluesky"), BlueskyActs(), BlueskyMetrics()
Result = TypeVar("Result")


@pytest.fixture(scope="module")
def network() -> Iterator[Pds]:
    with bluesky_network() as url:
        yield Pds(url)


class TestBlueskyOnTheWholeNetwork(test_bluesky_pds.TestBlueskyOnARealPds):
    """The contract and all that holds on a PDS alone holds here too."""

    @pytest.fixture(autouse=True)
    def _use(self, network: Pds) -> None:
        self.pds = network


def act(channel: Channel, action: str, target: str, **extra: Any) -> ActOrder:
    return ActOrder(
        action=action,
        target_ref=target,
        extra=extra,
        record_key=record_key_of(channel.account_id, ActAction(action), target),
        created_at=utc_now(),
    )


def on(network: Pds, test: Callable[[Channel, Channel], Awaitable[None]]) -> None:
    """Run a test with two people's channels."""

    async def inner() -> None:
        async with EgressClient(allow=frozenset({network.url.removeprefix("http://")})) as client:
            channels = []
            for _ in range(2):
                account = network.new_account()
                credentials = {
                    "service_url": network.url,
                    "identifier": account["handle"],
                    "app_password": account["app_password"],
                }
                channel, _vault = await connect(BLUESKY, client, credentials)
                channels.append(channel)
            await test(channels[0], channels[1])

    asyncio.run(asyncio.wait_for(inner(), 90))


async def until(read: Callable[[], Awaitable[Result]], is_right: Callable[[Result], object]) -> Result:
    """The AppView indexes within a second; what it says then."""
    end = time.monotonic() + 20
    while True:
        value = await read()
        if is_right(value):
            return value
        assert time.monotonic() < end, value
        await asyncio.sleep(0.1)


def records(network: Pds, channel: Channel, collection: str) -> list[dict[str, Any]]:
    answer = network.http.get(
        "com.atproto.repo.listRecords", params={"repo": channel.remote_id, "collection": collection}
    )
    found: list[dict[str, Any]] = answer.json()["records"]
    return found


async def view(network: Pds, remote: RemotePost) -> dict[str, Any]:
    """The post as the AppView shows it to anybody."""
    session = network.new_account()
    response = await asyncio.to_thread(
        network.http.get,
        "app.bsky.feed.getPosts",
        params={"uris": remote.id},
        headers={"Authorization": f"Bearer {session['accessJwt']}"},
    )
    return next(iter(response.json()["posts"]), {})


@pytest.mark.parametrize("action", ["like", "repost", "follow"])
def test_doing_an_act_twice_is_one_record_and_counts_once(network: Pds, action: str) -> None:
    async def test(ann: Channel, ben: Channel) -> None:
        post = await send(BLUESKY, ann, make_post(BLUESKY, f"Act on me {uuid.uuid4().hex[:8]}"))
        target = ann.remote_id if action == "follow" else post.id
        order = act(ben, action, target, cid=post.extra["cid"])
        first = await ACTS.perform(order, ben)
        again = await ACTS.perform(
            replace(order, created_at=utc_now()), ben
        )  # a repeat, even with another time
        assert again.id == first.id
        collection = "app.bsky.graph.follow" if action == "follow" else f"app.bsky.feed.{action}"
        assert len(records(network, ben, collection)) == 1
        assert (await ACTS.find_act(order, ben)).found is not None

        async def count() -> int:
            if action == "follow":
                return await METRICS.followers(ann) or 0
            counts = (await METRICS.counts([post.id], ann)).get(post.id)
            return (counts.likes if action == "like" else counts.reposts) or 0 if counts else 0

        assert await until(count, lambda number: number >= 1) == 1

    on(network, test)


def test_many_who_do_one_act_at_once_make_one_record(network: Pds) -> None:
    async def test(ann: Channel, ben: Channel) -> None:
        post = await send(BLUESKY, ann, make_post(BLUESKY, "Like me at once"))
        order = act(ben, "like", post.id, cid=post.extra["cid"])
        await asyncio.gather(*(ACTS.perform(order, ben) for _ in range(6)))
        assert len(records(network, ben, "app.bsky.feed.like")) == 1

    on(network, test)


def test_unfollowing_takes_back_the_follow_and_again_is_no_error(network: Pds) -> None:
    async def test(ann: Channel, ben: Channel) -> None:
        follow = act(ben, "follow", ann.remote_id)
        await ACTS.perform(follow, ben)
        await until(lambda: METRICS.followers(ann), lambda number: number == 1)
        assert ben.remote_id in await until(
            lambda: ACTS.follows_us([ben.remote_id], ann), lambda found: ben.remote_id in found
        )
        unfollow = act(ben, "unfollow", ann.remote_id)
        assert unfollow.record_key == follow.record_key
        for _ in range(2):
            await ACTS.perform(unfollow, ben)
        assert records(network, ben, "app.bsky.graph.follow") == []
        await until(lambda: METRICS.followers(ann), lambda number: number == 0)

    on(network, test)


def test_counts_are_the_appviews_and_a_deleted_post_is_missing_from_them(network: Pds) -> None:
    async def test(ann: Channel, ben: Channel) -> None:
        post, gone = [await send(BLUESKY, ann, make_post(BLUESKY, f"Count {n}")) for n in range(2)]
        for action in ("like", "repost"):
            await ACTS.perform(act(ben, action, post.id, cid=post.extra["cid"]), ben)
        await send(BLUESKY, ben, make_post(BLUESKY, "An answer", reply_to=post))
        await quote(network, ben, post)
        await BLUESKY.delete(gone, ann)

        async def counts() -> dict[str, Any]:
            return await METRICS.counts([post.id, gone.id], ann)

        def is_complete(found: dict[str, Any]) -> bool:
            one = found.get(post.id)
            return (
                one is not None
                and (one.likes, one.replies) == (1, 1)
                and one.reposts == 2
                and gone.id not in found
            )

        await until(counts, is_complete)

    on(network, test)


def test_a_quote_of_ours_is_counted_and_shown_by_the_appview(network: Pds) -> None:
    async def test(ann: Channel, ben: Channel) -> None:
        first = await send(BLUESKY, ann, make_post(BLUESKY, f"Quote me {uuid.uuid4().hex[:8]}"))

        async def shown() -> dict[str, Any]:
            return await view(network, first)

        await until(shown, lambda post: post.get("uri") == first.id)
        ours = await send(BLUESKY, ben, make_post(BLUESKY, "So true", options={"quote": first.url}))
        assert (await until(shown, lambda post: post.get("quoteCount")))["quoteCount"] == 1
        quoting = await view(network, ours)
        assert quoting["embed"]["$type"] == "app.bsky.embed.record#view"
        assert quoting["embed"]["record"]["uri"] == first.id

    on(network, test)


async def quote(network: Pds, channel: Channel, post: RemotePost) -> None:
    """A quote as another client writes it."""
    record = {
        "$type": "app.bsky.feed.post",
        "text": "Look at this",
        "createdAt": utc_now().isoformat().replace("+00:00", "Z"),
        "embed": {"$type": "app.bsky.embed.record", "record": {"uri": post.id, "cid": post.extra["cid"]}},
    }
    response = await asyncio.to_thread(
        network.http.post,
        "com.atproto.repo.createRecord",
        json={"repo": channel.remote_id, "collection": "app.bsky.feed.post", "record": record},
        headers={"Authorization": f"Bearer {channel.credentials['access_jwt']}"},
    )
    response.raise_for_status()


def test_search_by_word_tag_author_and_followers_finds_posts_with_their_authors_counts(network: Pds) -> None:
    async def test(ann: Channel, ben: Channel) -> None:
        word = f"zebra{uuid.uuid4().hex[:8]}"
        post = await send(
            BLUESKY, ann, make_post(BLUESKY, f"A {word} in town #{word}", options={"language": "en"})
        )
        await ACTS.perform(act(ben, "follow", ann.remote_id), ben)

        def has_post(found: list[Seen]) -> bool:
            return any(seen.ref == post.id and seen.followers == 1 for seen in found)

        for kind, value in (("keyword", word), ("hashtag", word), ("posts_of", ann.remote_id)):
            found = await until(lambda k=kind, v=value: ACTS.read_source(k, v, ben, 20), has_post)  # type: ignore[misc]
            seen = next(seen for seen in found if seen.ref == post.id)
            assert (seen.language, seen.author_ref, seen.extra["cid"]) == (
                "en",
                ann.remote_id,
                post.extra["cid"],
            )
        people = await until(lambda: ACTS.read_source("followers_of", ann.remote_id, ann, 20), bool)
        assert [person.ref for person in people] == [ben.remote_id]

    on(network, test)


def test_notifications_come_once_each_with_who_and_why(network: Pds) -> None:
    async def test(ann: Channel, ben: Channel) -> None:
        post = await send(BLUESKY, ann, make_post(BLUESKY, "Talk to me"))
        await send(BLUESKY, ben, make_post(BLUESKY, "An answer", reply_to=post))
        await send(BLUESKY, ben, make_post(BLUESKY, f"Hello @{ann.credentials['handle']}"))
        await quote(network, ben, post)
        await ACTS.perform(act(ben, "follow", ann.remote_id), ben)
        seen: list[Seen] = []
        cursor = ""

        async def read() -> list[Seen]:
            nonlocal cursor
            fresh, cursor = await ACTS.notifications(cursor, ann, 50)
            seen.extend(fresh)
            return seen

        await until(
            read, lambda found: {item.event for item in found} >= {"reply", "mention", "quote", "follow"}
        )
        await read()
        assert sorted(item.event for item in seen) == ["follow", "mention", "quote", "reply"]
        assert {item.author_ref for item in seen} == {ben.remote_id}
        assert all(item.has_tagged_us for item in seen)

    on(network, test)


def test_a_thread_a_picture_a_label_and_a_language_look_to_others_as_they_were_meant(
    network: Pds, tmp_path: Any
) -> None:
    async def test(ann: Channel, ben: Channel) -> None:
        options = {"language": "de", "content_warning": "Nudity"}
        picture = make_picture(tmp_path, alt="Ein rotes Feld")
        parts: list[RemotePost] = []
        for text, more in (("Eins", {"media": (picture,), "options": options}), ("Zwei", {}), ("Drei", {})):
            before = {"reply_to": parts[-1]} if parts else {}
            post: OutgoingPost = make_post(BLUESKY, text, **more, **before)
            parts.append(await send(BLUESKY, ann, post))

        shown = await until(lambda: view(network, parts[0]), lambda found: found.get("replyCount") == 1)
        image = shown["embed"]["images"][0]
        assert (image["alt"], image["aspectRatio"]) == ("Ein rotes Feld", {"width": 64, "height": 48})
        assert shown["record"]["langs"] == ["de"]
        assert [label["val"] for label in shown["labels"]] == ["nudity"]

        async def thread() -> dict[str, Any]:
            response = await asyncio.to_thread(
                network.http.get,
                "app.bsky.feed.getPostThread",
                params={"uri": parts[0].id, "depth": 5},
                headers={"Authorization": f"Bearer {ben.credentials['access_jwt']}"},
            )
            found: dict[str, Any] = response.json().get("thread", {})
            return found

        def texts(found: dict[str, Any]) -> list[str]:
            replies = found.get("replies") or []
            return [found["post"]["record"]["text"], *(texts(replies[0]) if replies else [])]

        await until(thread, lambda found: found and texts(found) == ["Eins", "Zwei", "Drei"])

    on(network, test)
