"""WordPress: a post becomes an article on a site of one's own.

Sources: the REST API handbook (developer.wordpress.org/rest-api: posts, media, users, application passwords) and
answers of WordPress 6.1. The API is addressed as `?rest_route=`, which works without pretty permalinks. A repeated
slug is no error (the second becomes "slug-2"), so a repeat would double; it ends in a word of ours that finds the post.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from contentcaster.platforms.articles import slugify, split_title, to_html_paragraphs
from contentcaster.platforms.base import (
    Capabilities,
    Channel,
    ConnectorError,
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
)
from contentcaster.platforms.calls import about, json_object, reading_failed, refusal, send, warm_up
from contentcaster.platforms.plain import PlainConnector
from contentcaster.platforms.uploads import upload_seconds
from contentcaster.security.egress import EgressClient, EgressResponse
from contentcaster.security.egress_body import FileBody

NAME = "WordPress"
_CREDENTIAL_CODES = (
    "incorrect_password",
    "invalid_username",
    "invalid_email",
    "rest_not_logged_in",
    "application_passwords_disabled",
)


class WordPressCredentials(BaseModel):
    """An application password, made on the site under Users, Profile, Application passwords."""

    model_config = ConfigDict(extra="forbid")

    site_url: str = Field(
        title="Site",
        description="The address of the site, with its folder if it has one.",
        min_length=4,
        max_length=255,
        json_schema_extra={"placeholder": "https://blog.example.org"},
    )
    username: str = Field(title="User name", description="An author or editor.", min_length=1, max_length=100)
    application_password: SecretStr = Field(
        title="Application password",
        description="On the site: Users, Profile, Application passwords. Not the password you sign in with.",
        min_length=8,
        max_length=200,
    )


class WordPressConnector(PlainConnector):
    capabilities: ClassVar[Capabilities] = Capabilities(
        platform="wordpress",
        name=NAME,
        color="#21759b",
        text=TextRule(100_000, is_required=True),
        media=MediaRule(
            10,
            10_000_000,
            ("image/jpeg", "image/png", "image/gif", "image/webp"),
            1000,
            max_videos=1,
            max_video_bytes=50_000_000,  # each site has a limit of its own; one above it says no in plain words
            video_types=("video/mp4", "video/quicktime", "video/webm"),
            mixes_video=True,
        ),
        idempotency=Idempotency.LOOK_UP,
        features=frozenset({Feature.IMAGES, Feature.VIDEO, Feature.ALT_TEXT, Feature.DELETE}),
        can_look_up=True,
        docs_url="https://developer.wordpress.org/rest-api/",
        proven_on="a twin; a real WordPress 6.1",
    )
    Credentials: ClassVar[type[BaseModel]] = WordPressCredentials

    def new_client_ref(self, idempotency_key: str, scheduled_at: datetime) -> str:
        return hashlib.sha256(idempotency_key.encode()).hexdigest()[:12]

    # ── connecting ──────────────────────────────────────────────────────────────────────────────────────────

    async def verify(self, credentials: BaseModel, client: EgressClient) -> tuple[Identity, dict[str, Any]]:
        assert isinstance(credentials, WordPressCredentials)
        site = await _find_site(client, _site_url(credentials.site_url))
        stored = {
            "instance_url": site["url"],
            "username": credentials.username.strip(),
            "application_password": credentials.application_password.get_secret_value().strip(),
        }
        return await self._identify(client, stored, str(site.get("name") or "")), stored

    async def check(self, channel: Channel) -> Identity:
        site = await _find_site(channel.client, channel.credentials["instance_url"])
        return await self._identify(channel.client, channel.credentials, str(site.get("name") or ""))

    async def _identify(self, client: EgressClient, stored: dict[str, Any], site_name: str) -> Identity:
        response = await _call(client, stored, "GET", "/users/me", params={"context": "edit"})
        user = json_object(response)
        if response.status in (401, 403):
            raise Reauthorise(
                "The site does not accept this user name and application password.", **about(response)
            )
        if not response.is_success or not isinstance(user.get("id"), int):
            raise reading_failed(NAME, response)
        rights = user.get("capabilities")
        if isinstance(rights, dict) and not rights.get("publish_posts"):
            raise Rejected("This user may not publish posts on the site. Give it the role Author.")
        host = urlsplit(stored["instance_url"]).netloc
        return Identity(
            remote_id=str(user["id"]),
            handle=f"{stored['username']} at {host}",
            display_name=html.unescape(site_name) or host,
            profile_url=stored["instance_url"],
        )

    # ── publishing ──────────────────────────────────────────────────────────────────────────────────────────

    async def prepare(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> dict[str, Any]:
        uploaded: dict[str, Any] = dict(progress.get("media", {}))
        if post.media:
            progress["media"] = uploaded
        for media in post.media:
            if media.media_id not in uploaded:
                uploaded[media.media_id] = await self._upload(media, channel)
        await warm_up(channel.client, channel.credentials["instance_url"])
        return progress

    async def publish(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> RemotePost:
        title, body = split_title(post.text)
        article: dict[str, Any] = {
            "title": title,
            "content": _content(body, post, progress),
            "status": "publish",
            "slug": _slug(post),
        }
        if (cover := _cover(post)) is not None:
            article["featured_media"] = progress["media"][cover.media_id]["id"]
        response = await _call(channel.client, channel.credentials, "POST", "/posts", json=article)
        created = json_object(response)
        if response.is_success and isinstance(created.get("id"), int):
            return RemotePost(id=str(created["id"]), url=str(created.get("link") or ""))
        raise self._refusal(response)

    def _refusal(self, response: EgressResponse) -> ConnectorError:
        body = json_object(response)
        code, reason = str(body.get("code") or ""), str(body.get("message") or "")
        if code in _CREDENTIAL_CODES or (response.status == 401 and code != "rest_cannot_create"):
            return Reauthorise(
                "The site no longer accepts the application password. Connect the channel again.",
                **about(response),
            )
        return refusal(NAME, response, reason, reauthorise=())

    async def _upload(self, media: OutgoingMedia, channel: Channel) -> dict[str, Any]:
        name = re.sub(r"[^A-Za-z0-9._-]", "_", media.path.name)
        response = await _call(
            channel.client,
            channel.credentials,
            "POST",
            "/media",
            headers={
                "Content-Type": media.mime_type,
                "Content-Disposition": f'attachment; filename="{name}"',
            },
            content=FileBody.whole(media.path),
            deadline_seconds=upload_seconds(media.size_bytes),
        )
        created = json_object(response)
        if not response.is_success or not isinstance(created.get("id"), int):
            raise self._refusal(response)
        if media.alt:
            described = await _call(
                channel.client,
                channel.credentials,
                "POST",
                f"/media/{created['id']}",
                json={"alt_text": media.alt},
            )
            if not described.is_success:
                raise self._refusal(described)
        return {"id": created["id"], "url": str(created.get("source_url") or "")}

    # ── afterwards ──────────────────────────────────────────────────────────────────────────────────────────

    async def find_own_post(self, post: OutgoingPost, channel: Channel, first_sent_at: datetime) -> Lookup:
        response = await _call(
            channel.client,
            channel.credentials,
            "GET",
            "/posts",
            params={"slug": _slug(post), "status": "any"},
        )
        try:
            found = response.json() if response.is_success else None
        except ValueError:
            found = None
        if response.status in (401, 403):
            raise self._refusal(response)
        if not isinstance(found, list):
            raise reading_failed(NAME, response)
        if not found:
            return Lookup(is_certainly_absent=True, note="The site has no post with the slug of this one.")
        first = found[0] if isinstance(found[0], dict) else {}
        if not isinstance(first.get("id"), int):
            raise reading_failed(NAME, response)
        return Lookup(found=RemotePost(id=str(first["id"]), url=str(first.get("link") or "")))

    async def delete(self, remote: RemotePost, channel: Channel) -> None:
        """Into the site's bin, where a person can fetch it back."""
        response = await _call(channel.client, channel.credentials, "DELETE", f"/posts/{remote.id}")
        if not response.is_success and response.status not in (404, 410):
            raise self._refusal(response)


def _slug(post: OutgoingPost) -> str:
    return "-".join(part for part in (slugify(split_title(post.text)[0]), post.client_ref) if part)


def _cover(post: OutgoingPost) -> OutgoingMedia | None:
    """The article's own picture: the first one."""
    return next((media for media in post.media if not media.is_video), None)


def _video_block(kept: dict[str, Any]) -> str:
    source = html.escape(kept["url"])
    return (
        f'<!-- wp:video {{"id":{kept["id"]}}} -->\n<figure class="wp-block-video">'
        f'<video controls src="{source}"></video></figure>\n<!-- /wp:video -->'
    )


def _content(body: str, post: OutgoingPost, progress: dict[str, Any]) -> str:
    blocks = [f"<!-- wp:paragraph -->\n<p>{p}</p>\n<!-- /wp:paragraph -->" for p in to_html_paragraphs(body)]
    # The first picture is the article's own; the theme shows it.
    cover = _cover(post)
    for media in post.media:
        kept = progress["media"][media.media_id]
        if media is cover:
            continue
        if media.is_video:
            blocks.append(_video_block(kept))
            continue
        source, alt = html.escape(kept["url"]), html.escape(media.alt)
        blocks.append(
            f'<!-- wp:image {{"id":{kept["id"]}}} -->\n<figure class="wp-block-image">'
            f'<img src="{source}" alt="{alt}" class="wp-image-{kept["id"]}"/></figure>\n<!-- /wp:image -->'
        )
    return "\n\n".join(blocks)


async def _call(
    client: EgressClient, stored: dict[str, Any], method: str, route: str, **more: Any
) -> EgressResponse:
    userinfo = f"{stored['username']}:{stored['application_password']}".encode()
    headers = {"Authorization": "Basic " + base64.b64encode(userinfo).decode(), **more.pop("headers", {})}
    params = {"rest_route": f"/wp/v2{route}", **more.pop("params", {})}
    return await send(client, method, stored["instance_url"] + "/", params=params, headers=headers, **more)


async def _find_site(client: EgressClient, url: str) -> dict[str, Any]:
    """The index of the API: the site's name, and its address as it calls itself (www, https)."""
    response = await send(client, "GET", f"{url}/", params={"rest_route": "/"}, max_redirects=3)
    site = json_object(response)
    if response.status == 429 or response.status >= 500:
        raise reading_failed(NAME, response)
    if not response.is_success or "wp/v2" not in (site.get("namespaces") or []):
        raise Rejected("There is no WordPress site with an open REST API at this address.", **about(response))
    address = str(site.get("home") or site.get("url") or "").rstrip("/")
    return {"name": site.get("name"), "url": address if address.startswith(("https://", "http://")) else url}


def _site_url(typed: str) -> str:
    typed = typed.strip().rstrip("/")
    if "://" not in typed:
        typed = "https://" + typed
    try:
        parts = urlsplit(typed)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Rejected("This is no address of a site. Use one such as https://blog.example.org.")
    path = parts.path.removesuffix("/wp-admin").removesuffix("/wp-login.php")
    return f"{parts.scheme}://{parts.netloc}{path}".rstrip("/")
