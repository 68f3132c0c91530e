"""Response headers and page addresses of the compiled console: a small ASGI layer around Reflex."""

from __future__ import annotations

import json
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contentcaster.web.postprocess import CSP_FILE

IMMUTABLE = "public, max-age=31536000, immutable"
A_WEEK = "public, max-age=604800"
REVALIDATE = "no-cache"


class ConsoleHeaders:
    """Adds security and cache headers, and serves `/posts` as the file `posts/index.html` without a redirect.

    `script-src` names the inline scripts of exactly the page that is served; nothing may be evaluated.
    `style-src` needs 'unsafe-inline' because emotion, which Reflex uses, writes style elements at run time.
    """

    def __init__(self, app: ASGIApp, *, release: Path, origins: list[str], is_https: bool) -> None:
        self._app = app
        self._client = release / "build" / "client"
        self._script_hashes: dict[str, list[str]] = json.loads((release / CSP_FILE).read_text())
        # Safari does not count ws: under 'self'.
        sockets = [origin.replace("http", "ws", 1) for origin in origins]
        self._connect = " ".join(["'self'", *sockets])
        self._fixed = {
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "same-origin",
            "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
            "Cross-Origin-Opener-Policy": "same-origin",
        }
        if is_https:
            self._fixed["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        page = self._page_file(path)
        if page is not None and not path.endswith("/"):
            scope = {**scope, "path": path + "/", "raw_path": (path + "/").encode()}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(MutableHeaders(raw=message["headers"]), path, page)
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _page_file(self, path: str) -> str | None:
        """The prerendered file for an address, relative to the client folder; None if there is none."""
        candidate = f"{path.strip('/')}/index.html".lstrip("/")
        return candidate if candidate in self._script_hashes else None

    def _add_headers(self, headers: MutableHeaders, path: str, page: str | None) -> None:
        for name, value in self._fixed.items():
            headers.setdefault(name, value)
        is_page = headers.get("content-type", "").startswith("text/html")
        if is_page and "content-security-policy" not in headers:
            headers["Content-Security-Policy"] = self.policy(page or "404.html")
        if "cache-control" in headers:
            return
        # A style sheet's name is made of what it held before rules were left out of it (web/postprocess.py).
        if path.startswith("/assets/") and not is_page and not path.endswith(".css"):
            headers["Cache-Control"] = IMMUTABLE
        elif path.startswith("/fonts/"):
            headers["Cache-Control"] = A_WEEK
        else:
            headers["Cache-Control"] = REVALIDATE

    def policy(self, page: str) -> str:
        """The Content-Security-Policy for one compiled page."""
        scripts = " ".join(["'self'", *self._script_hashes.get(page, [])])
        return "; ".join(
            [
                "default-src 'self'",
                f"script-src {scripts}",
                "style-src 'self' 'unsafe-inline'",
                "img-src 'self' data: blob:",
                "media-src 'self' blob:",
                "font-src 'self' data:",  # the calendar's icons are a font inside its style sheet
                f"connect-src {self._connect}",
                "object-src 'none'",
                "base-uri 'self'",
                "form-action 'self'",
                "frame-ancestors 'none'",
            ]
        )


class PathDispatcher:
    """Sends REST addresses to the API app and everything else to Reflex, so that an unknown API address stays JSON."""

    def __init__(self, *, api: ASGIApp, console: ASGIApp) -> None:
        self._api = api
        self._console = console

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._api if scope["type"] == "http" and is_api_path(scope["path"]) else self._console
        await app(scope, receive, send)


_API_PREFIXES = ("/api/", "/auth/", "/oauth/", "/media/", "/shared/")
_API_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/api"})


def is_api_path(path: str) -> bool:
    """Whether an address belongs to the REST application rather than to the console."""
    # /media itself is a page of the console; what lies below it are the pictures.
    return path in _API_PATHS or (path.startswith(_API_PREFIXES) and path != "/media/")
