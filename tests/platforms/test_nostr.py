"""The Nostr connector on twins of relays; tests/networks proves it on a real one."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from contentcaster.clock import utc_now
from contentcaster.platforms import get_connector
from contentcaster.platforms.base import (
    Channel,
    ConnectorError,
    NotSent,
    OutcomeUnknown,
    Rejected,
    TemporarilyRejected,
)
from contentcaster.platforms.nostr_event import (
    decode_bech32,
    encode_bech32,
    make_event,
    public_key,
    read_secret_key,
)
from contentcaster.security.egress import EgressClient
from tests.platforms.channels import connect, make_post, send, send_and_resolve
from tests.platforms.raw_server import Exchange, raw_server
from tests.platforms.twins.nostr import RelayTwin

NOSTR = get_connector("nostr")
SECRET = "67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa"


@pytest.fixture
def relays() -> Iterator[list[RelayTwin]]:
    with RelayTwin() as first, RelayTwin() as second:
        yield [first, second]


def on(relays: list[RelayTwin], test: Callable[[Channel], Awaitable[None]], **more: Any) -> None:
    async def inner() -> None:
        async with EgressClient(allow=frozenset(r.host for r in relays), **more) as client:
            credentials = {"secret_key": SECRET, "relays": ", ".join(r.relay + "/" for r in relays)}
            channel, _ = await connect(NOSTR, client, credentials)
            await test(channel)

    asyncio.run(asyncio.wait_for(inner(), 30))


def visible(relays: list[RelayTwin], text: str) -> set[str]:
    """Ids of the posts with this text that somebody can see who reads all relays."""
    return {event_id for relay in relays for event_id in relay.visible(text)}


def test_keys_are_read_and_written_as_nip_19_says() -> None:
    """The examples of NIP-19."""
    nsec = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"
    assert read_secret_key(nsec).hex() == SECRET == read_secret_key(SECRET).hex()
    npub = "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6"
    key = "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d"
    assert encode_bech32("npub", bytes.fromhex(key)) == npub
    assert decode_bech32("npub", npub).hex() == key
    for wrong in ("", "nsec1", nsec[:-1] + "6", npub, "0" * 64, "g" * 64):
        with pytest.raises(ValueError, match="nsec1"):
            read_secret_key(wrong)


def test_an_event_has_one_id_whatever_its_signature() -> None:
    arguments = (bytes.fromhex(SECRET), 1, 'Grüße "x" \n/\u2028', [["t", "x"]], 1_795_000_000)
    first, second = make_event(*arguments), make_event(*arguments)
    assert first["id"] == second["id"] and first["pubkey"] == public_key(bytes.fromhex(SECRET))


def test_a_post_reaches_every_relay_as_one_event(relays: list[RelayTwin]) -> None:
    async def test(channel: Channel) -> None:
        options = {"content_warning": "Spoiler"}
        post = make_post(NOSTR, "Grüße 👩‍👩‍👧 #Nostr #nostr", options=options)
        remote = await send(NOSTR, channel, post)
        assert [relay.visible(post.text) for relay in relays] == [[remote.id], [remote.id]]
        event = relays[0].events[remote.id]
        assert event["tags"] == [["t", "nostr"], ["content-warning", "Spoiler"]]
        assert event["created_at"] == int(post.created_at.timestamp())
        assert (await send(NOSTR, channel, post)).id == remote.id, "a duplicate is success"

    on(relays, test)


def test_a_thread_marks_root_and_reply(relays: list[RelayTwin]) -> None:
    async def test(channel: Channel) -> None:
        first = await send(NOSTR, channel, make_post(NOSTR, "One"))
        second = await send(NOSTR, channel, make_post(NOSTR, "Two", reply_to=first))
        third = await send(NOSTR, channel, make_post(NOSTR, "Three", reply_to=second))
        tags = relays[0].events[third.id]["tags"]
        assert tags[:2] == [["e", first.id, "", "root"], ["e", second.id, "", "reply"]]

    on(relays, test)


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "silent", "nonsense"])
def test_after_a_fault_at_every_relay_there_is_exactly_one_post(relays: list[RelayTwin], fault: str) -> None:
    async def test(channel: Channel) -> None:
        text = uuid.uuid4().hex
        for relay in relays:
            relay.fault = fault
        outcome = await send_and_resolve(NOSTR, channel, make_post(NOSTR, text))
        assert outcome.was_unknown, "the fault did not happen"
        assert outcome.remote is not None
        assert visible(relays, text) == {outcome.remote.id}

    on(relays, test, deadline_seconds=1.0)


def test_one_relay_that_takes_it_is_enough_and_is_not_waited_past_for_long(relays: list[RelayTwin]) -> None:
    async def test(channel: Channel) -> None:
        relays[1].fault = "silent"
        began = asyncio.get_running_loop().time()
        remote = await send(NOSTR, channel, make_post(NOSTR, "One of two"))
        assert asyncio.get_running_loop().time() - began < 6
        assert relays[0].visible("One of two") == [remote.id]

    on(relays, test, deadline_seconds=20.0)


def test_refusals_are_told_apart(relays: list[RelayTwin]) -> None:
    cases: list[tuple[str, str, type[ConnectorError]]] = [
        ("blocked: not on the list", "blocked: not on the list", Rejected),
        ("blocked: x", "rate-limited: slow down", TemporarilyRejected),
        ("error: disk", "error: disk", TemporarilyRejected),
        ("blocked: x", "drop_before", OutcomeUnknown),
    ]

    async def test(channel: Channel) -> None:
        for first, second, error in cases:
            relays[0].fault, relays[1].fault = first, second
            with pytest.raises(error) as raised:
                await send(NOSTR, channel, make_post(NOSTR, "x"))
            assert type(raised.value) is error
            assert SECRET not in raised.value.message + raised.value.diagnostics
        assert visible(relays, "x") == set()

    on(relays, test)


def test_a_deadline_that_has_passed_sends_nothing(relays: list[RelayTwin]) -> None:
    async def test(channel: Channel) -> None:
        channel.client = channel.client.until(0.0)
        with pytest.raises(NotSent):
            await send(NOSTR, channel, make_post(NOSTR, "x"))
        assert [relay.received for relay in relays] == [0, 0]

    on(relays, test)


def test_presence_and_absence_are_proved_by_the_id(relays: list[RelayTwin]) -> None:
    async def test(channel: Channel) -> None:
        post, other = make_post(NOSTR, "There"), make_post(NOSTR, "Not there")
        remote = await send(NOSTR, channel, post)
        found = await NOSTR.find_own_post(post, channel, utc_now())
        assert found.found is not None and found.found.id == remote.id
        assert (await NOSTR.find_own_post(other, channel, utc_now())).is_certainly_absent
        channel.credentials["relays"] += ",ws://127.0.0.1:1"
        with pytest.raises(ConnectorError):
            await NOSTR.find_own_post(other, channel, utc_now())

    on(relays, test)


def test_a_deleted_post_is_gone_and_deleting_again_is_no_error(relays: list[RelayTwin]) -> None:
    async def test(channel: Channel) -> None:
        remote = await send(NOSTR, channel, make_post(NOSTR, "Gone soon"))
        await NOSTR.delete(remote, channel)
        assert visible(relays, "Gone soon") == set()
        await NOSTR.delete(remote, channel)

    on(relays, test)


def test_relays_on_private_addresses_or_without_tls_hear_nothing(relays: list[RelayTwin]) -> None:
    async def test() -> None:
        async with EgressClient(deadline_seconds=3) as client:
            for address in (relays[0].relay, relays[0].relay.replace("ws://", "wss://")):
                with pytest.raises(ConnectorError):
                    await connect(NOSTR, client, {"secret_key": SECRET, "relays": address})
        assert relays[0].requests == []

    asyncio.run(test())


def test_a_server_that_is_no_relay_is_told(relays: list[RelayTwin]) -> None:
    async def page(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>")

    async def test() -> None:
        async with raw_server(page) as server:
            async with EgressClient(allow=frozenset({server.host}), deadline_seconds=3) as client:
                with pytest.raises(NotSent, match="None of the relays answers"):
                    await connect(NOSTR, client, {"secret_key": SECRET, "relays": f"ws://{server.host}"})

    asyncio.run(test())


def test_the_name_in_the_profile_is_shown(relays: list[RelayTwin]) -> None:
    content = json.dumps({"name": "ada", "display_name": "Ada L."})
    profile = make_event(bytes.fromhex(SECRET), 0, content, [], 1_795_000_000)
    relays[1].events[profile["id"]] = profile

    async def test(channel: Channel) -> None:
        identity = await NOSTR.check(channel)
        assert identity.display_name == "Ada L."
        assert identity.remote_id == public_key(bytes.fromhex(SECRET))
        assert identity.handle.startswith("npub1")

    on(relays, test)


@pytest.mark.parametrize(
    "wrong", [{"secret_key": "nsec1x"}, {"relays": "https://a.b"}, {"relays": ""}, {"relays": "wss://"}]
)
def test_what_cannot_be_used_is_refused_at_the_field(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        NOSTR.Credentials.model_validate({"secret_key": SECRET, "relays": "wss://a.example"} | wrong)
