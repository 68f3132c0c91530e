"""LinkedIn by its Posts API, with the operator's own app: a member's profile, and the pages of organisations.

Sources (learn.microsoft.com/linkedin, 2024 to 2026): Posts API (fields, `x-restli-id`, finder by author, DELETE is
idempotent), Images API (initializeUpload, then PUT), Videos API (linkedin_video.py), little text format, Organization
access control, Versioning (a version lives about a year; 426 NONEXISTENT_VERSION afterwards), Authorization code flow
(tokens of 60 days; refresh tokens for approved partners only). Answers seen by others: 422 with code DUPLICATE_POST
and "Content is a duplicate of
urn:li:share:..."; a standard app's code exchange fails as soon as it carries a PKCE verifier, so LinkedIn gets none.
User Agreement 8.2 forbids bots that comment, like or share (platforms/acts.py).

Two networks on purpose: LinkedIn gives w_member_social and w_organization_social to different apps, and reading one's
own posts (r_member_social) to almost nobody, so a member's post in doubt goes to a person, a page's is looked up.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from contentcaster.platforms import linkedin_api as api
from contentcaster.platforms import linkedin_video, oauth_session
from contentcaster.platforms.base import (
    Capabilities,
    Channel,
    Feature,
    Idempotency,
    Identity,
    Lookup,
    MediaRule,
    OutgoingMedia,
    OutgoingPost,
    Reauthorise,
    Rejected,
    RemotePost,
    TextRule,
    TextUnit,
)
from contentcaster.platforms.calls import about, json_object, send, warm_up
from contentcaster.platforms.linkedin_text import from_little, to_little
from contentcaster.platforms.matching import is_cut_from, is_same, may_be_same
from contentcaster.platforms.plain import PlainConnector
from contentcaster.security.egress import EgressClient, EgressResponse

_UPLOAD_SECONDS = 60.0
_CLOCKS_APART = timedelta(minutes=2)
_PAGE = 50
_SIMILAR = 0.8
_ROLES = ("ADMINISTRATOR", "CONTENT_ADMINISTRATOR", "CONTENT_ADMIN")


class LinkedInCredentials(BaseModel):
    """A token of LinkedIn's own token generator; people connect by OAuth (linkedin_oauth.py)."""

    model_config = ConfigDict(extra="forbid")

    access_token: SecretStr = Field(
        title="Access token",
        description="From the token generator of LinkedIn's developer portal: openid, profile, w_member_social.",
        min_length=1,
        max_length=4000,
    )


class LinkedInPageCredentials(BaseModel):
    model_config = ConfigDict(extra="forbid")

    access_token: SecretStr = Field(
        title="Access token",
        description="From the token generator: w_organization_social, r_organization_social, "
        "rw_organization_admin.",
        min_length=1,
        max_length=4000,
    )
    organization: str = Field(
        default="",
        title="Page",
        description="The number of the page. Leave it empty if you manage only one.",
        max_length=100,
        json_schema_extra={"placeholder": "2414183"},
    )


class LinkedInConnector(PlainConnector):
    """A member's own profile."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        platform="linkedin",
        name="LinkedIn",
        color="#0a66c2",
        text=TextRule(3000, TextUnit.UTF16, is_required=True),
        media=MediaRule(
            20,
            8_000_000,
            ("image/jpeg", "image/png", "image/gif"),
            4086,
            max_videos=1,
            max_video_bytes=500_000_000,
            max_video_seconds=1800,
            min_video_seconds=3,
            video_types=("video/mp4",),
            max_video_alt_length=0,
        ),
        idempotency=Idempotency.NONE,
        features=frozenset({Feature.IMAGES, Feature.VIDEO, Feature.ALT_TEXT, Feature.DELETE}),
        docs_url="https://learn.microsoft.com/linkedin/shared/authentication/authorization-code-flow",
        proven_on="a twin by the Posts API documents",
    )
    Credentials: ClassVar[type[BaseModel]] = LinkedInCredentials

    # ── connecting ──────────────────────────────────────────────────────────────────────────────────────────

    async def verify(self, credentials: BaseModel, client: EgressClient) -> tuple[Identity, dict[str, Any]]:
        assert isinstance(credentials, LinkedInCredentials | LinkedInPageCredentials)
        stored: dict[str, Any] = {
            "api_url": api.base_url(),
            "access_token": credentials.access_token.get_secret_value(),
        }
        return await self.identify(client, stored, getattr(credentials, "organization", "")), stored

    async def check(self, channel: Channel) -> Identity:
        await api.ensure_token(channel)
        return await self.identify(channel.client, channel.credentials, channel.remote_id)

    async def identify(self, client: EgressClient, stored: dict[str, Any], wanted: str) -> Identity:
        """Who posts with this token; adds the author's URN to `stored`."""
        response = await api.read(client, stored, "/v2/userinfo")
        user = json_object(response)
        _require_login(response)
        if not response.is_success or not isinstance(user.get("sub"), str) or not user["sub"]:
            raise api.reading_failed(response)
        name = str(user.get("name") or "LinkedIn member")
        stored["author"] = f"urn:li:person:{user['sub']}"
        return _identity(stored, user["sub"], name, name, "")

    async def renew_ahead(self, channel: Channel) -> bool:
        """Only approved partners get refresh tokens; for all others this does nothing."""
        return await api.renew_ahead(channel)

    # ── publishing ──────────────────────────────────────────────────────────────────────────────────────────

    async def prepare(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> dict[str, Any]:
        await api.ensure_token(channel)
        uploaded: dict[str, str] = dict(progress.get("images", {}))
        if post.media:
            progress["images"] = uploaded
        for media in post.media:
            if media.is_video:
                await linkedin_video.upload(media, channel, progress.setdefault("videos", {}))
            elif media.media_id not in uploaded:
                uploaded[media.media_id] = await self._upload(media, channel)
        await warm_up(channel.client, channel.credentials["api_url"])
        return progress

    async def publish(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> RemotePost:
        body: dict[str, Any] = {
            "author": channel.credentials["author"],
            "commentary": to_little(post.text),
            "visibility": "PUBLIC",
            "distribution": {
                "feedDistribution": "MAIN_FEED",
                "targetEntities": [],
                "thirdPartyDistributionChannels": [],
            },
            "lifecycleState": "PUBLISHED",
            "isReshareDisabledByAuthor": False,
        }
        videos = [media for media in post.media if media.is_video]
        images = [_image(progress["images"][m.media_id], m) for m in post.media if not m.is_video]
        if videos:
            body["content"] = {"media": {"id": progress["videos"][videos[0].media_id]["id"]}}
        elif len(images) == 1:
            body["content"] = {"media": images[0]}
        elif images:
            body["content"] = {"multiImage": {"images": images}}
        response = await api.call(channel, "POST", "/rest/posts", json=body)
        urn = response.headers.get("x-restli-id", "").strip()
        if response.status == 201 and urn.startswith("urn:li:"):
            return _remote(urn)
        raise api.refusal(response)

    async def _upload(self, media: OutgoingMedia, channel: Channel) -> str:
        started = await api.call(
            channel,
            "POST",
            "/rest/images?action=initializeUpload",
            json={"initializeUploadRequest": {"owner": channel.credentials["author"]}},
        )
        value = json_object(started).get("value")
        value = value if isinstance(value, dict) else {}
        url, image = value.get("uploadUrl"), value.get("image")
        if not started.is_success or not isinstance(url, str) or not isinstance(image, str):
            raise api.refusal(started)
        if not api.may_send_token_to(url, channel.credentials["api_url"]):
            raise Rejected("LinkedIn named an upload address that is not its own; the picture was not sent.")
        token = str(channel.credentials["access_token"])
        put = await send(
            channel.client,
            "PUT",
            url,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream"},
            content=await asyncio.to_thread(media.path.read_bytes),
            deadline_seconds=_UPLOAD_SECONDS,
        )
        if not put.is_success:
            raise api.refusal(put)
        return image

    # ── afterwards ──────────────────────────────────────────────────────────────────────────────────────────

    async def find_own_post(self, post: OutgoingPost, channel: Channel, first_sent_at: datetime) -> Lookup:
        return Lookup(
            note="LinkedIn lets no app read a member's posts, so it cannot be looked up. Is it on the profile?"
        )

    async def delete(self, remote: RemotePost, channel: Channel) -> None:
        response = await api.call(channel, "DELETE", f"/rest/posts/{quote(remote.id, safe='')}")
        if not response.is_success and response.status not in (404, 410):
            raise api.refusal(response)


class LinkedInPageConnector(LinkedInConnector):
    """The page of an organisation, with an app that has LinkedIn's Community Management API."""

    capabilities: ClassVar[Capabilities] = replace(
        LinkedInConnector.capabilities,
        platform="linkedin-page",
        name="LinkedIn page",
        color="#004182",
        features=LinkedInConnector.capabilities.features | {Feature.METRICS},
        idempotency=Idempotency.LOOK_UP,
        can_look_up=True,
    )
    Credentials: ClassVar[type[BaseModel]] = LinkedInPageCredentials

    async def identify(self, client: EgressClient, stored: dict[str, Any], wanted: str) -> Identity:
        pages = await self._pages(client, stored)
        number = wanted.strip().rpartition(":")[2]
        if not pages:
            raise Rejected(
                "This login manages no LinkedIn page. An administrator of the page has to connect it."
            )
        if not number and len(pages) > 1:
            raise Rejected(
                f"This login manages several pages: {', '.join(pages)}. "
                "Type the number of the one you want and connect again."
            )
        number = number or pages[0]
        if number not in pages:
            raise Rejected(
                f"This login does not manage the page {number[:40]}. It manages: {', '.join(pages)}."
            )
        response = await api.read(client, stored, f"/rest/organizations/{number}")
        page = json_object(response)
        if not response.is_success:
            raise api.reading_failed(response)
        name, vanity = str(page.get("localizedName") or number), str(page.get("vanityName") or "")
        stored["author"] = f"urn:li:organization:{number}"
        profile = f"https://www.linkedin.com/company/{vanity or number}/"
        return _identity(stored, number, vanity or name, name, profile)

    async def _pages(self, client: EgressClient, stored: dict[str, Any]) -> list[str]:
        params = {"q": "roleAssignee", "state": "APPROVED", "count": 100}
        response = await api.read(client, stored, "/rest/organizationAcls", params=params)
        _require_login(response)
        elements = json_object(response).get("elements")
        if not response.is_success or not isinstance(elements, list):
            raise api.reading_failed(response)
        found = []
        for item in elements:
            urn = str(item.get("organization") or "") if isinstance(item, dict) else ""
            if urn.startswith("urn:li:organization:") and item.get("role") in _ROLES:
                found.append(urn.rpartition(":")[2])
        return list(dict.fromkeys(found))

    async def find_own_post(self, post: OutgoingPost, channel: Channel, first_sent_at: datetime) -> Lookup:
        params = {"q": "author", "author": channel.credentials["author"], "count": _PAGE, "sortBy": "CREATED"}
        response = await api.call(
            channel, "GET", "/rest/posts", params=params, headers={"X-RestLi-Method": "FINDER"}
        )
        elements = json_object(response).get("elements")
        if not response.is_success or not isinstance(elements, list):
            raise api.reading_failed(response)
        since, older, similar = first_sent_at - _CLOCKS_APART, "", False
        for item in elements:
            if not isinstance(item, dict) or not str(item.get("id") or "").startswith("urn:li:"):
                raise api.reading_failed(response)
            text, is_new = from_little(str(item.get("commentary") or "")), _created_at(item) >= since
            if is_same(post.text, text):
                if is_new:
                    return Lookup(found=_remote(str(item["id"])))
                older = str(item["id"])
            similar = similar or (
                is_new and (is_cut_from(post.text, text) or may_be_same(post.text, text, similar=_SIMILAR))
            )
        if older:
            return Lookup(
                note=f"The page has an older post with this text ({older}); LinkedIn refuses a second."
            )
        if similar:
            return Lookup(note="The page has a post that is similar, but not the same. Is it this one?")
        if len(elements) >= _PAGE and all(_created_at(item) >= since for item in elements):
            return Lookup(note="The page has too many new posts to look through.")
        return Lookup(is_certainly_absent=True, note="The page's posts do not hold it.")


def _identity(stored: dict[str, Any], remote_id: str, handle: str, name: str, profile: str) -> Identity:
    scopes = list(stored.get("scopes") or [])
    return Identity(
        remote_id=remote_id,
        handle=handle,
        display_name=name,
        profile_url=profile,
        limits={"scopes": scopes} if scopes else {},
        token_expires_at=oauth_session.login_ends_at(stored),
    )


def _require_login(response: EgressResponse) -> None:
    if response.status == 401:
        raise Reauthorise("LinkedIn does not accept this login.", **about(response))
    if response.status == 403:
        raise api.refusal(response)


def _image(urn: str, media: OutgoingMedia) -> dict[str, str]:
    return {"id": urn, "altText": media.alt} if media.alt else {"id": urn}


def _remote(urn: str) -> RemotePost:
    return RemotePost(id=urn, url=f"https://www.linkedin.com/feed/update/{urn}/")


def _created_at(item: dict[str, Any]) -> datetime:
    value = item.get("publishedAt") or item.get("createdAt")
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**14:
        return datetime.fromtimestamp(value / 1000, UTC)
    return datetime.max.replace(tzinfo=UTC)
