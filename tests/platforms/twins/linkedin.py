"""LinkedIn by its documents (learn.microsoft.com/linkedin: Posts API, Images API, Videos API, little text format,
Organization access control, Authorization code flow) and answers that others have seen (DUPLICATE_POST,
NONEXISTENT_VERSION)."""

from __future__ import annotations

import itertools
import re
import time
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from tests.platforms.twins.linkedin_videos import LinkedInVideos
from tests.platforms.twins.oauth import AuthorizationServer
from tests.platforms.twins.server import Twin

MEMBER = "urn:li:person:tw1nMember"
PAGES = {"2414183": ("Devtestco", "devtestco"), "5515715": ("Acme Corp", "acme-corp")}
MEMBER_SCOPES = ("openid", "profile", "w_member_social")
PAGE_SCOPES = ("w_organization_social", "r_organization_social", "rw_organization_admin")
POST_FIELDS = {
    "author", "commentary", "visibility", "distribution", "lifecycleState", "isReshareDisabledByAuthor", "content",
}  # fmt: skip
_VERSIONS = re.compile(r"2025(0[6-9]|1[0-2])|2026\d\d")
_LIST = re.compile(r"List\(((?:urn%3Ali%3Ashare%3A\d+,?)+)\)")
_RESERVED = re.compile(r"[|{}@\[\]()<>#\\*_~]")


class LinkedInTwin(Twin):
    def __init__(
        self, scopes: tuple[str, ...] = MEMBER_SCOPES, pages: tuple[str, ...] = ("2414183",)
    ) -> None:
        super().__init__()
        self.pages = pages
        self.posts: dict[str, dict[str, Any]] = {}
        self.images: dict[str, dict[str, Any]] = {}
        self.film = LinkedInVideos(self)
        self.oauth = AuthorizationServer(
            "li-client-id", "li-client-secret", scopes=scopes, knows_pkce=False, code_seconds=1800,
            access_seconds=5_184_000, gives_refresh=False,
        )  # fmt: skip
        self._ids = itertools.count(7_400_000_000_000_000_001)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/oauth/v2/authorization", self.oauth.authorize),
            web.post("/oauth/v2/accessToken", self.oauth.token),
            web.get("/v2/userinfo", self._userinfo),
            web.get("/rest/organizationAcls", self._acls),
            web.get("/rest/organizations/{id}", self._organization),
            web.post("/rest/posts", self._create),
            web.get("/rest/posts", self._find),
            web.delete("/rest/posts/{urn}", self._delete),
            web.post("/rest/images", self._initialize),
            web.put("/dms-uploads/{id}", self._upload),
            web.get("/rest/organizationalEntityShareStatistics", self._statistics),
            web.get("/rest/networkSizes/{urn}", self._sizes),
            *self.film.routes(),
        ]

    def visible(self, text: str) -> list[str]:
        return [urn for urn, post in self.posts.items() if post["shown"] == text]

    def refused(self, request: web.Request, scope: str) -> web.Response | None:
        if not self.oauth.is_signed_in(request):
            return _error(401, "The token used in the request has expired", 65601, "EXPIRED_ACCESS_TOKEN")
        if scope not in self.oauth.scopes:
            return _error(403, f"Not enough permissions to access: {scope}", 100, "ACCESS_DENIED")
        if not request.path.startswith("/rest/"):
            return None
        version = request.headers.get("LinkedIn-Version", "")
        if not _VERSIONS.fullmatch(version):
            return _error(426, f"Requested version {version} is not active", 0, "NONEXISTENT_VERSION")
        if request.headers.get("X-Restli-Protocol-Version") != "2.0.0":
            return _error(400, "X-Restli-Protocol-Version must be 2.0.0", 0, "BAD_REQUEST")
        return None

    async def _userinfo(self, request: web.Request) -> web.Response:
        answer = {"sub": MEMBER.rpartition(":")[2], "name": "Ada Member", "locale": "en_US"}
        return self.refused(request, "profile") or web.json_response(answer)

    async def _acls(self, request: web.Request) -> web.Response:
        if refused := self.refused(request, "rw_organization_admin"):
            return refused
        if request.query.get("q") != "roleAssignee":
            return _error(400, "No such finder", 0, "BAD_REQUEST")
        elements = [
            {"role": "ADMINISTRATOR", "state": "APPROVED", "roleAssignee": MEMBER,
             "organization": f"urn:li:organization:{number}"} for number in self.pages
        ]  # fmt: skip
        elements.append({"role": "ANALYST", "state": "APPROVED", "organization": "urn:li:organization:99"})
        return web.json_response({"elements": elements, "paging": {"start": 0, "count": 100, "links": []}})

    async def _organization(self, request: web.Request) -> web.Response:
        if refused := self.refused(request, "rw_organization_admin"):
            return refused
        number = request.match_info["id"]
        name, vanity = PAGES[number]
        return web.json_response({"id": int(number), "localizedName": name, "vanityName": vanity})

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.json()
        is_page = str(body.get("author", "")).startswith("urn:li:organization:")
        if refused := self.refused(request, "w_organization_social" if is_page else "w_member_social"):
            return refused
        if unknown := set(body) - POST_FIELDS:
            return _error(400, f"Unpermitted fields present in REQUEST_BODY: {unknown}", 0, "BAD_REQUEST")
        if body["distribution"].get("feedDistribution") != "MAIN_FEED" or body["visibility"] != "PUBLIC":
            return _error(400, "INVALID_VALUE_FOR_FIELD", 0, "BAD_REQUEST")
        for image in _images_of(body):
            if image["id"].startswith("urn:li:video:"):
                if self.film.videos.get(image["id"], {}).get("status") != "AVAILABLE" or "altText" in image:
                    return _input_error("Video is not available", "INVALID_VIDEO")
                continue
            if not self.images.get(image["id"], {}).get("content"):
                return _input_error("Image is not available", "INVALID_IMAGE")
        shown = read_little(body["commentary"])
        if len(shown.encode("utf-16-le")) // 2 > 3000:
            return _input_error("Commentary is too long", "FIELD_LENGTH_TOO_LONG")
        for urn, post in self.posts.items():
            if post["shown"] == shown and post["author"] == body["author"]:
                return _input_error("Duplicate post is detected", "DUPLICATE_POST", urn)
        urn = f"urn:li:share:{next(self._ids)}"
        now = int(time.time() * 1000)
        self.posts[urn] = {**body, "id": urn, "shown": shown, "createdAt": now, "publishedAt": now}
        return web.Response(status=201, headers={"x-restli-id": urn})

    async def _find(self, request: web.Request) -> web.Response:
        if refused := self.refused(request, "r_organization_social"):
            return refused
        if request.query.get("q") != "author" or request.headers.get("X-RestLi-Method") != "FINDER":
            return _error(400, "No such finder", 0, "BAD_REQUEST")
        mine = [post for post in self.posts.values() if post["author"] == request.query["author"]]
        newest = sorted(mine, key=lambda post: -post["createdAt"])[: int(request.query.get("count", "10"))]
        hidden = ("shown",)
        elements = [{key: post[key] for key in post if key not in hidden} for post in newest]
        return web.json_response({"elements": elements, "paging": {"start": 0, "count": 10, "links": []}})

    async def _statistics(self, request: web.Request) -> web.Response:
        if refused := self.refused(request, "rw_organization_admin"):
            return refused
        query = dict(part.split("=", 1) for part in request.rel_url.raw_query_string.split("&"))
        listed = _LIST.fullmatch(query.get("shares", ""))
        if query.get("q") != "organizationalEntity" or listed is None:
            return _error(400, "Invalid query parameters passed to request", 0, "ILLEGAL_ARGUMENT")
        page = unquote(query["organizationalEntity"])
        numbers = {"likeCount": 5, "commentCount": 1, "shareCount": 2, "impressionCount": 900, "clickCount": 7,
                   "uniqueImpressionsCount": 600, "engagement": 0.01}  # fmt: skip
        elements = [
            {"share": urn, "organizationalEntity": page, "totalShareStatistics": numbers}
            for urn in map(unquote, listed.group(1).split(","))
            if self.posts.get(urn, {}).get("author") == page
        ]
        return web.json_response({"elements": elements, "paging": {"start": 0, "count": 10, "links": []}})

    async def _sizes(self, request: web.Request) -> web.Response:
        if refused := self.refused(request, "rw_organization_admin"):
            return refused
        if request.query.get("edgeType") != "COMPANY_FOLLOWED_BY_MEMBER":
            return _error(400, "Invalid edgeType", 0, "ILLEGAL_ARGUMENT")
        return web.json_response({"firstDegreeSize": 219_145})

    async def _delete(self, request: web.Request) -> web.Response:
        scope = "w_organization_social" if "w_organization_social" in self.oauth.scopes else "w_member_social"
        if refused := self.refused(request, scope):
            return refused
        self.posts.pop(unquote(request.match_info["urn"]), None)
        return web.Response(status=204)

    async def _initialize(self, request: web.Request) -> web.Response:
        body = await request.json()
        owner = body["initializeUploadRequest"]["owner"]
        is_page = owner.startswith("urn:li:organization:")
        if refused := self.refused(request, "w_organization_social" if is_page else "w_member_social"):
            return refused
        image = f"urn:li:image:{next(self._ids)}"
        self.images[image] = {"owner": owner}
        upload = f"{self.url}/dms-uploads/{image.rpartition(':')[2]}"
        value = {
            "uploadUrlExpiresAt": int(time.time() * 1000) + 3_600_000,
            "uploadUrl": upload,
            "image": image,
        }
        return web.json_response({"value": value})

    async def _upload(self, request: web.Request) -> web.Response:
        if not self.oauth.is_signed_in(request):
            return web.Response(status=401)
        self.images[f"urn:li:image:{request.match_info['id']}"]["content"] = await request.read()
        return web.Response(status=201)


def read_little(text: str) -> str:
    """What people see. A reserved character that is not escaped ends the text, as LinkedIn does without a word."""
    shown, position = "", 0
    while position < len(text):
        char = text[position]
        if char == "\\" and position + 1 < len(text):
            shown, position = shown + text[position + 1], position + 2
            continue
        is_hashtag = char == "#" and text[position + 1 : position + 2].isalnum()
        if _RESERVED.match(char) and not is_hashtag:
            break
        shown, position = shown + char, position + 1
    return shown


def _images_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    content = body.get("content") or {}
    if "media" in content:
        return [content["media"]]
    images: list[dict[str, Any]] = content.get("multiImage", {}).get("images", [])
    return images


def _error(status: int, message: str, number: int, code: str) -> web.Response:
    body = {"status": status, "serviceErrorCode": number, "code": code, "message": message}
    return web.json_response(body, status=status)


def _input_error(description: str, code: str, duplicate_of: str = "") -> web.Response:
    message = "com.linkedin.content.common.exception.BadRequestResponseException: "
    message += f"Content is a duplicate of {duplicate_of}" if duplicate_of else description
    body = {
        "errorDetailType": "com.linkedin.common.error.BadRequest",
        "message": message,
        "errorDetails": {"inputErrors": [{"description": description, "input": {}, "code": code}]},
        "status": 422,
    }
    return web.json_response(body, status=422)
