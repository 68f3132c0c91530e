"""A WordPress site by the REST API handbook (developer.wordpress.org/rest-api), addressed as ?rest_route=."""

from __future__ import annotations

import base64
import itertools
from typing import Any

from aiohttp import web

from tests.platforms.twins.server import Twin

USER, PASSWORD = "ada", "abcd EFGH 1234 ijkl"


class WordPressTwin(Twin):
    def __init__(self) -> None:
        super().__init__()
        self.posts: dict[int, dict[str, Any]] = {}
        self.media: dict[int, dict[str, Any]] = {}
        self.files: dict[int, bytes] = {}
        self.may_publish = True
        self._ids = itertools.count(10)

    def routes(self) -> list[web.RouteDef]:
        return [web.route("*", "/", self._call)]

    async def _call(self, request: web.Request) -> web.Response:
        route = request.query.get("rest_route", "")
        if route == "/":
            return web.json_response(
                {
                    "name": "Ada&#8217;s blog",
                    "url": self.url,
                    "home": self.url,
                    "namespaces": ["oembed/1.0", "wp/v2"],
                }
            )
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if request.headers.get("Authorization") != expected:
            return _error(
                401, "incorrect_password", "The provided password is an invalid application password."
            )
        parts = route.removeprefix("/wp/v2/").split("/")
        key = f"{request.method} {parts[0]}"
        if key == "GET users":
            rights = {"publish_posts": self.may_publish}
            return web.json_response({"id": 3, "name": "Ada", "slug": "ada", "capabilities": rights})
        if key == "POST media":
            return await self._post_media(request, parts)
        if key == "POST posts":
            return await self._create(request)
        if key == "GET posts":
            slug = request.query.get("slug")
            return web.json_response(
                [p for p in self.posts.values() if p["slug"] == slug and p["status"] != "trash"]
            )
        if key == "DELETE posts":
            return self._trash(int(parts[1]))
        return _error(404, "rest_no_route", "No route was found matching the URL and request method.")

    async def _post_media(self, request: web.Request, parts: list[str]) -> web.Response:
        if len(parts) == 2:
            self.media[int(parts[1])]["alt_text"] = (await request.json())["alt_text"]
            return web.json_response(self.media[int(parts[1])])
        name = request.headers["Content-Disposition"].partition('filename="')[2].rstrip('"')
        media = {"id": next(self._ids), "alt_text": "", "source_url": f"{self.url}/{name}"}
        self.files[media["id"]] = await request.read()
        self.media[media["id"]] = media
        return web.json_response(media, status=201)

    async def _create(self, request: web.Request) -> web.Response:
        article = await request.json()
        slug, number = article["slug"], 2
        while any(post["slug"] == slug for post in self.posts.values()):
            slug, number = f"{article['slug']}-{number}", number + 1
        created = {**article, "id": next(self._ids), "slug": slug, "link": f"{self.url}/?p={slug}"}
        self.posts[created["id"]] = created
        return web.json_response(created, status=201)

    def _trash(self, post_id: int) -> web.Response:
        post = self.posts.get(post_id)
        if post is None:
            return _error(404, "rest_post_invalid_id", "Invalid post ID.")
        if post["status"] == "trash":
            return _error(410, "rest_already_trashed", "The post has already been deleted.")
        post["status"] = "trash"
        return web.json_response(post)

    def visible(self, title: str) -> list[str]:
        return [str(p["id"]) for p in self.posts.values() if p["title"] == title and p["status"] == "publish"]


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message, "data": {"status": status}}, status=status)
