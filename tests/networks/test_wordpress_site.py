"""The WordPress connector on a real site."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from contentcaster.platforms import get_connector
from contentcaster.platforms.base import Channel, Reauthorise
from tests.networks.wordpress_server import WordPress, wordpress
from tests.platforms.channels import connect, make_picture, make_post, make_video, send
from tests.platforms.contract import ConnectorContract
from tests.platforms.fault_proxy import FaultProxy


@pytest.fixture(scope="module")
def site() -> Iterator[WordPress]:
    with wordpress() as running:
        yield running


class TestWordPressOnARealSite(ConnectorContract):
    connector = get_connector("wordpress")
    site: WordPress

    @pytest.fixture(autouse=True)
    def _use(self, site: WordPress) -> None:
        self.site = site

    def is_publish(self, method: str, path: str) -> bool:
        return method == "POST"

    def upstream(self) -> str:
        return self.site.url

    def new_credentials(self, proxy_url: str) -> dict[str, Any]:
        return {"site_url": proxy_url, "username": "admin", "application_password": self.site.password}

    def visible(self, text: str) -> list[str]:
        return self.site.visible(text)

    def test_a_wrong_password_is_told(self) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            wrong = self.new_credentials(proxy.url) | {"application_password": "wrong wrong wrong"}
            with pytest.raises(Reauthorise):
                await connect(self.connector, channel.client, wrong)

        self.run(test)

    def test_pictures_a_video_and_words_are_on_the_page(self, tmp_path: Path) -> None:
        async def test(channel: Channel, proxy: FaultProxy) -> None:
            pictures = tuple(
                make_picture(tmp_path, name=f"{n}.png", alt=f'A "red" box {n}') for n in range(2)
            )
            pictures += (make_video(tmp_path),)
            text = f"{self.text()}\n\nFirst & <b>second</b>.\n\nSee https://example.com/?a=1&b=2"
            remote = await send(self.connector, channel, make_post(self.connector, text, media=pictures))
            params = {"rest_route": f"/wp/v2/posts/{remote.id}"}
            article = httpx.get(f"{self.site.url}/", params=params, trust_env=False, timeout=30).json()
            page = article["content"]["rendered"]
            assert article["featured_media"] > 0
            assert re.search(r"First &(amp|#038); &lt;b&gt;second&lt;/b&gt;\.", page)
            assert re.search(r'<video [^>]*src="[^"]+/film[^"]*\.mp4"', page)
            assert 'alt="A &quot;red&quot; box 1"' in page
            assert (
                'href="https://example.com/?a=1&#038;b=2"' in page
                or "https://example.com/?a=1&amp;b=2" in page
            )

        self.run(test)
