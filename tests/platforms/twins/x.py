"""X by its OpenAPI description 2.167: paths, fields and answers (test_x.py holds both against the description).

Where the description is silent: the answer to a repeat and the header names of limits are as others have seen them,
links become t.co and & < > are escaped as docs.x.com says; characters weigh what twitter-text's configuration 3 says.
"""

from __future__ import annotations

import html
import itertools
import re
import time
from datetime import datetime
from typing import Any

from aiohttp import web

from contentcaster.clock import utc_now
from tests.platforms.twins.oauth import AuthorizationServer
from tests.platforms.twins.server import Twin

USER = {"id": "2244994945", "username": "acme_news", "name": "Acme News"}
POST_FIELDS = {"text", "media", "reply", "quote_tweet_id", "reply_settings", "made_with_ai"}
SCOPES = ("tweet.read", "tweet.write", "users.read", "media.write", "offline.access")
_URL = re.compile(
    r"https?://\S+|(?<![\w@/.$#-])(?:[a-z0-9-]+\.)+(?:com|org|de|io|dev|uk)\b(?:/\S*)?", re.IGNORECASE
)
_LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
_MEDIA_TYPES = {
    "tweet_image": ("image/jpeg", "image/png", "image/webp"),
    "tweet_video": ("video/mp4", "video/quicktime", "video/webm"),
}
_MAX_PART_BYTES = 5_000_000


class XTwin(Twin):
    def __init__(self) -> None:
        super().__init__()
        self.posts: dict[str, dict[str, Any]] = {}
        self.uploads: dict[str, dict[str, Any]] = {}
        self.lose_answers = 0
        """How many of the next posts are made and answered with 503 all the same."""
        self.oauth = AuthorizationServer("x-client-id", "x-client-secret/+", scopes=SCOPES, wants_basic=True)
        self._ids = itertools.count(1_790_000_000_000_000_001)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/i/oauth2/authorize", self.oauth.authorize),
            web.post("/2/oauth2/token", self.oauth.token),
            web.get("/2/users/me", self._me),
            web.post("/2/tweets", self._create),
            web.get("/2/tweets", self._by_ids),
            web.delete("/2/tweets/{id}", self._delete),
            web.get("/2/users/{id}/tweets", self._timeline),
            web.post("/2/media/upload/initialize", self._initialize),
            web.post("/2/media/upload/{id}/append", self._append),
            web.post("/2/media/upload/{id}/finalize", self._finalize),
            web.get("/2/media/upload", self._status),
            web.post("/2/media/metadata", self._metadata),
        ]

    def visible(self, text: str) -> list[str]:
        return [post["id"] for post in self.posts.values() if post["written"] == text]

    def _refused(self, request: web.Request) -> web.Response | None:
        if self.oauth.is_signed_in(request):
            return None
        return _problem(401, "about:blank", "Unauthorized", "Unauthorized")

    async def _me(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        user: dict[str, Any] = dict(USER)
        if "public_metrics" in request.query.get("user.fields", ""):
            user["public_metrics"] = {
                "followers_count": 41, "following_count": 7, "post_count": len(self.posts), "listed_count": 0,
            }  # fmt: skip
        return web.json_response({"data": user})

    async def _create(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        body = await request.json()
        text, media = body.get("text", ""), (body.get("media") or {}).get("media_ids", [])
        if unknown := set(body) - POST_FIELDS:
            return _invalid(f"Unknown field: {unknown}")
        if not text and not media:
            return _invalid("text: must not be empty")
        if weight(text) > 280:
            return _problem(403, "about:blank", "Forbidden", "Your Tweet text is too long.")
        if any(self.uploads.get(item, {}).get("state") != "succeeded" for item in media) or len(media) > 4:
            return _invalid("Your media IDs are invalid.")
        if len(media) > 1 and any(self.uploads[item]["category"] == "tweet_video" for item in media):
            return _invalid("You may attach up to 4 photos, 1 animated GIF or 1 video.")
        parent = (body.get("reply") or {}).get("in_reply_to_tweet_id")
        if parent is not None and parent not in self.posts:
            return _problem(
                403, "about:blank", "Forbidden", "You attempted to reply to a Tweet that is deleted."
            )
        if text and any(post["written"] == text for post in self.posts.values()):
            reason = "You are not allowed to create a Tweet with duplicate content."
            return _problem(403, "about:blank", "Forbidden", reason)
        answer = self._add(text, media, parent, str(body.get("quote_tweet_id") or ""))
        if self.lose_answers:
            self.lose_answers -= 1
            return web.Response(status=503, text="busy")
        return answer

    def _add(self, text: str, media: list[str], parent: str | None, quoted: str = "") -> web.Response:
        post_id = str(next(self._ids))
        shown, urls = html.escape(text, quote=False), []
        for match in _URL.finditer(text):
            short = f"https://t.co/{len(urls):010d}"
            shown = shown.replace(html.escape(match.group(), quote=False), short, 1)
            urls.append({"start": 0, "end": 0, "url": short, "expanded_url": _expanded(match.group())})
        if media:
            short = f"https://t.co/pic{post_id[-7:]}"
            shown = f"{shown} {short}".strip()
            expanded = f"https://x.com/{USER['username']}/status/{post_id}/photo/1"
            urls.append(
                {"start": 0, "end": 0, "url": short, "expanded_url": expanded, "media_key": f"3_{media[0]}"}
            )
        if quoted:
            short = f"https://t.co/q{post_id[-9:]}"
            shown = f"{shown} {short}".strip()
            expanded = f"https://x.com/someone/status/{quoted}"
            urls.append({"start": 0, "end": 0, "url": short, "expanded_url": expanded})
        now = utc_now()
        self.posts[post_id] = {
            "quoted": quoted,
            "id": post_id,
            "written": text,
            "text": shown,
            "urls": urls,
            "media": media,
            "parent": parent,
            "conversation_id": self.posts[parent]["conversation_id"] if parent else post_id,
            "created_at": now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z",
        }
        return web.json_response(
            {"data": {"id": post_id, "text": shown}},
            status=201,
            headers={"x-rate-limit-limit": "100", "x-rate-limit-remaining": "99",
                     "x-rate-limit-reset": str(int(time.time()) + 900)},
        )  # fmt: skip

    async def _by_ids(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        ids = request.query["ids"].split(",")
        if not 1 <= len(ids) <= 100:
            return _invalid("The number of values in the `ids` query parameter list is not between 1 and 100")
        counts = {"repost_count": 2, "reply_count": 1, "like_count": 5, "quote_count": 1, "bookmark_count": 0,
                  "impression_count": 900}  # fmt: skip
        found = [
            {"id": i, "text": self.posts[i]["text"], "public_metrics": counts} for i in ids if i in self.posts
        ]
        errors = [_missing(i) for i in ids if i not in self.posts]
        return web.json_response({"data": found} if not errors else {"data": found, "errors": errors})

    async def _delete(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        self.posts.pop(request.match_info["id"], None)
        return web.json_response({"data": {"deleted": True}})

    async def _timeline(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        query, wanted = request.query, set(request.query.get("post.fields", "").split(","))
        size = int(query.get("max_results", "10"))
        if request.match_info["id"] != USER["id"] or not 5 <= size <= 100:
            return _invalid("The `max_results` query parameter value is not between 5 and 100")
        since = datetime.fromisoformat(query.get("start_time", "2010-11-06T00:00:00Z"))
        newest = sorted(self.posts.values(), key=lambda post: -int(post["id"]))
        newest = [post for post in newest if datetime.fromisoformat(post["created_at"]) >= since]
        start = int(query.get("pagination_token", "0"))
        page = [self._shown(post, wanted) for post in newest[start : start + size]]
        meta: dict[str, Any] = {"result_count": len(page)}
        if len(newest) > start + size:
            meta["next_token"] = str(start + size)
        return web.json_response({"data": page, "meta": meta} if page else {"meta": meta})

    def _shown(self, post: dict[str, Any], wanted: set[str]) -> dict[str, Any]:
        shown = {"id": post["id"], "text": post["text"]}
        if "entities" in wanted and post["urls"]:
            shown["entities"] = {"urls": post["urls"]}
        return shown | {key: post[key] for key in ("created_at", "conversation_id") if key in wanted}

    # ── media ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _initialize(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        body = await request.json()
        if body.get("media_type") not in _MEDIA_TYPES.get(body.get("media_category"), ()):
            return _invalid("media_type is not one that the category takes")
        media_id = str(next(self._ids))
        self.uploads[media_id] = {"parts": {}, "total": body["total_bytes"], "state": "", "alt": "",
                                 "category": body["media_category"], "asked": 0}  # fmt: skip
        return web.json_response({"data": {"id": media_id, "expires_after_secs": 86400}})

    async def _append(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        form = await request.post()
        if set(form) != {"media", "segment_index"}:
            return _invalid("unknown form field")
        part = form["media"]
        assert isinstance(part, web.FileField)
        upload = self.uploads.get(request.match_info["id"])
        content = part.file.read()
        if upload is None or len(content) > _MAX_PART_BYTES:
            return _invalid("The media id is unknown, or the part is too large.")
        upload["parts"][int(str(form["segment_index"]))] = content
        return web.json_response({"data": {"expires_at": int(time.time()) + 86400}})

    async def _finalize(self, request: web.Request) -> web.Response:
        if refused := self._refused(request):
            return refused
        media_id = request.match_info["id"]
        upload = self.uploads[media_id]
        content = b"".join(upload["parts"][index] for index in sorted(upload["parts"]))
        if len(content) != upload["total"]:
            return _invalid("The media is not complete")
        upload |= {"content": content, "state": "in_progress"}
        info = {"state": "pending", "check_after_secs": 0}
        return web.json_response({"data": {"id": media_id, "size": len(content), "processing_info": info}})

    async def _status(self, request: web.Request) -> web.Response:
        media_id = request.query["media_id"]
        upload = self.uploads[media_id]
        upload["asked"] += 1
        if upload["category"] == "tweet_video" and upload["asked"] < 3:
            info: dict[str, Any] = {"state": "in_progress", "check_after_secs": 0, "progress_percent": 30}
            return web.json_response({"data": {"id": media_id, "processing_info": info}})
        upload["state"] = "succeeded"
        info = {"state": "succeeded", "progress_percent": 100}
        return web.json_response({"data": {"id": media_id, "processing_info": info}})

    async def _metadata(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.uploads[body["id"]]["alt"] = body["metadata"]["alt_text"]["text"]
        return web.json_response({"data": {"id": body["id"], "associated_metadata": body["metadata"]}})


def _expanded(link: str) -> str:
    return link if link.lower().startswith("http") else f"http://{link}"


def weight(text: str) -> int:
    """By twitter-text's configuration 3, for texts without joined emoji: light characters 1, others 2, links 23."""
    plain = _URL.sub("", text)
    links = 23 * len(_URL.findall(text))
    return links + sum(1 if any(a <= ord(c) <= b for a, b in _LIGHT) else 2 for c in plain)


def _problem(status: int, kind: str, title: str, detail: str) -> web.Response:
    return web.json_response(
        {"title": title, "type": kind, "status": status, "detail": detail},
        status=status,
        content_type="application/problem+json",
    )


def _invalid(message: str) -> web.Response:
    body = {
        "errors": [{"message": message}],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": "https://api.x.com/2/problems/invalid-request",
    }
    return web.json_response(body, status=400, content_type="application/problem+json")


def _missing(post_id: str) -> dict[str, str]:
    return {
        "value": post_id,
        "detail": f"Could not find tweet with ids: [{post_id}].",
        "title": "Not Found Error",
        "resource_type": "tweet",
        "parameter": "ids",
        "resource_id": post_id,
        "type": "https://api.x.com/2/problems/resource-not-found",
    }
