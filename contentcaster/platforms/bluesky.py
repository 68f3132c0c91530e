"""Bluesky, by the AT Protocol: every post is a record under a key that we choose, so a repeat is the same post.

Sources: the lexicons com.atproto.server.*, com.atproto.repo.* and app.bsky.*, docs.bsky.app (posts, rate limits), and
answers of @atproto/pds 0.4.217. `putRecord` with `swapRecord: null` creates and never overwrites; the record is frozen
when it is prepared, so that a repeat has the same bytes and the same cid; `getRecord` proves presence and absence.
Videos go to the server as a blob, the "simple method" of docs.bsky.app/docs/tutorials/video (app.bsky.embed.video:
MP4, 100 MB); Bluesky makes its streams once the post is there, so people may see it a few seconds before it plays.
A repeat after a person deleted the post would bring it back: that is why a confirmed job is never sent again.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Any, ClassVar

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
    OutcomeUnknown,
    OutgoingMedia,
    OutgoingPost,
    Reauthorise,
    Rejected,
    RemotePost,
    TemporarilyRejected,
    TextRule,
    TextUnit,
)
from contentcaster.platforms.bluesky_images import MAX_BLOB_BYTES, fit_image
from contentcaster.platforms.bluesky_record import (
    POST,
    find_mentions,
    label_of,
    make_facets,
    make_tid,
    timestamp,
)
from contentcaster.platforms.bluesky_session import (
    NAME,
    RENEW_AHEAD_SECONDS,
    access_token,
    ends_soon,
    is_token_refusal,
    sign_in,
)
from contentcaster.platforms.calls import (
    about,
    as_sentence,
    json_object,
    rate_limited,
    reading_failed,
    send,
    unusable,
    warm_up,
)
from contentcaster.platforms.mastodon_instance import as_server_url
from contentcaster.platforms.quotes import bluesky_post
from contentcaster.platforms.uploads import upload_seconds
from contentcaster.security.egress import EgressClient, EgressResponse
from contentcaster.security.egress_body import FileBody

_BLOB_LIFE_SECONDS = 600.0
"""A blob that no record uses is dropped by the server some time later, so an old one is uploaded again."""
_VIDEO_LIFE_SECONDS = 3000.0
"""Bigger, so uploaded earlier: servers keep an unused blob for an hour at least (atproto.com/specs/blob)."""
_ABSENT = ("RecordNotFound", "Could not locate record")


class BlueskyCredentials(BaseModel):
    """An app password, made at Bluesky under Settings, Privacy and security, App passwords."""

    model_config = ConfigDict(extra="forbid")

    service_url: str = Field(
        default="https://bsky.social",
        title="Server",
        description="Keep this unless your account lives on a server (PDS) of its own.",
        max_length=255,
    )
    identifier: str = Field(
        title="Handle",
        description="Your handle or the e-mail address of the account.",
        min_length=1,
        max_length=255,
        json_schema_extra={"placeholder": "acme.bsky.social"},
    )
    app_password: SecretStr = Field(
        title="App password",
        description="At Bluesky: Settings, Privacy and security, App passwords. Not your own password.",
        min_length=1,
        max_length=255,
    )


class BlueskyConnector:
    capabilities: ClassVar[Capabilities] = Capabilities(
        platform="bluesky",
        name=NAME,
        color="#0285ff",
        text=TextRule(300, TextUnit.GRAPHEMES, max_bytes=3000),
        media=MediaRule(
            4,
            MAX_BLOB_BYTES,
            ("image/jpeg", "image/png", "image/webp", "image/gif"),
            2000,
            max_videos=1,
            max_video_bytes=100_000_000,
            max_video_seconds=180,
            video_types=("video/mp4",),
            video_codecs=("H.264",),
            max_video_alt_length=1000,
        ),
        idempotency=Idempotency.CLIENT_ID,
        features=frozenset(
            {
                Feature.IMAGES,
                Feature.VIDEO,
                Feature.ALT_TEXT,
                Feature.THREAD,
                Feature.FIRST_COMMENT,
                Feature.CONTENT_WARNING,
                Feature.LANGUAGE,
                Feature.DELETE,
                Feature.LIKE,
                Feature.REPLY,
                Feature.REPOST,
                Feature.FOLLOW,
                Feature.SEARCH,
                Feature.METRICS,
                Feature.QUOTE,
            }
        ),
        can_look_up=True,
        docs_url="https://docs.bsky.app/docs/get-started",
        proven_on="the sandbox; a real PDS (@atproto/pds 0.4.217); the whole network with AppView (dev-env 0.3.215)",
    )
    Credentials: ClassVar[type[BaseModel]] = BlueskyCredentials

    def new_client_ref(self, idempotency_key: str, scheduled_at: datetime) -> str:
        return make_tid(idempotency_key, scheduled_at)

    def text_rule(self, limits: dict[str, Any]) -> TextRule:
        return self.capabilities.text

    def resend_is_safe(self, limits: dict[str, Any], first_sent_at: datetime, now: datetime) -> bool:
        """The look-up is exact and cheap, and it alone sees that a post was made and deleted since: never skip it."""
        return False

    # ── connecting ──────────────────────────────────────────────────────────────────────────────────────────

    async def verify(self, credentials: BaseModel, client: EgressClient) -> tuple[Identity, dict[str, Any]]:
        assert isinstance(credentials, BlueskyCredentials)
        url = as_server_url(credentials.service_url)
        identifier = credentials.identifier.strip().lstrip("@").lower()
        stored = await sign_in(client, url, identifier, credentials.app_password.get_secret_value())
        return _identity(stored), stored

    async def check(self, channel: Channel) -> Identity:
        token = await access_token(channel)
        url = f"{channel.credentials['service_url']}/xrpc/com.atproto.server.getSession"
        response = await send(channel.client, "GET", url, headers=_authorization(token))
        if is_token_refusal(response):
            token = await access_token(channel, refused=token)
            response = await send(channel.client, "GET", url, headers=_authorization(token))
        if is_token_refusal(response):
            raise Reauthorise("Bluesky no longer accepts this channel. Connect it again.", **about(response))
        body = json_object(response)
        if not response.is_success or not body.get("did"):
            raise reading_failed(NAME, response)
        return _identity({**channel.credentials, "handle": body.get("handle") or channel.handle})

    async def renew_ahead(self, channel: Channel) -> bool:
        if not ends_soon(channel):
            return False
        await access_token(channel, lasting_seconds=RENEW_AHEAD_SECONDS)
        return True

    # ── publishing ──────────────────────────────────────────────────────────────────────────────────────────

    async def prepare(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> dict[str, Any]:
        await access_token(channel)
        blobs: dict[str, dict[str, Any]] = dict(progress.get("blobs", {}))
        if post.media:
            progress["blobs"] = blobs
        for media in post.media:
            known = blobs.get(media.media_id)
            lasts = _VIDEO_LIFE_SECONDS if media.is_video else _BLOB_LIFE_SECONDS
            if known is None or time.time() - known["uploaded_at"] > lasts:
                blobs[media.media_id] = await self._upload_media(media, channel)
        # Who a handle belongs to can change between tries; the record may not.
        if "dids" not in progress:
            progress["dids"] = await self._resolve_mentions(post.text, channel)
        if "quote" not in progress and post.options.get("quote"):
            progress["quote"] = await self._find_quoted(str(post.options["quote"]), channel)
        await warm_up(channel.client, _pds(channel))
        return progress

    async def publish(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> RemotePost:
        body = {
            "repo": channel.credentials["did"],
            "collection": POST,
            "rkey": post.client_ref,
            "record": make_record(post, progress),
            "swapRecord": None,
        }
        response = await self._write("putRecord", body, channel)
        answer = json_object(response)
        if response.is_success and isinstance(answer.get("uri"), str) and isinstance(answer.get("cid"), str):
            return _remote(answer["uri"], answer["cid"], post, channel)
        if answer.get("error") == "InvalidSwap" or response.status >= 500 or response.status < 400:
            # The record may be there from this call or an earlier one, and its key says so for certain.
            found = await self._read_back(post, channel)
            if found is not None:
                return found
        raise self._refusal(response)

    async def _read_back(self, post: OutgoingPost, channel: Channel) -> RemotePost | None:
        try:
            return (await self._get_record(post, channel)).found
        except ConnectorError:
            return None  # the doubt stands; the look-up after the settle time resolves it

    async def _write(self, call: str, body: dict[str, Any], channel: Channel) -> EgressResponse:
        """A write, repeated once with a new token if the old one is refused: a refused token wrote nothing."""
        url = f"{_pds(channel)}/xrpc/com.atproto.repo.{call}"
        token = await access_token(channel)
        response = await send(channel.client, "POST", url, headers=_authorization(token), json=body)
        if is_token_refusal(response):
            token = await access_token(channel, refused=token)
            response = await send(channel.client, "POST", url, headers=_authorization(token), json=body)
        return response

    def _refusal(self, response: EgressResponse) -> ConnectorError:
        body, details = json_object(response), about(response)
        error, reason = str(body.get("error") or ""), str(body.get("message") or "")[:300]
        if response.status == 429:
            return rate_limited(NAME, response)
        if is_token_refusal(response):
            return Reauthorise("Bluesky no longer accepts this channel. Connect it again.", **details)
        if response.status == 413:
            return Rejected("Bluesky finds this post too large.", **details)
        if (
            error == "InvalidSwap"
            or response.status == 408
            or response.status >= 500
            or response.status < 400
        ):
            return unusable(NAME, response)
        if not (reason or error):
            # Something in front of the server said it, a gate that may open again.
            return TemporarilyRejected(f"Bluesky turned the request away ({response.status}).", **details)
        return Rejected(f"Bluesky refuses this post: {as_sentence(reason or error)}", **details)

    async def _upload_media(self, media: OutgoingMedia, channel: Channel) -> dict[str, Any]:
        content: bytes | FileBody
        if media.is_video:
            content, mime_type = FileBody.whole(media.path), media.mime_type
            width, height = media.width, media.height
        else:
            fitted = await asyncio.to_thread(fit_image, media.path, media.mime_type)
            content, mime_type, width, height = fitted.content, fitted.mime_type, fitted.width, fitted.height
        blob = await self._upload(content, mime_type, channel)
        return {"blob": blob, "width": width, "height": height, "uploaded_at": time.time()}

    async def _upload(self, content: bytes | FileBody, mime_type: str, channel: Channel) -> dict[str, Any]:
        url = f"{_pds(channel)}/xrpc/com.atproto.repo.uploadBlob"
        refused = ""
        for _ in range(2):
            token = await access_token(channel, refused=refused)
            response = await send(
                channel.client,
                "POST",
                url,
                headers=_authorization(token) | {"Content-Type": mime_type},
                content=content,
                deadline_seconds=upload_seconds(len(content)),
            )
            if not is_token_refusal(response):
                break
            refused = token
        if response.status == 413:
            size = f"{len(content) / 1e6:.1f} MB"
            raise Rejected(
                f"Your Bluesky server takes no files of {size}. Make it smaller.", **about(response)
            )
        blob = json_object(response).get("blob")
        if response.is_success and isinstance(blob, dict):
            return blob
        raise self._refusal(response)

    async def _find_quoted(self, address: str, channel: Channel) -> dict[str, str]:
        """Address and cid of the post that this one quotes, as it is now (app.bsky.feed.getPosts)."""
        actor, rkey = bluesky_post(address) or ("", "")
        did = actor if actor.startswith("did:") else (await self._resolve([actor], channel)).get(actor, "")
        if not did:
            raise Rejected(f"Bluesky knows no post at {address[:200]}. Check the address of the quote.")
        token = await access_token(channel)
        response = await send(
            channel.client,
            "GET",
            f"{_pds(channel)}/xrpc/app.bsky.feed.getPosts",
            params={"uris": f"at://{did}/{POST}/{rkey}"},
            headers=_authorization(token),
        )
        found = json_object(response).get("posts")
        if not response.is_success or not isinstance(found, list):
            raise reading_failed(NAME, response)
        if not found or not isinstance(found[0], dict) or not isinstance(found[0].get("cid"), str):
            raise Rejected("The post that this one quotes is not on Bluesky any more. Take the quote out.")
        return {"uri": str(found[0].get("uri")), "cid": found[0]["cid"]}

    async def _resolve_mentions(self, text: str, channel: Channel) -> dict[str, str]:
        """handle -> DID for the mentions that exist; the others stay plain text."""
        return await self._resolve([span.value for span in find_mentions(text)], channel)

    async def _resolve(self, handles: list[str], channel: Channel) -> dict[str, str]:
        dids: dict[str, str] = {}
        for handle in dict.fromkeys(handles):
            response = await send(
                channel.client,
                "GET",
                f"{_pds(channel)}/xrpc/com.atproto.identity.resolveHandle",
                params={"handle": handle},
            )
            did = json_object(response).get("did")
            if response.is_success and isinstance(did, str):
                dids[handle] = did
            elif response.status == 429 or response.status >= 500:
                raise reading_failed(NAME, response)
        return dids

    # ── afterwards ──────────────────────────────────────────────────────────────────────────────────────────

    async def find_own_post(self, post: OutgoingPost, channel: Channel, first_sent_at: datetime) -> Lookup:
        return await self._get_record(post, channel)

    async def _get_record(self, post: OutgoingPost, channel: Channel) -> Lookup:
        """com.atproto.repo.getRecord by our key: it needs no token, and both of its answers are proof."""
        response = await send(
            channel.client,
            "GET",
            f"{_pds(channel)}/xrpc/com.atproto.repo.getRecord",
            params={"repo": channel.credentials["did"], "collection": POST, "rkey": post.client_ref},
        )
        body = json_object(response)
        if response.is_success and isinstance(body.get("uri"), str) and isinstance(body.get("cid"), str):
            value = body.get("value")
            if not isinstance(value, dict) or value.get("createdAt") != timestamp(post.created_at):
                # Two jobs of one second share a key once in a thousand million times.
                return Lookup(note="Bluesky has another record under the key of this post.")
            return Lookup(found=_remote(body["uri"], body["cid"], post, channel))
        reason = f"{body.get('error')} {body.get('message')}"
        if response.status in (400, 404) and any(word in reason for word in _ABSENT):
            return Lookup(is_certainly_absent=True, note="Bluesky has no record under the key of this post.")
        raise reading_failed(NAME, response)

    async def delete(self, remote: RemotePost, channel: Channel) -> None:
        _, collection, rkey = remote.id.removeprefix("at://").split("/", 2)
        body = {"repo": channel.credentials["did"], "collection": collection, "rkey": rkey}
        response = await self._write("deleteRecord", body, channel)
        if response.is_success:
            return
        if response.status >= 500:
            raise OutcomeUnknown("Bluesky did not say whether the post was deleted.", **about(response))
        raise self._refusal(response)


def make_record(post: OutgoingPost, progress: dict[str, Any]) -> dict[str, Any]:
    """The post's record, the same bytes each time it is made from the same post and progress."""
    record: dict[str, Any] = {"$type": POST, "text": post.text, "createdAt": timestamp(post.created_at)}
    if post.options.get("language"):
        record["langs"] = [post.options["language"]]
    if facets := make_facets(post.text, progress.get("dids", {})):
        record["facets"] = facets
    media = make_embed(post, progress["blobs"]) if post.media else None
    quote = {"$type": "app.bsky.embed.record", "record": progress["quote"]} if progress.get("quote") else None
    if media and quote:
        record["embed"] = {"$type": "app.bsky.embed.recordWithMedia", "record": quote, "media": media}
    elif media or quote:
        record["embed"] = media or quote
    if post.reply_to is not None:
        parent = {"uri": post.reply_to.id, "cid": post.reply_to.extra["cid"]}
        record["reply"] = {"root": post.reply_to.extra.get("root") or parent, "parent": parent}
    if warning := post.options.get("content_warning"):
        record["labels"] = {
            "$type": "com.atproto.label.defs#selfLabels",
            "values": [{"val": label_of(warning)}],
        }
    return record


def make_embed(post: OutgoingPost, blobs: dict[str, Any]) -> dict[str, Any]:
    """What stands under the text: up to four pictures, or one video."""
    first, kept = post.media[0], blobs[post.media[0].media_id]
    if first.is_video:
        ratio = {"width": kept["width"], "height": kept["height"]}
        video = {"$type": "app.bsky.embed.video", "video": kept["blob"], "aspectRatio": ratio}
        return video | ({"alt": first.alt} if first.alt else {})
    images = []
    for media in post.media:
        kept = blobs[media.media_id]
        ratio = {"width": kept["width"], "height": kept["height"]}
        images.append({"image": kept["blob"], "alt": media.alt, "aspectRatio": ratio})
    return {"$type": "app.bsky.embed.images", "images": images}


def _remote(uri: str, cid: str, post: OutgoingPost, channel: Channel) -> RemotePost:
    root = post.reply_to.extra.get("root") if post.reply_to else None
    if root is None and post.reply_to is not None:
        root = {"uri": post.reply_to.id, "cid": post.reply_to.extra["cid"]}
    handle, rkey = channel.credentials.get("handle") or channel.remote_id, uri.rsplit("/", 1)[-1]
    url = f"{_web_url(channel.credentials)}/profile/{handle}/post/{rkey}"
    return RemotePost(id=uri, url=url, extra={"cid": cid, "root": root or {"uri": uri, "cid": cid}})


def _identity(credentials: dict[str, Any]) -> Identity:
    handle = str(credentials["handle"])
    return Identity(
        remote_id=str(credentials["did"]),
        handle=f"@{handle}",
        display_name=handle,
        profile_url=f"{_web_url(credentials)}/profile/{handle}",
        # Its answers state limits too, where it is another server than the one that is signed in to.
        limits={"pds_url": home}
        if (home := credentials.get("pds_url")) != credentials["service_url"]
        else {},
    )


def _web_url(credentials: dict[str, Any]) -> str:
    """Where people see posts: the Bluesky app, or a server on plain http (the sandbox) itself."""
    service_url = str(credentials.get("service_url") or "")
    return service_url if service_url.startswith("http://") else "https://bsky.app"


def _authorization(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept": "application/json"}


def _pds(channel: Channel) -> str:
    return str(channel.credentials.get("pds_url") or channel.credentials["service_url"])
