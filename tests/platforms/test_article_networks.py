"""WordPress and DEV on their twins: posts become articles."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contentcaster.clock import utc_now
from contentcaster.platforms import get_connector
from contentcaster.platforms.articles import slugify, split_title, to_html_paragraphs
from contentcaster.platforms.base import (
    Channel,
    Connector,
    OutcomeUnknown,
    RateLimited,
    Reauthorise,
    Rejected,
)
from contentcaster.security.egress import EgressClient
from tests.platforms.channels import connect, make_picture, make_post, send
from tests.platforms.contract import ConnectorContract
from tests.platforms.twins import devto as devto_twin
from tests.platforms.twins import wordpress as wordpress_twin
from tests.platforms.twins.devto import DevTwin
from tests.platforms.twins.server import Twin
from tests.platforms.twins.wordpress import WordPressTwin

WORDPRESS, DEVTO = map(get_connector, ("wordpress", "devto"))


@pytest.fixture
def site() -> Iterator[WordPressTwin]:
    with WordPressTwin() as twin:
        yield twin


@pytest.fixture
def forem() -> Iterator[DevTwin]:
    with DevTwin() as twin:
        yield twin


def site_credentials(url: str, **more: str) -> dict[str, Any]:
    known = {"username": wordpress_twin.USER, "application_password": wordpress_twin.PASSWORD}
    return {"site_url": url + "/wp-admin/", **known, **more}


def forem_credentials(url: str, **more: str) -> dict[str, Any]:
    return {"site_url": url, "api_key": devto_twin.KEY, **more}


def on(
    connector: Connector, twin: Twin, credentials: dict[str, Any], test: Callable[[Channel], Awaitable[None]]
) -> None:
    async def inner() -> None:
        async with EgressClient(allow=frozenset({twin.host})) as client:
            channel, _ = await connect(connector, client, credentials)
            await test(channel)

    asyncio.run(asyncio.wait_for(inner(), 30))


class TestWordPressContract(ConnectorContract):
    connector = WORDPRESS

    @pytest.fixture(autouse=True)
    def _use(self, site: WordPressTwin) -> None:
        self.twin = site

    def is_publish(self, method: str, path: str) -> bool:
        return method == "POST"  # the contract's posts have no pictures, so the article is the only POST

    def upstream(self) -> str:
        return self.twin.url

    def new_credentials(self, proxy_url: str) -> dict[str, Any]:
        return site_credentials(proxy_url)

    def visible(self, text: str) -> list[str]:
        return self.twin.visible(text)


class TestDevContract(ConnectorContract):
    connector = DEVTO
    publish_path = "/api/articles"

    @pytest.fixture(autouse=True)
    def _use(self, forem: DevTwin) -> None:
        self.twin = forem

    def upstream(self) -> str:
        return self.twin.url

    def new_credentials(self, proxy_url: str) -> dict[str, Any]:
        return forem_credentials(proxy_url)

    def visible(self, text: str) -> list[str]:
        return self.twin.visible(text)


@pytest.mark.parametrize(
    ("text", "title", "body"),
    [
        ("Title\n\nBody one\n\nBody two", "Title", "Body one\n\nBody two"),
        ("Only a line", "Only a line", "Only a line"),
        ("  Spaces  \nrest", "Spaces", "rest"),
        ("word " * 40, ("word " * 23).strip() + "…", ("word " * 40).strip()),
        ("x" * 200, "x" * 119 + "…", "x" * 200),
    ],
)
def test_the_first_line_is_the_title(text: str, title: str, body: str) -> None:
    assert split_title(text) == (title, body)


def test_html_is_escaped_and_links_are_marked() -> None:
    paragraphs = to_html_paragraphs('<b>a</b> & "c"\nline\n\n\nhttps://a.io/?b=1&c="x')
    assert paragraphs[0] == "&lt;b&gt;a&lt;/b&gt; &amp; &quot;c&quot;<br>line"
    assert paragraphs[1].startswith('<a href="https://a.io/?b=1&amp;c=">')
    assert slugify("Größe & Äpfel: 10 %") == "groe-apfel-10"
    assert slugify("日本") == ""


def test_wordpress_connects_with_an_application_password(site: WordPressTwin) -> None:
    async def test(channel: Channel) -> None:
        assert (channel.handle, channel.credentials["instance_url"]) == (f"ada at {site.host}", site.url)
        with pytest.raises(Reauthorise):
            wrong = site_credentials(site.url, application_password="wrong wrong")
            await connect(WORDPRESS, channel.client, wrong)
        site.may_publish = False
        with pytest.raises(Rejected, match="role Author"):
            await connect(WORDPRESS, channel.client, site_credentials(site.url))

    on(WORDPRESS, site, site_credentials(site.url), test)


def test_wordpress_gets_the_whole_article(site: WordPressTwin, tmp_path: Path) -> None:
    async def test(channel: Channel) -> None:
        pictures = tuple(make_picture(tmp_path, name=f"{n} ä.png", alt=f'Alt "{n}"') for n in range(2))
        post = make_post(WORDPRESS, "A title\n\nSome <b>text</b>.", media=pictures)
        remote = await send(WORDPRESS, channel, post)
        article = site.posts[int(remote.id)]
        assert (article["title"], article["status"]) == ("A title", "publish")
        assert article["slug"] == f"a-title-{post.client_ref}"
        assert "<p>Some &lt;b&gt;text&lt;/b&gt;.</p>" in article["content"]
        assert 'alt="Alt &quot;1&quot;"' in article["content"]
        assert [m["alt_text"] for m in site.media.values()] == ['Alt "0"', 'Alt "1"']
        assert article["featured_media"] == min(site.media)
        assert remote.url == article["link"]

    on(WORDPRESS, site, site_credentials(site.url), test)


def test_what_is_no_wordpress_says_so(forem: DevTwin) -> None:
    async def test() -> None:
        async with EgressClient(allow=frozenset({forem.host})) as client:
            with pytest.raises(Rejected, match="no WordPress"):
                await connect(WORDPRESS, client, site_credentials(forem.url))
            with pytest.raises(Rejected, match=r"blog\.example\.org"):
                await connect(WORDPRESS, client, site_credentials("ftp://x"))

    asyncio.run(test())


def test_dev_articles_cannot_smuggle_front_matter(forem: DevTwin) -> None:
    async def test(channel: Channel) -> None:
        post = make_post(DEVTO, "Title\n---\npublished: false\n---\nText")
        remote = await send(DEVTO, channel, post)
        assert not forem.articles[int(remote.id)]["body_markdown"].startswith("---")
        found = (await DEVTO.find_own_post(post, channel, post.created_at)).found
        assert found is not None and found.id == remote.id

    on(DEVTO, forem, forem_credentials(forem.url), test)


def test_dev_answers_are_told_apart(forem: DevTwin) -> None:
    used = "Validation failed: Title has already been used in the last five minutes"
    answers: list[tuple[int, Any, type[Exception]]] = [
        (422, {"error": used, "status": 422}, OutcomeUnknown),
        (422, {"error": "Validation failed: Canonical url is wrong", "status": 422}, Rejected),
        (401, {"error": "unauthorized", "status": 401}, Reauthorise),
        (429, {"error": "too many", "status": 429}, RateLimited),
    ]

    async def test(channel: Channel) -> None:
        assert (channel.handle, channel.remote_id) == ("@ada", "7")
        for status, answer, error in answers:
            forem.override("/api/articles", status, answer, {"Retry-After": "30"})
            with pytest.raises(error):
                await send(DEVTO, channel, make_post(DEVTO, "x"))

    on(DEVTO, forem, forem_credentials(forem.url), test)


def test_a_dev_article_with_the_same_title_and_another_text_proves_nothing(forem: DevTwin) -> None:
    async def test(channel: Channel) -> None:
        await send(DEVTO, channel, make_post(DEVTO, "Weekly news\n\nLast week"))
        repeated = make_post(DEVTO, "Weekly news\n\nLast week")
        later = await DEVTO.find_own_post(repeated, channel, utc_now() + timedelta(hours=1))
        assert later.is_certainly_absent, "an older article with the same text is not this one"
        post = make_post(DEVTO, "Weekly news\n\nThis week")
        lookup = await DEVTO.find_own_post(post, channel, post.created_at)
        assert lookup.found is None and not lookup.is_certainly_absent

    on(DEVTO, forem, forem_credentials(forem.url), test)
