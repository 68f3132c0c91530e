"""DEV (dev.to) and other Forem communities: a post becomes an article in Markdown.

Source: the Forem API, version 1 (developers.forem.com/api/v1: users/me, articles, articles/me/published, unpublish).
There is no key against repeats; the own published articles come with their Markdown, so one of ours is found by it. The
refusal "title has already been used in the last five minutes" is a hint that it is there, and no proof.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from contentcaster.platforms.articles import split_title
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
    OutgoingPost,
    Reauthorise,
    Rejected,
    RemotePost,
    TextRule,
)
from contentcaster.platforms.calls import about, json_object, reading_failed, refusal, send, warm_up
from contentcaster.platforms.mastodon_instance import as_server_url
from contentcaster.platforms.matching import is_same
from contentcaster.platforms.plain import PlainConnector
from contentcaster.security.egress import EgressClient, EgressResponse

NAME = "DEV"
_PAGE = 100
_MAX_PAGES = 5
_CLOCKS_APART = timedelta(minutes=2)


class DevCredentials(BaseModel):
    model_config = ConfigDict(extra="forbid")

    api_key: SecretStr = Field(
        title="API key",
        description="At dev.to: Settings, Extensions, DEV Community API keys.",
        min_length=8,
        max_length=200,
    )
    site_url: str = Field(
        default="https://dev.to",
        title="Community",
        description="Keep this for DEV, or give the address of another Forem community.",
        max_length=255,
    )


class DevConnector(PlainConnector):
    capabilities: ClassVar[Capabilities] = Capabilities(
        platform="devto",
        name=NAME,
        color="#3b49df",
        text=TextRule(100_000, is_required=True),
        media=MediaRule(),
        idempotency=Idempotency.LOOK_UP,
        features=frozenset({Feature.DELETE}),
        can_look_up=True,
        docs_url="https://developers.forem.com/api/v1",
        proven_on="a twin by the Forem API v1",
    )
    Credentials: ClassVar[type[BaseModel]] = DevCredentials

    async def verify(self, credentials: BaseModel, client: EgressClient) -> tuple[Identity, dict[str, Any]]:
        assert isinstance(credentials, DevCredentials)
        stored = {
            "instance_url": as_server_url(credentials.site_url),
            "api_key": credentials.api_key.get_secret_value().strip(),
        }
        return await self._identify(client, stored), stored

    async def check(self, channel: Channel) -> Identity:
        return await self._identify(channel.client, channel.credentials)

    async def _identify(self, client: EgressClient, stored: dict[str, Any]) -> Identity:
        response = await _call(client, stored, "GET", "/users/me")
        user = json_object(response)
        if response.status in (401, 403):
            raise Reauthorise("DEV does not accept this API key.", **about(response))
        if response.status == 429 or response.status >= 500:
            raise reading_failed(NAME, response)
        if not response.is_success or not isinstance(user.get("id"), int) or not user.get("username"):
            raise Rejected("There is no Forem community at this address.", **about(response))
        return Identity(
            remote_id=str(user["id"]),
            handle=f"@{user['username']}",
            display_name=str(user.get("name") or ""),
            profile_url=f"{stored['instance_url']}/{user['username']}",
        )

    async def prepare(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> dict[str, Any]:
        await warm_up(channel.client, channel.credentials["instance_url"])
        return progress

    async def publish(self, post: OutgoingPost, channel: Channel, progress: dict[str, Any]) -> RemotePost:
        title, body = _article(post)
        article = {"title": title, "body_markdown": body, "published": True}
        response = await _call(
            channel.client, channel.credentials, "POST", "/articles", json={"article": article}
        )
        created = json_object(response)
        if response.is_success and isinstance(created.get("id"), int):
            return RemotePost(id=str(created["id"]), url=str(created.get("url") or ""))
        raise self._refusal(response)

    def _refusal(self, response: EgressResponse) -> ConnectorError:
        reason = str(json_object(response).get("error") or "")
        if response.status == 422 and "already been used" in reason:
            return OutcomeUnknown(
                "DEV says that an article with this title was just published.", **about(response)
            )
        return refusal(NAME, response, reason)

    async def find_own_post(self, post: OutgoingPost, channel: Channel, first_sent_at: datetime) -> Lookup:
        title, body = _article(post)
        since = first_sent_at - _CLOCKS_APART
        titled = False
        for page in range(1, _MAX_PAGES + 1):
            articles = await self._published(channel, page)
            for article in articles:
                if _published_at(article) < since or not is_same(title, str(article.get("title") or "")):
                    continue
                if is_same(body, str(article.get("body_markdown") or "")):
                    return Lookup(found=RemotePost(id=str(article["id"]), url=str(article.get("url") or "")))
                titled = True
            if len(articles) < _PAGE:
                if titled:
                    return Lookup(note="DEV has an article with this title and another text.")
                return Lookup(is_certainly_absent=True, note="The published articles do not hold it.")
        return Lookup(note="DEV has too many articles to look through.")

    async def _published(self, channel: Channel, page: int) -> list[dict[str, Any]]:
        params = {"page": page, "per_page": _PAGE}
        response = await _call(
            channel.client, channel.credentials, "GET", "/articles/me/published", params=params
        )
        if response.status in (401, 403):
            raise self._refusal(response)
        try:
            articles = response.json() if response.is_success else None
        except ValueError:
            articles = None
        if not isinstance(articles, list) or not all(isinstance(item, dict) for item in articles):
            raise reading_failed(NAME, response)
        return articles

    async def delete(self, remote: RemotePost, channel: Channel) -> None:
        """Unpublished: the API deletes nothing, and the author keeps a draft."""
        response = await _call(channel.client, channel.credentials, "PUT", f"/articles/{remote.id}/unpublish")
        if not response.is_success and response.status != 404:
            raise self._refusal(response)


def _published_at(article: dict[str, Any]) -> datetime:
    try:
        moment = datetime.fromisoformat(str(article.get("published_at")))
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _article(post: OutgoingPost) -> tuple[str, str]:
    title, body = split_title(post.text)
    # A body that begins with --- would be read as front matter, which can set anything.
    return title, f"\u200b{body}" if body.lstrip().startswith("---") else body


async def _call(
    client: EgressClient, stored: dict[str, Any], method: str, path: str, **more: Any
) -> EgressResponse:
    headers = {"api-key": stored["api_key"], "Accept": "application/vnd.forem.api-v1+json"}
    return await send(client, method, f"{stored['instance_url']}/api{path}", headers=headers, **more)
