"""Nostr: a post is a signed event that goes to several relays.

Sources: NIP-01 (events, relays), NIP-09 (deletion), NIP-10 (threads), NIP-36 (content warnings), from
github.com/nostr-protocol/nips, and answers of nostr-relay 1.14. The id of an event is the hash of its frozen content,
so a repeat is the same event everywhere; a relay says "duplicate" and that is success. A post counts as published once
one relay has taken it; the others get a moment longer.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from contentcaster.platforms.base import (
    Capabilities,
    Channel,
    ConnectorError,
    Feature,
    Idempotency,
    Identity,
    Lookup,
    MediaRule,
    NotSent,
    OutcomeUnknown,
    OutgoingPost,
    Rejected,
    RemotePost,
    TemporarilyRejected,
    TextRule,
)
from contentcaster.platforms.bluesky_record import find_tags
from contentcaster.platforms.nostr_event import (
    DELETION,
    TEXT_NOTE,
    encode_bech32,
    make_event,
    public_key,
    read_secret_key,
)
from contentcaster.platforms.plain import PlainConnector
from contentcaster.platforms.websocket import WebSocket, WebSocketBroken
from contentcaster.security.egress import EgressClient, EgressNotSent, EgressRefused, redact

NAME = "Nostr"
_MAX_RELAYS = 10
_MAX_MESSAGES = 200
_OTHERS_SECONDS = 3.0
_TRY_LATER = ("rate-limited", "error")


class NostrCredentials(BaseModel):
    model_config = ConfigDict(extra="forbid")

    secret_key: SecretStr = Field(
        title="Secret key",
        description="nsec1... It signs everything that you post and cannot be replaced: consider a key of its own.",
        max_length=200,
    )
    relays: str = Field(
        default="wss://relay.damus.io, wss://nos.lol, wss://relay.primal.net",
        title="Relays",
        description=f"Up to {_MAX_RELAYS} addresses, separated by commas.",
        max_length=2000,
    )

    @field_validator("secret_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        read_secret_key(value.get_secret_value())
        return value

    @field_validator("relays")
    @classmethod
    def _are_relays(cls, value: str) -> str:
        relays = list(dict.fromkeys(part.rstrip("/") for part in re.split(r"[\s,]+", value) if part))
        for relay in relays:
            if urlsplit(relay).scheme not in ("ws", "wss") or not urlsplit(relay).hostname:
                raise ValueError(f"{relay[:80]} is no relay. Its address starts with wss://.")
        if not 1 <= len(relays) <= _MAX_RELAYS:
            raise ValueError(f"Give 1 to {_MAX_RELAYS} relays.")
        return ",".join(relays)


@dataclass(frozen=True)
class _Reply:
    """What one relay did with an event."""

    relay: str
    verdict: Literal["taken", "refused", "unreached", "unknown"]
    reason: str = ""


class NostrConnector(PlainConnector):
    capabilities: ClassVar[Capabilities] = Capabilities(
        platform="nostr",
        name=NAME,
        color="#8e30eb",
        text=TextRule(10_000, max_bytes=40_000, is_required=True),
        media=MediaRule(),
        idempotency=Idempotency.CLIENT_ID,
        features=frozenset({Feature.THREAD, Feature.FIRST_COMMENT, Feature.CONTENT_WARNING, Feature.DELETE}),
        can_look_up=True,
        docs_url="https://github.com/nostr-protocol/nips/blob/master/01.md",
        proven_on="a twin; a real relay (nostr-relay 1.14)",
    )
    Credentials: ClassVar[type[BaseModel]] = NostrCredentials

    def resend_is_safe(self, limits: dict[str, Any], first_sent_at: datetime, now: datetime) -> bool:
        return True  # the same event has the same id at every relay, for ever

    # ── connecting ──────────────────────────────────────────────────────────────────────────────────────────

    async def verify(self, credentials: BaseModel, client: EgressClient) -> tuple[Identity, dict[str, Any]]:
        assert isinstance(credentials, NostrCredentials)
        secret = read_secret_key(credentials.secret_key.get_secret_value())
        stored = {"secret_key": secret.hex(), "relays": credentials.relays}
        return await self._identify(client, stored), stored

    async def check(self, channel: Channel) -> Identity:
        return await self._identify(channel.client, channel.credentials)

    async def _identify(self, client: EgressClient, stored: dict[str, Any]) -> Identity:
        """The key says who it is; a relay that answers shows that posts can go out."""
        key = public_key(bytes.fromhex(stored["secret_key"]))
        asked = await _ask_all(client, stored, {"kinds": [0], "authors": [key], "limit": 1})
        if not any(events is not None for events in asked):
            raise NotSent("None of the relays answers. Check their addresses.")
        profiles = [event for events in asked for event in events or () if event.get("pubkey") == key]
        npub = encode_bech32("npub", bytes.fromhex(key))
        return Identity(
            remote_id=key,
            handle=f"{npub[:12]}…{npub[-4:]}",
            display_name=_profile_name(profiles),
            profile_url=f"https://njump.me/{npub}",
        )

    # ── publishing ──────────────────────────────────────────────────────────────────────────────────────────

    async def prepare(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> dict[str, Any]:
        return progress

    async def publish(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> RemotePost:
        event = _note(post, channel)
        await self._spread(event, channel)
        return _remote(event, post)

    async def _spread(self, event: dict[str, Any], channel: Channel) -> None:
        """Give the event to all relays at once; once one has taken it, the others have a few seconds left."""
        relays = channel.credentials["relays"].split(",")
        waiting = {asyncio.create_task(_give(channel.client, relay, event)) for relay in relays}
        replies: list[_Reply] = []
        patience: float | None = None
        try:
            while waiting:
                done, waiting = await asyncio.wait(
                    waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    break
                replies += [task.result() for task in done]
                if any(reply.verdict == "taken" for reply in replies):
                    patience = _OTHERS_SECONDS
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        if not any(reply.verdict == "taken" for reply in replies):
            raise _failure(replies)

    async def find_own_post(self, post: OutgoingPost, channel: Channel, first_sent_at: datetime) -> Lookup:
        event = _note(post, channel)
        asked = await _ask_all(channel.client, channel.credentials, {"ids": [event["id"]]})
        if any(found.get("id") == event["id"] for events in asked for found in events or ()):
            return Lookup(found=_remote(event, post))
        if all(events is not None for events in asked):
            return Lookup(is_certainly_absent=True, note="No relay has the event.")
        raise ConnectorError("Not every relay could be asked.")

    async def delete(self, remote: RemotePost, channel: Channel) -> None:
        """Ask the relays to forget the event (NIP-09); honest ones do."""
        secret = bytes.fromhex(channel.credentials["secret_key"])
        stamp = int(remote.extra.get("created_at") or 0) + 1
        request = make_event(secret, DELETION, "", [["e", remote.id], ["k", str(TEXT_NOTE)]], stamp)
        await self._spread(request, channel)


def _note(post: OutgoingPost, channel: Channel) -> dict[str, Any]:
    tags: list[list[str]] = []
    if post.reply_to is not None:
        root = post.reply_to.extra.get("root") or post.reply_to.id
        tags.append(["e", root, "", "root"])
        if root != post.reply_to.id:
            tags.append(["e", post.reply_to.id, "", "reply"])
        tags.append(["p", channel.remote_id])
    tags += [["t", tag] for tag in dict.fromkeys(span.value.lower() for span in find_tags(post.text))]
    if warning := post.options.get("content_warning"):
        tags.append(["content-warning", warning])
    secret = bytes.fromhex(channel.credentials["secret_key"])
    return make_event(secret, TEXT_NOTE, post.text, tags, int(post.created_at.timestamp()))


def _remote(event: dict[str, Any], post: OutgoingPost) -> RemotePost:
    root = (post.reply_to.extra.get("root") or post.reply_to.id) if post.reply_to else event["id"]
    url = f"https://njump.me/{encode_bech32('note', bytes.fromhex(event['id']))}"
    return RemotePost(id=event["id"], url=url, extra={"root": root, "created_at": event["created_at"]})


def _failure(replies: list[_Reply]) -> ConnectorError:
    details = redact("; ".join(f"{urlsplit(r.relay).hostname}: {r.verdict} {r.reason}" for r in replies))
    refusals = [reply for reply in replies if reply.verdict == "refused"]
    if any(reply.verdict == "unknown" for reply in replies):
        return OutcomeUnknown("No relay confirmed the post.", diagnostics=details)
    if not refusals:
        return NotSent("None of the relays could be reached.", diagnostics=details)
    if len(refusals) < len(replies) or any(reply.reason.startswith(_TRY_LATER) for reply in refusals):
        return TemporarilyRejected("No relay takes the post now.", diagnostics=details)
    return Rejected(f"Every relay refuses the post: {refusals[0].reason[:200]}", diagnostics=details)


async def _give(client: EgressClient, relay: str, event: dict[str, Any]) -> _Reply:
    was_sent = False
    try:
        async with asyncio.timeout(client.remaining_seconds()):
            async with await WebSocket.open(client, relay) as socket:
                was_sent = True
                await socket.send(json.dumps(["EVENT", event], ensure_ascii=False))
                return await _verdict(socket, relay, event["id"])
    except EgressRefused as error:
        return _Reply(relay, "refused", error.message)
    except (EgressNotSent, WebSocketBroken, TimeoutError) as error:
        return _Reply(relay, "unknown" if was_sent else "unreached", str(error) or "no answer in time")


async def _verdict(socket: WebSocket, relay: str, event_id: str) -> _Reply:
    for _ in range(_MAX_MESSAGES):
        message = _parse(await socket.receive())
        if len(message) >= 3 and message[0] == "OK" and message[1] == event_id:
            reason = str(message[3]) if len(message) > 3 else ""
            is_taken = message[2] is True or reason.startswith("duplicate")
            return _Reply(relay, "taken" if is_taken else "refused", reason)
    return _Reply(relay, "unknown", "only other messages")


async def _ask_all(
    client: EgressClient, stored: dict[str, Any], question: dict[str, Any]
) -> list[list[dict[str, Any]] | None]:
    return list(
        await asyncio.gather(*(_ask(client, relay, question) for relay in stored["relays"].split(",")))
    )


async def _ask(client: EgressClient, relay: str, question: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The stored events that match; None if the relay did not answer to the end."""
    events: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(client.remaining_seconds()):
            async with await WebSocket.open(client, relay) as socket:
                await socket.send(json.dumps(["REQ", "q", question]))
                for _ in range(_MAX_MESSAGES):
                    message = _parse(await socket.receive())
                    if message[:2] == ["EOSE", "q"]:
                        return events
                    if message[:2] == ["EVENT", "q"] and len(message) == 3 and isinstance(message[2], dict):
                        events.append(message[2])
    except (EgressRefused, EgressNotSent, WebSocketBroken, TimeoutError):
        return None
    return None


def _parse(text: str) -> list[Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return message if isinstance(message, list) else []


def _profile_name(profiles: list[dict[str, Any]]) -> str:
    for profile in profiles:
        try:
            found = json.loads(str(profile.get("content")))
        except ValueError:
            continue
        if isinstance(found, dict) and (found.get("display_name") or found.get("name")):
            return str(found.get("display_name") or found.get("name"))[:255]
    return ""
