"""What surrounds every request: security headers, a cap on bodies, and an answer even to a bug."""

from __future__ import annotations

import secrets

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contentcaster import tracing
from contentcaster.api.problems import problem
from contentcaster.settings import Settings

JSON_BODY_BYTES = 1_000_000
_FORM_OVERHEAD_BYTES = 64_000
_UPLOAD_PATHS = ("/api/v1/media", "/media", "/api/v1/imports")

log = structlog.get_logger(__name__)


class SecurityHeaders:
    """Headers for answers that are data: nothing in them may run, be framed or be kept."""

    def __init__(self, app: ASGIApp, *, is_https: bool) -> None:
        self._app = app
        self._headers = {
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
        }
        if is_https:
            self._headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class Trace:
    """A span for each request: its route as declared, not its address, and the status of the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not tracing.is_on():
            await self._app(scope, receive, send)
            return

        async def noting_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "unknown")
                tracing.note(**{"http.route": route, "http.response.status_code": message["status"]})
            await send(message)

        with tracing.span("http.request", **{"http.request.method": scope["method"]}):
            await self._app(scope, receive, noting_send)


class ErrorBoundary:
    """Answers what nobody expected with a reference number; the traceback goes to the log under the same number."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_started = False

        async def watched_send(message: Message) -> None:
            nonlocal has_started
            has_started = has_started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except Exception:
            reference = secrets.token_hex(4)
            log.exception("request_failed", reference=reference, method=scope["method"], path=scope["path"])
            if has_started:
                raise
            detail = (
                "Something went wrong on our side. Nothing of this request was saved; try again. "
                f"If it happens again, tell your admin the reference {reference}."
            )
            await problem(500, detail, code="internal", reference=reference)(scope, receive, send)


class BodyTooLarge(Exception):
    """The body is longer than it may be; raised while it is read."""


class BodyLimit:
    """Stops reading a body at its cap, whatever its headers say."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._upload_bytes = (
            max(settings.max_upload_mb, settings.max_video_mb) * 1024 * 1024 + _FORM_OVERHEAD_BYTES
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._upload_bytes if scope["path"].rstrip("/") in _UPLOAD_PATHS else JSON_BODY_BYTES
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            await self._refuse(limit, scope, receive, send)
            return
        seen = 0
        is_over = False
        has_answered = False

        async def capped_receive() -> Message:
            nonlocal seen, is_over
            message = await receive()
            seen += len(message.get("body", b"")) if message["type"] == "http.request" else 0
            if seen > limit:
                is_over = True
                raise BodyTooLarge
            return message

        async def capped_send(message: Message) -> None:
            nonlocal has_answered
            # The framework turns a failed read into an answer of its own; ours says why.
            if is_over and not has_answered:
                raise BodyTooLarge
            has_answered = True
            await send(message)

        try:
            await self._app(scope, capped_receive, capped_send)
        except BodyTooLarge:
            if has_answered:
                raise
            await self._refuse(limit, scope, receive, send)

    async def _refuse(self, limit: int, scope: Scope, receive: Receive, send: Send) -> None:
        megabytes = max(1, limit // 1_000_000)
        response = problem(413, f"The body is too large: at most {megabytes} MB.", code="too_large")
        await response(scope, receive, send)
