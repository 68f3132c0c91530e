"""Matrix: posts go as messages into one room.

Sources: the client-server API (spec.matrix.org, v1.11: whoami, directory, join, send with a transaction id, messages,
redact, media upload) and answers of Synapse 1.163. A transaction id makes a repeat the same event for the same access
token; the room's messages show it to the device that sent them (`unsigned.transaction_id`), so the look-up is exact.
Rooms with encryption are refused: a server cannot read a message into them.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from contentcaster.platforms.base import (
    Capabilities,
    Channel,
    ConnectorError,
    Feature,
    Idempotency,
    Identity,
    Lookup,
    MediaRule,
    OutgoingPost,
    Reauthorise,
    Rejected,
    RemotePost,
    TextRule,
    TextUnit,
)
from contentcaster.platforms.calls import about, json_object, reading_failed, refusal, send, warm_up
from contentcaster.platforms.mastodon_instance import as_server_url
from contentcaster.platforms.plain import PlainConnector
from contentcaster.platforms.uploads import upload_seconds
from contentcaster.security.egress import EgressClient, EgressResponse
from contentcaster.security.egress_body import FileBody

NAME = "Matrix"
_API = "/_matrix/client/v3"
_CLOCKS_APART = timedelta(minutes=2)
_MAX_PAGES = 10


class MatrixCredentials(BaseModel):
    """An access token of an account that is in the room (Element: Settings, Help and About, Advanced)."""

    model_config = ConfigDict(extra="forbid")

    homeserver_url: str = Field(
        title="Homeserver",
        description="The server that the account is on.",
        min_length=1,
        max_length=255,
        json_schema_extra={"placeholder": "https://matrix.org"},
    )
    access_token: SecretStr = Field(
        title="Access token",
        description="In Element: All settings, Help and About, Advanced, Access token. Log out of nothing afterwards.",
        min_length=1,
        max_length=2000,
    )
    room: str = Field(
        title="Room",
        description="The room's address or its internal id. It must not be encrypted.",
        min_length=2,
        max_length=255,
        json_schema_extra={"placeholder": "#news:example.org"},
    )


class MatrixConnector(PlainConnector):
    capabilities: ClassVar[Capabilities] = Capabilities(
        platform="matrix",
        name=NAME,
        color="#0dbd8b",
        # An event may take 65,536 bytes with everything around the text.
        text=TextRule(30_000, TextUnit.CHARACTERS, max_bytes=50_000),
        media=MediaRule(
            1,
            20_000_000,
            ("image/jpeg", "image/png", "image/gif", "image/webp"),
            0,
            max_videos=1,
            max_video_bytes=50_000_000,  # what homeservers take by default; they say no to more in plain words
            video_types=("video/mp4", "video/webm", "video/quicktime"),
        ),
        idempotency=Idempotency.CLIENT_ID,
        features=frozenset(
            {Feature.IMAGES, Feature.VIDEO, Feature.THREAD, Feature.FIRST_COMMENT, Feature.DELETE}
        ),
        can_look_up=True,
        docs_url="https://spec.matrix.org/v1.11/client-server-api/",
        proven_on="a twin; a real Synapse 1.163",
    )
    Credentials: ClassVar[type[BaseModel]] = MatrixCredentials

    def new_client_ref(self, idempotency_key: str, scheduled_at: datetime) -> str:
        return "cc" + hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]

    def resend_is_safe(self, limits: dict[str, Any], first_sent_at: datetime, now: datetime) -> bool:
        return False  # the key belongs to the access token of the first try, which may have been replaced

    # ── connecting ──────────────────────────────────────────────────────────────────────────────────────────

    async def verify(self, credentials: BaseModel, client: EgressClient) -> tuple[Identity, dict[str, Any]]:
        assert isinstance(credentials, MatrixCredentials)
        url = await _discover(client, as_server_url(credentials.homeserver_url))
        stored = {"instance_url": url, "access_token": credentials.access_token.get_secret_value()}
        user = await self._who_am_i(client, stored)
        room_id = await self._join(client, stored, credentials.room.strip())
        await self._refuse_encryption(client, stored, room_id)
        stored |= {"room_id": room_id, "room": credentials.room.strip(), "user_id": user}
        return _identity(stored), stored

    async def check(self, channel: Channel) -> Identity:
        await self._who_am_i(channel.client, channel.credentials)
        return _identity(channel.credentials)

    async def _who_am_i(self, client: EgressClient, stored: dict[str, Any]) -> str:
        response = await send(client, "GET", _url(stored, "/account/whoami"), headers=_authorization(stored))
        user = json_object(response).get("user_id")
        if response.status in (401, 403):
            raise Reauthorise("Matrix does not accept this access token.", **about(response))
        if response.status == 429 or response.status >= 500:
            raise reading_failed(NAME, response)
        if not response.is_success or not isinstance(user, str):
            raise Rejected("There is no Matrix homeserver at this address. Check it.", **about(response))
        return user

    async def _join(self, client: EgressClient, stored: dict[str, Any], room: str) -> str:
        """The room's id. Joining a room that one is in changes nothing."""
        url = _url(stored, f"/join/{quote(room, safe='')}")
        response = await send(client, "POST", url, headers=_authorization(stored), json={})
        room_id = json_object(response).get("room_id")
        if response.is_success and isinstance(room_id, str):
            return room_id
        if response.status in (400, 403, 404):
            raise Rejected(
                f"The account cannot enter the room {room}. Check its address, and invite the account.",
                **about(response),
            )
        raise reading_failed(NAME, response)

    async def _refuse_encryption(self, client: EgressClient, stored: dict[str, Any], room_id: str) -> None:
        url = _url(stored, f"/rooms/{quote(room_id, safe='')}/state/m.room.encryption")
        response = await send(client, "GET", url, headers=_authorization(stored))
        if response.is_success:
            raise Rejected("This room is encrypted, and posts cannot be put into it from a server.")
        if response.status != 404:
            raise reading_failed(NAME, response)

    # ── publishing ──────────────────────────────────────────────────────────────────────────────────────────

    async def prepare(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> dict[str, Any]:
        if post.media:
            progress["media"] = dict(progress.get("media", {}))
        for media in post.media:
            if media.media_id not in progress["media"]:
                response = await send(
                    channel.client,
                    "POST",
                    f"{channel.credentials['instance_url']}/_matrix/media/v3/upload",
                    params={"filename": media.path.name},
                    headers=_authorization(channel.credentials) | {"Content-Type": media.mime_type},
                    content=FileBody.whole(media.path),
                    deadline_seconds=upload_seconds(media.size_bytes),
                )
                uri = json_object(response).get("content_uri")
                if not response.is_success or not isinstance(uri, str):
                    raise self._refusal(response)
                progress["media"][media.media_id] = uri
        await warm_up(channel.client, channel.credentials["instance_url"])
        return progress

    async def publish(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> RemotePost:
        path = f"/rooms/{_room(channel)}/send/m.room.message/{quote(post.client_ref, safe='')}"
        response = await send(
            channel.client,
            "PUT",
            _url(channel.credentials, path),
            headers=_authorization(channel.credentials),
            json=_message(post, progress),
        )
        event_id = json_object(response).get("event_id")
        if response.is_success and isinstance(event_id, str):
            return _remote(event_id, post, channel)
        raise self._refusal(response)

    def _refusal(self, response: EgressResponse) -> ConnectorError:
        body = json_object(response)
        code = body.get("errcode")
        if response.status == 401 or code in ("M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_USER_DEACTIVATED"):
            return Reauthorise(
                "Matrix no longer accepts the access token. Connect the channel again.", **about(response)
            )
        if code == "M_FORBIDDEN":
            return Rejected(
                "The account may not post in this room. Invite it, or give it the right.", **about(response)
            )
        return refusal(NAME, response, str(body.get("error") or ""))

    # ── afterwards ──────────────────────────────────────────────────────────────────────────────────────────

    async def find_own_post(self, post: OutgoingPost, channel: Channel, first_sent_at: datetime) -> Lookup:
        since = first_sent_at - _CLOCKS_APART
        token = ""
        for _ in range(_MAX_PAGES):
            response = await send(
                channel.client,
                "GET",
                _url(channel.credentials, f"/rooms/{_room(channel)}/messages"),
                params={"dir": "b", "limit": 100, "from": token or None},
                headers=_authorization(channel.credentials),
            )
            body = json_object(response)
            events = body.get("chunk")
            if response.status in (401, 403):
                return Lookup(note="The account may no longer read the room.")
            if not response.is_success or not isinstance(events, list):
                raise reading_failed(NAME, response)
            for event in events:
                if not isinstance(event, dict):
                    return Lookup(note="Matrix answered in a form that proves nothing.")
                if _sent_at(event) < since:
                    return _absent()
                if event.get("sender") != channel.credentials["user_id"]:
                    continue
                if _transaction(event) == post.client_ref:
                    return Lookup(found=_remote(str(event["event_id"]), post, channel))
                if not _transaction(event) and _body(event) == post.text:
                    # Sent by another access token, as this channel had before it was connected again.
                    return Lookup(note="The same words are in the room, from another session of the account.")
            token = str(body.get("end") or "")
            if not token:
                return _absent()
        return Lookup(note="The room has too many newer messages to look through.")

    async def delete(self, remote: RemotePost, channel: Channel) -> None:
        transaction = "cd" + hashlib.sha256(remote.id.encode()).hexdigest()[:32]
        path = f"/rooms/{_room(channel)}/redact/{quote(remote.id, safe='')}/{transaction}"
        response = await send(
            channel.client,
            "PUT",
            _url(channel.credentials, path),
            headers=_authorization(channel.credentials),
            json={},
        )
        if not response.is_success and response.status != 404:
            raise self._refusal(response)


def _message(post: OutgoingPost, progress: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"msgtype": "m.text", "body": post.text}
    if post.media:
        # One event for picture or video and caption (v1.10): two events could be torn apart by a failure.
        media = post.media[0]
        message = {
            "msgtype": "m.video" if media.is_video else "m.image",
            "body": post.text or media.alt or media.path.name,
            "filename": media.path.name,
            "url": progress["media"][media.media_id],
            "info": {
                "mimetype": media.mime_type,
                "size": media.size_bytes,
                "w": media.width,
                "h": media.height,
            }
            | ({"duration": round(media.duration_seconds * 1000)} if media.is_video else {}),
        }
    if post.reply_to is not None:
        message["m.relates_to"] = {
            "rel_type": "m.thread",
            "event_id": post.reply_to.extra.get("root") or post.reply_to.id,
            "is_falling_back": True,
            "m.in_reply_to": {"event_id": post.reply_to.id},
        }
    return message


def _remote(event_id: str, post: OutgoingPost, channel: Channel) -> RemotePost:
    root = (post.reply_to.extra.get("root") or post.reply_to.id) if post.reply_to else event_id
    url = f"https://matrix.to/#/{channel.credentials['room_id']}/{event_id}"
    return RemotePost(id=event_id, url=url, extra={"root": root})


def _absent() -> Lookup:
    return Lookup(is_certainly_absent=True, note="The room's messages since the first try do not hold it.")


def _transaction(event: dict[str, Any]) -> str:
    unsigned = event.get("unsigned")
    return str(unsigned.get("transaction_id") or "") if isinstance(unsigned, dict) else ""


def _body(event: dict[str, Any]) -> str:
    content = event.get("content")
    return str(content.get("body") or "") if isinstance(content, dict) else ""


def _sent_at(event: dict[str, Any]) -> datetime:
    stamp = event.get("origin_server_ts")
    return (
        datetime.fromtimestamp(stamp / 1000, UTC)
        if isinstance(stamp, int)
        else datetime.max.replace(tzinfo=UTC)
    )


async def _discover(client: EgressClient, url: str) -> str:
    """The homeserver behind a domain (.well-known/matrix/client); the address itself where it says nothing."""
    try:
        response = await send(client, "GET", f"{url}/.well-known/matrix/client", max_redirects=2)
    except ConnectorError:
        return url
    home = json_object(response).get("m.homeserver") if response.is_success else None
    base = home.get("base_url") if isinstance(home, dict) else None
    return as_server_url(base) if isinstance(base, str) and base else url


def _identity(stored: dict[str, Any]) -> Identity:
    return Identity(
        remote_id=f"{stored['user_id']} {stored['room_id']}"[:255],
        handle=stored["room"],
        display_name=f"{stored['user_id']} in {stored['room']}",
        profile_url=f"https://matrix.to/#/{stored['room_id']}",
    )


def _room(channel: Channel) -> str:
    return quote(channel.credentials["room_id"], safe="")


def _url(stored: dict[str, Any], path: str) -> str:
    return f"{stored['instance_url']}{_API}{path}"


def _authorization(stored: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {stored['access_token']}", "Accept": "application/json"}
