"""DEV by the Forem API, version 1 (developers.forem.com/api/v1)."""

from __future__ import annotations

import itertools
from typing import Any

from aiohttp import web

from contentcaster.clock import utc_now
from tests.platforms.twins.server import Twin

KEY = "devto-api-key-of-nobody"


class DevTwin(Twin):
    def __init__(self) -> None:
        super().__init__()
        self.articles: dict[int, dict[str, Any]] = {}
        self._ids = itertools.count(10)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/users/me", self._me),
            web.post("/api/articles", self._create),
            web.get("/api/articles/me/published", self._published),
            web.put("/api/articles/{id}/unpublish", self._unpublish),
        ]

    def _refused(self, request: web.Request) -> web.Response | None:
        if request.headers.get("api-key") == KEY:
            return None
        return web.json_response({"error": "unauthorized", "status": 401}, status=401)

    async def _me(self, request: web.Request) -> web.Response:
        user = {"type_of": "user", "id": 7, "username": "ada", "name": "Ada"}
        return self._refused(request) or web.json_response(user)

    async def _create(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        article = (await request.json())["article"]
        if not article.get("title") or len(article["title"]) > 128:
            return web.json_response(
                {"error": "Validation failed: Title is wrong", "status": 422}, status=422
            )
        number = next(self._ids)
        self.articles[number] = {
            **article,
            "id": number,
            "url": f"{self.url}/ada/{number}",
            "published_at": utc_now().isoformat(),
        }
        return web.json_response(self.articles[number], status=201)

    async def _published(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        newest_first = sorted((a for a in self.articles.values() if a["published"]), key=lambda a: -a["id"])
        per_page = int(request.query.get("per_page", "30"))
        start = (int(request.query.get("page", "1")) - 1) * per_page
        return web.json_response(newest_first[start : start + per_page])

    async def _unpublish(self, request: web.Request) -> web.Response:
        article = self.articles.get(int(request.match_info["id"]))
        if article is None:
            return web.json_response({"error": "not found", "status": 404}, status=404)
        article["published"] = False
        return web.Response(status=204)

    def visible(self, title: str) -> list[str]:
        return [str(a["id"]) for a in self.articles.values() if a["title"] == title and a["published"]]
